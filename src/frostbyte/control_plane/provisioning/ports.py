"""What provisioning needs of the world. A port translates its vendor's errors into our family; see `codes`.

Codes that adapters of `Cloud` raise, all as `CloudError`:

    cloud_unreachable        no answer, or one that was cut: what was asked may have happened
    cloud_rate_limited       the hour's requests are used up; `retry_after` seconds
    cloud_server_error       5xx: what was asked may have happened
    cloud_out_of_stock       412 resource_unavailable, 422 placement_error: another type or place may do
    cloud_locked             423 locked, 409 conflict: another action runs on it
    cloud_protected          423 protected: a person has protected it
    cloud_in_use             422 resource_in_use: what uses it is still being taken away
    cloud_name_taken         409 uniqueness_error
    cloud_not_found          404
    cloud_quota              403 resource_limit_exceeded
    cloud_refused            401, 403: the token may not
    cloud_type_unfit         422 invalid_server_type: the server that stands cannot become one of that type
    cloud_invalid            422 invalid_input and whatever else was our mistake
    cloud_action_failed      an action ended with an error; `vendor_code` is the cloud's own
    cloud_action_slow        an action did not end in time
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from frostbyte.control_plane.provisioning.catalogue import Catalogue
from frostbyte.control_plane.provisioning.hosting import Credentials, Given, HostKey, Project, Surroundings
from frostbyte.control_plane.provisioning.journal import Journal
from frostbyte.control_plane.provisioning.receipt import ReceiptStore
from frostbyte.control_plane.provisioning.resources import (
    Found,
    HostRole,
    Kind,
    Owner,
    WantedFirewall,
    WantedNetwork,
    WantedPrimaryIp,
    WantedRecord,
    WantedServer,
    WantedSshKey,
    WantedVolume,
)
from frostbyte.control_plane.registry.ports import RegistryUnitOfWork
from frostbyte.kernel.errors import FrostbyteError
from frostbyte.kernel.errors import Kind as Trouble


class CloudError(FrostbyteError):
    """What a cloud answered instead of doing it.

    Args:
        retry_after: seconds after which it may be asked again; 0 where it did not say.
        vendor_code: the cloud's own code, such as `resource_unavailable`; '' for none.
    """

    kind = Trouble.UNAVAILABLE

    def __init__(
        self,
        code: str,
        message: str,
        remedy: str = "",
        *,
        kind: Trouble | None = None,
        retry_after: float = 0.0,
        vendor_code: str = "",
    ) -> None:
        super().__init__(code, message, remedy, kind=kind)
        self.retry_after = retry_after
        self.vendor_code = vendor_code


class Cloud(Protocol):
    """One project at a cloud. Safe for many threads.

    What creates or changes returns when all actions of the call, those that follow included, have ended well. Nothing
    is sent twice by itself where a reply was lost: the engine looks first (`find`).
    """

    def catalogue(self) -> Catalogue:
        """What is sold now; two or three requests."""
        ...

    def observe(self, owner: Owner | None = None) -> list[Found]:
        """Everything that carries our label `managed-by` (and environment), or one owner's; all kinds but records."""
        ...

    def find(self, kind: Kind, name: str) -> Found | None:
        """The resource of that name, whoever's it is; not for records."""
        ...

    def show(self, kind: Kind, resource_id: str) -> Found | None:
        """By its id; None when it is gone."""
        ...

    def create_network(self, wanted: WantedNetwork) -> Found: ...
    def create_firewall(self, wanted: WantedFirewall) -> Found: ...
    def set_rules(self, firewall_id: str, wanted: WantedFirewall) -> None:
        """Replace its rules."""
        ...

    def create_server(self, wanted: WantedServer) -> Found:
        """Switched off. Raises CloudError("cloud_out_of_stock") among others."""
        ...

    def create_volume(self, wanted: WantedVolume) -> Found: ...
    def create_ssh_key(self, wanted: WantedSshKey) -> Found: ...
    def create_primary_ip(self, wanted: WantedPrimaryIp) -> Found: ...
    def tie(self, primary_ip_id: str) -> None:
        """From now on the address goes when its server goes."""
        ...

    def join(self, server_id: str, network_id: str, address: str) -> None:
        """Attach a server to a network at an address of its choice."""
        ...

    def attach(self, volume_id: str, server_id: str) -> None:
        """Without automount."""
        ...

    def detach(self, volume_id: str) -> None: ...
    def start(self, server_id: str) -> None:
        """Returns when its status is `running`."""
        ...

    def stop(self, server_id: str) -> None:
        """Power off; returns when its status is `off`."""
        ...

    def shut_down(self, server_id: str, *, seconds: float) -> None:
        """Ask its system to end, and cut the power where it has not ended after so many seconds; returns when it is
        off."""
        ...

    def change_type(self, server_id: str, type: str) -> None:
        """Make a server that is off into one of another type, of the same architecture; it stays off.

        Its own disk keeps its size, so that it can become one of the old type again.

        Raises:
            CloudError: `cloud_out_of_stock`; `cloud_type_unfit`; `cloud_in_use` where it is not off.
        """
        ...

    def resize_volume(self, volume_id: str, size_gb: int) -> None:
        """Make a volume at least so large, attached or not; none is ever made smaller.

        What is on it does not know yet: its file system is grown by its host.
        """
        ...

    def snapshot(self, server_id: str, name: str, labels: Mapping[str, str]) -> Found:
        """A snapshot of a server that is off; returns when it is available."""
        ...

    def label(self, kind: Kind, resource_id: str, labels: Mapping[str, str]) -> None:
        """Replace its labels."""
        ...

    def delete(self, kind: Kind, resource_id: str) -> None:
        """Begin and await its end. One that is gone already is no error."""
        ...


