"""Audit events as sentences. Pure; its cases are tests/control/history/sentences.toml.

A sentence is a pattern: `{name}` stands for who did it, for the resource or for a detail of the event, and what lies in
brackets is left out where one of its names is missing, empty or zero. An event holds codes, numbers and ids alone
(kernel/audit/events.py), so no sentence can hold more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from frostbyte.control_plane.registry.changes import ITSELF
from frostbyte.kernel.audit.events import EventType
from frostbyte.kernel.records import EventRow

_E = EventType

OF_CONTROL: Final[Mapping[EventType, str]] = {
    _E.PROJECT_CREATED: "{actor} made the project {resource}.",
    _E.TENANT_CREATED: "{actor} entered the tenant into the register.",
    _E.TENANT_PROVISION_STARTED: "{actor} had it taken into service[ ({reason})].",
    _E.TENANT_PROVISIONED: "It is in service.",
    _E.TENANT_PROVISION_FAILED: "It could not be taken into service[: {code}].",
    _E.TENANT_PROVISION_RETRY: "{actor} tried again to take it into service[ ({reason})].",
    _E.TENANT_CONFIG_UPDATED: "{actor} changed its configuration[: {changed}][ (version {config_version})].",
    _E.TENANT_ENDPOINTS_SET: "{actor} entered how its plane is reached[ ({reason})].",
    _E.TENANT_SUSPENDED: "{actor} suspended it[ ({reason})].",
    _E.TENANT_RESUMED: "{actor} let it run again[ ({reason})].",
    _E.TENANT_SCALED: "It was scaled, as {actor} had asked[ ({reason})].",
    _E.TENANT_UPDATED: "It was updated[ to {pipeline_version}], as {actor} had asked[ ({reason})].",
    _E.TENANT_REPAIRED: "It was repaired, as {actor} had asked[ ({reason})][; {remaining} things need a person].",
    _E.TENANT_BACKED_UP: "It was backed up, as {actor} had asked[ ({reason})].",
    _E.TENANT_RESTORED: "It was restored from a backup, as {actor} had asked[ ({reason})].",
    _E.TENANT_REFRESHED: "It was brought fresh signatures, images or packages, as {actor} had asked[ ({reason})].",
    _E.TENANT_DEPROVISION_STARTED: "{actor} began to close it for good[ ({reason})].",
    _E.TENANT_DEPROVISIONED: "It is closed for good.",
    _E.TENANT_DEPROVISION_FAILED: "It could not be closed[: {code}].",
    _E.TENANT_ABANDONED: "{actor} gave it up[ ({reason})].",
    _E.TENANT_RECEIPT_ISSUED: "The receipt of its destruction was signed.",
    _E.TENANT_RECOVERY_DESTROYED: "{actor} said that every copy of its recovery identity is destroyed.",
    _E.RUN_BEGUN: "Work on its hosts began: {direction}.",
    _E.RUN_TURNED_BACK: "The work on its hosts turned back[ ({code})]: what it made is taken away.",
    _E.RUN_ENDED: "The work on its hosts {outcome}[ ({code})][; {remaining} of its things are at the cloud].",
    _E.RESOURCE_CREATED: "{actor} made {things}.",
    _E.RESOURCE_ADOPTED: "{actor} took over {things}.",
    _E.RESOURCE_CHANGED: "{actor} changed {things}.",
    _E.RESOURCE_KEPT: "{actor} left {things} where it was, with its data.",
    _E.RESOURCE_REMOVED: "{actor} took away {things}.",
    _E.VOLUME_OPENED: "{actor} opened its volume, which a boot of its host had locked.",
    _E.ORPHAN_CONFIRMED: "{actor} confirmed that nobody owns {things}.",
    _E.BACKUP_TAKEN: "{actor} kept its own state elsewhere[, {bytes} bytes][ ({code})].",
    _E.SUPPORT_COLLECTED: "{actor} collected what support needs.",
    _E.LEDGER_FINDING: "The ledger found that its log does not hold[: {code}].",
    _E.LEDGER_ACKNOWLEDGED: "{actor} took notice of what the ledger had found[: {code}][ ({reason})].",
    _E.LEDGER_IMPORTED: "{actor} brought an export of its log to the ledger[: {count} new events].",
    _E.KEY_ROTATED: "{actor} had its keys made anew: {kind}[ ({reason})].",
    _E.KEY_RETIRED: "{actor} ended the key before: {kind}.",
    _E.TOKEN_MINTED: "{actor} made a token for {subject}[ ({scopes})].",
    _E.TOKEN_REVOKED: "{actor} took back a token.",
    _E.API_KEY_CREATED: "{actor} made an API key for {subject}[ ({scopes})].",
    _E.API_KEY_REVOKED: "{actor} took back an API key.",
    _E.SIGNED_IN: "{subject} signed in[ as {role}][ ({mode})].",
    _E.SIGN_IN_REFUSED: "A sign-in[ of {subject}] was refused[: {code}].",
    _E.SIGNED_OUT: "A session[ of {subject}] was ended by {actor}.",
    _E.ACCOUNT_CREATED: "{actor} made an account for {subject}[ as {role}].",
    _E.ACCOUNT_CHANGED: "{actor} changed the account of {subject}[: {changed}][: {role}][: {state}].",
    _E.ACCOUNT_SET_UP: "{subject} set up the account[: {changed}].",
    _E.ACCOUNT_LINKED: "{actor} made a new link to set up the account of {subject}.",
    _E.ACCOUNT_RECOVERED: "{actor} recovered the account of {subject} on the host[ as {role}].",
}
"""Of everything that the control plane writes about a tenant, or about itself."""

IN_VAIN: Final[Mapping[EventType, str]] = {
    _E.TENANT_SCALED: "Scaling it, as {actor} had asked, failed[: {code}].",
    _E.TENANT_UPDATED: "Updating it, as {actor} had asked, failed[: {code}].",
    _E.TENANT_REPAIRED: "Repairing it, as {actor} had asked, failed[: {code}].",
    _E.TENANT_BACKED_UP: "Backing it up, as {actor} had asked, failed[: {code}].",
    _E.TENANT_RESTORED: "Restoring it, as {actor} had asked, failed[: {code}].",
    _E.BACKUP_TAKEN: "{actor} could not keep its own state elsewhere[: {code}].",
    _E.TENANT_REFRESHED: "Bringing it what is fresh, as {actor} had asked, failed[: {code}].",
}
"""Of those that tell the end of a duty or of a backup, where its `status` is `failed`."""
FAILED: Final = "failed"

OF_PLANE: Final[Mapping[EventType, str]] = {
    _E.TENANT_CONFIG_UPDATED: "On its plane, {actor} changed the configuration[: {changed}].",
    _E.KEY_ROTATED: "On its plane, {actor} had a key made anew[: {kind}].",
    _E.KEY_RETIRED: "On its plane, {actor} ended the key before[: {kind}].",
    _E.TOKEN_REVOKED: "On its plane, {actor} took back a token.",
    _E.API_KEY_CREATED: "On its plane, {actor} made an API key for {subject}[ ({scopes})].",
    _E.API_KEY_REVOKED: "On its plane, {actor} took back an API key.",
    _E.ACCOUNT_CREATED: "On its plane, {actor} made an account for {subject}[ as {role}].",
    _E.ACCOUNT_CHANGED: "On its plane, {actor} changed the account of {subject}[: {changed}][: {role}][: {state}].",
    _E.ACCOUNT_RECOVERED: "On its plane, the account of {subject} was recovered on the host[ as {role}].",
    _E.EXPORT_BEGUN: "On its plane, {actor} began an export.",
    _E.EXPORT_ENDED: "On its plane, {actor} ended an export[: {status}][, {documents} documents][ ({code})].",
    _E.PLANE_RESTORED: (
        "Its plane was restored and goes on with a log of its own[; the one before had {old_size} events]."
    ),
    _E.BACKUP_TAKEN: "On its plane, a backup was taken[ of {documents} documents][, {bytes} bytes][ ({code})].",
    _E.HOLD_PLACED: "On its plane, {actor} placed a legal hold[ for {matter}][ ({reason})][: {documents} documents].",
    _E.HOLD_RELEASED: "On its plane, {actor} released a legal hold[ for {matter}][ ({reason})].",
    _E.CLOCK_DOUBTED: "Its plane does not believe its clock[ ({code})]: nothing expires there until that is settled.",
    _E.CLOCK_CONFIRMED: "On its plane, {actor} found the clock to be right.",
    _E.WEBHOOK_ADDED: "On its plane, {actor} had {host} told of batches that end.",
    _E.WEBHOOK_REMOVED: "On its plane, {actor} had {host} told nothing any more.",
    _E.WEBHOOK_ROTATED: "On its plane, {actor} gave the webhook to {host} a new secret[ ({status})].",
    _E.WEBHOOK_FAILED: "Its plane gave up a message to {host}[ after {attempts} attempts][ ({code})].",
    _E.RETENTION_RUN: "Its plane looked for what is too old[ and erased {erased} documents][; {held} are held].",
    _E.JOB_HURRIED: "On its plane, {actor} had a job tried again at once[: {stage}].",
    _E.JOB_DISCARDED: "On its plane, {actor} gave up a job[: {stage}].",
}
"""Of what a plane's own log says, as the ledger has it, that its operators want to know at night."""

