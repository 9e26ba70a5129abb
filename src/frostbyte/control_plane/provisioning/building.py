"""The snapshot that hosts start from: what goes into it, the steps that make it, and what is left when it is there.

A build is a run of the project's base, so its servers are journalled like all others and a crash leaves none behind.
Its plan has two kinds of steps: the snapshot stays, the builder and its firewall are taken away when that is there.
The snapshot is named by a hash of what goes into it: whoever builds the same again finds it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from frostbyte.control_plane.provisioning import firewalls
from frostbyte.control_plane.provisioning.catalogue import Catalogue
from frostbyte.control_plane.provisioning.choosing import Candidate
from frostbyte.control_plane.provisioning.journal import EntryRow, EntryState
from frostbyte.control_plane.provisioning.placement import TYPES
from frostbyte.control_plane.provisioning.resources import HostRole, Kind, Owner
from frostbyte.control_plane.provisioning.specs import (
    ArchiveSpec,
    ExtraSpec,
    FirewallSpec,
    HostSpec,
    InstallSpec,
    SealSpec,
    ServerSpec,
    SnapshotSpec,
    SshKeySpec,
    StartSpec,
)
from frostbyte.control_plane.provisioning.steps import Action, Plan, Step
from frostbyte.control_plane.provisioning.tenant_steps import SSH_KEY
from frostbyte.kernel.canonical import canonical
from frostbyte.kernel.errors import Conflict, Invalid

ASKED: Final = "build"
"""The key of a run's request that makes it a build."""
PASSING: Final = "passing"
"""In a plan's facts: keys of steps that are taken away when the rest is there."""
LASTING: Final = "lasting"
"""In a plan's facts: keys of steps that, once all are done, leave nothing to do but that."""
BUILDER: Final = "builder"
_SHA256: Final = r"^[0-9a-f]{64}$"
_HASH_LETTERS: Final = 12


@dataclass(frozen=True, kw_only=True)
class Scripts:
    """What is run on a builder."""

    install: str = field(repr=False)
    seal: str = field(repr=False)

    @property
    def sha256(self) -> str:
        """Of both."""
        return hashlib.sha256(f"{self.install}\0{self.seal}".encode()).hexdigest()


