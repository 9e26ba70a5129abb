"""The edge's files in a folder that a Traefik watches.

A file comes into being whole, by its name: it is written beside the folder that is watched, made durable, and renamed
into it. Modes are 0640 in a folder of 0750, so that an edge with an account of its own reads them by its group, and
nobody else does: they hold keys.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import uuid4

from frostbyte.kernel.errors import Invalid, Unavailable

_NAME: Final = re.compile(r"[a-z0-9]{1,32}(-[a-z0-9]{1,32})?\.yml")
_MODE: Final = 0o640
_LONGEST: Final = 1 << 20
"""Bytes of a file that are read: ours have some thousands."""


def checked(name: str) -> str:
    """Raises Invalid("edge_name_invalid") unless it is a name that our files have."""
    if not _NAME.fullmatch(name):
        raise Invalid("edge_name_invalid", "No file of the edge is called that.", "Report it: nothing was written.")
    return name


class EdgeFolder:
    """See `control_plane.edge.ports.EdgeFiles`.

    Args:
        folder: made with mode 0750 where it is missing; the group that it is given to is kept.
        beside: on the same disk, where nobody watches: files are made there; default `.{name}.new` beside `folder`.
    """

    def __init__(self, folder: Path, beside: Path | None = None) -> None:
        self._folder = folder
        self._beside = beside or folder.with_name(f".{folder.name}.new")
        with _told():
            folder.mkdir(mode=0o750, parents=True, exist_ok=True)
            self._beside.mkdir(mode=0o700, exist_ok=True)
            for left in self._beside.iterdir():  # a kill between write and rename
                left.unlink()

    @property
    def folder(self) -> Path:
        """What is watched."""
        return self._folder

    def write(self, name: str, text: str) -> None:
        """Durable, and as a whole."""
        target = self._folder / checked(name)
        fresh = self._beside / uuid4().hex
        with _told():
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(text.encode("ascii"))
                    os.fchown(file.fileno(), -1, self._folder.stat().st_gid)
                    os.fchmod(file.fileno(), _MODE)
                    file.flush()
                    os.fsync(file.fileno())
                if target.is_dir() and not target.is_symlink():
                    shutil.rmtree(target)
                fresh.replace(target)
            except OSError:
                fresh.unlink(missing_ok=True)
                raise
            self._keep()

    def read(self, name: str) -> str | None:
        """The text; None where there is no file that was written here: another kind, another mode, no text."""
        path = self._folder / name
        with _told():
            try:
                if os.lstat(path).st_mode != stat.S_IFREG | _MODE:
                    return None
                descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            except OSError:
                return None
            with os.fdopen(descriptor, "rb") as file:
                data = file.read(_LONGEST + 1)
        return data.decode("ascii") if len(data) <= _LONGEST and data.isascii() else None

    def remove(self, name: str) -> None:
        """One that is not there is no trouble; a folder goes with what is in it, a link without what it leads to."""
        if name in ("", ".", "..") or "/" in name:
            raise Invalid("edge_name_invalid", "No file of the edge is called that.", "Report it: nothing was removed.")
        path = self._folder / name
        with _told():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
            self._keep()

    def stamp(self, name: str) -> str:
        """Inode, length, time of change and mode; '' where there is no such file."""
        with _told():
            try:
                return _stamp(os.lstat(self._folder / name))
            except FileNotFoundError:
                return ""

    def stamps(self) -> dict[str, str]:
        """By name, everything that lies in the folder."""
        with _told(), os.scandir(self._folder) as entries:
            found = {}
            for entry in entries:
                try:
                    found[entry.name] = _stamp(entry.stat(follow_symlinks=False))
                except FileNotFoundError:
                    continue  # it went while we looked
            return found

    def _keep(self) -> None:
        """Make the renaming itself durable."""
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _stamp(found: os.stat_result) -> str:
    return f"{found.st_ino}.{found.st_size}.{found.st_ctime_ns}.{found.st_mode}"


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(
            "edge_unwritable",
            f"The edge's folder cannot be written or read ({type(error).__name__}).",
            "See that its disk has room and that the control plane's account owns it.",
        ) from error
