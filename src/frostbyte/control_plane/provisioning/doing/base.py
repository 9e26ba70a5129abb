"""What a project's base is given: the edge with the control plane, the bastion; and how it is handed over."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from frostbyte.control_plane.provisioning import handover
from frostbyte.control_plane.provisioning.doing.giving import surroundings
from frostbyte.control_plane.provisioning.doing.hosts import START_SECONDS, STOP_SECONDS, TASK_SECONDS, OnHost
from frostbyte.control_plane.provisioning.doing.told import Told
from frostbyte.control_plane.provisioning.hosting import Project, Release, Surroundings
from frostbyte.control_plane.provisioning.ports import HostFile, Hosts, ProvisioningFactory, Vault
from frostbyte.control_plane.provisioning.resources import HostRole
from frostbyte.control_plane.provisioning.steps import Action, Context, Doing, Outcome, Step
from frostbyte.kernel.errors import Conflict, FrostbyteError, Unavailable

ENTROPY: Final = 32
EDGE: Final = "edge"


@dataclass(frozen=True, kw_only=True)
class BaseGiven:
    """What the base's hosts are given.

    Attributes:
        images: id or reference of each image, by `BaseRenderer.images`.
        secrets: content of each secret file, by name.
        begins: what the control plane begins with, by its path in its data folder: keys, and what versions run.
        settings: FROSTBYTE_* of the control plane that are no secrets and no paths.
        operators: networks (CIDR) that may reach the control plane's own API.
        base: what `handover.told` says so far.
    """

    images: Mapping[str, str]
    secrets: Mapping[str, bytes] = field(repr=False)
    begins: Mapping[str, bytes] = field(repr=False)
    settings: Mapping[str, str]
    operators: tuple[str, ...]
    base: bytes


class BaseRenderer(Protocol):
    """The base's hosts as text. Pure."""

    def files(self, host: Surroundings, given: BaseGiven) -> list[HostFile]: ...
    def handed(self, base: bytes) -> HostFile:
        """Where the control plane finds what it is to adopt."""
        ...

    def project(self, role: HostRole) -> Project: ...
    def images(self, role: HostRole) -> tuple[str, ...]: ...
    def secrets(self) -> tuple[str, ...]:
        """Names of the secrets that are generated for the base."""
        ...


@dataclass(frozen=True, kw_only=True)
class Own:
    """What a control plane brings to its own host.

    Attributes:
        secrets: content of each secret file, by name: what it acts with at the cloud.
        begins, settings, operators: see BaseGiven.
    """

    secrets: Mapping[str, bytes] = field(repr=False)
    begins: Mapping[str, bytes] = field(repr=False)
    settings: Mapping[str, str]
    operators: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class BaseWorld:
    """Everything that the base's own steps act on.

    Attributes:
        own: see there; read anew for every host.
        keep: is given what the new control plane let us in with: its address and an operator's token.
    """

    hosts: Hosts
    vault: Vault
    renderer: BaseRenderer
    releases: Callable[[str], Release]
    unit_of_work: ProvisioningFactory
    own: Callable[[], Own]
    keep: Callable[[str, str], None]


def doings(world: BaseWorld) -> dict[Action, Doing]:
    """Those of a base that differ from a tenant's."""
    told = Told(world.unit_of_work)
    return {
        Action.SECRETS: Secrets(world.vault, world.renderer),
        Action.FILES: Files(world, told),
        Action.DEPLOY: Deploy(world, told),
        Action.HANDOVER: Handover(world, told),
    }


class Secrets:
    """The database's password: generated and sealed before its host needs it."""

    def __init__(self, vault: Vault, renderer: BaseRenderer) -> None:
        self._vault, self._renderer = vault, renderer

    def find(self, step: Step, context: Context) -> Outcome | None:
        return None  # `do` keeps what is there

    def do(self, step: Step, context: Context) -> Outcome:
        names = self._renderer.secrets()
        self._vault.keep(context.owner, {name: secrets.token_urlsafe(ENTROPY) for name in names})
        return Outcome(facts={"secrets": len(names)})

    def verify(self, step: Step, outcome: Outcome, context: Context) -> None:
        if not self._vault.sealed(context.owner):
            raise Unavailable(
                "vault_damaged", "The base's sealed secrets do not open.", "Look at the control host's vault."
            )

    def undo(self, step: Step, outcome: Outcome | None, context: Context) -> None:
        self._vault.destroy(context.owner)


