"""A control plane, planes of tenants and an edge, each a process of its own on this host, put together by hand as
docs/edge.md and the runbooks tell an operator to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx

from frostbyte.adapters.secrets.token_keys import FileTokenKeys
from frostbyte.bootstrap.authorities import Authorities
from frostbyte.kernel.clock import SystemClock
from frostbyte.kernel.tokens import Role, TokenSigner, control_realm
from servers.clamd import ClamdServer
from servers.lanes import built
from servers.process import ServerProcess, free_port, listens
from servers.traefik import Answer, TraefikServer

DOMAIN: Final = "pipeline.localhost"
STAND_INS: Final = "vectors,database,objects,queue,embedder,tls,secrets"


def eventually(check: Callable[[], object], what: str, seconds: float = 30.0, pause: float = 0.02) -> float:
    """Wait until it holds; the seconds that it took."""
    began = time.monotonic()
    while not check():
        assert time.monotonic() - began < seconds, what
        time.sleep(pause)
    return time.monotonic() - began


class ControlProcess(ServerProcess):
    """`frostbyte serve control`, with the edge's ports that a Traefik will listen on."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.data = folder / "control"
        self._asked, self._tokens = 0, dict[int, str]()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.ports = {name: free_port() for name in ("web", "websecure", "status")}
        given = {f"FROSTBYTE_CONTROL_EDGE_{name.upper()}": f"127.0.0.1:{port}" for name, port in self.ports.items()}
        given |= {
            "FROSTBYTE_CONTROL_DATA_DIR": str(self.data),
            "FROSTBYTE_CONTROL_LISTEN": f"127.0.0.1:{self.port}",
            "FROSTBYTE_CONTROL_DOMAIN": DOMAIN,
            "FROSTBYTE_LOG_LEVEL": "info",
        }
        command = [sys.executable, "-m", "frostbyte", "serve", "control"]
        super().__init__("control", command, folder=folder, ready=self._answers, environment=given | settings)

    @property
    def token(self) -> str:
        """What `serve control` writes for this machine's operator."""
        return (self.data / "token").read_text().strip()

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """One request to the Admin API."""
        given = {"Authorization": f"Bearer {self._somebody()}"} | headers
        return httpx.request(
            method, f"{self.url}/api/v1/admin{path}", json=body, headers=given, timeout=30, trust_env=False
        )

    def get(self, path: str) -> Any:
        """What a route answers."""
        answer = self.call("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def do(self, tenant: str, command: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """A command on a tenant; its operation."""
        answer = self.call("POST", f"/tenants/{tenant}/{command}", dict(body or {}))
        assert answer.status_code == 202, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def finished(self, operation: Mapping[str, Any], seconds: float = 30.0) -> dict[str, Any]:
        """The operation when it has ended."""
        path = f"/operations/{operation['operation_id']}"
        eventually(lambda: self.get(path)["status"] != "running", f"{operation['kind']} does not end", seconds)
        done: dict[str, Any] = self.get(path)
        return done

    def typed(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command as an operator types it on this machine."""
        environment = os.environ | {"FROSTBYTE_CONTROL_DATA_DIR": str(self.data), "NO_COLOR": "1"}
        environment |= {"FROSTBYTE_CONTROL_TOKEN": self._somebody(40)}
        command = [sys.executable, "-m", "frostbyte", *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)

    def _somebody(self, requests: int = 1) -> str:
        """A token for so many requests. One caller may do sixty things a minute, so there are several."""
        self._asked += requests
        who = self._asked // 40
        if who not in self._tokens:
            self._tokens[who] = operator_token(self, f"operator-{who}")
        return self._tokens[who]

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/ready", timeout=5, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False


def operator_token(control: ControlProcess, subject: str) -> str:
    """A token of another operator, signed with the control plane's own key."""
    keys = FileTokenKeys(control.data / "secrets", SystemClock(), create=False)
    return TokenSigner(keys.keys, control_realm("production"), SystemClock()).mint(
        subject, frozenset(Role), timedelta(hours=1)
    )[0]


class PlaneProcess(ServerProcess):
    """`frostbyte serve data` of one tenant: mode online, its gateway for the edge alone, its channel for the control
    plane alone, both by the tenant's own authority."""

    def __init__(self, folder: Path, tenant: str, control: ControlProcess, **settings: str) -> None:
        self.tenant = tenant
        self.data = folder / tenant
        self.port, self.channel = free_port(), free_port()
        folder.mkdir(parents=True, exist_ok=True)
        authority = Authorities(control.data / "authorities").of(tenant)
        for name in ("gateway", "channel"):
            authority.server(name, ["127.0.0.1"])
        place = authority.ca_file.parent
        pinned = folder / f"{tenant}-control-keys"
        keys = FileTokenKeys(control.data / "secrets", SystemClock(), create=False).keys()
        pinned.write_text("".join(f"{key}\n" for key in keys.accepted))
        given = {
            "FROSTBYTE_MODE": "online",
            "FROSTBYTE_STANDINS": STAND_INS,
            "FROSTBYTE_TENANT_ID": tenant,
            "FROSTBYTE_DATA_DIR": str(self.data),
            "FROSTBYTE_LISTEN": f"127.0.0.1:{self.port}",
            "FROSTBYTE_TLS_CERTIFICATE": str(place / "gateway/public.crt"),
            "FROSTBYTE_TLS_KEY": str(place / "gateway/private.key"),
            "FROSTBYTE_TLS_CLIENT_CA": str(authority.ca_file),
            "FROSTBYTE_CHANNEL_LISTEN": f"127.0.0.1:{self.channel}",
            "FROSTBYTE_CHANNEL_CERTIFICATE": str(place / "channel/public.crt"),
            "FROSTBYTE_CHANNEL_KEY": str(place / "channel/private.key"),
            "FROSTBYTE_CHANNEL_CLIENT_CA": str(authority.ca_file),
            "FROSTBYTE_CONTROL_KEYS": str(pinned),
            "FROSTBYTE_EMBEDDING_ENDPOINT": "none",
            "FROSTBYTE_WORKERS": "1",
            "FROSTBYTE_LOG_LEVEL": "info",
        }
        command = [sys.executable, "-m", "frostbyte", "serve", "data"]
        super().__init__(f"plane-{tenant}", command, folder=folder, ready=self._answers, environment=given | settings)

    @property
    def token(self) -> str:
        """What `serve data` writes for this machine's user."""
        return (self.data / "token").read_text().strip()

    @property
    def log_key(self) -> str:
        """What its operator reads out to whoever attaches it."""
        return (self.data / "log.pub").read_text().strip()

    def attachment(self) -> dict[str, str]:
        """How it is reached, as it is typed into `tenant attach`."""
        return {
            "gateway_url": f"https://127.0.0.1:{self.port}",
            "channel_url": f"https://127.0.0.1:{self.channel}",
            "log_key": self.log_key,
        }

    def _answers(self) -> bool:
        return (self.data / "token").exists() and listens(self.port) and listens(self.channel)


class EdgeProcess(ServerProcess):
    """A real Traefik, started with the file that the control plane wrote."""

    def __init__(self, folder: Path, control: ControlProcess) -> None:
        self.ports = control.ports
        self.ca = control.data / "edge-ca/ca.pem"
        binary = built("traefik")
        assert binary is not None
        command = [binary, f"--configfile={control.data / 'edge/traefik.yml'}"]
        ready = lambda: all(listens(port) for port in self.ports.values())  # noqa: E731
        super().__init__("traefik", command, folder=folder, ready=ready)

    def ask(self, tenant: str, path: str = "/health", **more: Any) -> Answer:
        """One request as the tenant's people make it: TLS, checked by the edge's own authority."""
        return TraefikServer.ask(self, f"{tenant}.{DOMAIN}", path, ca=self.ca, **more)  # type: ignore[arg-type]

    connection = TraefikServer.connection

    def status(self, tenant: str, path: str = "/health", token: str = "") -> int:
        """The status alone; 0 for a connection that broke off."""
        try:
            return self.ask(tenant, path, headers={"Authorization": f"Bearer {token}"} if token else {}).status
        except OSError:
            return 0

    def json(self, plane: PlaneProcess, path: str, method: str = "GET", body: Any = None) -> Any:
        """What a tenant's route answers through the edge."""
        headers = {"Authorization": f"Bearer {plane.token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        answer = self.ask(plane.tenant, f"/api/v1{path}", method=method, headers=headers, body=data)
        assert answer.status in (200, 201, 202), (answer.status, answer.body)
        return json.loads(answer.body)

    def ingest(self, plane: PlaneProcess, name: str, content: bytes) -> str:
        """Send one document through the edge; its batch."""
        mark = "----frostbyte"
        head = f'--{mark}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
        body = head.encode() + b"Content-Type: text/plain\r\n\r\n" + content + f"\r\n--{mark}--\r\n".encode()
        headers = {
            "Authorization": f"Bearer {plane.token}",
            "Content-Type": f"multipart/form-data; boundary={mark}",
        }
        answer = self.ask(plane.tenant, "/api/v1/ingest", method="POST", headers=headers, body=body)
        assert answer.status == 202, (answer.status, answer.body)
        return str(json.loads(answer.body)["batch_id"])


class Cluster:
    """One control plane, its edge, and a plane for each tenant; `attach` makes them one."""

    def __init__(self, folder: Path, *tenants: str, **settings: str) -> None:
        self.folder = folder
        self.control = ControlProcess(folder, **settings)
        self.control.start()
        self.edge = EdgeProcess(folder, self.control)
        self.clamd = ClamdServer(folder / "clamd")
        self.planes: dict[str, PlaneProcess] = {}
        try:
            self.edge.start()
            self.clamd.start()
            scanner = {"FROSTBYTE_CLAMD_ADDRESS": self.clamd.address, "FROSTBYTE_CLAMD_CONF": str(self.clamd.conf)}
            for tenant in tenants:
                self.planes[tenant] = PlaneProcess(folder, tenant, self.control, **scanner)
                self.planes[tenant].start()
        except BaseException:
            self.close()
            raise

    def attach(self) -> None:
        """Enter every tenant and take its plane into service."""
        made = self.control.call("POST", "/projects", {"project_id": "north"})
        assert made.status_code == 201, made.text
        for tenant, plane in self.planes.items():
            made = self.control.call("POST", "/tenants", {"tenant_id": tenant, "project_id": "north"})
            assert made.status_code == 201, made.text
            done = self.control.finished(self.control.do(tenant, "attach", plane.attachment()))
            assert done["status"] == "succeeded", done
        for tenant in self.planes:
            eventually(lambda tenant=tenant: self.edge.status(tenant) == 200, f"{tenant} is not reached")  # type: ignore[misc]

    def close(self) -> None:
        """Stop everything."""
        for plane in self.planes.values():
            plane.stop()
        self.clamd.stop()
        self.edge.stop()
        self.control.stop()