class Dns(Protocol):
    """One provider's zones."""

    def find(self, zone: str, name: str, type: str) -> Found | None:
        """The records of that name and type, whoever's they are."""
        ...

    def put(self, wanted: WantedRecord) -> Found:
        """Make or replace them. Raises Conflict("record_not_ours") where other labels stand on them."""
        ...

    def remove(self, zone: str, name: str, type: str) -> None: ...
    def observe(self) -> list[Found]:
        """Records with our labels, in all zones that the token sees. Providers without labels: those we can name."""
        ...

    def answer(self, zone: str, name: str, type: str) -> tuple[str, ...]:
        """What the zone's own name servers answer now, sorted; () for nothing.

        Raises:
            Unavailable: `dns_unreachable`; `dns_not_yet` while they do not agree.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class HostAddress:
    """A host and the way to it.

    Attributes:
        via: the hosts that lie before it, outermost first: bastion, then gateway.
        host_key: the public key that it must show, as `ssh-ed25519 AAAA...`.
    """

    name: str
    address: str
    host_key: str = field(repr=False)
    port: int = 22
    user: str = "frostbyte"
    via: tuple[HostAddress, ...] = ()


@dataclass(frozen=True, kw_only=True)
class HostFile:
    """A file for a host. Its content is never logged and never on a command line.

    Attributes:
        path: absolute.
        mode: such as 0o400.
        owner: uid:gid, as numbers.
    """

    path: str
    content: bytes = field(repr=False)
    mode: int = 0o644
    owner: str = "0:0"


class Hosts(Protocol):
    """Servers over SSH, each recognised by its pinned key.

    Raises:
        Unavailable: `host_unreachable`, `host_slow`.
        Conflict: `host_key_wrong`: it shows another key than the pinned one: nothing is sent to it.
        Conflict: `host_refused`: it does not let our key in.
        Conflict: `host_command_failed`, with the command's own last words where they hold no secret.
    """

    def settle(self, host: HostAddress, *, seconds: float) -> str:
        """Wait until it has booted and cloud-init has ended well; have it make its own host key and drop the first one.

        `host.host_key` is the throwaway key's public half. May be called again: a host that has its own key already is
        asked with that one as soon as the journal knows it.

        Returns:
            the public key to pin from now on.
        """
        ...

    def put(self, host: HostAddress, files: Sequence[HostFile]) -> None:
        """Each whole or not at all, durable, never wider than its mode."""
        ...

    def remove(self, host: HostAddress, paths: Sequence[str]) -> None: ...
    def read(self, host: HostAddress, folder: str) -> list[HostFile]:
        """The files in a folder, by path, for another host to be given them; [] where it is not there. Folders in it
        are passed over."""
        ...

    def images(self, host: HostAddress) -> frozenset[str]:
        """Ids of the images that its engine has."""
        ...

    def load(self, host: HostAddress, archive: Path, sha256: str, *, seconds: float) -> dict[str, str]:
        """Stream an archive of `docker save` into a host's engine; no copy of it stays there.

        Args:
            sha256: of the archive, hexadecimal; nothing of another one is sent.

        Returns:
            what it brought: for each image its name (its id where it has none) and the id that this engine gives it.

        Raises:
            Conflict: `image_archive_wrong`; `image_missing`: it brought none.
        """
        ...

    def run(self, host: HostAddress, script: str, *, seconds: float) -> str:
        """Run a script of ours with `sh` as root, handed over on standard input; its standard output."""
        ...

    def ask(self, host: HostAddress, command: Sequence[str], *, given: str = "", seconds: float) -> str:
        """Run a program of the host as root; its standard output.

        Args:
            command: the program and its words: no secret among them, for they can be seen there.
            given: its standard input, which may be a secret: it is written nowhere.
        """
        ...

    def up(self, host: HostAddress, folder: str, services: Sequence[str] = (), *, seconds: float) -> None:
        """`docker compose up --detach --wait` of the project in a folder; all services, or some."""
        ...

    def task(self, host: HostAddress, folder: str, service: str, words: Sequence[str] = (), *, seconds: float) -> str:
        """Run a service that ends (`docker compose run --rm`); its standard output.

        Args:
            words: what it does instead of its own command; never a secret, for they stand on a command line.
        """
        ...

    def stop(self, host: HostAddress, folder: str, services: Sequence[str] = (), *, seconds: float) -> None:
        """`docker compose stop` of the project in a folder: all services, or some; nothing where there is no project.

        Each is asked to end and killed a little before the seconds are over. What was stopped stays so, after a boot
        too, until `up`.
        """
        ...

    def down(self, host: HostAddress, folder: str, *, volumes: bool, seconds: float) -> None: ...
    def look(self, host: HostAddress, folder: str, *, seconds: float) -> str:
        """How it is and what runs there, in rows of words apart by tabs.

        Nothing is known of these words but what support/shapes.py sees in them: a host may print what it likes.
        """
        ...

    def log(self, host: HostAddress, service: str, image: str, *, lines: int, seconds: float) -> str:
        """What may be told of a service's newest log lines, as `frostbyte plane logs` says on the host itself.

        Args:
            service: of the host's compose project; '' comes back where it has no container.
            image: id of one that holds that command and that the host has.
            lines: how many, at most.
        """
        ...


class Renderer(Protocol):
    """Everything that hosts are told and given, as text: the same for the same input."""

    def user_data(self, host: Surroundings, key: HostKey, people: Sequence[str]) -> str:
        """What cloud-init configures at the first boot, at most 32 KiB: users, SSH, packet filter, volume, time.

        It installs and fetches nothing, and `key` is the only secret in it.

        Args:
            key: the throwaway host key.
            people: public keys that may enter, one OpenSSH line each: the control host's, operators'.

        Raises:
            Invalid: `host_facts`: a name, address or key is not written as one.
        """
        ...

    def files(self, host: Surroundings, given: Given) -> list[HostFile]:
        """What a tenant's host is given once it has settled: compose project, secrets, certificates, its rules anew.

        Raises:
            Invalid: `host_facts`; `host_given`: an image, a secret or a certificate is missing.
        """
        ...

    def project(self, role: HostRole) -> Project:
        """The compose project of a tenant's host."""
        ...

    def growing(self, size_gb: int) -> tuple[str, str]:
        """Two scripts: one that waits until a host sees that its volume has so many gigabytes, and one that sees that
        the file system on it has about as many. Both say what is too small, and change nothing."""
        ...

    def images(self, role: HostRole) -> tuple[str, ...]:
        """Names of the images that a tenant's host runs."""
        ...

    def secrets(self) -> tuple[str, ...]:
        """Names of the secrets that are generated for a tenant, 32 random bytes each, url-safe; the same for all
        shapes. Whatever else hosts are given is made of these."""
        ...

    def certificates(self, hosts: Mapping[str, str], public_address: str) -> dict[str, tuple[str, ...]]:
        """The servers of a tenant that have a certificate, and the addresses that each is for.

        Args:
            hosts: as in `Surroundings.hosts`.
            public_address: of the gateway or of the single host.
        """
        ...


