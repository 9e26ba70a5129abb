"""Servers with a console, each a process of its own: a plane, and a control plane. A test begins their sessions."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import Any, Final

import httpx

from acceptance.control_cluster import ControlProcess, eventually
from servers.process import ServerProcess, free_port

PROGRAM: Final = Path(__file__).with_name("served.py")
HERE: Final = "127.0.0.1"


class Console(ServerProcess):
    """What both have: an address, and sessions for whatever role a test visits it in."""

    url: str
    place: str
    """The tenant or environment, as the session's cookie names it."""
    sessions: Path

    @property
    def cookie_name(self) -> str:
        """Of its sessions; over TLS no neighbour can set one of this name."""
        return f"{'__Host-' if self.url.startswith('https') else ''}frostbyte-{self.place}"

    def session(self, role: str, subject: str = "") -> dict[str, Any]:
        """The cookie of a new session, as Playwright takes it."""
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect(str(self.sessions))
            asking.sendall(f"{subject or role} {role}\n".encode())
            cookie = b"".join(iter(lambda: asking.recv(65536), b"")).decode()
        assert cookie, f"no session for {role}: {self.log[-500:]}"
        return {
            "name": self.cookie_name,
            "value": cookie,
            "url": self.url,
            "httpOnly": True,
            "secure": self.url.startswith("https"),
            "sameSite": "Lax",
        }


class PlaneConsole(Console):
    """A plane for development, with everything in one process: words and its own small model find passages.

    Args:
        folder: its data and log; a short path.
        tenant: its name.
        settings: more of them, by their whole names.
    """

    def __init__(self, folder: Path, tenant: str = "acme", **settings: str) -> None:
        self.place, self.data = tenant, folder / tenant
        self.sessions = folder / f"{tenant}.sock"
        self.port = free_port()
        self.url = f"http://{HERE}:{self.port}"
        given = {
            "FROSTBYTE_TENANT_ID": tenant,
            "FROSTBYTE_DATA_DIR": str(self.data),
            "FROSTBYTE_LISTEN": f"{HERE}:{self.port}",
            "FROSTBYTE_TEST_SESSIONS": str(self.sessions),
            "FROSTBYTE_WORKERS": "1",
            "FROSTBYTE_LOG_LEVEL": "info",
        }
        command = [sys.executable, str(PROGRAM), "data"]
        super().__init__(f"plane-{tenant}", command, folder=folder, ready=self._answers, environment=given | settings)

    def ask(self, method: str, path: str, **more: Any) -> Any:
        """What a route of its API answers whoever runs it; for what a test needs to be there."""
        token = (self.data / "token").read_text().strip()
        answer = httpx.request(
            method,
            f"{self.url}/api/v1{path}",
            headers={"Authorization": f"Bearer {token}"} | more.pop("headers", {}),
            timeout=60,
            trust_env=False,
            **more,
        )
        assert answer.is_success, answer.text
        return answer.json()

    def ingest(self, *files: Path | tuple[str, bytes], through: bool = True) -> dict[str, Any]:
        """Send files as one batch; the answer to it.

        Args:
            files: paths, or names with contents.
            through: wait until every document has settled.
        """
        named = [(file.name, file.read_bytes()) if isinstance(file, Path) else file for file in files]
        sent: dict[str, Any] = self.ask("POST", "/ingest", files=[("files", one) for one in named])
        if through:
            settled = {"indexed", "quarantined", "rejected", "failed"}
            states = lambda: {one["state"] for one in self.ask("GET", f"/ingest/{sent['batch_id']}")["documents"]}  # noqa: E731
            eventually(lambda: states() <= settled, "the batch does not settle", 90, 0.1)
        return sent

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=5, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False


class ControlConsole(ControlProcess, Console):
    """A control plane; `do`, `get` and `finished` act as an operator does."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.place = settings.get("FROSTBYTE_CONTROL_ENVIRONMENT", "production")
        self.sessions = folder / "control.sock"
        super().__init__(folder, **{"FROSTBYTE_TEST_SESSIONS": str(self.sessions)} | settings)
        self.command = [sys.executable, str(PROGRAM), "control"]