class Archive(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An archive of `docker save` on the control host."""

    path: str
    sha256: Annotated[str, Meta(pattern=_SHA256)]


class Extra(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file on the control host that hosts have from the beginning: a model, virus signatures."""

    path: str
    sha256: Annotated[str, Meta(pattern=_SHA256)]
    target: Annotated[str, Meta(pattern=r"^/opt/frostbyte(/[A-Za-z0-9][A-Za-z0-9._-]*)+$")]


class BuildRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an operator asks for.

    Attributes:
        system: the system image to begin with.
        operators: networks (CIDR) that the builder takes SSH from: where this command runs.
    """

    architecture: Annotated[str, Meta(pattern="^(x86|arm)$")] = "x86"
    system: Annotated[str, Meta(pattern=r"^[a-z]+-[0-9.]+$")] = "ubuntu-24.04"
    archives: Annotated[tuple[Archive, ...], Meta(max_length=32)] = ()
    extras: Annotated[tuple[Extra, ...], Meta(max_length=64)] = ()
    operators: Annotated[tuple[str, ...], Meta(min_length=1, max_length=32)]

    def values(self) -> dict[str, Any]:
        """The request of a run, as JSON values."""
        return {ASKED: msgspec.to_builtins(self)}

    def contents(self, scripts: Scripts) -> dict[str, Any]:
        """What the snapshot is made of. Where archives lie is no part of it."""
        return {
            "architecture": self.architecture,
            "system": self.system,
            "scripts": scripts.sha256,
            "archives": sorted(archive.sha256 for archive in self.archives),
            "extras": sorted([extra.target, extra.sha256] for extra in self.extras),
        }

    def name(self, owner: Owner, scripts: Scripts) -> str:
        """The snapshot's name: `fb-host-x86-` and the beginning of the hash of its contents."""
        digest = hashlib.sha256(canonical(self.contents(scripts))).hexdigest()
        return owner.name(f"host-{self.architecture}-{digest[:_HASH_LETTERS]}")


def build_request(values: Mapping[str, Any]) -> BuildRequest | None:
    """The build that a run's request asks for; None where it asks for something else.

    Raises:
        Invalid: `build_request_invalid`.
    """
    if ASKED not in values:
        return None
    try:
        return msgspec.convert(values[ASKED], BuildRequest)
    except msgspec.ValidationError as error:
        raise Invalid(
            "build_request_invalid", f"A snapshot cannot be asked for like this: {error}.", "Correct what is named."
        ) from error


def archive_of(path: Path) -> Archive:
    """An archive as it is now. Raises Invalid: `file_unreadable`."""
    return Archive(path=str(path.resolve()), sha256=_digest(path))


def extra_of(path: Path, target: str) -> Extra:
    """A file as it is now, for a place on hosts. Raises Invalid: `file_unreadable`."""
    return Extra(path=str(path.resolve()), sha256=_digest(path), target=target)


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        raise Invalid("file_unreadable", "A file for hosts cannot be read.", "Check its path and its owner.") from None


def build_plan(
    owner: Owner,
    asked: BuildRequest,
    scripts: Scripts,
    ssh_public_key: str,
    sold: Catalogue,
    locations: Sequence[str],
    now: datetime,
) -> Plan:
    """The steps of a build.

    Raises:
        Conflict: `no_builder`: no server of that architecture is to be had.
    """
    candidates = _candidates(asked.architecture, sold, locations, now)
    name = asked.name(owner, scripts)
    lasting = f"snapshot.{name.removeprefix('fb-')}"
    steps = [*_builder(owner, asked, ssh_public_key, candidates), *_filled(asked, scripts, name, lasting)]
    passing = [step.key for step in steps if step.key not in ("ssh_key", lasting)]
    return Plan(
        owner=owner,
        steps=tuple(steps),
        facts={PASSING: passing, LASTING: [lasting], "snapshot": name},
        monthly=steps[-1].monthly,
        currency=sold.currency,
    )


def _candidates(architecture: str, sold: Catalogue, locations: Sequence[str], now: datetime) -> list[Candidate]:
    found = [
        Candidate(
            type=kind.name,
            location=location,
            architecture=architecture,
            memory_mb=kind.memory_mb,
            monthly=kind.offers[location].monthly,
        )
        for location in locations
        for kind in (sold.types[name] for name in TYPES[HostRole.BUILDER] if name in sold.types)
        if kind.architecture == architecture
        and location in kind.offers
        and kind.offers[location].available
        and (kind.offers[location].unavailable_after or now) >= now
    ]
    if not found:
        raise Conflict(
            "no_builder",
            f"No server of the architecture {architecture} is to be had at {', '.join(locations)} now.",
            "Allow another location, or try again later.",
        )
    return found


def _builder(owner: Owner, asked: BuildRequest, key: str, candidates: list[Candidate]) -> list[Step]:
    """A server with a public address and a way out, that takes SSH from whoever builds and from nobody else."""
    guard, server = f"firewall.{BUILDER}", f"server.{BUILDER}"
    ssh: SshKeySpec = {"public_key": key}
    rules: FirewallSpec = firewalls.firewall(HostRole.BUILDER, owner.environment, "", "", asked.operators)
    spec: ServerSpec = {
        "host": BUILDER,
        "role": HostRole.BUILDER.value,
        "candidates": [one.spec for one in candidates],
        "images": {asked.architecture: asked.system},
        "public": True,
        "primary_ip": "",
        "firewalls": [owner.name(BUILDER)],
        "ssh_keys": [owner.name(SSH_KEY)],
        "address": "",
        "subnet": "",
        "edge": "",
        "bastion": "",
        "peers": {},
        "egress": [],
        "volume": False,
        "operators": list(asked.operators),
    }
    start: StartSpec = {"server": server}
    return [
        Step(key="ssh_key", action=Action.SSH_KEY, name=owner.name(SSH_KEY), spec=ssh),
        Step(key=guard, action=Action.FIREWALL, name=owner.name(BUILDER), spec=rules, seconds=2),
        Step(
            key=server, action=Action.SERVER, name=owner.name(BUILDER), needs=("ssh_key", guard), spec=spec, seconds=10
        ),
        Step(key=f"start.{BUILDER}", action=Action.START, needs=(server,), spec=start, seconds=5),
        Step(key=f"settle.{BUILDER}", action=Action.SETTLE, needs=(f"start.{BUILDER}",), spec=_way(server), seconds=60),
    ]


def _way(server: str) -> HostSpec:
    return {"host": BUILDER, "role": HostRole.BUILDER.value, "server": server, "address": "", "via": []}


def _filled(asked: BuildRequest, scripts: Scripts, name: str, lasting: str) -> list[Step]:
    server = f"server.{BUILDER}"
    archives: list[ArchiveSpec] = [{"path": one.path, "sha256": one.sha256} for one in asked.archives]
    extras: list[ExtraSpec] = [{"path": one.path, "sha256": one.sha256, "target": one.target} for one in asked.extras]
    install: InstallSpec = {**_way(server), "scripts": scripts.sha256, "archives": archives, "extras": extras}
    seal: SealSpec = {**_way(server), "scripts": scripts.sha256}
    snapshot: SnapshotSpec = {"server": server, "architecture": asked.architecture, "contents": asked.contents(scripts)}
    return [
        Step(
            key=f"install.{BUILDER}",
            action=Action.INSTALL,
            needs=(f"settle.{BUILDER}",),
            spec=install,
            seconds=120 + 30 * len(archives),
        ),
        Step(key=f"seal.{BUILDER}", action=Action.SEAL, needs=(f"install.{BUILDER}",), spec=seal, seconds=10),
        Step(
            key=lasting,
            action=Action.SNAPSHOT,
            name=name,
            needs=(f"seal.{BUILDER}", f"install.{BUILDER}", server),
            spec=snapshot,
            seconds=120,
        ),
    ]


def is_made(plan: Plan, entries: Sequence[EntryRow]) -> bool:
    """Whether all that lasts of a build is there, so that only its builder is left to be taken away."""
    lasting = set(plan.facts.get(LASTING, ()))
    return bool(lasting) and lasting <= {row.key for row in entries if row.state is EntryState.DONE}


def passes_by(plan: Mapping[str, Any]) -> bool:
    """Whether a journal's plan builds something beside its owner, and changes nothing of it."""
    return PASSING in plan.get("facts", {})


def surplus(plan: Plan, entries: Sequence[EntryRow]) -> list[EntryRow]:
    """What is taken away when a plan's steps are done: of a build its builder, and nothing of the base beside it; else
    what the plan does not hold. Snapshots belong to no plan of the base, and stay."""
    there = [row for row in entries if row.state is not EntryState.GONE]
    if PASSING in plan.facts:
        passing = set(plan.facts[PASSING])
        return [row for row in there if row.key in passing]
    wanted = {step.key for step in plan.steps}
    return [row for row in there if row.key not in wanted and row.kind != Kind.SNAPSHOT]


def snapshots(entries: Sequence[EntryRow]) -> list[EntryRow]:
    """Those that are there, the newest first: hosts start from the first one of their architecture."""
    found = [row for row in entries if row.kind == Kind.SNAPSHOT and row.state is EntryState.DONE]
    return sorted(found, key=lambda row: row.changed_at, reverse=True)
