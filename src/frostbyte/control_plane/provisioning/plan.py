"""From what is wanted, what is there, what was intended and what is sold: the steps, and what a person wants to know
before they say yes. Pure: the same four give the same plan, and nothing is touched.

What each step's spec holds stands in specs.py; which steps there are in tenant_steps.py and base_steps.py; how servers
are chosen in choosing.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, cast

from frostbyte.control_plane.provisioning import placement
from frostbyte.control_plane.provisioning.base_steps import base_steps
from frostbyte.control_plane.provisioning.catalogue import Catalogue
from frostbyte.control_plane.provisioning.choosing import Choice, Kept, Wish, choose
from frostbyte.control_plane.provisioning.desired import ZONE, DesiredBase, DesiredTenant, Host
from frostbyte.control_plane.provisioning.journal import EntryRow, EntryState
from frostbyte.control_plane.provisioning.resources import LUKS, VOLUME, Found, Kind
from frostbyte.control_plane.provisioning.specs import HostSpec
from frostbyte.control_plane.provisioning.steps import Action, Plan, Problem, Step
from frostbyte.control_plane.provisioning.tenant_steps import tenant_steps

Desired = DesiredTenant | DesiredBase


class Standing(StrEnum):
    """How a step of a plan stands before the plan is carried out."""

    NEW = "new"
    """To be done."""
    ADOPT = "adopt"
    """Not in the journal, but there, with this owner's labels: it is taken over."""
    BEGUN = "begun"
    """Intended by an earlier run; whether it happened is looked up first."""
    DONE = "done"
    CHANGED = "changed"
    """Done, but it was to be something else then."""
    AGAIN = "again"
    """Done, and done once more, because something that it needs is made or changed."""
    LOST = "lost"
    """It was made, and is gone; what needs it is still there."""
    UNDOING = "undoing"
    """An earlier run is taking it away."""


@dataclass(frozen=True, kw_only=True)
class _Known:
    """What is there and was intended, of one owner."""

    entries: Mapping[str, EntryRow]
    """By key, those that are not gone."""
    found: Mapping[tuple[str, str], Found]
    """By kind and name, what carries the owner's labels."""


def plan(
    desired: Desired, observed: Sequence[Found], entries: Sequence[EntryRow], catalogue: Catalogue, now: datetime
) -> Plan:
    """The plan for one owner.

    Args:
        desired: what is wanted.
        observed: what the cloud shows with this owner's labels (`Cloud.observe`); others' are passed over.
        entries: the owner's journal.
        catalogue: what is sold now.
        now: for what is announced to go away.
    """
    owner = desired.owner
    known = _Known(
        entries={entry.key: entry for entry in entries if entry.state is not EntryState.GONE and entry.owner == owner},
        found={(found.kind.value, found.name): found for found in observed if owner.owns(found.labels)},
    )
    desired = _sealed(desired, known)
    choices = {host.name: _choice(desired, host, known, catalogue, now) for host in desired.hosts}
    desired = _grown(desired, known)
    steps = tuple(_remembering(step, choices, known) for step in _steps(desired, choices, catalogue, known))
    problems = (*_ground_problems(desired), *_tied_problems(desired, known), *_server_problems(desired, choices))
    return Plan(
        owner=owner,
        steps=steps,
        warnings=tuple(_warnings(desired, choices, catalogue)),
        problems=problems,
        facts=_facts(desired, steps, choices, known, catalogue),
        monthly=sum((step.monthly for step in steps), Decimal(0)),
        currency=catalogue.currency,
    )


def _steps(desired: Desired, choices: Mapping[str, Choice], catalogue: Catalogue, known: _Known) -> Iterator[Step]:
    if isinstance(desired, DesiredTenant):
        return tenant_steps(desired, choices, catalogue, _leaving(desired, known))
    return base_steps(desired, choices, catalogue)


def _sealed(desired: Desired, known: _Known) -> Desired:
    """With the volume encrypted or not as it is, where there is one: what is there is never rewritten."""
    if isinstance(desired, DesiredBase):
        return desired
    entry, there = known.entries.get("volume"), known.found.get((Kind.VOLUME, desired.owner.name("data")))
    if entry is not None:
        return replace(desired, encrypted=bool(entry.spec.get("encrypted")))
    return desired if there is None else replace(desired, encrypted=there.labels.get(VOLUME) == LUKS)


