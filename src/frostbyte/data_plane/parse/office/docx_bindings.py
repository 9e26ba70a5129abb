"""Content controls that are bound to data of the file: Word shows the data, whatever stands in the control.

Programs that fill in forms often write the data alone and leave the control's text as it was.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any, Final

from frostbyte.data_plane.parse.office.archive import Archive, attribute, local

NOT_READ: Final = "bound_content_not_read"
"""The note that what a control is bound to could not be followed."""
_STEP: Final = re.compile(r"(@?)(?:([\w.-]+):)?([\w.-]+)(?:\[(\d{1,6})\])?$")
_NAMESPACE: Final = re.compile(r"""xmlns:([\w.-]+)\s*=\s*["']([^"']*)["']""")
_PROPERTIES: Final = {
    "{6c3c8bc8-f283-45ae-878a-bab7291924a1}": ("core-properties", "docProps/core.xml"),
    "{6668398d-a668-4e3e-a5eb-62b293d839f1}": ("extended-properties", "docProps/app.xml"),
}
"""Stores that are the properties of the file, with their relation and usual place."""
_OF_ITS_OWN: Final = frozenset("picture checkbox date docPartObj docPartList repeatingSection".split())
"""Controls that show something else than the text that they are bound to."""
_MOST: Final = 100
"""Stores of one file that are looked at."""


class Bindings:
    """The data of one document."""

    def __init__(self, archive: Archive, relations: dict[str, tuple[str, str]]) -> None:
        self._archive = archive
        self._relations = relations

    def replaced(self, control: Any) -> tuple[str, str]:
        """What is shown instead of the content of a `w:sdt`, or ''; and a note, or ''."""
        properties = next((child for child in control if local(child) == "sdtPr"), ())
        binding = next((item for item in properties if local(item) == "dataBinding"), None)
        if binding is None or any(local(item) in _OF_ITS_OWN for item in properties):
            return "", ""
        value = self._value(binding)
        if value is None or value.lstrip().startswith("<"):  # a path that is none of Word's own, or a document
            return "", NOT_READ if value is not None or self._stores else ""
        for item in properties:
            for entry in item if local(item) in ("dropDownList", "comboBox") else ():
                if attribute(entry, "value") == value:
                    value = attribute(entry, "displayText") or value
        content = "".join("".join(node.itertext()) for node in control if local(node) == "sdtContent")
        return ("", "") if _squeezed(value) in ("", _squeezed(content)) else (value, "")

    @cached_property
    def _stores(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for kind, part in self._relations.values():
            if kind == "customXml" and part in self._archive.names and len(found) < _MOST:
                about = self._archive.relations(part).values()
                names = [name for kind, name in about if kind == "customXmlProps" and name in self._archive.names]
                identity = attribute(self._archive.xml(names[0]), "itemID") if names else None
                found[(identity or part).lower()] = self._archive.xml(part)
        parts = dict(self._archive.relations("").values())
        for identity, (kind, usual) in _PROPERTIES.items():
            name = self._archive.named(parts.get(kind, usual))
            if name in self._archive.names:
                found[identity] = self._archive.xml(name)
        return found

    def _value(self, binding: Any) -> str | None:
        """What a binding leads to: None if it cannot be followed."""
        names = dict(_NAMESPACE.findall(attribute(binding, "prefixMappings") or ""))
        steps = [_STEP.match(step) for step in (attribute(binding, "xpath") or "").strip().lstrip("/").split("/")]
        store = (attribute(binding, "storeItemID") or "").lower()
        roots = [self._stores[store]] if store in self._stores else list(self._stores.values())
        if not all(steps):
            return None
        for root in roots:
            found = [root]
            for number, step in enumerate(steps):
                assert step is not None  # all of them are
                found = _followed(found, step, names, root=not number)
            if found:
                return found[0] if isinstance(found[0], str) else "".join(found[0].itertext())
        return None


def _followed(nodes: list[Any], step: re.Match[str], names: dict[str, str], *, root: bool) -> list[Any]:
    is_attribute, prefix, name, index = step.groups()
    if is_attribute:
        return [value for node in nodes if (value := attribute(node, name)) is not None]
    space = names.get(prefix) if prefix else None
    found = []
    for node in nodes:
        tags = (f"{{{space}}}{name}",) if space is not None else (f"{{*}}{name}", name)
        alike = [node] if root and next(node.iter(*tags), None) is node else []
        alike = alike if root else list(node.iterchildren(*tags))
        found += alike[int(index) - 1 : int(index)] if index and int(index) else alike
    return found


def _squeezed(text: str) -> str:
    return "".join(text.split())
