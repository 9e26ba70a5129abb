"""What a driver does: make something real of what happens in the world.

Without one, servers exist on paper alone. A driver is called in a thread of its own pool while the world's action runs;
the action ends when the driver returns (and its latency is over), and it fails when the driver raises. Calls about one
server never overlap. After a restart of the simulator a call whose action was still running is made again, so each
must be able to find its own work half done.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, kw_only=True)
class Interface:
    """A server's place in a private network.

    Attributes:
        network_range, subnet: CIDR.
        gateway: the first address of the network's range, which no server may have.
    """

    network_id: int
    network_name: str
    network_range: str
    subnet: str
    address: str
    gateway: str


@dataclass(frozen=True, kw_only=True)
class Disk:
    """A volume.

    Attributes:
        device: how the server sees it: `/dev/disk/by-id/scsi-0HC_Volume_4711`.
        format: `ext4`, `xfs`, or '' for none.
    """

    volume_id: int
    name: str
    size_gb: int
    device: str
    format: str


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A server as its driver needs it.

    Attributes:
        image_id: what its own disk was made from.
        image: the image's name, or a snapshot's description.
        user_data: for cloud-init; may hold a throwaway key.
        ssh_keys: public keys in OpenSSH's form.
        public_ipv4: '' for a server without.
        rules: of all firewalls that apply to it, as the API shows them; they filter the public interface alone.
        firewalled: whether any firewall applies; without one everything is let through.
        boots: False where the fault `never_boots` was asked for: it is to be `running` and never to answer.
    """

    server_id: int
    project: str
    name: str
    type: str
    cores: int
    memory_gb: float
    disk_gb: int
    image_id: int
    image: str
    user_data: str = field(repr=False)
    ssh_keys: tuple[str, ...]
    public_ipv4: str
    interfaces: tuple[Interface, ...]
    disks: tuple[Disk, ...]
    labels: dict[str, str]
    rules: tuple[dict[str, Any], ...]
    firewalled: bool
    boots: bool


class Driver(Protocol):
    """Called when something happened in the world. Whatever is raised makes the action fail as `action_failed`."""

    def created(self, machine: Machine) -> None:
        """A server was ordered; it is off."""
        ...

    def started(self, machine: Machine) -> None:
        """It was switched on; return when it runs (not when it has booted)."""
        ...

    def stopped(self, machine: Machine, *, graceful: bool) -> None:
        """It was switched off, or asked to shut down; return when it is off."""
        ...

    def joined(self, machine: Machine) -> None:
        """Its `interfaces` have changed."""
        ...

    def attached(self, machine: Machine, disk: Disk) -> None:
        """A volume was put into it."""
        ...

    def detached(self, machine: Machine, disk: Disk) -> None:
        """A volume was taken out."""
        ...

    def imaged(self, machine: Machine, image_id: int) -> None:
        """A snapshot of its own disk is being made; servers may be created from it afterwards."""
        ...

    def filtered(self, machine: Machine) -> None:
        """Its `rules` have changed. Not part of an action: what it raises is dropped."""
        ...

    def deleted(self, machine: Machine) -> None:
        """The server is gone with its own disk; its volumes stay."""
        ...

    def destroyed(self, disk: Disk) -> None:
        """A volume is gone. Not part of an action: what it raises is dropped."""
        ...

    def unimaged(self, image_id: int) -> None:
        """A snapshot is gone. Not part of an action: what it raises is dropped."""
        ...


class OnPaper:
    """A driver that does nothing; others take from it what they do not care about."""

    def created(self, machine: Machine) -> None:
        """Nothing."""

    def started(self, machine: Machine) -> None:
        """Nothing."""

    def stopped(self, machine: Machine, *, graceful: bool) -> None:
        """Nothing."""

    def joined(self, machine: Machine) -> None:
        """Nothing."""

    def attached(self, machine: Machine, disk: Disk) -> None:
        """Nothing."""

    def detached(self, machine: Machine, disk: Disk) -> None:
        """Nothing."""

    def imaged(self, machine: Machine, image_id: int) -> None:
        """Nothing."""

    def filtered(self, machine: Machine) -> None:
        """Nothing."""

    def deleted(self, machine: Machine) -> None:
        """Nothing."""

    def destroyed(self, disk: Disk) -> None:
        """Nothing."""

    def unimaged(self, image_id: int) -> None:
        """Nothing."""
