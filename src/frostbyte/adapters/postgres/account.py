"""Under which account the embedded server runs: PostgreSQL refuses to run as root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path
from typing import Final

import msgspec

from frostbyte.kernel.errors import FrostbyteError

_CANDIDATES: Final = ("frostbyte", "postgres", "nobody")


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """How to start the server's programs."""

    uid: int
    gid: int
    user: int | None = None
    """What subprocess is to switch to; None where it stays or where `prefix` does it."""
    group: int | None = None
    groups: tuple[int, ...] | None = None
    prefix: tuple[str, ...] = ()


def account_for(folder: Path, binaries: Path) -> Account:
    """The present account, or for root the first of frostbyte, postgres and nobody that exists.

    Where that account cannot reach the folder or the programs (root's home, a private temporary folder), no permission
    is loosened: the server alone gets the capability to pass through folders (CAP_DAC_READ_SEARCH), with util-linux's
    setpriv.

    Raises:
        FrostbyteError: `embedded_folder_unreachable` where that is not possible.
    """
    if os.geteuid() != 0:
        return Account(uid=os.geteuid(), gid=os.getegid())
    entry = next(found for name in _CANDIDATES if (found := _entry(name)) is not None)
    if all(_passes(path, entry.pw_uid, entry.pw_gid) for path in (folder, binaries)):
        return Account(uid=entry.pw_uid, gid=entry.pw_gid, user=entry.pw_uid, group=entry.pw_gid, groups=())
    setpriv = shutil.which("setpriv")
    prefix = (
        setpriv or "setpriv",
        f"--reuid={entry.pw_uid}",
        f"--regid={entry.pw_gid}",
        "--clear-groups",
        "--inh-caps=-all,+dac_read_search",
        "--ambient-caps=-all,+dac_read_search",
        "--bounding-set=-all,+dac_read_search",
        "--no-new-privs",
    )
    if setpriv is None or subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode != 0:  # noqa: S603  # fixed words
        raise FrostbyteError(
            "embedded_folder_unreachable",
            f"Run as root, the database runs as {entry.pw_name}, who cannot enter the data folder or the program's.",
            "Choose a data folder that this account can reach, such as /var/lib/frostbyte, or do not run as root.",
        )
    return Account(uid=entry.pw_uid, gid=entry.pw_gid, prefix=prefix)


def _entry(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _passes(path: Path, uid: int, gid: int) -> bool:
    """Whether the mode bits let the account pass through every folder on the way."""
    for part in [path, *path.parents]:
        state = part.stat()
        bit = 0o100 if state.st_uid == uid else 0o010 if state.st_gid == gid else 0o001
        if not state.st_mode & bit:
            return False
    return True
