"""Names of objects: made of ids by us, never of anything a sender chose."""

from __future__ import annotations

import re

from frostbyte.kernel.errors import Invalid

_PART = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")  # no leading dot: neither "..", nor the store's temporary files
_LONGEST = 255  # characters of one part: the limit of a file name on ext4 and xfs


def check_object_name(name: str) -> str:
    """Return `name` if it is `folder/part[/part]` of `[A-Za-z0-9._-]`, none of them starting with a dot.

    Raises:
        Invalid: `object_name`: it could leave the store's folder, or cannot be a file's name.
    """
    parts = name.split("/")
    if len(parts) < 2 or not all(len(p) <= _LONGEST and _PART.fullmatch(p) for p in parts):
        raise Invalid("object_name", "An object was asked for by a name that no object can have.", "Report this.")
    return name