class Vault(Protocol):
    """Secrets of tenants, sealed with SOPS and age; identities stay on the control host. Safe for many threads.

    Raises:
        Invalid: `vault_value_invalid`: a name or a value that cannot be sealed; `secret_permissions`.
        Unavailable: `sops_failed`, `vault_damaged`.
        Conflict: `vault_identity_missing`.
    """

    def recipients(self, owner: Owner) -> tuple[str, ...]:
        """The public keys that its file is sealed for: its own, and its recovery identity's if there is one.

        Made at first.
        """
        ...

    def sealed(self, owner: Owner) -> bool:
        """Whether it has a file that opens."""
        ...

    def open(self, owner: Owner) -> dict[str, str]:
        """What is sealed; {} before anything was."""
        ...

    def keep(self, owner: Owner, values: Mapping[str, str]) -> dict[str, str]:
        """Seal those of the values whose names are not sealed yet; returns all that is sealed then.

        What is there wins, so whoever was killed, or comes second, gets what others were given already.
        """
        ...

    def seal(self, owner: Owner, values: Mapping[str, str]) -> None:
        """Replace what is sealed, whole or not at all, and see that it opens. Values are never shown."""
        ...

    def rotate(self, owner: Owner, turn: str) -> str:
        """Put another identity in place of the present one, and archive that one, sealed.

        Args:
            turn: names this rotation (a word without spaces); again with the same it only finishes what was cut off.

        Returns:
            the public key of the identity that opens the file from now on.
        """
        ...

    def holds(self, owner: Owner) -> tuple[str, ...]:
        """What there is of an owner, by name, as `destroy` says it; nothing is made."""
        ...

    def destroy(self, owner: Owner) -> tuple[str, ...]:
        """Destroy identities and file; what was destroyed, by name, for the receipt. Again is no error."""
        ...


