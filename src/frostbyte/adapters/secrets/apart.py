"""Keys that sign, in a folder apart from those that open documents: who only works on documents need not see them.

Before there was such a folder all keys lay in one. What signs is moved once, each file by itself: written durably in
the new place, then removed from the old one. A process that was killed between the two is finished by the next.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final

from frostbyte.adapters.secrets.files import check_private, sync_folder, write_new
from frostbyte.kernel.errors import Conflict

_SIGNING: Final = re.compile(r"log\.key|accounts\.key|token(?:-[1-9][0-9]{0,8})?\.key|change-[0-9a-f-]{36}\.json")


def move_signing_keys(keys: Path, signing: Path) -> None:
    """Move what signs from `keys` to `signing`; nothing to do where they are the same or it was done.

    Raises:
        Conflict: `signing_keys_twice`: both folders hold a file of one name with different content.
        Invalid: `secret_permissions`.
        Unavailable: `secret_unwritable`.
    """
    if signing == keys or not keys.is_dir():
        return
    signing.mkdir(mode=0o700, parents=True, exist_ok=True)
    for folder in (keys, signing):
        check_private(folder, stat.S_IFDIR)
    for old in sorted(path for path in keys.iterdir() if _SIGNING.fullmatch(path.name)):
        check_private(old, stat.S_IFREG)
        new, found, data = signing / old.name, old.stat(), old.read_bytes()
        if not write_new(new, data) and new.read_bytes() != data:
            raise Conflict(
                "signing_keys_twice",
                f"Both key folders hold a {old.name}, and they differ.",
                "Keep the one that the plane used last, in FROSTBYTE_SIGNING_DIR, and move the other away.",
            )
        os.utime(new, ns=(found.st_atime_ns, found.st_mtime_ns))  # says since when a token's key signs
        old.unlink()
        sync_folder(keys)
