"""Runs the commands of README.md as a newcomer would, against a plane of its own.

What runs are the lines of fenced `sh` blocks that stand under a comment `<!-- run in CI -->`. `frostbyte serve` and
`make up` are left out, because the plane that the others need is started here, on a free port with fresh data.

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

BLOCK = re.compile(r"<!-- run in CI -->\s*```(?:sh|bash)\n(.*?)```", re.DOTALL)
START_SECONDS = 90.0


def commands(text: str) -> list[str]:
    """The marked blocks, without lines that would start a plane."""
    blocks = []
    for block in BLOCK.findall(text):
        lines = [
            line for line in block.splitlines() if not re.match(r"\s*(make up|frostbyte serve|git clone|cd )", line)
        ]
        blocks.append("\n".join(lines))
    return blocks


def main() -> int:
    """0 if every command ended with 0."""
    readme = Path(sys.argv[1] if len(sys.argv) > 1 else "README.md")
    blocks = commands(readme.read_text(encoding="utf-8")) if readme.exists() else []
    if not blocks:
        print(f"{readme} has no block under <!-- run in CI -->: nothing would be checked", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="frostbyte-readme-") as folder:
        environment = os.environ | {
            "FROSTBYTE_DATA_DIR": folder,
            "FROSTBYTE_LISTEN": "127.0.0.1:0",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        plane = subprocess.Popen([sys.executable, "-m", "frostbyte", "serve", "data"], env=environment)
        try:
            wait_for(Path(folder) / "url", plane)
            for block in blocks:
                print(f"$ {block}", flush=True)
                done = subprocess.run(["bash", "-euo", "pipefail", "-c", block], env=environment, check=False)
                if done.returncode:
                    print(f"a command of {readme} ended with {done.returncode}", file=sys.stderr)
                    return 1
        finally:
            plane.send_signal(signal.SIGTERM)
            plane.wait(60)
    return 0


def wait_for(file: Path, plane: subprocess.Popen[bytes]) -> None:
    """Until the plane announced where it answers."""
    deadline = time.monotonic() + START_SECONDS
    while not file.exists():
        if plane.poll() is not None or time.monotonic() > deadline:
            raise SystemExit("the plane did not start")
        time.sleep(0.1)
    time.sleep(0.5)  # the address is written just before the server takes its first request


if __name__ == "__main__":
    sys.exit(main())
