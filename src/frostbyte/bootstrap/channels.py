"""The ways to planes that the control plane keeps open, one a tenant."""

from __future__ import annotations

import threading
from datetime import datetime

from frostbyte.adapters.channel.http import HttpPlane, context
from frostbyte.bootstrap.authorities import Authorities
from frostbyte.control_plane.channel import PlaneChannel
from frostbyte.control_plane.registry.records import EndpointsRow
from frostbyte.deploy.authority import Client


class Channels:
    """Channels by endpoints, with the certificate that the tenant's authority gave the control plane. From any thread.

    Args:
        authorities: the tenants'.
    """

    def __init__(self, authorities: Authorities) -> None:
        self._authorities = authorities
        self._lock = threading.Lock()
        self._held: dict[str, tuple[tuple[str, str, datetime], PlaneChannel]] = {}

    def __call__(self, endpoints: EndpointsRow) -> PlaneChannel:
        """The same channel as long as nothing changed: neither the endpoints nor our certificate.

        Raises:
            Invalid: `plane_certificate_unusable`, `authority_damaged`.
        """
        tenant_id = endpoints.tenant_id
        shown = self._authorities.client(tenant_id, Client.CONTROL)
        trusted = self._authorities.trusted(tenant_id, endpoints.ca_pem)
        key = (endpoints.channel_url, trusted, shown.renewed_at)
        with self._lock:
            held = self._held.get(tenant_id)
        if held is not None and held[0] == key:
            return held[1]
        made = HttpPlane(tenant_id, endpoints.channel_url, context(trusted, shown.certificate, shown.key))
        with self._lock:
            self._held[tenant_id] = (key, made)  # whoever still uses the one before ends with it
        return made

    def close(self) -> None:
        """Let go of all connections."""
        with self._lock:
            for _, channel in self._held.values():
                channel.close()
            self._held.clear()
