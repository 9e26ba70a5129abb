"""A host without a network: an engine of its own in a namespace that leads nowhere (tools/isolated_host.sh)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
TOOL: Final = str(ROOT / "tools/isolated_host.sh")


@dataclass(frozen=True)
class Host:
    """One that runs. What it keeps is below `folder`; a "disk" that is carried to it is any folder of this machine."""

    folder: Path

    def run(
        self, *command: str | Path, check: bool = True, seconds: float = 600.0, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """A command as its operator types it. Fails the test with what it said, unless `check` is off."""
        done = subprocess.run(
            [TOOL, "run", str(self.folder), *map(str, command)],
            env=os.environ | environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
        assert not check or done.returncode == 0, f"{done.returncode}: {done.stdout[-3000:]}\n{done.stderr[-4000:]}"
        return done

    def containers(self) -> list[dict[str, Any]]:
        """What `docker inspect` says of all that run or ran."""
        names = self.run("docker", "ps", "--all", "--quiet").stdout.split()
        found: list[dict[str, Any]] = json.loads(self.run("docker", "inspect", *names).stdout) if names else []
        return found

    def outside(self) -> None:
        """Give it a way out, to a neighbour that counts: from now on only the containers' own walls hold them."""
        subprocess.run([TOOL, "outside", str(self.folder)], check=True, timeout=60)

    def seen_outside(self) -> int:
        """Packets that reached the neighbour."""
        done = subprocess.run([TOOL, "seen", str(self.folder)], check=True, timeout=60, capture_output=True, text=True)
        return int(done.stdout)


@contextmanager
def isolated_host(under: Sequence[str] = ()) -> Iterator[Host]:
    """Start one, and take away all that it kept. Its folder has a short name: an engine's sockets lie in it.

    Args:
        under: what its engine is started by, as `unshare --mount` to give it files of its own.
    """
    folder = Path(tempfile.mkdtemp(prefix="fb-host-"))
    done = subprocess.run(
        [*under, TOOL, "start", str(folder)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    try:
        yield Host(folder)
    finally:
        subprocess.run([TOOL, "stop", str(folder)], check=True, timeout=120)
        shutil.rmtree(folder)