def _leaving(desired: DesiredTenant, known: _Known) -> list[HostSpec]:
    """Hosts with containers of ours that are not wanted any more."""
    wanted = {host.name for host in desired.hosts}
    specs: list[HostSpec] = []
    for name in sorted(key.removeprefix("deploy.") for key in known.entries if key.startswith("deploy.")):
        spec = known.entries[f"deploy.{name}"].spec
        if name not in wanted and f"settle.{name}" in known.entries:
            ways = {field: spec[field] for field in HostSpec.__annotations__}
            specs.append(cast(HostSpec, ways))
    return specs


def _grown(desired: Desired, known: _Known) -> Desired:
    """With the volume as large as it is: none becomes smaller, whatever is asked for."""
    entry = known.entries.get("volume")
    if isinstance(desired, DesiredBase) or entry is None:
        return desired
    return replace(desired, volume_gb=max(desired.volume_gb, int(entry.spec["size_gb"])))


# -- servers ----------------------------------------------------------------------------------------------------------


def _choice(desired: Desired, host: Host, known: _Known, catalogue: Catalogue, now: datetime) -> Choice:
    locations = desired.locations if isinstance(desired, DesiredBase) else desired.request.locations
    asked = _asked_types(desired)
    tied = _tied(desired, host, known)
    there = known.found.get((Kind.SERVER, desired.owner.name(host.name)))
    wish = Wish(
        role=host.role,
        types=asked.get(host.role.value) or placement.TYPES[host.role],
        locations=locations,
        tied=tied if tied in locations else "",
        zone=ZONE,
        architectures=frozenset(desired.ground.images),
        insists=host.role.value in asked,
        disk_gb=int(there.facts.get("disk_gb", 0)) if there else 0,
    )
    return choose(wish, catalogue, now, _kept(known.entries.get(host.server)))


def _asked_types(desired: Desired) -> Mapping[str, Sequence[str]]:
    return desired.types if isinstance(desired, DesiredBase) else desired.request.types


def _tied(desired: Desired, host: Host, known: _Known) -> str:
    """Where a server has to be because something is there that only a server of that place can have; '' for nowhere."""
    if isinstance(desired, DesiredBase):
        address = known.entries.get(f"primary_ip.{host.name}")
        return str(address.spec["location"]) if address else ""
    if not host.volume:
        return ""
    there = known.found.get((Kind.VOLUME, desired.owner.name("data")))
    entry = known.entries.get("volume")
    return str((there.facts if there else entry.facts if entry else {}).get("location", ""))


def _kept(entry: EntryRow | None) -> Kept | None:
    if entry is None or entry.state is EntryState.UNDOING:
        return None
    made = None
    if entry.state is EntryState.DONE:
        made = (str(entry.facts.get("type", "")), str(entry.facts.get("location", "")))
    return Kept(candidates=entry.spec.get("candidates", ()), made=made)


_AT_BOOT: Final = ("images", "edge", "bastion", "peers", "egress", "operators")
"""Fields of a server's spec that only say how it boots: what changes later is sent to the host (FILES)."""


def _remembering(step: Step, choices: Mapping[str, Choice], known: _Known) -> Step:
    """The step, where a server stays as it booted: it is not made anew for a newer image or another worker."""
    entry = known.entries.get(step.key)
    if step.action is not Action.SERVER or entry is None or not choices[step.spec["host"]].kept:
        return step
    return replace(step, spec={**step.spec, **{name: entry.spec[name] for name in _AT_BOOT if name in entry.spec}})


# -- what stands in the way, and what is to be known ------------------------------------------------------------------


def _ground_problems(desired: Desired) -> Iterator[Problem]:
    if not desired.ground.images:
        yield Problem(
            code="no_host_image",
            message="There is no snapshot that a host could start from.",
            remedy="Build one: frostbyte hosts build.",
        )
    if isinstance(desired, DesiredTenant) and not (desired.ground.edge and desired.ground.bastion):
        yield Problem(
            code="base_missing",
            message="The project has no base yet: no edge that could reach a gateway, and no bastion.",
            remedy="Make it first: frostbyte control up.",
        )


