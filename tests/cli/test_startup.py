"""The command answers at once: completion and help must not wait for libraries that they do not use."""

from __future__ import annotations

import subprocess
import sys
import time

IMPORT_SECONDS = 0.3
"""Longest import of the command line (docs/cli.md)."""
HEAVY = (
    "httpx",
    "rich",
    "fastapi",
    "uvicorn",
    "numpy",
    "onnxruntime",
    "cryptography",
    "msgspec",
    "psycopg",
    "tesserocr",
)


def test_importing_the_command_line_is_quick() -> None:
    """Measured inside the new process, so that the interpreter's own start does not count; the best of five, because
    whatever else the machine does can only make it slower."""
    program = "import time; t = time.perf_counter(); import frostbyte.cli.app; print(time.perf_counter() - t)"
    times = [float(subprocess.check_output([sys.executable, "-c", program])) for _ in range(5)]
    assert min(times) <= IMPORT_SECONDS, times


def test_importing_the_command_line_loads_nothing_heavy() -> None:
    program = "import sys, frostbyte.cli.app; print(*sys.modules)"
    loaded = set(subprocess.check_output([sys.executable, "-c", program], text=True).split())
    assert not loaded & set(HEAVY)
    assert not any(name.startswith(("frostbyte.adapters", "frostbyte.bootstrap", "frostbyte.api")) for name in loaded)


def test_a_small_command_ends_soon() -> None:
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "frostbyte", "version"], capture_output=True, check=True, text=True)
    assert done.stdout.startswith("frostbyte ")
    assert time.perf_counter() - started < 10 * IMPORT_SECONDS
