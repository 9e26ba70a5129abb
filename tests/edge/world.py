"""A real Traefik, and the keeper that writes its files as the control plane does."""

from __future__ import annotations

from pathlib import Path

from edge.rows import endpoints, tenant
from frostbyte.bootstrap.authorities import Authorities
from frostbyte.bootstrap.edge import credentials_of, own_pair
from frostbyte.control_plane.edge.keeper import EdgeKeeper
from frostbyte.control_plane.edge.routes import Gate
from frostbyte.control_plane.registry.states import TenantState
from frostbyte.deploy.traefik import Traefik
from servers.traefik import TraefikServer


class World:
    """An edge that runs."""

    def __init__(self, folder: Path, api_url: str = "") -> None:
        self.traefik = TraefikServer(folder, api_url=api_url)
        self.site = self.traefik.site
        self.authorities = Authorities(folder / "authorities")
        self.ca = folder / "edge-ca/ca.pem"
        self.keeper = EdgeKeeper(
            self.site,
            self.traefik.files,
            Traefik(),
            credentials_of(self.authorities),
            own_pair(folder / "edge-ca", self.site.domain),
        )
        self.keeper.prepare()
        self.traefik.start()

    def host(self, tenant_id: str) -> str:
        return f"{tenant_id}.{self.site.domain}"

    def open(self, tenant_id: str, url: str) -> None:
        """Lead a tenant's requests to its gateway."""
        self.keeper.show(tenant(tenant_id), endpoints(tenant_id, url), Gate.OPEN)

    def suspend(self, tenant_id: str, url: str) -> None:
        """Shut a tenant's edge."""
        self.keeper.show(tenant(tenant_id, TenantState.SUSPENDED), endpoints(tenant_id, url), Gate.CLOSED)

    def status(self, tenant_id: str) -> int:
        """What a client of the tenant is answered; 0 for a connection that broke off."""
        try:
            return self.traefik.ask(self.host(tenant_id), ca=self.ca).status
        except OSError:
            return 0

    def close(self) -> None:
        self.traefik.stop()