def _tied_problems(desired: Desired, known: _Known) -> Iterator[Problem]:
    for host in desired.hosts:
        tied = _tied(desired, host, known)
        if tied and tied not in _locations(desired):
            what = "volume" if host.volume else "address"
            yield Problem(
                code="volume_elsewhere" if host.volume else "address_elsewhere",
                message=f"The {what} of {host.name} is in {tied}, which is no allowed location, and cannot move.",
                remedy=f"Allow {tied}, or take the {what} away first: nothing is moved or copied by itself.",
            )


def _server_problems(desired: Desired, choices: Mapping[str, Choice]) -> Iterator[Problem]:
    if not desired.ground.images:  # that is the reason, and it is said already
        return
    for host in desired.hosts:
        choice = choices[host.name]
        if not choice.candidates:
            why = "; ".join(f"{one.type} in {one.location}: {_WHY[one.why]}" for one in choice.refused)
            yield Problem(
                code="no_server_to_be_had",
                message=f"No server for {host.name} can be ordered now: {why}.",
                remedy="Allow another location or server type, or wait until one is in stock again.",
            )


_WHY: Final = {
    "unknown_type": "no such type is sold",
    "unknown_location": "no such location",
    "other_zone": f"not in the network zone {ZONE}",
    "too_small": "too little memory for what runs there",
    "no_image": "no snapshot for its architecture",
    "other_architecture": "another architecture than that of the server that stands",
    "smaller_disk": "its disk is smaller than that of the server that stands",
    "not_sold_there": "not sold there",
    "out_of_stock": "out of stock",
    "going_away": "cannot be ordered any more, or soon",
}
_TOLD: Final = frozenset(
    {
        *("unknown_type", "unknown_location", "other_zone", "too_small", "going_away", "out_of_stock"),
        *("other_architecture", "smaller_disk"),
    }
)
"""Refusals that a person is told of even where another candidate does."""


def _warnings(desired: Desired, choices: Mapping[str, Choice], catalogue: Catalogue) -> Iterator[str]:
    told: dict[str, None] = {}
    for host in desired.hosts:
        choice = choices[host.name]
        for one in choice.refused:
            listed = one.why == "unknown_type" and host.role.value not in _asked_types(desired)
            if one.why in _TOLD and choice.candidates and not listed:
                told[f"{one.type} in {one.location} ({host.role.value}): {_WHY[one.why]}."] = None
        best = choice.best
        kind = catalogue.types.get(best.type) if best else None
        offer = kind.offers.get(best.location) if best and kind else None
        if best and offer is None:
            told[f"{best.type} of {host.name} is not sold any more; it runs on, and its price is not known here."] = (
                None
            )
        elif offer and offer.unavailable_after is not None:
            told[
                f"{offer.location} stops selling {best.type if best else ''} on {offer.unavailable_after:%Y-%m-%d}."
            ] = None
        elif offer and offer.deprecated is not None:
            told[f"{best.type if best else ''} in {offer.location} was announced to go away."] = None
    places = {choice.best.location for choice in choices.values() if choice.best}
    if len(places) > 1:
        told[f"The hosts would stand in more than one location: {', '.join(sorted(places))}."] = None
    yield from told


# -- what people see --------------------------------------------------------------------------------------------------


def _facts(
    desired: Desired,
    steps: Sequence[Step],
    choices: Mapping[str, Choice],
    known: _Known,
    catalogue: Catalogue,
) -> dict[str, Any]:
    standings = _standings(steps, known)
    places = [catalogue.locations.get(name) for name in _locations(desired)]
    facts: dict[str, Any] = {
        "standings": {key: value.value for key, value in standings.items()},
        "changes": [
            _change(known.entries[step.key], step) for step in steps if standings[step.key] is Standing.CHANGED
        ],
        "surplus": sorted(known.entries.keys() - standings.keys()),
        "servers": [_server(host, choices[host.name], catalogue) for host in desired.hosts],
        "residency": {
            "locations": list(_locations(desired)),
            "countries": sorted({place.country for place in places if place}),
            "zone": ZONE,
        },
        "costs": [{"step": step.key, "monthly": money(step.monthly)} for step in steps if step.monthly],
        "seconds": critical_seconds(steps, lambda step: 0.0 if standings[step.key] is Standing.DONE else step.seconds),
    }
    if isinstance(desired, DesiredTenant):
        facts |= {
            "shape": desired.request.shape.value,
            "hostname": desired.hostname,
            "network": {"cidr": desired.cidr, "subnet": desired.subnet},
            "addresses": {host.name: host.address for host in desired.hosts},
            "volume_gb": desired.volume_gb,
            "volume_encrypted": desired.encrypted,
            "egress": list(desired.ways_out),
        }
    return facts


