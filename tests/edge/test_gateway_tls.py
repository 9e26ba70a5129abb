"""A server of ours with TLS: who is let in, and certificates that change while it runs."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from frostbyte.api.http.tls import ServerTls
from frostbyte.cli import health
from frostbyte.deploy.authority import Authority, Client, Held
from frostbyte.kernel import settings
from frostbyte.kernel.errors import Invalid


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """200, to whoever comes so far."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


class Gateway:
    """A server with TLS, its clock, and its tenant's authority."""

    def __init__(self, folder: Path, client: str) -> None:
        self.folder = folder
        self.authority = Authority(folder, "acme")
        self.authority.server("gateway", ["127.0.0.1", "localhost"])
        self.now = 0.0
        place = folder / "gateway"
        tls = ServerTls(
            place / "public.crt", place / "private.key", self.authority.ca_file if client else None, client,
            lambda: self.now,
        )  # fmt: skip
        config = uvicorn.Config(answer, port=0, loop="uvloop", log_config=None, lifespan="off", **tls.options())
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive()
        self.url = f"https://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}/health"

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join()

    def ask(self, held: Held | None = None, ca: Path | None = None) -> int:
        """The status; raises httpx.TransportError where one is not let in."""
        context = ssl.create_default_context(cafile=ca or self.authority.ca_file)
        if held is not None:
            context.load_cert_chain(held.certificate, held.key)
        with httpx.Client(verify=context, trust_env=False) as http:
            return http.get(self.url).status_code

    def serial(self) -> int:
        """Of the certificate that it shows now."""
        from cryptography import x509

        host, port = self.url.split("/")[2].split(":")
        shown = ssl.get_server_certificate((host, int(port)))
        return x509.load_pem_x509_certificate(shown.encode()).serial_number


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[str], Gateway]]:
    made: list[Gateway] = []

    def start(client: str) -> Gateway:
        made.append(Gateway(tmp_path / "acme", client))
        return made[-1]

    yield start
    for one in made:
        one.close()


def test_only_the_edge_of_this_tenant_is_let_in(serve: Callable[[str], Gateway], tmp_path: Path) -> None:
    gateway = serve("edge")
    assert gateway.ask(gateway.authority.client(Client.EDGE)) == 200
    stranger = Authority(tmp_path / "globex", "globex").client(Client.EDGE)
    for held in (None, stranger, gateway.authority.client(Client.CONTROL)):
        with pytest.raises(httpx.TransportError):
            gateway.ask(held)
    assert gateway.ask(gateway.authority.client(Client.EDGE)) == 200
    assert health.look(gateway.url, closed=True) == "", "a container's check has no certificate"
    assert health.look(gateway.url) != ""
    gateway.close()
    assert health.look(gateway.url, closed=True) != ""


def test_without_an_authority_for_clients_everybody_is(serve: Callable[[str], Gateway]) -> None:
    gateway = serve("")
    assert gateway.ask() == 200
    assert health.look(gateway.url) == ""
    gateway.close()
    assert health.look(gateway.url) != ""


def test_a_new_certificate_is_shown_without_a_restart(serve: Callable[[str], Gateway]) -> None:
    gateway = serve("edge")
    before = gateway.serial()
    later = datetime.now(UTC) + timedelta(days=300)
    assert Authority(gateway.folder, "acme", now=later).server("gateway", ["127.0.0.1", "localhost"])
    assert gateway.serial() == before, "nobody looks twice in a second"
    gateway.now += 2
    assert gateway.serial() != before


def test_half_a_renewal_changes_nothing(serve: Callable[[str], Gateway], tmp_path: Path) -> None:
    gateway = serve("edge")
    before = gateway.serial()
    Authority(tmp_path / "other", "acme").server("gateway", ["127.0.0.1"])
    key = gateway.folder / "gateway/private.key"
    whole = key.read_bytes()
    key.write_bytes((tmp_path / "other/gateway/private.key").read_bytes())
    gateway.now += 2
    assert gateway.serial() == before
    key.unlink()
    gateway.now += 2
    assert gateway.serial() == before
    assert gateway.ask(gateway.authority.client(Client.EDGE)) == 200
    key.write_bytes(whole)
    gateway.now += 2
    assert gateway.serial() == before


def test_another_authority_takes_the_place_of_the_first(serve: Callable[[str], Gateway], tmp_path: Path) -> None:
    gateway = serve("edge")
    held = gateway.authority.client(Client.EDGE)
    own_ca = tmp_path / "own.pem"
    own_ca.write_bytes(gateway.authority.ca_file.read_bytes())
    other = Authority(tmp_path / "other", "acme")
    gateway.authority.ca_file.write_bytes(other.ca_file.read_bytes())
    gateway.now += 2
    with pytest.raises(httpx.TransportError):
        gateway.ask(held, own_ca)
    assert gateway.ask(other.client(Client.EDGE), own_ca) == 200


def test_files_that_do_not_belong_together_are_said_at_the_start(tmp_path: Path) -> None:
    Authority(tmp_path / "a", "acme").server("gateway", ["127.0.0.1"])
    Authority(tmp_path / "b", "acme").server("gateway", ["127.0.0.1"])
    with pytest.raises(Invalid) as caught:
        ServerTls(tmp_path / "a/gateway/public.crt", tmp_path / "b/gateway/private.key")
    assert caught.value.code == "tls_unusable"


@pytest.mark.parametrize("missing", ["TLS_CERTIFICATE", "TLS_KEY", "both"])
def test_settings_come_together(tmp_path: Path, missing: str) -> None:
    paths = {}
    for name in ("TLS_CERTIFICATE", "TLS_KEY", "TLS_CLIENT_CA"):
        (tmp_path / name).touch()
        paths[f"FROSTBYTE_{name}"] = str(tmp_path / name)
    assert settings.load(paths).tls_client_ca == paths["FROSTBYTE_TLS_CLIENT_CA"]
    for name in ("TLS_CERTIFICATE", "TLS_KEY") if missing == "both" else (missing,):
        del paths[f"FROSTBYTE_{name}"]
    with pytest.raises(Invalid):
        settings.load(paths)
