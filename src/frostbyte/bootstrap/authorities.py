"""The tenants' certificate authorities, as the control plane keeps them: one folder below another."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import uuid4

from frostbyte.adapters.secrets.files import shred, sync_folder, write_new
from frostbyte.control_plane.provisioning.hosting import Credentials
from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.deploy.authority import HOST_LIFE, Authority, Client, Held, succeeds
from frostbyte.kernel.settings import tenant_name

_GIVEN: Final = "given"
"""The file beside the authority that says which certificates a tenant's hosts have."""


def _now() -> datetime:
    return datetime.now(UTC)


class Authorities:
    """{folder}/{tenant}/ holds each tenant's authority; made when it is first asked for. From any thread.

    Args:
        folder: made with mode 0700.
        now: the time that certificates are made and renewed by.
    """

    def __init__(self, folder: Path, now: Callable[[], datetime] = _now) -> None:
        self._folder = folder
        self._now = now
        self._held: dict[tuple[str, Client], Held] = {}
        self._lock = threading.Lock()

    def of(self, tenant: str) -> Authority:
        """The tenant's authority.

        Raises:
            Invalid: `settings_invalid`: no tenant can be called that; `authority_damaged`.
            Conflict: `authority_of_another_tenant`.
        """
        return Authority(self._folder / tenant_name(tenant), tenant, now=self._now())

    def client(self, tenant: str, client: Client) -> Held:
        """What the edge or the control plane shows to the tenant's host; renewed at two thirds of its life."""
        with self._lock:
            return self._client(tenant, client)

    def shown(self, tenant: str, client: Client) -> Credentials:
        """The same as text: a certificate and the key that belongs to it, also while they are made anew."""
        with self._lock:
            held = self._client(tenant, client)
            return Credentials(
                certificate=held.certificate.read_text(encoding="ascii"), key=held.key.read_text(encoding="ascii")
            )

    def _client(self, tenant: str, client: Client) -> Held:
        held = self._held.get((tenant, client))
        if held is None or self._now() >= held.renewed_at or not held.certificate.exists():
            held = self._held[tenant, client] = self.of(tenant).client(client)
        return held

    def servers(self, tenant: str, wanted: Mapping[str, Sequence[str]]) -> dict[str, Credentials]:
        """See `HostCertificates.servers`."""
        with self._lock:
            authority, found = self.of(tenant), {}
            for name, hosts in wanted.items():
                authority.server(name, hosts, HOST_LIFE)
                place = authority.ca_file.parent / name
                found[name] = Credentials(
                    certificate=(place / "public.crt").read_text(encoding="ascii"),
                    key=(place / "private.key").read_text(encoding="ascii"),
                )
            return found

    def renew(self, tenant: str, since: datetime) -> tuple[str, ...]:
        """See `HostCertificates.renew`."""
        with self._lock:
            for client in Client:
                self._held.pop((tenant, client), None)
            return tuple(self.of(tenant).renew(since))

    def given(self, tenant: str) -> str:
        """See `HostCertificates.given`."""
        path = self._folder / tenant_name(tenant) / _GIVEN
        return path.read_text(encoding="ascii").strip() if path.exists() else ""

    def note_given(self, tenant: str, mark: str) -> None:
        """See `HostCertificates.note_given`."""
        folder = self._folder / tenant_name(tenant)
        fresh = folder / f".new-{uuid4().hex}"
        write_new(fresh, f"{mark}\n".encode())
        fresh.rename(folder / _GIVEN)
        sync_folder(folder)

    def holds(self, tenant: str) -> tuple[str, ...]:
        """Files of the tenant's authority; nothing is made. The authority's key comes first."""
        place = self._folder / tenant_name(tenant)
        files = (path for path in place.rglob("*") if path.is_file())
        ordered = sorted(files, key=lambda path: (path.name != "ca.key", str(path)))
        return tuple(str(path.relative_to(place)) for path in ordered)

    def destroy(self, tenant: str) -> tuple[str, ...]:
        """See `HostCertificates.destroy`: the authority's key first, so that nobody can sign by it any more."""
        place = self._folder / tenant_name(tenant)
        with self._lock:
            for client in Client:
                self._held.pop((tenant, client), None)
            gone = self.holds(tenant)
            for name in gone:
                shred(place / name)
            if place.exists():
                for folder in place.iterdir():
                    folder.rmdir()
                place.rmdir()
                sync_folder(self._folder)
        return gone

    def ends_at(self, tenant: str) -> datetime | None:
        """When the first certificate of the tenant's authority ends; None where there is none here."""
        place = self._folder / tenant_name(tenant)
        return self.of(tenant).ends_at if (place / "ca.pem").exists() else None

    def trusted(self, tenant: str, pem: str) -> str:
        """What the tenant's host is recognised by, where `pem` was registered: an authority that was renewed since is
        trusted by both of its certificates, for hosts show what was signed under either."""
        if not pem:
            return self.ca_pem(tenant)
        newest = self.ca_pem(tenant) if self.ends_at(tenant) is not None else ""
        return pem + newest if newest and succeeds(pem, newest) else pem

    def ca_pem(self, tenant: str) -> str:
        """The certificate that the tenant's host is recognised by."""
        return self.of(tenant).ca_file.read_text(encoding="ascii")


class HostCertificates:
    """See control_plane.provisioning.ports.Certificates: the same authorities, for hosts that we make.

    Args:
        authorities: the tenants'.
    """

    def __init__(self, authorities: Authorities) -> None:
        self._authorities = authorities

    def authority(self, owner: Owner) -> str:
        """The certificate of the tenant's authority."""
        return self._authorities.ca_pem(owner.tenant_id)

    def servers(self, owner: Owner, wanted: Mapping[str, Sequence[str]]) -> dict[str, Credentials]:
        """Certificates and keys of the tenant's servers, each renewed at two thirds of its 90 days."""
        return self._authorities.servers(owner.tenant_id, wanted)

    def renew(self, owner: Owner, since: datetime) -> tuple[str, ...]:
        """Make anew whatever was made before a moment, of servers and of those who come from outside."""
        return self._authorities.renew(owner.tenant_id, since)

    def given(self, owner: Owner) -> str:
        """Which certificates the hosts have, as `note_given` was told."""
        return self._authorities.given(owner.tenant_id)

    def note_given(self, owner: Owner, mark: str) -> None:
        """Keep which certificates the hosts have."""
        self._authorities.note_given(owner.tenant_id, mark)

    def holds(self, owner: Owner) -> tuple[str, ...]:
        """Files of the tenant's authority and of all that it signed."""
        return self._authorities.holds(owner.tenant_id)

    def destroy(self, owner: Owner) -> tuple[str, ...]:
        """Destroy the authority and everything by it; what it was, by name."""
        return self._authorities.destroy(owner.tenant_id)