class Files(OnHost):
    """A host of the base is given its project and rules."""

    def __init__(self, world: BaseWorld, told: Told) -> None:
        super().__init__(world.hosts, told)
        self._world, self._told = world, told

    def do(self, step: Step, context: Context) -> Outcome:
        world, own = self._world, self._world.own()
        base = handover.told(world.unit_of_work, context.owner)
        over = str(handover.read(base).request.get("expires_at", ""))
        given = BaseGiven(
            images=world.releases(step.spec["release"]).images,
            secrets={**own.secrets, **_sealed(world.vault.open(context.owner))},
            begins=own.begins,
            settings={**own.settings, **({"FROSTBYTE_CONTROL_EXPIRES_AT": over} if over else {})},
            operators=own.operators,
            base=base,
        )
        files = world.renderer.files(surroundings(step, context, self._told), given)
        self._hosts.put(self._way.to(step, context), files)
        return Outcome(facts={"files": len(files)})


def _sealed(values: Mapping[str, str]) -> dict[str, bytes]:
    return {name: value.encode() for name, value in values.items()}


class Deploy(OnHost):
    """Edge, control plane and database are up and well. Images are there before anything is started."""

    def __init__(self, world: BaseWorld, told: Told) -> None:
        super().__init__(world.hosts, told)
        self._world = world

    def do(self, step: Step, context: Context) -> Outcome:
        role = HostRole(step.spec["role"])
        project, host = self._world.renderer.project(role), self._way.to(step, context)
        known = self._world.releases(step.spec["release"]).images
        images = [known.get(name, "") for name in self._world.renderer.images(role)]
        lacking = {image for image in images if image.startswith("sha256:")} - self._hosts.images(host)
        if lacking:
            raise Conflict(
                "host_image_missing",
                f"{host.name} has not {len(lacking)} of the {len(images)} images that it is to run.",
                "Build the snapshot of this version (`frostbyte hosts build`): hosts fetch nothing.",
            )
        self._hosts.up(host, project.folder, project.services, seconds=START_SECONDS)
        return Outcome(facts={"services": list(project.services), "release": step.spec["release"]})

    def undo(self, step: Step, outcome: Outcome | None, context: Context) -> None:
        project = self._world.renderer.project(HostRole(step.spec["role"]))
        try:
            host = self._way.to(step, context)
            self._hosts.down(host, project.folder, volumes=False, seconds=STOP_SECONDS)
        except FrostbyteError as error:  # it goes away with its server
            if not error.code.startswith(("host_", "base_")):
                raise


class Handover(OnHost):
    """The control plane on its own host knows the base as its own, and lets an operator in."""

    def __init__(self, world: BaseWorld, told: Told) -> None:
        super().__init__(world.hosts, told)
        self._world, self._told = world, told

    def do(self, step: Step, context: Context) -> Outcome:
        world = self._world
        project = world.renderer.project(HostRole.EDGE)
        edge = self._way.settled(EDGE, ("bastion",), context)
        world.hosts.put(edge, [world.renderer.handed(handover.told(world.unit_of_work, context.owner))])
        said = [world.hosts.task(edge, project.folder, task, seconds=TASK_SECONDS) for task in project.tasks]
        world.keep(f"https://{step.spec['names'][0]}", _token(said[-1]))
        return Outcome(facts={"address": edge.address, "names": list(step.spec["names"])})


def _token(said: str) -> str:
    """The token that the last task has printed, as JSON."""
    try:
        return str(json.loads(said)["token"])
    except (ValueError, KeyError, TypeError):
        raise Unavailable(
            "operator_token_missing",
            "The control plane on its own host gave no token to its operator.",
            "Look at its log there; then go on with `frostbyte control up`.",
        ) from None
