"""A control plane, a real Traefik, and tenants behind it, put together as docs/edge.md says; people come by names."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from acceptance.control_cluster import DOMAIN, EdgeProcess, PlaneProcess, eventually
from browser.consoles import PROGRAM, Console, ControlConsole
from servers.clamd import ClamdServer


class TenantConsole(PlaneProcess, Console):
    """A tenant's plane in production's shape: TLS, a gateway for the edge alone, a channel for control."""

    def __init__(self, folder: Path, tenant: str, control: ControlConsole, **settings: str) -> None:
        self.place = tenant
        self.sessions = folder / f"{tenant}.sock"
        self.url = f"https://{tenant}.{DOMAIN}:{control.ports['websecure']}"
        super().__init__(folder, tenant, control, **{"FROSTBYTE_TEST_SESSIONS": str(self.sessions)} | settings)
        self.command = [sys.executable, str(PROGRAM), "data"]


class Town:
    """All of it; a context manager. Each tenant is entered and in service when it begins.

    Args:
        folder: a short path.
        tenants: their names.
    """

    def __init__(self, folder: Path, *tenants: str) -> None:
        self.control = ControlConsole(folder)
        self.clamd = ClamdServer(folder / "clamd")
        self._folder, self._names = folder, tenants
        self.planes: dict[str, TenantConsole] = {}

    def __enter__(self) -> Town:
        try:
            self.control.start()
            self.edge = EdgeProcess(self._folder, self.control)
            self.edge.start()
            self.clamd.start()
            for name in self._names:
                self._settle(name)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _settle(self, tenant: str) -> None:
        scanner = {"FROSTBYTE_CLAMD_ADDRESS": self.clamd.address, "FROSTBYTE_CLAMD_CONF": str(self.clamd.conf)}
        plane = self.planes[tenant] = TenantConsole(self._folder, tenant, self.control, **scanner)
        plane.start()
        if tenant == self._names[0]:
            self._made("/projects", {"project_id": "north"})
        self._made("/tenants", {"tenant_id": tenant, "project_id": "north"})
        done = self.control.finished(self.control.do(tenant, "attach", plane.attachment()))
        assert done["status"] == "succeeded", done
        eventually(lambda: self.edge.status(tenant) == 200, f"{tenant} is not reached")

    def _made(self, path: str, body: dict[str, Any]) -> None:
        answer = self.control.call("POST", path, body)
        assert answer.status_code == 201, answer.text

    def __exit__(self, *exc: object) -> None:
        for server in (*self.planes.values(), self.clamd, getattr(self, "edge", None), self.control):
            if server is not None:
                server.stop()
