"""Who goes through the proxy: a remote embedder and the witness, as settings say it, and nobody else."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from frostbyte.adapters.witness import HttpWitness
from frostbyte.bootstrap.stores import embedder
from frostbyte.kernel.audit.checkpoint import Cosigner
from frostbyte.kernel.errors import FrostbyteError, Invalid
from frostbyte.kernel.settings import Settings, load

COSIGNER = Cosigner(b"\x09" * 32, "witness.example.org")


@dataclass
class Gatekeeper:
    """Writes down what it is asked first, and refuses it."""

    url: str
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def proxy() -> Iterator[Gatekeeper]:
    listener = socket.create_server(("127.0.0.1", 0))
    keeper = Gatekeeper(f"http://127.0.0.1:{listener.getsockname()[1]}")

    def answer() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                keeper.asked.append(connection.recv(4096).split(b"\r\n")[0].decode())
                connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    thread = threading.Thread(target=answer)
    thread.start()
    yield keeper
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def test_a_remote_embedder_and_the_witness_are_asked_through_it(
    proxy: Gatekeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # the environment's is nobody's business
    told = {
        "FROSTBYTE_EGRESS_PROXY": proxy.url,
        "FROSTBYTE_EMBEDDING_ENDPOINT": "https://api.example.org/v1/embeddings",
    }
    with pytest.raises(FrostbyteError):
        embedder(load(told | {"FROSTBYTE_EMBEDDING_REMOTE": "yes"})).query("a question")
    witness = HttpWitness("https://witness.example.org", COSIGNER.public_key, proxy=proxy.url)
    with pytest.raises(FrostbyteError):
        witness.cosign("note", 0, [])
    assert proxy.asked == ["CONNECT api.example.org:443 HTTP/1.1", "CONNECT witness.example.org:443 HTTP/1.1"]


def test_the_own_embedder_is_asked_directly(proxy: Gatekeeper) -> None:
    told = {"FROSTBYTE_EGRESS_PROXY": proxy.url, "FROSTBYTE_EMBEDDING_ENDPOINT": "http://127.0.0.1:9/embeddings"}
    with pytest.raises(FrostbyteError):
        embedder(load(told)).query("a question")
    assert proxy.asked == []


def test_an_outside_embedder_is_not_judged_by_the_tenant_s_authority() -> None:
    """A file that is none would be refused if it were read."""
    given = Settings(embedding_endpoint="https://api.example.org/e", embedding_remote=True, ca_file=__file__)
    assert embedder(given).remote


@pytest.mark.parametrize("url", ["proxy:3128", "https://proxy:3128", "http://a:b@proxy:3128", "http://proxy:1/path"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(Invalid, match="FROSTBYTE_EGRESS_PROXY"):
        load({"FROSTBYTE_EGRESS_PROXY": url})
