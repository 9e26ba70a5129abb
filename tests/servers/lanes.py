"""The lanes that need a server of their own, where it comes from, and whether it can be had on a test machine.

A test asks with `need("redis")` and is left out, with what to install, where the server is missing. With
FROSTBYTE_REQUIRE=all that fails the run, but for lanes that are not `obtainable` (see tests/conftest.py).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
SYSTEM_PATH: Final = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"


@dataclass(frozen=True, kw_only=True)
class Lane:
    """One kind of server."""

    name: str
    found: Callable[[], bool]
    get: str
    """How to have it."""
    obtainable: bool = True


def program(name: str) -> str | None:
    """Where a program is; Debian keeps servers outside a user's PATH."""
    return shutil.which(name) or shutil.which(name, path=SYSTEM_PATH)


@cache
def built(name: str) -> str | None:
    """Our own `minio`, `sops`, `traefik` or `axe`, if it was built or fetched (tools/servers.sh); tests do not."""
    if given := os.environ.get(f"FROSTBYTE_TEST_{name.upper()}"):
        return given
    module = ROOT / "tools" / name
    pins = [module / file for file in ("go.mod", "go.sum", "package-lock.json") if (module / file).exists()]
    if not pins:
        return program(name)
    pinned = hashlib.sha256(b"".join(file.read_bytes() for file in pins)).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    binary = cache / "frostbyte" / f"{name}-{pinned}" / name
    return str(binary) if binary.exists() else program(name)


def debian_postgres() -> Path | None:
    """The programs of the system's PostgreSQL, the newest one: unlike the wheel's, they know TLS."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    return max(found, key=lambda path: int(path.parent.name), default=None)


def compiles() -> bool:
    """Whether modules can be compiled for this Python: gcc is here, and its headers."""
    headers = [sysconfig.get_path("include") + "/Python.h", "/usr/include/stdio.h"]
    return program("gcc") is not None and all(map(os.path.exists, headers))


def docker_answers() -> bool:
    """Whether an engine answers here."""
    if program("docker") is None:
        return False
    done = subprocess.run(["docker", "info"], capture_output=True, check=False, timeout=30)
    return done.returncode == 0


LANES: Final = {
    lane.name: lane
    for lane in (
        Lane(name="clamd", found=lambda: program("clamd") is not None, get="tools/servers.sh clamd"),
        Lane(name="redis", found=lambda: program("redis-server") is not None, get="tools/servers.sh redis"),
        Lane(name="minio", found=lambda: built("minio") is not None, get="tools/servers.sh minio"),
        Lane(name="sops", found=lambda: built("sops") is not None, get="tools/servers.sh sops"),
        Lane(name="traefik", found=lambda: built("traefik") is not None, get="tools/servers.sh traefik"),
        Lane(name="postgresql", found=lambda: debian_postgres() is not None, get="tools/servers.sh postgresql"),
        Lane(name="promtool", found=lambda: program("promtool") is not None, get="tools/servers.sh promtool"),
        Lane(name="nftables", found=lambda: program("nft") is not None, get="tools/servers.sh nftables"),
        Lane(
            name="cloud-init",
            found=lambda: program("cloud-init") is not None,
            get="install cloud-init, on a machine that it may configure when it boots",
            obtainable=False,
        ),
        Lane(name="hcloud", found=lambda: program("hcloud") is not None, get="tools/servers.sh hcloud"),
        Lane(name="compiler", found=compiles, get="tools/servers.sh compiler"),
        Lane(name="docker", found=docker_answers, get="tools/docker.sh start (as root)"),
        Lane(name="shellcheck", found=lambda: program("shellcheck") is not None, get="tools/servers.sh shellcheck"),
        Lane(name="cryptsetup", found=lambda: program("cryptsetup") is not None, get="tools/servers.sh cryptsetup"),
        Lane(name="sshd", found=lambda: program("sshd") is not None, get="tools/servers.sh sshd"),
        Lane(name="chromium", found=lambda: program("chromium") is not None, get="tools/servers.sh chromium"),
        Lane(name="axe", found=lambda: built("axe") is not None, get="tools/servers.sh axe"),
        Lane(name="node", found=lambda: program("node") is not None, get="tools/servers.sh node"),
        Lane(name="root", found=lambda: os.geteuid() == 0, get="run the tests as root"),
        Lane(
            name="qdrant",
            found=lambda: bool(os.environ.get("FROSTBYTE_TEST_QDRANT_URL")),
            get="run a Qdrant server and set FROSTBYTE_TEST_QDRANT_URL",
            obtainable=False,
        ),
    )
}


def need(name: str) -> None:
    """Leave the test out, with what to do, where its server is missing."""
    lane = LANES[name]
    if not lane.found():
        pytest.skip(reason(lane))


def reason(lane: Lane) -> str:
    """What a run says of a lane that it left out."""
    return f"the {lane.name} lane: {lane.get}"


def excused(why: str) -> bool:
    """Whether a lane that was left out cannot be had here anyway."""
    return why in {reason(lane) for lane in LANES.values() if not lane.obtainable}
