"""Names of objects: made of ids by us, never of anything a sender chose."""

from __future__ import annotations

import re

from frostbyte.kernel.errors import Invalid

_PART = r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,254}"
"""No leading dot: neither "..", nor the store's temporary files. 255 characters: a file name on ext4 and xfs."""
_NAME = re.compile(rf"{_PART}(?:/{_PART})+")


def check_object_name(name: str) -> str:
    """Return `name` if it is `folder/part[/part]` of `[A-Za-z0-9._-]`, none of them starting with a dot.

    Raises:
        Invalid: `object_name`: it could leave the store's folder, or cannot be a file's name.
    """
    if _NAME.fullmatch(name) is None:
        raise Invalid("object_name", "An object was asked for by a name that no object can have.", "Report this.")
    return name