def _locations(desired: Desired) -> tuple[str, ...]:
    return desired.locations if isinstance(desired, DesiredBase) else desired.request.locations


def _standings(steps: Sequence[Step], known: _Known) -> dict[str, Standing]:
    """How each step stands. A resource is not made again for what it needs; everything else is done again."""
    standings: dict[str, Standing] = {}
    for step in steps:
        standing = _standing(step, known)
        moved = any(_moves(standings[need], need) for need in step.needs)
        again = standing is Standing.DONE and step.kind is None and moved
        standings[step.key] = Standing.AGAIN if again else standing
    return standings


def _moves(standing: Standing, need: str) -> bool:
    """Whether what needs a step is done again for it. Of resources, a server that is changed is switched off for it;
    the others are changed where they are."""
    if standing is Standing.CHANGED:
        return need.startswith("server.") or need.partition(".")[0] not in _RESOURCES
    return standing is not Standing.DONE


_RESOURCES: Final = frozenset(kind.value for kind in Kind)


def _standing(step: Step, known: _Known) -> Standing:
    entry = known.entries.get(step.key)
    if entry is None:
        there = step.kind is not None and (step.kind.value, step.name) in known.found
        lost = step.kind is not None and any(step.key in one.needs for one in known.entries.values())
        return Standing.ADOPT if there else Standing.LOST if lost else Standing.NEW
    if entry.state is EntryState.INTENDED:
        return Standing.BEGUN
    if entry.state is EntryState.UNDOING:
        return Standing.UNDOING
    return Standing.DONE if entry.spec_sha256 == step.spec_sha256 else Standing.CHANGED


def _change(entry: EntryRow, step: Step) -> dict[str, Any]:
    """What of a step is to be otherwise, by the names of its spec's fields."""
    names = sorted(name for name in entry.spec.keys() | step.spec.keys() if entry.spec.get(name) != step.spec.get(name))
    return {
        "step": step.key,
        "was": {name: entry.spec.get(name) for name in names},
        "wanted": {name: step.spec.get(name) for name in names},
    }


def _server(host: Host, choice: Choice, catalogue: Catalogue) -> dict[str, Any]:
    best = choice.best
    place = catalogue.locations.get(best.location) if best else None
    return {
        "host": host.name,
        "role": host.role.value,
        "type": best.type if best else None,
        "location": best.location if best else None,
        "country": place.country if place else None,
        "architecture": best.architecture if best else None,
        "memory_mb": best.memory_mb if best else None,
        "needed_mb": placement.needed_mb(host.role),
        "usable_mb": placement.usable_mb(best.memory_mb) if best else None,
        "public": host.public,
        "kept": choice.kept,
        "monthly": money(best.monthly) if best else None,
        "otherwise": [f"{one.type} in {one.location}" for one in choice.candidates if one != best],
        "refused": [{"type": one.type, "location": one.location, "why": one.why} for one in choice.refused],
    }


def money(amount: Decimal) -> str:
    """An amount as people write it: to the cent."""
    return f"{amount:.2f}"


def critical_seconds(steps: Sequence[Step], seconds: Callable[[Step], float]) -> float:
    """How long the plan takes where every step begins as soon as what it needs is done.

    Args:
        steps: in an order that can run.
        seconds: how long each of them takes.
    """
    ends: dict[str, float] = {}
    for step in steps:
        ends[step.key] = max((ends[need] for need in step.needs), default=0.0) + seconds(step)
    return max(ends.values(), default=0.0)
