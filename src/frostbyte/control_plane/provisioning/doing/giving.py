"""What hosts are told and given: put together from a step's spec, the vault, the authority and the release."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from frostbyte.control_plane.provisioning.doing.told import Told
from frostbyte.control_plane.provisioning.hosting import Given, HostKey, Keeping, Release, Surroundings
from frostbyte.control_plane.provisioning.ports import Certificates, HostFile, Renderer, Vault
from frostbyte.control_plane.provisioning.resources import HostRole, Owner
from frostbyte.control_plane.provisioning.steps import Context, Step

CERTIFICATES: Final = "certificates"
"""Key of the step whose facts say for which addresses each server's certificate is."""
Releases = Callable[[str], Release]
"""What a version of Frostbyte runs. Raises Conflict("release_unknown")."""
Kept = Callable[[Owner], Keeping | None]
"""Where an owner's backups are kept; None where they are not."""


def nowhere(owner: Owner) -> Keeping | None:
    """For planes that are not backed up."""
    return None


def surroundings(step: Step, context: Context, told: Told, kept: Kept = nowhere) -> Surroundings:
    """What a server's or a host's spec says of the host and what is around it.

    Args:
        kept: where the owner's backups are kept: a plane that is backed up reaches that too.
    """
    spec = step.spec
    role = HostRole(spec["role"])
    edge = told.addresses([spec["edge"]] if spec["edge"] else [], context)
    before = (
        spec.get("operators", [])
        if role in (HostRole.BASTION, HostRole.BUILDER)
        else [spec["bastion"]]
        if spec["bastion"]
        else []
    )
    return Surroundings(
        name=context.owner.name(spec["host"]),
        role=role,
        address=spec["peers"].get(spec["host"], ""),
        subnet=spec["subnet"],
        hosts=dict(spec["peers"]),
        edge=edge,
        control=edge,  # the control plane runs on the edge's host
        bastion=told.addresses(before, context),
        ways_out=_ways(spec["egress"], kept(context.owner)),
    )


def _ways(told: Sequence[str], keeping: Keeping | None) -> tuple[str, ...]:
    endpoint = keeping.endpoint if keeping is not None else ""
    return tuple(dict.fromkeys((*told, *([endpoint] if endpoint else []))))


def user_data(renderer: Renderer, told: Told, people: tuple[str, ...]) -> Callable[[Step, Context, HostKey], str]:
    """How a server's user data is written: `servers.UserData`."""
    return lambda step, context, key: renderer.user_data(surroundings(step, context, told), key, people)


class Giving:
    """Puts together what a tenant's hosts are given.

    Args:
        control_keys: the control plane's verifying keys, one a line.
        kept: where owners' backups are kept.
    """

    def __init__(
        self,
        renderer: Renderer,
        vault: Vault,
        certificates: Certificates,
        releases: Releases,
        control_keys: Callable[[], str],
        kept: Kept = nowhere,
    ) -> None:
        self._renderer, self._vault, self._certificates = renderer, vault, certificates
        self._releases, self._control_keys, self.kept = releases, control_keys, kept

    def files(self, step: Step, context: Context, around: Surroundings) -> list[HostFile]:
        """The files of a host. Raises as `Renderer.files`, `Releases`, and whatever vault and authority say."""
        owner, release = context.owner, self._releases(step.spec["release"])
        servers = context.outcome(CERTIFICATES).facts["servers"]
        given = Given(
            tenant=owner.tenant_id,
            images=release.images,
            secrets=self._vault.open(owner),
            authority=self._certificates.authority(owner),
            certificates=self._certificates.servers(owner, servers),
            control_keys=self._control_keys(),
            model_sha256=release.model_sha256,
            dimensions=release.dimensions,
            remote=release.remote,
            stand_in_vectors=release.stand_in_vectors,
            memory_mb=release.memory_mb,
            keeping=self.kept(owner),
        )
        return self._renderer.files(around, given)
