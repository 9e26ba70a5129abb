"""What an Office file says of itself: the properties that all have, and those that programs and people added."""

from __future__ import annotations

from typing import Final

from frostbyte.data_plane.parse.building import clean
from frostbyte.data_plane.parse.office.archive import Archive, local

_CORE: Final = (
    "title", "creator", "subject", "description", "keywords", "lastModifiedBy", "created", "modified", "category",
    "contentStatus", "identifier",
)  # fmt: skip
_EXTENDED: Final = ("Company", "Manager")
_USUAL: Final = {
    "core-properties": "docProps/core.xml",
    "extended-properties": "docProps/app.xml",
    "custom-properties": "docProps/custom.xml",
}
"""Where parts stand whose relation is missing. Programs of .NET put the first elsewhere."""
_MOST: Final = 1_000
"""Properties that people added of which is told."""


def properties(archive: Archive) -> tuple[dict[str, str], tuple[str, ...]]:
    """The properties by their names in small letters, and notes.

    Those that people or programs added are one property, `custom`: their names are content, too.
    """
    parts = _USUAL | {kind: target for kind, target in archive.relations("").values() if kind in _USUAL}
    found: dict[str, str] = {}
    own: list[str] = []
    for kind, part in parts.items():
        part = archive.named(part)
        for node in archive.xml(part) if part in archive.names else ():
            if kind == "custom-properties":
                value = clean(" ".join(node.itertext()))
                own += [f"{clean(node.get('name', ''))}: {value}"] if value else []
                continue
            name, value = local(node), clean(node.text or "")
            if value and name in (_CORE if kind == "core-properties" else _EXTENDED):
                found[name.lower()] = value
    if own:
        found["custom"] = "; ".join(own[:_MOST])
    return found, ("properties_left_out",) if len(own) > _MOST else ()
