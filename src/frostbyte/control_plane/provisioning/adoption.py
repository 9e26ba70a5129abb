"""What came of bringing a journal up to what is there, in words for people, and what must have been asked for. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from frostbyte.control_plane.provisioning.desired import request_from
from frostbyte.control_plane.provisioning.journal import EntryRow, EntryState
from frostbyte.control_plane.provisioning.placement import Shape
from frostbyte.control_plane.provisioning.resources import STEP, Found, Kind, Owner
from frostbyte.control_plane.provisioning.steps import Action, Outcome, Step
from frostbyte.kernel.errors import FrostbyteError

SERVER: Final = "server."
"""Before the name of a host, in the key of its step."""


@dataclass(frozen=True, kw_only=True)
class Adopted:
    """A resource that the journal knows from now on.

    Attributes:
        owner: by its label: `base`, `tenant.acme`.
        replaced: the journal knew another one in its place.
    """

    project_id: str
    owner: str
    kind: Kind
    name: str
    resource_id: str
    replaced: bool


@dataclass(frozen=True, kw_only=True)
class Person:
    """Something that a person has to see to.

    Attributes:
        about: a tenant, a project or a resource, by its name.
        code: stable; docs/runbooks/backups.md has a line for each.
        message: what is so.
        remedy: what to do.
    """

    about: str
    code: str
    message: str
    remedy: str


@dataclass(kw_only=True)
class Told:
    """What only the call that did it can say: whoever looks again finds it done.

    Attributes:
        adopted: what the journal knows from now on.
        tenants: entered in the register, in service as far as can be seen.
        moved_on: whose register was brought up to what their planes have heard.
        persons: what follows of it for a person.
    """

    adopted: list[Adopted] = field(default_factory=list)
    tenants: list[str] = field(default_factory=list)
    moved_on: list[str] = field(default_factory=list)
    persons: list[Person] = field(default_factory=list)


@dataclass(kw_only=True)
class Adoption:
    """What came of it.

    Attributes:
        told: by this call, and by those before it that were cut off.
        keep: makes `told` durable. Called before the commit that it tells of: said twice is better than never.
        found: what a person has to see to and every call finds anew.
    """

    told: Told = field(default_factory=Told)
    keep: Callable[[Told], None] = lambda told: None
    found: list[Person] = field(default_factory=list)

    @property
    def persons(self) -> list[Person]:
        """All that a person has to see to."""
        return [*self.told.persons, *self.found]

    def tell(
        self,
        *,
        adopted: Sequence[Adopted] = (),
        tenants: Sequence[str] = (),
        moved_on: Sequence[str] = (),
        persons: Iterable[Person] = (),
    ) -> None:
        """Say it, each once, and have it kept."""
        told = self.told
        told.adopted += [one for one in adopted if one not in told.adopted]
        told.tenants += [one for one in tenants if one not in told.tenants]
        told.moved_on += [one for one in moved_on if one not in told.moved_on]
        told.persons += [one for one in persons if one not in told.persons]
        self.keep(told)


def asked(last: Mapping[str, Any], found: Sequence[Found]) -> dict[str, Any]:
    """What must have been asked for, of what is there: pure.

    Args:
        last: what was asked for when the backup was taken; {} for a tenant that was not there.
    """
    servers = {one.labels.get(STEP, "").removeprefix(SERVER): one for one in found if one.kind is Kind.SERVER}
    values = dict(last)
    if servers:
        values["shape"] = (Shape.SMALL if "single" in servers else Shape.STANDARD).value
        numbers = [int(name.removeprefix("worker-")) for name in servers if name.startswith("worker-")]
        values["workers"] = max(numbers, default=int(values.get("workers", 1)))
        places = [str(one.facts.get("location", "")) for one in servers.values()]
        values["locations"] = list(dict.fromkeys([*values.get("locations", ()), *filter(None, places)]))
        values["types"] = _types(values.get("types", {}), servers)
    sizes = [int(one.facts["size_gb"]) for one in found if one.kind is Kind.VOLUME and one.facts.get("size_gb")]
    if sizes:
        values["volume_gb"] = max(sizes)
    return request_from(values).values()


def _types(told: Mapping[str, Sequence[str]], servers: Mapping[str, Found]) -> dict[str, list[str]]:
    """What is there comes first: a server that was made larger is not to be made small again."""
    types = {role: list(names) for role, names in told.items()}
    for name, one in servers.items():
        role, type = name.partition("-")[0], str(one.facts.get("type", ""))
        if type and role in types and type not in types[role]:
            types[role] = [type, *types[role]]
    return types


def known(owner: Owner, entries: Mapping[str, EntryRow], written: Sequence[tuple[Step, Outcome]]) -> Iterator[Adopted]:
    """What the journal knows from now on: pure."""
    for step, outcome in written:
        if step.kind is not None:
            old = entries.get(step.key)
            yield Adopted(
                project_id=owner.project_id,
                owner=owner.label,
                kind=step.kind,
                name=step.name,
                resource_id=outcome.resource_id,
                replaced=old is not None and old.state is EntryState.DONE,
            )


def strangers(
    owner: Owner, entries: Mapping[str, EntryRow], written: Sequence[tuple[Step, Outcome]]
) -> Iterator[Person]:
    """Hosts whose SSH key nobody here knows: they made it after the backup."""
    for step, outcome in written:
        if step.action is not Action.SERVER:
            continue
        host, old = step.key.removeprefix(SERVER), entries.get(step.key)
        if old is not None and old.state is EntryState.DONE and old.resource_id == outcome.resource_id:
            continue
        yield Person(
            about=step.name,
            code="host_key_unknown",
            message=f"{step.name} was made after the backup, and shows an SSH key that nobody here knows.",
            remedy=f"It serves on. Replace a worker by `frostbyte tenant scale {owner.tenant_id}` down and up, and any "
            f"other host ({host}) by removing it at the cloud and `frostbyte tenant repair {owner.tenant_id}`.",
        )


def blind(project_id: str, error: FrostbyteError) -> Person:
    """A project that could not be looked at."""
    return Person(
        about=project_id,
        code=error.code,
        message=f"The project {project_id} could not be looked at: {error.message}",
        remedy=f"{error.remedy} Then run `frostbyte control restore` again: what is done stays done.".strip(),
    )


def refused(label: str, error: FrostbyteError) -> Person:
    """An owner whose things could not be adopted."""
    return Person(about=label, code=error.code, message=error.message, remedy=error.remedy)


def unreadable(label: str) -> Person:
    """Our labels, and an owner that cannot be."""
    return Person(
        about=label or "(no owner)",
        code="owner_unknown",
        message="Something carries our labels and says no owner that can be.",
        remedy="Look at it at the cloud; `frostbyte sweep` shows it.",
    )


def keys_lost(tenant_id: str) -> Person:
    """A tenant that was made after the backup."""
    return Person(
        about=tenant_id,
        code="tenant_keys_lost",
        message=f"The tenant {tenant_id} was made after the backup. It serves on; its keys and passwords were in the "
        "vault that is lost.",
        remedy="It cannot be worked on from here. Export it by its own plane (docs/export-format.md), then deprovision "
        "it and import the export into a new tenant.",
    )


def unsure(tenant_id: str) -> Person:
    """A tenant that was being made when the backup was taken."""
    return Person(
        about=tenant_id,
        code="tenant_made_since",
        message=f"The tenant {tenant_id} was being made when the backup was taken, and more of it stands now. It is "
        "entered as in service.",
        remedy=f"See whether it answers (`frostbyte tenant health {tenant_id}`); if nobody uses it, deprovision it.",
    )


def comes_back(tenant_id: str) -> Person:
    """A tenant that was gone, and has something at the cloud."""
    return Person(
        about=tenant_id,
        code="tenant_was_removed",
        message=f"The register says that {tenant_id} was taken down, and something of it stands at the cloud.",
        remedy="`frostbyte sweep` shows it; remove it there if nobody needs it.",
    )


def gone(tenant_id: str) -> Person:
    """A tenant of which nothing is left."""
    return Person(
        about=tenant_id,
        code="tenant_gone",
        message=f"Nothing of the tenant {tenant_id} is left at the cloud: it was taken down since.",
        remedy=f"frostbyte tenant deprovision {tenant_id} --confirm {tenant_id} --destroy-data ends it here too, and "
        "destroys its keys, which this backup has brought back.",
    )
