"""How what is there differs from what the journal says was made: pure.

Nothing is put right here. A difference is told with what was expected and what was found, by ids and addresses alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from frostbyte.control_plane.provisioning.journal import EntryRow, EntryState
from frostbyte.control_plane.provisioning.resources import Found, Kind, Owner
from frostbyte.control_plane.provisioning.steps import Action


class What(StrEnum):
    """What is wrong."""

    MISSING = "missing"
    """It was made, and is not there any more."""
    REPLACED = "replaced"
    """Its name stands for another resource than the one that was made."""
    CHANGED = "changed"
    """Somebody changed it."""
    UNKNOWN = "unknown"
    """It carries the owner's labels, and no entry tells of it."""
    EXTRA = "extra"
    """Something hangs on it that does not belong to its owner, or it hangs on something."""
    OFF = "off"
    """A server that was started does not run."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One thing that is not as the journal says.

    Attributes:
        step: whose resource it is; '' for one that no step made.
        field: which of its facts; '' for the whole.
    """

    what: What
    kind: Kind
    name: str
    step: str = ""
    field: str = ""
    expected: str = ""
    found: str = ""


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """The journal of one owner beside what is there."""

    owner: Owner
    done: Mapping[str, EntryRow]
    """By key."""
    found: Mapping[tuple[Kind, str], Found]
    """By kind and id."""

    def made(self, key: str) -> EntryRow | None:
        """The entry of a step that is done."""
        return self.done.get(key)

    def ids(self, kind: Kind) -> set[str]:
        """Of all resources of a kind that are the owner's: made, or with its labels."""
        made = {entry.resource_id for entry in self.done.values() if entry.kind == kind}
        return made | {
            one.resource_id for one in self.found.values() if one.kind is kind and self.owner.owns(one.labels)
        }

    def id_of(self, key: str) -> str:
        """Of what a step made; '' where it is not done."""
        entry = self.done.get(key)
        return entry.resource_id if entry else ""


def drift(owner: Owner, entries: Sequence[EntryRow], observed: Sequence[Found]) -> list[Difference]:
    """All differences, in the order of the plan; what no step made comes last.

    Args:
        owner: whose.
        entries: the owner's journal.
        observed: everything with the owner's labels, records included, and the firewalls that its steps have seen.
    """
    live = [entry for entry in entries if entry.state is not EntryState.GONE and entry.owner == owner]
    seen = _Seen(
        owner=owner,
        done={entry.key: entry for entry in live if entry.state is EntryState.DONE},
        found={(one.kind, one.resource_id): one for one in observed},
    )
    differences: list[Difference] = []
    for entry in sorted(seen.done.values(), key=lambda each: each.position):
        differences += _of_step(entry, seen, observed)
    # By name as well, for what is only intended has no id yet; a record's name in its zone is not that of its step.
    known = {(entry.kind, word) for entry in live for word in (entry.name, entry.resource_id)}
    for one in observed:
        if owner.owns(one.labels) and not known & {(one.kind.value, one.name), (one.kind.value, one.resource_id)}:
            differences.append(Difference(what=What.UNKNOWN, kind=one.kind, name=one.name, found=one.resource_id))
    return differences


def _of_step(entry: EntryRow, seen: _Seen, observed: Sequence[Found]) -> Iterator[Difference]:
    if entry.action in _JOINTS:
        yield from _JOINTS[Action(entry.action)](entry, seen)
        return
    kind = Kind.FIREWALL if entry.action == Action.FIREWALL_SEEN else Kind(entry.kind) if entry.kind else None
    if kind is None:
        return
    one = seen.found.get((kind, entry.resource_id))
    if one is None:
        other = next((each for each in observed if (each.kind, each.name) == (kind, entry.name)), None)
        yield Difference(
            what=What.REPLACED if other else What.MISSING,
            kind=kind,
            name=entry.name,
            step=entry.key,
            expected=entry.resource_id,
            found=other.resource_id if other else "",
        )
        return
    yield from _CHECKS.get(kind, _nothing)(entry, one, seen)


def _nothing(entry: EntryRow, one: Found, seen: _Seen) -> Iterator[Difference]:
    return iter(())


def _differs(entry: EntryRow, one: Found, field: str, expected: Any, found: Any) -> Iterator[Difference]:
    """CHANGED where a fact is not what it was to be."""
    if expected != found:
        yield Difference(
            what=What.CHANGED,
            kind=one.kind,
            name=one.name,
            step=entry.key,
            field=field,
            expected=_word(expected),
            found=_word(found),
        )


def _extra(entry: EntryRow, one: Found, field: str, ours: set[str], found: Sequence[Any]) -> Iterator[Difference]:
    """EXTRA for each of `found` that is not among ours."""
    for each in found:
        if str(each) not in ours:
            yield Difference(
                what=What.EXTRA, kind=one.kind, name=one.name, step=entry.key, field=field, found=str(each)
            )


def _network(entry: EntryRow, one: Found, seen: _Seen) -> Iterator[Difference]:
    yield from _differs(entry, one, "cidr", entry.spec["cidr"], one.facts.get("cidr"))
    subnets = [subnet["cidr"] for subnet in one.facts.get("subnets", ())]
    yield from _differs(entry, one, "subnets", [entry.spec["subnet"]], subnets)
    yield from _extra(entry, one, "servers", seen.ids(Kind.SERVER), one.facts.get("servers", ()))


