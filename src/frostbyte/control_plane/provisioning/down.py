"""The way down: what of an owner is taken away, in which order. Pure, from the journal alone: what it does not tell of
is not ours to remove."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal

from frostbyte.control_plane.provisioning.catalogue import Catalogue
from frostbyte.control_plane.provisioning.journal import EntryRow, EntryState
from frostbyte.control_plane.provisioning.resources import Kind, Owner
from frostbyte.control_plane.provisioning.steps import Action, Plan, Step


def parted(entries: Iterable[EntryRow], *, destroy_data: bool) -> tuple[list[EntryRow], list[EntryRow]]:
    """What of live entries goes, and what stays: volumes, unless the data is to be destroyed. In their order."""
    going: list[EntryRow] = []
    kept: list[EntryRow] = []
    for entry in entries:
        (kept if entry.kind == Kind.VOLUME and not destroy_data else going).append(entry)
    return going, kept


def down(owner: Owner, entries: Sequence[EntryRow], catalogue: Catalogue, *, destroy_data: bool) -> Plan:
    """Each live entry as a step that is undone, after everything that was built on it.

    Args:
        owner: whose.
        entries: the owner's journal.
        catalogue: for what a volume that stays costs on.
        destroy_data: whether volumes go too; else they stay, with their entries.

    Returns:
        a plan whose `monthly` is what goes on being paid; `facts.kept` names what stays.
    """
    live = {entry.key: entry for entry in entries if entry.state is not EntryState.GONE and entry.owner == owner}
    going, kept = ({one.key: one for one in part} for part in parted(live.values(), destroy_data=destroy_data))
    built_on: dict[str, list[str]] = defaultdict(list)
    for entry in going.values():
        for need in entry.needs:
            built_on[need].append(entry.key)
    steps = tuple(
        Step(
            key=entry.key,
            action=Action(entry.action),
            name=entry.name,
            needs=tuple(sorted(built_on[entry.key])),
            spec=entry.spec,
        )
        for entry in sorted(going.values(), key=lambda each: each.position, reverse=True)
    )
    monthly = sum((catalogue.volume_gb_month * int(entry.spec["size_gb"]) for entry in kept.values()), Decimal(0))
    return Plan(
        owner=owner,
        steps=steps,
        warnings=tuple(
            f"The volume {entry.name} stays, and is paid for until it is deleted." for entry in kept.values()
        ),
        facts={
            "kept": sorted(entry.name for entry in kept.values()),
            "unsure": sorted(entry.name or entry.key for entry in going.values() if entry.state is EntryState.INTENDED),
        },
        monthly=monthly,
        currency=catalogue.currency,
    )
