"""Content that stands twice, for newer programs and for older ones (ECMA-376 part 3): which one Office shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from frostbyte.data_plane.parse.office.archive import attribute, local

LEFT_OUT: Final = "alternative_content_not_read"
"""The note that content for other programs has words which today's Office does not show."""
_UNDERSTOOD: Final = re.compile(
    r"http://schemas\.microsoft\.com/office/(?!mac/)|http://schemas\.openxmlformats\.org/|http://purl\.oclc\.org/ooxml/"
    r"|urn:schemas-microsoft-com:(?:vml|office:)"
)
"""Namespaces of Office. Whoever names one of his own is answered with what stands there for older programs."""


def chosen(node: Any) -> Any | None:
    """The branch of an `mc:AlternateContent` that is shown; None if none is."""
    for child in node:
        name = local(child)
        if name == "Fallback" or (name == "Choice" and _is_understood(child)):
            return child
    return None


def loses(node: Any, branch: Any | None) -> bool:
    """Whether another branch than the one that is shown has words that this one lacks."""
    whole = "".join(_words(branch)) if branch is not None else ""
    return any(words not in whole for other in node if other is not branch for words in _words(other))


def kept(node: Any, notes: list[str]) -> Any:
    """What is shown of content that stands twice, with a note where words of the other are lost."""
    branch = chosen(node)
    if loses(node, branch):
        notes.append(LEFT_OUT)
    return branch if branch is not None else ()


def shown(root: Any, notes: list[str]) -> Iterator[Any]:
    """All nodes that are shown, in their order; a note where words of others are lost."""
    gone: set[Any] = set()
    for node in root.iter():
        if node in gone:
            continue
        if local(node) == "AlternateContent":
            branch = kept(node, notes)
            gone.update(item for other in node if other is not branch for item in other.iter())
        yield node


def _is_understood(choice: Any) -> bool:
    names = [choice.nsmap.get(prefix) for prefix in (choice.get("Requires") or "").split()]
    return all(name is None or _UNDERSTOOD.match(name) for name in names)


def _words(branch: Any) -> list[str]:
    """The text of each paragraph, without blanks."""
    blocks = list(branch.iter("{*}p")) or [branch]
    found = ["".join([item.text or "" for item in block.iter("{*}t", "{*}delText")]) for block in blocks]
    found += [attribute(item, "string") or "" for item in branch.iter("{*}textpath")]
    return ["".join(text.split()) for text in found if text.strip()]
