"""The way out: real sockets and certificates, and whatever a server, a name or a proxy may do to it."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import pytest

from frostbyte.adapters.webhooks.https import HttpsCourier, Reach
from frostbyte.api.egress.proxy import Proxy
from frostbyte.api.egress.ways import Ways
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.ports.webhooks import Answer
from servers.receiver import Receiver

HERE = ("127.0.0.0/8", "::1/128")
HEADERS = {"webhook-id": "1", "content-type": "application/json"}


def names(*addresses: str) -> Callable[[str, int], Awaitable[Sequence[str]]]:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    return resolve


def courier(receiver: Receiver, *addresses: str, seconds: float = 5.0, **reach: object) -> HttpsCourier:
    """One that may reach the loopback and believes the receiver's authority."""
    told = {"networks": HERE, "ca_file": str(receiver.ca_file)} | reach
    return HttpsCourier(
        reach=Reach(**told),  # type: ignore[arg-type]
        resolve=names(*(addresses or ("127.0.0.1",))),
        seconds=seconds,
    )


def carried(way: HttpsCourier, url: str, body: bytes = b'{"a":1}') -> Answer:
    return way.carry(url, HEADERS, body)


def test_a_message_arrives_as_it_was_written(receiver: Receiver) -> None:
    body = '{"word":"Übung"}'.encode()
    assert carried(courier(receiver), receiver.url, body) == Answer(status=204)
    [message] = receiver.messages
    assert (message.path, message.body) == ("/hooks/frostbyte?of=tests", body)
    assert message.headers["host"] == receiver.place
    assert message.headers["webhook-id"] == "1"
    assert message.headers["user-agent"].startswith("Frostbyte/")
    assert "cookie" not in message.headers
    assert "authorization" not in message.headers


@pytest.mark.parametrize(
    ("status", "headers", "answer"),
    [
        (200, {}, Answer(status=200)),
        (299, {}, Answer(status=299)),
        (400, {}, Answer(code="webhook_refused", status=400)),
        (500, {}, Answer(code="webhook_refused", status=500)),
        (503, {"Retry-After": "90"}, Answer(code="webhook_refused", status=503, retry_after=90.0)),
        (429, {"Retry-After": "Fri, 31 Dec 2027 23:59:59 GMT"}, Answer(code="webhook_refused", status=429)),
        (429, {"Retry-After": "999999"}, Answer(code="webhook_refused", status=429, retry_after=86_400.0)),
        (410, {}, Answer(code="webhook_gone", status=410)),
    ],
)
def test_what_a_server_answers(receiver: Receiver, status: int, headers: dict[str, str], answer: Answer) -> None:
    receiver.answers.append((status, headers))
    assert carried(courier(receiver), receiver.url) == answer


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirection_is_followed(receiver: Receiver, status: int) -> None:
    receiver.answers.append((status, {"Location": receiver.url}))
    assert carried(courier(receiver), receiver.url) == Answer(code="webhook_redirected", status=status)
    assert len(receiver.messages) == 1


def test_a_name_that_leads_inside_is_not_asked(receiver: Receiver) -> None:
    for addresses in (("127.0.0.1",), ("169.254.169.254",), ("10.1.2.3",), ("::1",), ("93.184.215.14", "127.0.0.1")):
        way = courier(receiver, *addresses, networks=())
        assert carried(way, receiver.url) == Answer(code="webhook_address_inside"), addresses
    assert receiver.messages == []


def test_an_offline_plane_reaches_what_was_opened_to_it_and_not_the_internet(receiver: Receiver) -> None:
    outside = courier(receiver, "93.184.215.14", outside=False)
    assert carried(outside, receiver.url) == Answer(code="webhook_address_outside")
    assert carried(courier(receiver, outside=False), receiver.url) == Answer(status=204)


def test_what_was_judged_is_what_is_connected_to(receiver: Receiver) -> None:
    """A name that is looked up a second time may lead elsewhere: nobody looks it up a second time."""
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    way = courier(receiver)
    way.resolve = resolve
    assert carried(way, receiver.url) == Answer(status=204)
    assert asked == ["localhost"]


