"""Erasures that came after an export: what an operator brings along with the archive.

A file may hold documents' ids, one a line; destruction receipts as `frostbyte erase` and the API give them (one JSON
object, a list, or one a line); or the lines of an audit export, whose DOCUMENT_ERASED events count.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from frostbyte.kernel.archive.contents import ErasedSince, Head
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.ids import new_id


def read_erasures(data: bytes, head: Head) -> list[ErasedSince]:
    """The erasures in a file that are later than the archive.

    Args:
        data: the file's content.
        head: of the archive: what its log holds already, and what was erased before its snapshot, is passed over. A
            document that was erased before and came again is not erased with it.

    Raises:
        Invalid: `erasures_unreadable`: a line is neither of what is read here.
    """
    found: dict[UUID, ErasedSince] = {}
    for item in _items(data):
        read = _one(item, head)
        if read is not None:
            found.setdefault(read.doc_id, read)
    return list(found.values())


def _items(data: bytes) -> Iterator[Any]:
    """Values of the file: of one JSON text, or of its lines."""
    try:
        whole = msgspec.json.decode(data)
        yield from whole if isinstance(whole, list) else [whole]
        return
    except msgspec.DecodeError:
        pass
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            yield msgspec.json.decode(text) if text.startswith("{") else text
        except msgspec.DecodeError:
            raise _unreadable(f"line {number}") from None


def _one(item: Any, head: Head) -> ErasedSince | None:
    """The erasure that an entry tells of; None where the archive knows of it. One without a time has ''."""
    try:
        if isinstance(item, str):
            return _erased(item, {})
        if "event" in item:
            event = item["event"]
            if event["type"] != "DOCUMENT_ERASED" or item["sequence"] < head.log_size:
                return None
            said = {"requested_at": event["timestamp"], "actor": event["actor"], "reason": event["details"]["reason"]}
            return _erased(event["resource_id"], said)
        if datetime.fromisoformat(item["requested_at"]) <= datetime.fromisoformat(head.created_at):
            return None
        return _erased(item["doc_id"], item)
    except (ValueError, LookupError, TypeError):
        raise _unreadable("an entry") from None


def _erased(doc_id: str, said: dict[str, Any]) -> ErasedSince:
    return ErasedSince(
        erasure_id=UUID(said["erasure_id"]) if "erasure_id" in said else new_id(),
        doc_id=UUID(doc_id),
        incarnation=int(said.get("incarnation", 0)),
        requested_at=str(said.get("requested_at", "")),
        actor=str(said.get("actor", "")) or "import",
        reason=str(said.get("reason", "")) or "request",
    )


def _unreadable(where: str) -> Invalid:
    return Invalid(
        "erasures_unreadable",
        f"The list of erasures cannot be read: {where} is no document's id, no destruction receipt and no event.",
        "Give ids one a line, receipts as JSON, or audit_export.jsonl of the plane that went on.",
    )
