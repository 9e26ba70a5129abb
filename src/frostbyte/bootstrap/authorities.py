"""The tenants' certificate authorities, as the control plane keeps them: one folder below another."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from frostbyte.deploy.authority import Authority, Client, Held
from frostbyte.kernel.settings import tenant_name


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
            held = self._held.get((tenant, client))
            if held is None or self._now() >= held.renewed_at or not held.certificate.exists():
                held = self._held[tenant, client] = self.of(tenant).client(client)
            return held

    def ca_pem(self, tenant: str) -> str:
        """The certificate that the tenant's host is recognised by."""
        return self.of(tenant).ca_file.read_text(encoding="ascii")