WORK: Final = frozenset(
    {
        _E.BATCH_RECEIVED,
        _E.BATCH_COMPLETED,
        _E.DOCUMENT_INGESTED,
        _E.DOCUMENT_REJECTED,
        _E.DOCUMENT_SCANNED,
        _E.DOCUMENT_QUARANTINED,
        _E.DOCUMENT_PARSED,
        _E.DOCUMENT_PARSE_FAILED,
        _E.DOCUMENT_EMBEDDED,
        _E.DOCUMENT_ERASED,
        _E.CONTENT_DROPPED,
        _E.CONTENT_WITHHELD,
        _E.CONTENT_RELEASED,
        _E.PII_DETECTED,
        _E.POLICY_GATE_PASSED,
        _E.POLICY_GATE_FAILED,
        _E.INDEX_WRITTEN,
        _E.EMBEDDING_FAILED,
        _E.RETRIEVAL_EXECUTED,
        _E.SOURCE_READ,
        _E.TOKEN_MINTED,
        _E.WEBHOOK_DELIVERED,
        _E.SIGNED_IN,
        _E.SIGNED_OUT,
        _E.SIGN_IN_REFUSED,
        _E.ACCOUNT_SET_UP,
        _E.ACCOUNT_LINKED,
    }
)
"""What a plane writes while it works: about single documents, questions and sessions. Its own log tells it."""