class Certificates(Protocol):
    """Tenants' certificate authorities. Their keys stay on the control host. Safe for many threads.

    Raises:
        Invalid: `authority_damaged`.
        Conflict: `authority_of_another_tenant`.
    """

    def authority(self, owner: Owner) -> str:
        """The certificate (PEM) that everything of a tenant is recognised by. Made at first."""
        ...

    def servers(self, owner: Owner, wanted: Mapping[str, Sequence[str]]) -> dict[str, Credentials]:
        """A certificate for each server of a tenant.

        The same as before while it is for the same hosts and not past two thirds of its life.

        Args:
            wanted: names and addresses that a server is reached by, by its name.
        """
        ...

    def renew(self, owner: Owner, since: datetime) -> tuple[str, ...]:
        """Make anew, with new keys, every certificate that was made before `since`; the authority stays.

        Returns:
            names of those that were made now.
        """
        ...

    def given(self, owner: Owner) -> str:
        """What `note_given` kept last; '' for nothing."""
        ...

    def note_given(self, owner: Owner, mark: str) -> None:
        """Keep durably, beside the authority, which certificates the tenant's hosts have."""
        ...

    def holds(self, owner: Owner) -> tuple[str, ...]:
        """What there is of an owner, by name, as `destroy` says it; nothing is made."""
        ...

    def destroy(self, owner: Owner) -> tuple[str, ...]:
        """Destroy the authority and all that it signed; what was destroyed, by name. Again is no error."""
        ...


class ProvisioningUnitOfWork(RegistryUnitOfWork, Protocol):
    """One transaction of the registry, its journal and its receipts."""

    @property
    def journal(self) -> Journal: ...
    @property
    def receipts(self) -> ReceiptStore: ...


ProvisioningFactory = Callable[[], AbstractContextManager[ProvisioningUnitOfWork]]