def test_where_one_address_does_not_answer_the_next_one_is_asked_and_the_message_comes_once(receiver: Receiver) -> None:
    assert carried(courier(receiver, "127.9.9.9", "127.0.0.1"), receiver.url) == Answer(status=204)
    assert len(receiver.messages) == 1
    assert carried(courier(receiver, "127.9.9.9", "127.9.9.8"), receiver.url) == Answer(code="webhook_unreachable")


def test_names_that_lead_nowhere(receiver: Receiver) -> None:
    async def unknown(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(-2, "Name or service not known")

    way = courier(receiver)
    way.resolve = unknown
    assert carried(way, receiver.url) == Answer(code="webhook_unreachable")
    way.resolve = names()
    assert carried(way, receiver.url) == Answer(code="webhook_unreachable")
    with pytest.raises(Invalid):
        carried(way, receiver.url.replace("https", "http"))


def test_a_certificate_has_to_be_trusted_and_the_names(receiver: Receiver) -> None:
    untrusted = HttpsCourier(reach=Reach(networks=HERE), resolve=names("127.0.0.1"))
    assert carried(untrusted, receiver.url) == Answer(code="webhook_certificate")
    other = receiver.url.replace("localhost", "hooks.example")
    assert carried(courier(receiver), other) == Answer(code="webhook_certificate")
    assert receiver.messages == []


def test_a_server_that_takes_too_long_is_left(receiver: Receiver) -> None:
    receiver.hold = 6.0
    begun = time.monotonic()
    assert carried(courier(receiver, seconds=0.3), receiver.url) == Answer(code="webhook_slow")
    assert time.monotonic() - begun < 5


@pytest.fixture
def trickling(receiver: Receiver) -> Iterator[str]:
    """A server that sends its answer byte by byte, and never ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    place = receiver.ca_file.parent / "edge"
    context.load_cert_chain(place / "public.crt", place / "private.key")

    def answer() -> None:
        connection, _ = listener.accept()
        try:
            with context.wrap_socket(connection, server_side=True) as secured:
                secured.recv(4096)
                for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 1000:
                    secured.send(bytes([byte]))
                    time.sleep(0.02)
        except OSError:
            return

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    yield f"https://localhost:{listener.getsockname()[1]}/"
    listener.close()
    thread.join(5)


def test_a_server_that_trickles_is_left_too(receiver: Receiver, trickling: str) -> None:
    begun = time.monotonic()
    assert carried(courier(receiver, seconds=0.4), trickling) == Answer(code="webhook_slow")
    assert time.monotonic() - begun < 5


def test_a_port_without_tls_is_no_receiver(receiver: Receiver) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        answer_ = carried(courier(receiver), f"https://localhost:{listener.getsockname()[1]}/")
        thread.join()
    assert answer_ == Answer(code="webhook_certificate")


def test_with_a_proxy_everything_goes_through_it_and_it_alone_looks_up_and_judges(
    receiver: Receiver, tmp_path: Path
) -> None:
    """The egress proxy of a tenant's hosts, which leads to what its list names."""
    told = threading.Event()
    stop = threading.Event()
    port: list[int] = []

    async def serve() -> None:
        proxy = Proxy(Ways(tmp_path / "ways"), resolve=names("127.0.0.1"), nowhere=())
        server = await asyncio.start_server(proxy.served, "127.0.0.1", 0)
        port.append(server.sockets[0].getsockname()[1])
        told.set()
        while not stop.is_set():
            await asyncio.sleep(0.02)
        server.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert told.wait(5)

        async def nobody(host: str, port: int) -> Sequence[str]:
            raise AssertionError("the plane looks nothing up itself")

        with Receiver(tmp_path, host="hooks.example") as outside:
            (tmp_path / "ways").write_text(f"{outside.place}\n")
            way = courier(outside, networks=(), proxy=f"http://127.0.0.1:{port[0]}")
            way.resolve = nobody
            assert carried(way, outside.url) == Answer(status=204)
            assert [message.headers["host"] for message in outside.messages] == [outside.place]
            assert carried(way, receiver.url) == Answer(code="webhook_way_closed")
    finally:
        stop.set()
        thread.join()
    assert carried(way, outside.url) == Answer(code="webhook_unreachable")