THINGS: Final = frozenset(
    {
        _E.RESOURCE_CREATED,
        _E.RESOURCE_ADOPTED,
        _E.RESOURCE_CHANGED,
        _E.RESOURCE_KEPT,
        _E.RESOURCE_REMOVED,
        _E.ORPHAN_CONFIRMED,
    }
)
"""Events that come by the dozen: those that follow each other are one sentence."""

ACTORS: Final = {
    ITSELF: "The control plane",
    "ledger": "The ledger",
    "plane": "the plane itself",
    "provisioner": "The provisioner",
    "sweeper": "The sweeper",
    "handover": "The handover",
}
"""Who acts without being a person or a machine with a key."""
WORDS: Final = {
    "direction": {"up": "they are made", "down": "they are taken away", "back": "what was made is taken away"},
    "outcome": {"succeeded": "ended well", "failed": "ended in vain"},
    "kind": {"age": "the identity that seals its secrets", "token": "the key that signs tokens"},
}
"""Codes that are words of their own in a sentence."""
_KINDS: Final = {"ssh_key": "SSH key", "primary_ip": "public address", "record": "DNS record"}
_PART = re.compile(r"\[([^\]]*)\]")
_NAME = re.compile(r"\{([a-z_]+)\}")


def sentence(events: list[EventRow], *, of_plane: bool = False) -> str:
    """What events say: one, or several of one kind of `THINGS` by one actor.

    Args:
        of_plane: it is from the plane's own log.

    Raises:
        KeyError: nothing is told of events of this type.
    """
    event = events[0]
    type = EventType(event.type)
    pattern = OF_PLANE[type] if of_plane else OF_CONTROL[type]
    if not of_plane and failed(event):
        pattern = IN_VAIN[type]
    values = {name: _told(name, value) for name, value in event.details.items()}
    values["actor"] = ACTORS.get(event.actor, event.actor)
    values["resource"] = event.resource_id
    values["things"] = things(events)

    def part(found: re.Match[str]) -> str:
        whole = all(values.get(name) for name in _NAME.findall(found[1]))
        return found[1] if whole else ""

    return _NAME.sub(lambda found: values.get(found[1]) or "something", _PART.sub(part, pattern))


def failed(event: EventRow) -> bool:
    """Whether it tells of a duty that ended in vain."""
    return event.type in IN_VAIN and event.details.get("status") == FAILED


def things(events: Iterable[EventRow]) -> str:
    """What resources' events are about: `a network, 2 firewalls and the server worker-1`."""
    names: dict[str, list[str]] = {}
    for event in events:
        names.setdefault(event.resource_type, []).append(event.resource_id)
    said = []
    for kind, found in names.items():
        word = _KINDS.get(kind, kind.replace("_", " "))
        # A step's key is its kind and its part of the plan: the kind is said already.
        name = "" if found[0] == kind else f" {found[0].removeprefix(f'{kind}.')}"
        said.append(f"the {word}{name}" if len(found) == 1 else f"{len(found)} {_plural(word)}")
    return " and ".join([", ".join(said[:-1]), said[-1]]) if len(said) > 1 else said[0]


def _plural(kind: str) -> str:
    return f"{kind}es" if kind.endswith("s") else f"{kind}s"


def _told(name: str, value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}" if value else ""
    return WORDS.get(name, {}).get(str(value)) or str(value)
