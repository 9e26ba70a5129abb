"""Keeps the edge's files as they must be: what to write and what to remove, and the repair of what others did there.

What a file must say follows from the registry's rows alone (`wanted`). The keeper remembers what it wrote: `mend` finds
by that, without the registry and in milliseconds, a file that somebody changed, removed or added, and puts it right.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final

from frostbyte.control_plane.edge.ports import CredentialsOf, EdgeFiles, Renderer, SitePair
from frostbyte.control_plane.edge.routes import Gate, Route, Site
from frostbyte.control_plane.registry.records import EndpointsRow, TenantRow
from frostbyte.control_plane.registry.states import TenantState

_FIRST: Final = "tenant-"
_LAST: Final = ".yml"
_CODES: Final = {TenantState.SUSPENDED: "tenant_suspended", TenantState.ACTIVE: "tenant_resuming"}
"""What a client of a closed tenant is told; `tenant_unavailable` in every other state."""


def wanted(
    tenant: TenantRow, endpoints: EndpointsRow | None, gate: Gate, domain: str, credentials: CredentialsOf
) -> Route | None:
    """The route that the rows ask for; None for a tenant that has no host.

    Raises:
        Invalid: see `Route`.
        FrostbyteError: what `credentials` raises.
    """
    if gate is Gate.ABSENT:
        return None
    if gate is Gate.CLOSED or endpoints is None:
        code = _CODES.get(tenant.state, "tenant_unavailable")
        return Route(tenant_id=tenant.tenant_id, domain=domain, code=code)
    url = endpoints.gateway_url
    shown = credentials(tenant.tenant_id) if url.startswith("https:") else None
    return Route(tenant_id=tenant.tenant_id, domain=domain, gateway_url=url, credentials=shown)


@dataclass(frozen=True, kw_only=True)
class Mended:
    """What was not as it should be."""

    written: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.written or self.removed)


class EdgeKeeper:
    """The edge's files, one a tenant and a few for all. From any thread.

    Args:
        credentials: how the edge and a tenant's gateway know each other.
        pair: the certificate that clients see.
    """

    def __init__(
        self, site: Site, files: EdgeFiles, render: Renderer, credentials: CredentialsOf, pair: SitePair
    ) -> None:
        self._site, self._files, self._render = site, files, render
        self._credentials, self._pair = credentials, pair
        self._texts: dict[str, str] = {}
        self._stamps: dict[str, str] = {}
        self._prepared = False
        self._complete = False
        self._lock = threading.Lock()

    def show(self, tenant: TenantRow, endpoints: EndpointsRow | None, gate: str) -> bool:
        """See that the tenant's file says this, durably; whether it had to be changed. Milliseconds, and no network.

        A route that cannot be written as it should (its address or its certificates are not usable) is closed, so that
        an edge never keeps leading to where a gateway was.

        Raises:
            Unavailable: `edge_unwritable`.
            FrostbyteError: why the route is closed in place of open; the closed one is written then.
        """
        name = f"{_FIRST}{tenant.tenant_id}{_LAST}"
        try:
            route = wanted(tenant, endpoints, Gate(gate), self._site.domain, self._credentials)
        except Exception:  # whatever it is, an edge must not go on leading to where a gateway was; it is raised again
            closed = Route(tenant_id=tenant.tenant_id, domain=self._site.domain, code="tenant_unavailable")
            self._put(name, self._render.tenant(closed, self._site))
            raise
        if route is None:
            return self._gone(name)
        return self._put(name, self._render.tenant(route, self._site))

    def drop(self, tenant_id: str) -> None:
        """Remove a tenant's file; one that is not there is no trouble. Raises Unavailable: `edge_unwritable`."""
        self._gone(f"{_FIRST}{tenant_id}{_LAST}")

    def names(self) -> frozenset[str]:
        """The tenants that have a file. Raises Unavailable: `edge_unwritable`.

        Who asks has shown every tenant before: from then on `mend` removes a tenant's file that nobody showed.
        """
        found = frozenset(name[len(_FIRST) : -len(_LAST)] for name in self._files.stamps() if _of_a_tenant(name))
        self._complete = True
        return found

    def prepare(self) -> bool:
        """See that the files that are no tenant's are there and right; whether one had to be changed.

        Raises:
            Unavailable: `edge_unwritable`.
            Invalid: the certificate that clients see is not usable.
        """
        shared = self._render.shared(self._site, self._pair())
        for name in self._texts.keys() - shared.keys():
            if not _of_a_tenant(name):
                self._gone(name)
        changed = [name for name, text in shared.items() if self._put(name, text)]
        self._prepared = True
        return bool(changed)

    def mend(self) -> Mended:
        """Put right what somebody did to the folder. Raises Unavailable: `edge_unwritable`."""
        with self._lock:
            found = self._files.stamps()
            strays = [name for name in found if name not in self._texts and self._is_stray(name)]
            for name in strays:
                self._files.remove(name)
            changed = [name for name in self._texts if found.get(name) != self._stamps.get(name)]
            damaged = [name for name in changed if self._files.read(name) != self._texts[name]]
            for name in damaged:
                self._files.write(name, self._texts[name])
            if changed:
                self._note(changed)
            return Mended(written=tuple(sorted(damaged)), removed=tuple(sorted(strays)))

    def _is_stray(self, name: str) -> bool:
        """After a start, until everything was shown, a file may be one that is still to be."""
        return self._complete if _of_a_tenant(name) else self._prepared

    def _put(self, name: str, text: str) -> bool:
        with self._lock:
            same = self._texts.get(name) == text and self._stamps.get(name) == self._files.stamp(name)
            self._texts[name] = text
            if same:
                return False
            changed = self._files.read(name) != text
            if changed:
                self._files.write(name, text)
            self._note([name])
            return changed

    def _gone(self, name: str) -> bool:
        with self._lock:
            known = self._texts.pop(name, None) is not None
            self._stamps.pop(name, None)
            there = known or self._files.read(name) is not None
            self._files.remove(name)
            return there

    def _note(self, names: list[str]) -> None:
        """Remember how the files look, now that they are right."""
        for name in names:
            self._stamps[name] = self._files.stamp(name)


def _of_a_tenant(name: str) -> bool:
    return name.startswith(_FIRST) and name.endswith(_LAST)
