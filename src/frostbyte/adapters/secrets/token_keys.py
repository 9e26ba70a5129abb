"""The keys that sign tokens, as files beside the plane's other keys: gateway and serving read the same folder.

    token.key, token-2.key ...  Ed25519 seeds; the highest number signs, the one before it is still accepted
    change-{event}.json         a change that is under way (ADR 75)

The folder is looked at for every token, so that no process has to be told of a change: a tenth of what checking the
token costs. A file's time of change says since when its key signs.
"""

from __future__ import annotations

import json
import os
import re
import stat
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from frostbyte.adapters.secrets.files import LENGTH, check_private, read_private, sync_folder, write_new
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import Conflict, Unavailable
from frostbyte.kernel.ports.signing_keys import Change
from frostbyte.kernel.signing import SigningKey, SigningKeys
from frostbyte.kernel.tokens import LONGEST

_KEY: Final = re.compile(r"token(?:-([1-9][0-9]{0,8}))?\.key")
_CHANGE: Final = re.compile(r"change-([0-9a-f-]{36})\.json")
_TRIES: Final = 5
"""Looks at the folder while keys are retired between two looks."""
_Stamp = tuple[int, str, int, int]
"""(number, name, inode, time of change in ns): a file that differs in one of these is read again."""


class FileTokenKeys:
    """See kernel.ports.signing_keys.SigningKeyStore.

    Args:
        folder: private to this user; it is there.
        clock: says whether a previous key's time is over.
        create: whether a first key is made where there is none.
    """

    def __init__(self, folder: Path, clock: Clock, *, create: bool = True) -> None:
        self._folder = folder
        self._clock = clock
        self._lock = threading.Lock()
        self._read: dict[_Stamp, SigningKey] = {}
        check_private(folder, stat.S_IFDIR)
        if create and not self._stamps():
            write_new(folder / "token.key", os.urandom(LENGTH))
        self.keys()

    def keys(self) -> SigningKeys:
        """See the port."""
        held = self._held()
        made_at = datetime.fromtimestamp(held[-1][0][3] / 1e9, UTC)
        over = len(held) < 2 or self._clock.now() >= made_at + LONGEST
        return SigningKeys(current=held[-1][1], made_at=made_at, previous=None if over else held[-2][1])

    def outdated(self) -> Sequence[str]:
        """See the port."""
        accepted = {key.kid for key in self.keys().accepted}
        return [key.kid for _, key in self._held() if key.kid not in accepted]

    def intend(self, change: Change) -> None:
        """See the port."""
        seed = None if change.added is None else change.added.seed.hex()
        write_new(self._note(change), json.dumps({"added": seed, "retired": change.retired}).encode())

    def intended(self) -> Sequence[Change]:
        """See the port."""
        found = []
        for name in sorted(self._names()):
            if match := _CHANGE.fullmatch(name):
                path = self._folder / name
                check_private(path, stat.S_IFREG)
                note = json.loads(path.read_bytes())
                added = None if note["added"] is None else SigningKey(bytes.fromhex(note["added"]))
                found.append(Change(event_id=UUID(match[1]), added=added, retired=tuple(note["retired"])))
        return found

    def carry_out(self, change: Change) -> None:
        """See the port."""
        held = self._held()
        if change.added is not None and change.added.kid not in {key.kid for _, key in held}:
            number = held[-1][0][0] + 1
            if not write_new(self._folder / f"token-{number}.key", change.added.seed):
                raise Conflict(
                    "key_rotated_meanwhile", "The key was rotated by somebody else.", "Look at `frostbyte key list`."
                )
            held = self._held()
        for stamp, key in held[:-1]:
            if key.kid in change.retired:
                (self._folder / stamp[1]).unlink(missing_ok=True)
        sync_folder(self._folder)
        self.forget(change)

    def forget(self, change: Change) -> None:
        """See the port."""
        self._note(change).unlink(missing_ok=True)
        sync_folder(self._folder)

    def _note(self, change: Change) -> Path:
        return self._folder / f"change-{change.event_id}.json"

    def _names(self) -> list[str]:
        try:
            return os.listdir(self._folder)
        except OSError as error:
            raise _unreadable() from error

    def _stamps(self) -> tuple[_Stamp, ...]:
        """The key files, oldest first."""
        found = []
        for name in self._names():
            if match := _KEY.fullmatch(name):
                try:
                    state = os.lstat(self._folder / name)
                except FileNotFoundError:  # retired since the folder was listed
                    continue
                except OSError as error:
                    raise _unreadable() from error
                found.append((int(match[1] or 1), name, state.st_ino, state.st_mtime_ns))
        return tuple(sorted(found))

    def _held(self) -> list[tuple[_Stamp, SigningKey]]:
        """The keys that are there, oldest first; files that did not change are not read again."""
        for _ in range(_TRIES):
            stamps = self._stamps()
            with self._lock:
                known = self._read
            try:
                read = {stamp: known.get(stamp) or self._key(stamp[1]) for stamp in stamps}
            except FileNotFoundError:  # retired since the folder was listed: look again
                continue
            if not stamps:
                break
            with self._lock:
                self._read = read
            return list(read.items())
        raise Conflict("secret_missing", "The key file token.key is missing.", "Put it back from your backup.")

    def _key(self, name: str) -> SigningKey:
        try:
            return SigningKey(read_private(self._folder / name))
        except Conflict as error:  # it is not there
            raise FileNotFoundError(name) from error


def _unreadable() -> Unavailable:
    return Unavailable(
        "signing_keys_unreadable",
        "The keys that tokens are checked with cannot be read.",
        "Check the secrets folder and its disk; nobody is let in until then.",
    )
