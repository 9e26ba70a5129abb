"""Characters that XML and Excel write as something else."""

from __future__ import annotations

import re
from typing import Final

_ENTITY: Final = re.compile(r"&(#x[0-9a-fA-F]{1,6}|#\d{1,7}|lt|gt|amp|quot|apos);")
_ESCAPED: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")
_ATTRIBUTE: Final = re.compile(r"""(?<![\w:.-])(\w+)\s*=\s*["']([^"']*)["']""")
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_NAMED: Final = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}


def unescaped(text: str) -> str:
    """Text of XML that was not parsed, and Excel's own `_x000D_` for characters that XML has no form for."""
    if "&" in text:
        text = _ENTITY.sub(_character, text)
    if "_x" in text:
        text = _ESCAPED.sub(lambda match: chr(int(match.group(1), 16)), text)
    return text


def attributes(tag: str) -> dict[str, str]:
    """What a tag says, without what has a prefix: that is another program's."""
    found = dict(_ATTRIBUTE.findall(tag))
    return {name: unescaped(value) for name, value in found.items()} if "&" in tag else found


def storable(text: str) -> str:
    """Text as it is kept beside that of a page: a lone surrogate has no UTF-8 form and is replaced."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def _character(match: re.Match[str]) -> str:
    name = match.group(1)
    if name[0] != "#":
        return _NAMED[name]
    code = int(name[2:], 16) if name[1] == "x" else int(name[1:])
    return chr(code) if 0 < code < 0x110000 else ""