def _server(entry: EntryRow, one: Found, seen: _Seen) -> Iterator[Difference]:
    for field in ("type", "location"):
        yield from _differs(entry, one, field, entry.facts.get(field), one.facts.get(field))
    yield from _differs(
        entry, one, "public_address", entry.facts.get("address") or "", one.facts.get("public_address") or ""
    )
    yield from _extra(entry, one, "networks", seen.ids(Kind.NETWORK), one.facts.get("networks", ()))
    yield from _extra(entry, one, "volumes", seen.ids(Kind.VOLUME), one.facts.get("volumes", ()))
    guards = {each.resource_id for each in seen.done.values() if each.action in _FIREWALLS}
    if guards and entry.spec.get("public"):
        yield from _extra(entry, one, "firewalls", guards, one.facts.get("firewalls", ()))
        missing = not guards & {str(each) for each in one.facts.get("firewalls", ())}
        if missing:
            yield from _differs(entry, one, "firewalls", entry.spec["firewalls"], [])


def _volume(entry: EntryRow, one: Found, seen: _Seen) -> Iterator[Difference]:
    yield from _differs(entry, one, "size_gb", entry.spec["size_gb"], one.facts.get("size_gb"))


def _primary_ip(entry: EntryRow, one: Found, seen: _Seen) -> Iterator[Difference]:
    yield from _differs(entry, one, "address", entry.facts.get("address"), one.facts.get("address"))
    owner = seen.id_of(f"server.{entry.spec['host']}")
    if owner:
        yield from _differs(entry, one, "assignee", owner, str(one.facts.get("assignee") or ""))


def _ssh_key(entry: EntryRow, one: Found, seen: _Seen) -> Iterator[Difference]:
    expected, found = (str(key).split()[:2] for key in (entry.spec["public_key"], one.facts.get("public_key", "")))
    yield from _differs(entry, one, "public_key", " ".join(expected), " ".join(found))


def _record(entry: EntryRow, one: Found, seen: _Seen) -> Iterator[Difference]:
    expected = entry.facts.get("values", entry.spec["values"])
    yield from _differs(entry, one, "values", sorted(expected), sorted(one.facts.get("values", ())))


def _firewall(entry: EntryRow, one: Found, seen: _Seen) -> Iterator[Difference]:
    """Its rules, each on its own: one that lets in more than was meant is what matters most."""
    yield from _extra(entry, one, "selectors", {entry.spec["selector"]}, one.facts.get("selectors", ()))
    if entry.spec["selector"] not in one.facts.get("selectors", ()):
        yield from _differs(entry, one, "selectors", entry.spec["selector"], "")
    wanted = {_rule(rule, seen) for rule in entry.spec["rules"]}
    there = {_rule(rule, seen) for rule in one.facts.get("rules", ())}
    yield from _extra(entry, one, "rules", wanted, sorted(there))
    for rule in sorted(wanted - there):
        yield from _differs(entry, one, "rules", rule, "")


def _rule(rule: Any, seen: _Seen) -> str:
    """A rule in one line, whatever its description says."""
    told: Mapping[str, Any] = rule if isinstance(rule, Mapping) else vars(rule)
    addresses = sorted(_address(str(each), seen) for each in told["addresses"])
    return f"{told['direction']} {told['protocol']} {told['port'] or ''} {','.join(addresses)}"


def _address(text: str, seen: _Seen) -> str:
    entry = seen.made(text[1:]) if text.startswith("@") else None
    return f"{entry.facts.get('address', '')}/32" if entry else text


# -- what joins two resources -----------------------------------------------------------------------------------------


def _join(entry: EntryRow, seen: _Seen) -> Iterator[Difference]:
    one = seen.found.get((Kind.SERVER, seen.id_of(entry.spec["server"])))
    if one is not None:
        yield from _differs(
            entry, one, "private_address", entry.spec["address"], one.facts.get("private_address") or ""
        )


def _attach(entry: EntryRow, seen: _Seen) -> Iterator[Difference]:
    one = seen.found.get((Kind.VOLUME, seen.id_of(entry.spec["volume"])))
    if one is not None:
        yield from _differs(entry, one, "server", seen.id_of(entry.spec["server"]), str(one.facts.get("server") or ""))


def _start(entry: EntryRow, seen: _Seen) -> Iterator[Difference]:
    one = seen.found.get((Kind.SERVER, seen.id_of(entry.spec["server"])))
    if one is not None and one.facts.get("status") != "running":
        yield Difference(
            what=What.OFF,
            kind=Kind.SERVER,
            name=one.name,
            step=entry.key,
            field="status",
            expected="running",
            found=str(one.facts.get("status", "")),
        )


def _word(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


_FIREWALLS: Final = frozenset({Action.FIREWALL, Action.FIREWALL_SEEN})
_JOINTS: Final[Mapping[str, Callable[[EntryRow, _Seen], Iterator[Difference]]]] = MappingProxyType(
    {Action.JOIN: _join, Action.ATTACH: _attach, Action.START: _start}
)
_CHECKS: Final[Mapping[Kind, Callable[[EntryRow, Found, _Seen], Iterator[Difference]]]] = MappingProxyType(
    {
        Kind.NETWORK: _network,
        Kind.SERVER: _server,
        Kind.VOLUME: _volume,
        Kind.PRIMARY_IP: _primary_ip,
        Kind.SSH_KEY: _ssh_key,
        Kind.RECORD: _record,
        Kind.FIREWALL: _firewall,
    }
)
