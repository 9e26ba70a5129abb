"""A volume that is opened with a key from outside: nobody who has the volume alone, or a host's disk, can read it.

The key lies sealed with the tenant's other secrets. It is handed to a program of the host on its standard input, over
SSH, each time that the host has booted; the host keeps it nowhere but in its kernel's memory.
"""

from __future__ import annotations

import secrets
from typing import Final

from frostbyte.control_plane.provisioning.doing.hosts import OnHost
from frostbyte.control_plane.provisioning.doing.owned import missing, not_ours
from frostbyte.control_plane.provisioning.doing.told import Told
from frostbyte.control_plane.provisioning.hosting import VOLUME_PROGRAM
from frostbyte.control_plane.provisioning.ports import Cloud, HostAddress, Hosts, Renderer, Vault
from frostbyte.control_plane.provisioning.resources import LUKS, VOLUME, Found, Kind, Owner
from frostbyte.control_plane.provisioning.steps import Context, Outcome, Step
from frostbyte.kernel.errors import Conflict, Unavailable

KEY: Final = "volume-key"
"""Of the vault: 32 random bytes, url-safe."""
ENTROPY: Final = 32
OPEN_SECONDS: Final = 300.0
"""To check and mount a file system, and at first to make one; of ten terabytes too."""
STATE_SECONDS: Final = 20.0
SEEN_SECONDS: Final = 90.0
MOUNTED: Final = "mounted"
LOCKED: Final = "locked"


def state(hosts: Hosts, host: HostAddress) -> str:
    """How the volume of a host stands, as `frostbyte-volume state` says it (deploy/hosts/volume.sh).

    Raises:
        FrostbyteError: as `Hosts.ask`.
    """
    return hosts.ask(host, [VOLUME_PROGRAM, "state"], seconds=STATE_SECONDS).strip()


def key_of(vault: Vault, owner: Owner) -> str:
    """The key of an owner's volume.

    Raises:
        Conflict: `volume_key_missing`: the vault has none, and without it nobody opens the volume.
    """
    key = vault.open(owner).get(KEY, "")
    if not key:
        raise Conflict(
            "volume_key_missing",
            "The tenant's volume is encrypted, and the vault holds no key for it.",
            "Restore the control plane's vault from its backup: without the key the volume cannot be read.",
        )
    return key


class Unlock(OnHost):
    """A host's encrypted volume is open and mounted, and its engine runs. An empty one is encrypted first.

    Whether a volume was opened before is on its label at the cloud: from then on it is never encrypted anew, whatever a
    journal says.
    """

    def __init__(self, cloud: Cloud, hosts: Hosts, told: Told, vault: Vault) -> None:
        super().__init__(hosts, told)
        self._cloud, self._vault = cloud, vault

    def do(self, step: Step, context: Context) -> Outcome:
        volume = self._volume(step, context)
        host = self._way.to(step, context)
        fresh = volume.labels.get(VOLUME) != LUKS
        if fresh:
            self._vault.keep(context.owner, {KEY: secrets.token_urlsafe(ENTROPY)})
        word = "make" if fresh else "open"
        key = key_of(self._vault, context.owner)
        self._hosts.ask(host, [VOLUME_PROGRAM, word], given=key, seconds=OPEN_SECONDS)
        if fresh:
            self._cloud.label(Kind.VOLUME, volume.resource_id, {**volume.labels, VOLUME: LUKS})
        return Outcome(facts={"volume": volume.resource_id})

    def verify(self, step: Step, outcome: Outcome, context: Context) -> None:
        found = state(self._hosts, self._way.to(step, context))
        if found != MOUNTED:
            raise Unavailable(
                "volume_not_open", f"The volume of the host is not open: it says {found or 'nothing'}.", "Try again."
            )

    def _volume(self, step: Step, context: Context) -> Found:
        found = self._cloud.show(Kind.VOLUME, context.outcome(step.spec["volume"]).resource_id)
        if found is None:
            raise missing(step)
        if not context.owner.owns(found.labels):
            raise not_ours(step)
        return found


class Grow(OnHost):
    """The file system of the volume is as large as the volume, while everything goes on using it. Verified."""

    def __init__(self, hosts: Hosts, told: Told, renderer: Renderer, vault: Vault) -> None:
        super().__init__(hosts, told)
        self._renderer, self._vault = renderer, vault

    def do(self, step: Step, context: Context) -> Outcome:
        host, (before, _) = self._way.to(step, context), self._renderer.growing(step.spec["size_gb"])
        self._hosts.run(host, before, seconds=SEEN_SECONDS)
        key = key_of(self._vault, context.owner) if step.spec["encrypted"] else ""
        self._hosts.ask(host, [VOLUME_PROGRAM, "grow"], given=key, seconds=OPEN_SECONDS)
        return Outcome(facts={"size_gb": step.spec["size_gb"]})

    def verify(self, step: Step, outcome: Outcome, context: Context) -> None:
        _, after = self._renderer.growing(step.spec["size_gb"])
        self._hosts.run(self._way.to(step, context), after, seconds=STATE_SECONDS)
