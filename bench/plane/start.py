"""What a person waits for first: the command line's own start, and the whole demonstration.

    python -m bench.plane.start [--rounds 5]

The command line's start is `import frostbyte.cli.app` in a fresh interpreter, less an interpreter that does nothing;
the median of the rounds, which alternate. The demonstration runs once, from the command to its end.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from typing import Final

from bench.table import Line, show

DEMO_SECONDS: Final = 60.0
"""`make help` promises the demonstration in a minute."""
_LONGEST: Final = 180.0


def run(*arguments: str) -> float:
    """Seconds that a Python process takes. Raises CalledProcessError where it fails."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, *arguments],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=_LONGEST,
    )
    return time.perf_counter() - start


def imports(rounds: int) -> Line:
    """How long the command line's import takes."""
    ours, bare = [], []
    for number in range(rounds + 1):
        empty, full = run("-c", "pass"), run("-c", "import frostbyte.cli.app")
        if number:  # the first round fills the caches
            bare.append(empty * 1000)
            ours.append(full * 1000)
    return Line(
        measure="import frostbyte.cli.app",
        ours=statistics.median(ours),
        reference=statistics.median(bare),
        unit="ms",
        target="none promised",
        met=None,
        note=f"whole process, median of {rounds}; reference: an empty Python process",
    )


def demo() -> Line:
    """How long the demonstration takes."""
    seconds = run("-c", "from frostbyte.cli.app import main; main()", "demo")
    return Line(measure="frostbyte demo", ours=seconds, unit="s", target="<= 60 s", met=seconds <= DEMO_SECONDS)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    show([imports(options.rounds), demo()])


if __name__ == "__main__":
    main()
