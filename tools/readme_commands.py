"""Runs what README.md and a starting plane tell a newcomer to type, in the order in which they read it.

`make up` and `frostbyte serve control` are started in the background with fresh data on free ports; then come README's
other commands and those that the plane printed. `make demo` is left to its own lane. `ingest` may end with 3: one
sample is there to be refused.

    python tools/readme_commands.py [README.md]
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMAND = re.compile(r"^(?:    |  |\$ )((?:make|frostbyte) [^\n]*?)(?:  .*)?$", re.MULTILINE)
ELSEWHERE = ("make up", "make demo", "make setup", "frostbyte serve")
START_SECONDS = 120.0


def commands(text: str) -> list[str]:
    """Indented lines that are commands, without what is said beside them."""
    return [line for line in COMMAND.findall(text) if not line.startswith(ELSEWHERE)]


def main() -> int:
    """0 if every command ended as it should."""
    readme = Path(sys.argv[1] if len(sys.argv) > 1 else "README.md").read_text(encoding="utf-8")
    if "make up" not in readme:
        print("README.md does not say how to start a plane", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="fb-readme-") as name:
        folder, log = Path(name) / "data", Path(name) / "log"
        environment = os.environ | {
            "FROSTBYTE_DATA_DIR": str(folder),
            "FROSTBYTE_LISTEN": "127.0.0.1:0",
            "FROSTBYTE_CONTROL_DATA_DIR": str(Path(name) / "control"),
            "FROSTBYTE_CONTROL_LISTEN": "127.0.0.1:0",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        started: list[subprocess.Popen[bytes]] = []
        try:
            told = start(["make", "up"], log, environment, started)
            start(["frostbyte", "serve", "control"], log.with_name("control.log"), environment, started)
            typed = [*commands(readme), *commands(told)]
            for line in typed:
                if not run(line, environment, Path(name)):
                    return 1
            print(f"{len(typed)} commands ran; the plane was started by `make up`")
        finally:
            for process in started:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait(60)
    return 0


def run(line: str, environment: dict[str, str], scratch: Path) -> bool:
    """Type one command; what it would write beside the checkout goes to `scratch`."""
    line = re.sub(r"--(proof|out) \S+", rf"--\1 {scratch}/\1", line)
    print(f"$ {line}", flush=True)
    code = subprocess.run(["bash", "-euo", "pipefail", "-c", line], env=environment, check=False).returncode
    if code == 0 or (code == 3 and line.startswith("frostbyte ingest")):
        return True
    print(f"it ended with {code}", file=sys.stderr)
    return False


def start(command: list[str], log: Path, environment: dict[str, str], started: list[subprocess.Popen[bytes]]) -> str:
    """Start a server in the background; what it printed once it was ready."""
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command, env=environment, stdout=sink, stderr=sink, stdin=subprocess.DEVNULL, start_new_session=True
        )
    started.append(process)
    deadline = time.monotonic() + START_SECONDS
    while "Ctrl-C stops it" not in (said := log.read_text(encoding="utf-8", errors="replace")):
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"{command[-1]} did not start:\n{said[-2000:]}")
        time.sleep(0.1)
    return said


if __name__ == "__main__":
    sys.exit(main())
