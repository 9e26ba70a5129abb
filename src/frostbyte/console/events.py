"""What a plane's audit log says, in sentences, for people who read it as a list.

A pattern a type: `{name}` stands for a detail of the event, `{name:noun}` for a number with its noun, and what lies
in brackets is left out where one of its names is missing, empty or zero. An event holds codes, numbers and ids alone,
so no sentence holds more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from frostbyte.console.words import count
from frostbyte.kernel.audit.events import EventType

_E = EventType
SENTENCES: Final[Mapping[EventType, str]] = {
    _E.BATCH_RECEIVED: "An upload of {files:file} came in.",
    _E.BATCH_COMPLETED: "An upload ended[, {indexed} indexed][, {quarantined} quarantined][, {failed} failed]"
    "[, {rejected} refused][, {duplicates} already here].",
    _E.DOCUMENT_INGESTED: "A document was taken in[, {size:byte}][; sent through again: {trigger}].",
    _E.DOCUMENT_REJECTED: "A file was refused[: {code}].",
    _E.DOCUMENT_SCANNED: "It was scanned for malware: {verdict}.",
    _E.DOCUMENT_QUARANTINED: "It was quarantined[: {code}].",
    _E.DOCUMENT_PARSED: "It was read[: {pages:page}].",
    _E.DOCUMENT_PARSE_FAILED: "It could not be read[: {code}].",
    _E.DOCUMENT_EMBEDDED: "{chunks:passage} embedded[ by {model}].",
    _E.DOCUMENT_ERASED: "The document was erased[: {reason}].",
    _E.CONTENT_DROPPED: "Something of it was left out[: {count} × {reason}].",
    _E.CONTENT_WITHHELD: "A passage was withheld[: {reason}][ ({status})].",
    _E.CONTENT_RELEASED: "A withheld passage was released[: {reason}].",
    _E.PII_DETECTED: "Personal data was found: {count} × {pii_type}[ ({action})].",
    _E.POLICY_GATE_PASSED: "It passed the policy[: {chunks:passage}][, class {classification}][: {reason}].",
    _E.POLICY_GATE_FAILED: "It did not pass the policy[: {code}].",
    _E.INDEX_WRITTEN: "It can be found[: {chunks:passage}].",
    _E.EMBEDDING_FAILED: "It could not be embedded[: {code}].",
    _E.RETRIEVAL_EXECUTED: "A question was answered with {results:passage}[ ({mode})].",
    _E.SOURCE_READ: "Unredacted content was read: {artefact}.",
    _E.JOB_HURRIED: "A job was tried again at once[: {stage}].",
    _E.JOB_DISCARDED: "A job was given up[: {stage}].",
    _E.KEY_ROTATED: "A key was made anew: {kind}.",
    _E.KEY_RETIRED: "An old key ended: {kind}.",
    _E.TOKEN_MINTED: "A token was given out[ for {subject}][: {scopes}].",
    _E.TOKEN_REVOKED: "A token was revoked.",
    _E.API_KEY_CREATED: "An API key was made[ for {subject}][: {scopes}].",
    _E.API_KEY_REVOKED: "An API key was revoked.",
    _E.EXPORT_BEGUN: "An export of the whole plane began.",
    _E.EXPORT_ENDED: "An export of the whole plane ended[: {outcome}].",
    _E.PLANE_RESTORED: "The plane was restored; this log continues {old_origin}.",
    _E.BACKUP_TAKEN: "A backup was taken[: {bytes:byte}][ ({code})].",
    _E.HOLD_PLACED: "A legal hold was placed for {matter}[ on {documents:document}][: {reason}].",
    _E.HOLD_RELEASED: "The legal hold for {matter} was released[: {reason}].",
    _E.RETENTION_RUN: "Retention looked for what is too old[: {erased} erased][, {held} held].",
    _E.CLOCK_DOUBTED: "The plane began to doubt its clock.",
    _E.CLOCK_CONFIRMED: "The plane's clock was confirmed.",
    _E.SIGNED_IN: "{subject} signed in[ as {role}][ ({mode})].",
    _E.SIGN_IN_REFUSED: "A sign-in[ of {subject}] was refused[: {code}].",
    _E.SIGNED_OUT: "{subject} was signed out[: {count:session} ended].",
    _E.ACCOUNT_CREATED: "An account was made for {subject}[ as {role}].",
    _E.ACCOUNT_CHANGED: "The account of {subject} was changed[: {changed}][: {role}][: {state}].",
    _E.ACCOUNT_SET_UP: "{subject} set up the account[: {changed}].",
    _E.ACCOUNT_LINKED: "A new link to set up the account of {subject} was made.",
    _E.ACCOUNT_RECOVERED: "The account of {subject} was recovered on the host[ as {role}].",
    _E.WEBHOOK_ADDED: "A webhook was added.",
    _E.WEBHOOK_REMOVED: "A webhook was removed.",
    _E.WEBHOOK_ROTATED: "A webhook's secret was made anew[ ({status})].",
    _E.WEBHOOK_DELIVERED: "A webhook took a message[ at attempt {attempts}].",
    _E.WEBHOOK_FAILED: "A webhook did not take a message[ in {attempts:attempt}][: {code}][; it was {action}].",
    _E.TENANT_CONFIG_UPDATED: "The configuration was changed[: {changed}][ (version {config_version})].",
    _E.TENANT_SUSPENDED: "The tenant was suspended[: {reason}].",
    _E.TENANT_RESUMED: "The tenant was let run again[: {reason}].",
}
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "Uploads": ("BATCH_",),
    "Documents": ("DOCUMENT_", "CONTENT_", "PII_", "POLICY_", "INDEX_", "EMBEDDING_"),
    "Reading": ("RETRIEVAL_", "SOURCE_"),
    "Holds and retention": ("HOLD_", "RETENTION_", "CLOCK_"),
    "Access": ("TOKEN_", "API_KEY_", "KEY_", "SIGN", "ACCOUNT_"),
}
"""How a list of types is parted, by how they begin; the rest is `Other`."""
_BAD: Final = frozenset(
    {_E.SIGN_IN_REFUSED, _E.DOCUMENT_QUARANTINED, _E.DOCUMENT_PARSE_FAILED, _E.POLICY_GATE_FAILED, _E.EMBEDDING_FAILED}
)
_HOLD: Final = frozenset(
    {_E.CONTENT_WITHHELD, _E.DOCUMENT_ERASED, _E.DOCUMENT_REJECTED, _E.SOURCE_READ, _E.CLOCK_DOUBTED}
)
_PART: Final = re.compile(r"\[([^\[\]]*)\]")
_NAME: Final = re.compile(r"\{([a-z_]+)(?::([a-z]+))?\}")


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """An event as a line of a list."""

    sequence: int | None
    event_id: str
    type: str
    at: str
    actor: str
    resource_type: str
    resource_id: str
    text: str
    tone: str
    """`bad`, `hold` or ''."""
    details: dict[str, str]
    """Everything else that it says, as it is exported."""


def line(event: Mapping[str, Any]) -> Line:
    """An event as the API shows it, in words. A type that has none is said by its name."""
    type, details = event["type"], event["details"]
    known = EventType(type) if type in EventType.__members__ else None
    return Line(
        sequence=event.get("sequence"),
        event_id=event["event_id"],
        type=type,
        at=event["timestamp"],
        actor=event["actor"],
        resource_type=event["resource_type"],
        resource_id=event["resource_id"],
        text=sentence(type, details),
        tone="bad" if known in _BAD else "hold" if known in _HOLD else "",
        details={name: _whole(value) for name, value in sorted(details.items())},
    )


def sentence(type: str, details: Mapping[str, Any]) -> str:
    """What an event of this type with these details says."""
    pattern = SENTENCES.get(EventType(type)) if type in EventType.__members__ else None
    if pattern is None:
        return type.replace("_", " ").capitalize() + "."
    values = {name: _told(name, value) for name, value in details.items()}

    def part(found: re.Match[str]) -> str:
        return found[1] if all(values.get(name) for name, _ in _NAME.findall(found[1])) else ""

    def value(found: re.Match[str]) -> str:
        name, noun = found[1], found[2]
        number = details.get(name)
        return count(number, noun) if noun and isinstance(number, int) else values.get(name) or "0"

    return _NAME.sub(value, _PART.sub(part, pattern))


def types() -> dict[str, list[tuple[str, str]]]:
    """The types that a plane's log may hold, by group: each with its name and what it is called."""
    found: dict[str, list[tuple[str, str]]] = {name: [] for name in (*GROUPS, "Other")}
    for type in SENTENCES:
        group = next((name for name, begins in GROUPS.items() if type.startswith(begins)), "Other")
        found[group].append((type.value, type.value.replace("_", " ").capitalize()))
    return {name: sorted(items) for name, items in found.items() if items}


def _told(name: str, value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(str(one).replace("_", " ") for one in value)
    if isinstance(value, bool) or not isinstance(value, int):
        return str(value).replace("_", " ") if name not in ("model", "subject", "matter", "old_origin") else str(value)
    return f"{value:,}" if value else ""


def _whole(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
