"""The issuer in memory, and one over HTTP on loopback: one contract; and what only a network can get wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from frostbyte.adapters.oidc import http
from frostbyte.adapters.oidc.http import HttpIssuer
from frostbyte.adapters.oidc.memory import MemoryIssuer
from frostbyte.kernel.clock import SystemClock
from frostbyte.kernel.errors import FrostbyteError, Unauthenticated, Unavailable
from frostbyte.kernel.oidc.id_tokens import Expected, checked
from frostbyte.kernel.oidc.settings import OidcSettings
from frostbyte.kernel.oidc.sign_in import challenge
from frostbyte.kernel.ports.issuer import Issuer
from oidc.browsing import query
from servers.oidc import OidcServer

VERIFIER = "v" * 43
BACK = "https://acme.example/console/sign-in/oidc/return"
SECRET = "a secret: with + and %"


def settings(issuer: str, secret: str = SECRET, client_id: str = "frost byte") -> OidcSettings:
    return OidcSettings(issuer=issuer, client_id=client_id, client_secret=secret, address="https://acme.example")


@pytest.fixture(scope="module")
def server() -> Iterator[OidcServer]:
    """Shared: whoever spoils it, mends it."""
    with OidcServer(client_id="frost byte", client_secret=SECRET) as found:
        found.issuer.people = {"ann": {"sub": "a-1"}}
        yield found


@pytest.fixture(params=["memory", "http"])
def both(request: pytest.FixtureRequest, server: OidcServer) -> Iterator[tuple[Issuer, MemoryIssuer]]:
    """(an issuer as the server reaches it, what decides in it)."""
    if request.param == "memory":
        issuer = MemoryIssuer(SystemClock(), client_id="frost byte", client_secret=SECRET)
        issuer.people = server.issuer.people
        yield issuer, issuer
        return
    reached = HttpIssuer(settings(server.url))
    yield reached, server.issuer
    reached.close()


def code(issuer: MemoryIssuer, back: str = BACK) -> str:
    """A code for Ann."""
    asked = {
        "response_type": "code",
        "client_id": issuer.client_id,
        "redirect_uri": back,
        "scope": "openid",
        "state": "s",
        "nonce": "n",
        "code_challenge": challenge(VERIFIER),
        "code_challenge_method": "S256",
    }
    return query(issuer.answered(str(httpx.URL(f"{issuer.issuer}/authorize", params=asked)), "ann"))["code"]


def test_a_code_becomes_a_token_once(both: tuple[Issuer, MemoryIssuer]) -> None:
    reached, issuer = both
    good = code(issuer)
    token = reached.redeemed(good, VERIFIER, BACK)
    expected = Expected(reached.provider().issuer, "frost byte", "n")
    assert checked(token, reached.keys(), expected, time.time())["sub"] == "a-1"
    with pytest.raises(Unauthenticated) as refused:
        reached.redeemed(good, VERIFIER, BACK)
    assert refused.value.code == "oidc_code_refused"


@pytest.mark.parametrize(
    ("verifier", "back"), [("w" * 43, BACK), (VERIFIER, "https://evil.example/"), ("", BACK)], ids=str
)
def test_a_code_is_good_for_its_own_sign_in_alone(both: tuple[Issuer, MemoryIssuer], verifier: str, back: str) -> None:
    reached, issuer = both
    with pytest.raises(Unauthenticated) as refused:
        reached.redeemed(code(issuer), verifier, back)
    assert refused.value.code == "oidc_code_refused"


def test_new_keys_are_shown_when_they_are_asked_for_anew(both: tuple[Issuer, MemoryIssuer]) -> None:
    reached, issuer = both
    before = reached.keys()
    issuer.rotate(keep=True)
    assert [key["kid"] for key in reached.keys(anew=True)][1] == before[0]["kid"]
    assert len(reached.keys()) == 2


@pytest.mark.parametrize(
    ("methods", "shown"),
    [
        (("client_secret_basic",), "basic"),
        (("client_secret_post",), "post"),
        (("client_secret_post", "client_secret_basic"), "basic"),
    ],
)
def test_the_secret_is_shown_as_the_issuer_wants_it(server: OidcServer, methods: tuple[str, ...], shown: str) -> None:
    server.methods = methods
    reached = HttpIssuer(settings(server.url))
    reached.redeemed(code(server.issuer), VERIFIER, BACK)
    assert server.shown[-1] == shown
    server.methods = None


def test_a_client_that_is_not_known_is_told_so_and_its_secret_is_not(server: OidcServer) -> None:
    for wrong in (settings(server.url, secret="another secret"), settings(server.url, secret="")):
        with pytest.raises(Unavailable) as refused:
            HttpIssuer(wrong).redeemed(code(server.issuer), VERIFIER, BACK)
        assert refused.value.code == "oidc_client_refused"
        assert "secret" not in refused.value.message.replace("its secret", "")


SPOILT: list[tuple[str, Any, str, str]] = [
    ("down", (500, "text/html", b"<h1>oh</h1>"), "oidc_unreachable", "status 500"),
    ("led elsewhere", (302, "text/html", b""), "oidc_unreachable", "status 302"),
    ("a page", (200, "text/html", b"<html>"), "oidc_unsuitable", "not what an issuer answers"),
    ("nothing", (200, "application/json", b""), "oidc_unsuitable", "not what an issuer answers"),
    ("a list", (200, "application/json", b"[]"), "oidc_unsuitable", "not what an issuer answers"),
    ("nested", (200, "application/json", b"[" * 100_000), "oidc_unsuitable", "not what an issuer answers"),
    ("not text", (200, "application/json", b'"\xff\xfe"'), "oidc_unsuitable", "not what an issuer answers"),
    ("endless", (200, "application/json", b" " * 300_000), "oidc_unsuitable", "longer"),
]
PATHS = ("/.well-known/openid-configuration", "/keys", "/token")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("name", "answer", "expected", "says"), SPOILT, ids=[case[0] for case in SPOILT])
def test_wrong_answers_are_refused_in_words(
    server: OidcServer, path: str, name: str, answer: Any, expected: str, says: str
) -> None:
    reached = HttpIssuer(settings(server.url))
    server.spoilt = {path: answer}
    try:
        with pytest.raises(Unavailable) as refused:
            {
                PATHS[0]: reached.provider,
                PATHS[1]: reached.keys,
                PATHS[2]: lambda: reached.redeemed("c", VERIFIER, BACK),
            }[path]()
    finally:
        server.spoilt = {}
    assert refused.value.code == expected
    assert says in refused.value.message
    assert "<" not in refused.value.message


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, b'{"error": "invalid_grant", "error_description": "<b>"}', "oidc_code_refused"),
        (401, b'{"error": "invalid_grant"}', "oidc_code_refused"),
        (400, b'{"error": "unauthorized_client"}', "oidc_client_refused"),
        (401, b"<html>", "oidc_client_refused"),
        (400, b'{"error": "invalid_request"}', "oidc_unsuitable"),
        (400, b"<html>", "oidc_unsuitable"),
        (200, b'{"access_token": "x"}', "oidc_unsuitable"),
        (429, b"{}", "oidc_unreachable"),
    ],
)
def test_why_a_code_was_refused_is_told_apart(server: OidcServer, status: int, body: bytes, expected: str) -> None:
    reached = HttpIssuer(settings(server.url))
    server.spoilt = {"/token": (status, "application/json", body)}
    try:
        with pytest.raises(FrostbyteError) as refused:
            reached.redeemed("c", VERIFIER, BACK)
    finally:
        server.spoilt = {}
    assert refused.value.code == expected


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"issuer": "https://issuer.example/"}, "another name"),
        ({"authorization_endpoint": "http://issuer.example/a"}, "not https"),
        ({"token_endpoint": "http://issuer.example/t"}, "not https"),
        ({"token_endpoint": "https://ann:secret@issuer.example/t"}, "not https"),
        ({"jwks_uri": "file:///etc/passwd"}, "not https"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "not https"),
        ({"authorization_endpoint": "https://issuer.example/\r\nset-cookie: a=b"}, "not https"),
        ({"response_types_supported": ["id_token"]}, "no codes"),
        ({"code_challenge_methods_supported": ["plain"]}, "code challenge"),
        ({"id_token_signing_alg_values_supported": ["HS256", "none"]}, "signs by none"),
    ],
)
def test_an_issuer_that_cannot_be_used_says_why(change: dict[str, Any], says: str) -> None:
    said: dict[str, Any] = {
        "issuer": "https://issuer.example",
        "authorization_endpoint": "https://issuer.example/a",
        "token_endpoint": "https://issuer.example/t",
        "jwks_uri": "https://issuer.example/k",
    }
    answers = httpx.MockTransport(lambda request: httpx.Response(200, json=said | change))
    with pytest.raises(Unavailable) as refused:
        HttpIssuer(settings("https://issuer.example"), transport=answers).provider()
    assert refused.value.code == "oidc_unsuitable"
    assert says in refused.value.message
    good = httpx.MockTransport(lambda request: httpx.Response(200, json=said))
    assert HttpIssuer(settings("https://issuer.example"), transport=good).provider().token_endpoint.endswith("/t")


def test_an_issuer_that_is_not_there_is_told_by_its_kind_alone() -> None:
    with OidcServer() as gone:
        url = gone.url
    with pytest.raises(Unavailable, match="ConnectError") as refused:
        HttpIssuer(settings(url)).provider()
    assert url not in refused.value.message


def test_what_was_asked_is_kept_for_a_while_and_a_failure_for_some_seconds(server: OidcServer) -> None:
    now = [0.0]
    reached = HttpIssuer(settings(server.url), tick=lambda: now[0])
    server.asked.clear()
    for seconds, asked in ((0.0, 1), (3599.0, 1), (3600.0, 2)):
        now[0] = seconds
        reached.provider()
        assert server.asked.count(PATHS[0]) == asked
    for seconds, asked in ((3600.0, 1), (4199.0, 1), (4200.0, 2)):
        now[0] = seconds
        reached.keys()
        assert server.asked.count("/keys") == asked
    server.spoilt = {PATHS[0]: (500, "text/plain", b"")}
    try:
        for seconds, asked in ((9000.0, 3), (9004.0, 3), (9005.0, 4)):
            now[0] = seconds
            with pytest.raises(Unavailable):
                reached.provider()
            assert server.asked.count(PATHS[0]) == asked
    finally:
        server.spoilt = {}
    now[0] = 9010.0
    assert reached.provider().issuer == server.url


def test_a_slow_issuer_keeps_few_threads_waiting_and_the_others_are_told_at_once() -> None:
    inside, leave = threading.Semaphore(0), threading.Event()

    def slow(request: httpx.Request) -> httpx.Response:
        inside.release()
        leave.wait(10)
        return httpx.Response(500)

    reached = HttpIssuer(settings("https://issuer.example"), transport=httpx.MockTransport(slow))

    def ask() -> None:
        with pytest.raises(Unavailable):
            reached.provider()

    waiting = [threading.Thread(target=ask) for _ in range(http.AT_ONCE)]
    for one in waiting:
        one.start()
    for _ in waiting:
        assert inside.acquire(timeout=10)
    began = time.monotonic()
    with pytest.raises(Unavailable) as refused:
        reached.provider()
    assert refused.value.code == "oidc_busy"
    assert time.monotonic() - began < 1
    leave.set()
    for one in waiting:
        one.join()


def test_an_answer_that_drips_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class Dripping(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            while True:
                time.sleep(0.02)
                yield b" "

    monkeypatch.setattr(http, "TIMEOUT_SECONDS", 0.1)
    answers = httpx.MockTransport(lambda request: httpx.Response(200, stream=Dripping()))
    with pytest.raises(Unavailable, match="too long"):
        HttpIssuer(settings("https://issuer.example"), transport=answers).provider()


def test_it_is_asked_through_the_proxy_and_through_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's proxies lead nowhere here; the one of the settings is asked for a tunnel to the issuer."""
    import socket

    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        heard = bytearray()

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                heard.extend(connection.recv(4096))
                connection.sendall(b"HTTP/1.1 403 no\r\n\r\n")

        proxy = threading.Thread(target=serve)
        proxy.start()
        port = listening.getsockname()[1]
        with pytest.raises(Unavailable, match="ProxyError"):
            HttpIssuer(settings("https://issuer.example"), proxy=f"http://127.0.0.1:{port}").provider()
        proxy.join()
    assert bytes(heard).startswith(b"CONNECT issuer.example:443 HTTP/1.1\r\n")
