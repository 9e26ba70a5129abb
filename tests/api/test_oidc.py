"""From the sign-in page to the issuer and back, over HTTP: a plane and a control plane, an issuer on loopback."""

from __future__ import annotations

import html
import re
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from control.memory_plane import memory_plane
from frostbyte.adapters.memory.signing_keys import MemoryTokenKeys
from frostbyte.api.control.app import create_app as control_app
from frostbyte.api.data.app import create_app
from frostbyte.bootstrap.data import Plane
from frostbyte.bootstrap.oidc import oidc_sign_in
from frostbyte.kernel.oidc.id_tokens import subject
from frostbyte.kernel.oidc.settings import OidcSettings
from frostbyte.kernel.oidc.sign_in import OidcSignIn
from frostbyte.kernel.settings import load
from servers.oidc import OidcServer

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # starlette announces another client library; it is not ours to choose here
    from starlette.testclient import TestClient

OUT = "/console/sign-in/oidc"
BACK = f"{OUT}/return"
ROLES = "/legal=reviewer\nadmins=admin"


@pytest.fixture(scope="module")
def issuer() -> Iterator[OidcServer]:
    with OidcServer(client_id="frostbyte", client_secret="a secret of sixteen") as found:
        found.issuer.people = {
            "ann": {"sub": "a-1", "groups": ["/legal"], "email": "ann@acme.example"},
            "bob": {"sub": "b-2", "groups": ["/everybody"]},
        }
        yield found


@pytest.fixture(autouse=True)
def way(plane: Plane, issuer: OidcServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plane that all tests here share is told of the issuer, as settings tell it."""
    told = {
        "ISSUER": issuer.url,
        "CLIENT_ID": "frostbyte",
        "CLIENT_SECRET": "a secret of sixteen",
        "ADDRESS": "http://localhost:8080",
        "ROLES": ROLES,
    }
    settings = load({f"FROSTBYTE_OIDC_{name}": value for name, value in told.items()}).oidc
    monkeypatch.setattr(plane, "oidc", way_of(plane, settings))


def way_of(plane: Plane, settings: OidcSettings | None) -> OidcSignIn | None:
    keys, realm = MemoryTokenKeys(plane.clock).keys, plane.admission.realm
    return oidc_sign_in(settings, keys, realm, plane.store.unit_of_work, plane.clock, owner="demo")


@pytest.fixture
def browser(plane: Plane) -> TestClient:
    """Somebody's browser, at the plane."""
    return TestClient(create_app(plane), raise_server_exceptions=False, follow_redirects=False)


def signed_in_there(address: str, person: str) -> str:
    """The address within the server that the issuer's page leads to when somebody chose who they are."""
    page = httpx.get(address, trust_env=False)
    assert f">{person}<" in page.text
    led = httpx.get(f"{address}&person={person}", trust_env=False)
    return led.headers["location"].removeprefix("http://localhost:8080")


def test_somebody_signs_in_and_is_who_the_issuer_says(browser: TestClient, plane: Plane, issuer: OidcServer) -> None:
    out = browser.get(OUT, params={"to": "/console/?state=failed"})
    assert out.status_code == 303
    assert out.headers["location"].startswith(f"{issuer.url}/authorize?")
    assert browser.get("/api/v1/documents").json()["code"] == "token_missing"  # nobody yet
    back = browser.get(signed_in_there(out.headers["location"], "ann"))
    assert (back.status_code, back.headers["location"]) == (303, "/console/?state=failed")
    for cookie in back.headers.get_list("set-cookie"):
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert "ann" not in cookie
    assert list(browser.cookies) == ["frostbyte-demo"]  # the one of the sign-in is gone
    assert browser.get("/api/v1/documents").status_code == 200
    visit = plane.sessions.visit(browser.cookies["frostbyte-demo"])
    assert (visit.role, visit.caller.subject) == ("reviewer", subject(issuer.url, "a-1"))
    page = browser.get("/console/")
    assert page.status_code == 200
    assert issuer.shown[-1] == "basic"


def test_over_tls_both_cookies_are_bound_to_the_host(browser: TestClient) -> None:
    out = browser.get(OUT, headers={"x-forwarded-proto": "https"})
    assert out.headers["set-cookie"].startswith("__Host-frostbyte-demo.oidc=")
    assert "; Secure" in out.headers["set-cookie"]


def test_the_sign_in_page_leads_there_and_says_where_that_is(browser: TestClient, issuer: OidcServer) -> None:
    page = browser.get("/console/sign-in", params={"to": "/console/?state=failed"}).text
    assert f"Sign in through {issuer.url.removeprefix('http://')}</a>" in page
    [way] = re.findall(r'href="(/console/sign-in/oidc[^"]*)"', page)
    out = browser.get(html.unescape(way))
    back = browser.get(signed_in_there(out.headers["location"], "ann"))
    assert back.headers["location"] == "/console/?state=failed"


def test_who_comes_from_an_issuer_has_a_session_like_others(
    browser: TestClient, plane: Plane, issuer: OidcServer
) -> None:
    out = browser.get(OUT)
    browser.get(signed_in_there(out.headers["location"], "ann"), headers={"user-agent": "X Firefox/1 (Linux)"})
    who = subject(issuer.url, "a-1")
    account = browser.get("/console/account").text
    assert who in account
    assert "Firefox on Linux" in account
    assert f"{who[:13]}… <small>reviewer</small>" in account  # in the page's head there is less room
    for row in plane.people.sessions.open_ones(who):
        plane.people.sessions.end_one(row.session_id, actor="admin")
    assert browser.get("/api/v1/documents").json()["code"] == "session_over"


@pytest.mark.parametrize(
    "to",
    [
        "https://evil.example/",
        "//evil.example/console/",
        "/console/\\evil.example",
        "/api/v1/documents",
        "/consoles",
        "/console/\r\nset-cookie: a=b",
        "/console/\u2028",
        "/console/sign-in/oidc",
        "",
    ],
)
def test_nobody_is_led_anywhere_but_to_a_page_of_the_console(browser: TestClient, to: str) -> None:
    out = browser.get(OUT, params={"to": to})
    back = browser.get(signed_in_there(out.headers["location"], "ann"))
    assert back.headers["location"] == "/console/"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (BACK, 401, "oidc_state_wrong"),
        (f"{BACK}?code=c&state=s", 401, "oidc_state_wrong"),
        (f"{BACK}?error=access_denied&state=s", 401, "oidc_state_wrong"),
        (f"{BACK}?state={'s' * 5000}", 422, "request_invalid"),
    ],
)
def test_what_was_not_begun_here_is_a_page_that_says_so(browser: TestClient, path: str, status: int, code: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == status  # not led to the sign-in page with a code in its address
    assert answer.headers["content-type"].startswith("text/html")
    assert code in answer.text
    assert "frostbyte-demo" not in browser.cookies


def test_who_has_no_role_is_told_so(browser: TestClient, plane: Plane) -> None:
    out = browser.get(OUT)
    back = browser.get(signed_in_there(out.headers["location"], "bob"))
    assert back.status_code == 403
    assert "oidc_no_role" in back.text
    assert "frostbyte-demo" not in browser.cookies


def test_coming_back_twice_counts_once(browser: TestClient) -> None:
    out = browser.get(OUT)
    kept = dict(browser.cookies)
    address = signed_in_there(out.headers["location"], "ann")
    assert browser.get(address).status_code == 303
    browser.cookies.update(kept)
    again = browser.get(address)
    assert again.status_code == 401
    assert "oidc_used" in again.text


def test_two_browsers_side_by_side_do_not_mix(plane: Plane) -> None:
    ann, bob = (TestClient(create_app(plane), follow_redirects=False) for _ in range(2))
    for_ann, for_bob = ann.get(OUT), bob.get(OUT)
    assert bob.get(signed_in_there(for_ann.headers["location"], "ann")).status_code == 401
    assert bob.get(signed_in_there(for_bob.headers["location"], "ann")).status_code == 303


def test_a_dead_issuer_is_a_page_and_the_plane_goes_on(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    with OidcServer() as gone:
        dead = OidcSettings(issuer=gone.url, client_id="c", address="http://localhost:8080")
    monkeypatch.setattr(plane, "oidc", way_of(plane, dead))
    browser = TestClient(create_app(plane), raise_server_exceptions=False, follow_redirects=False)
    began = time.monotonic()
    answer = browser.get(OUT)
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert "oidc_unreachable" in answer.text
    assert time.monotonic() - began < 4
    assert browser.get("/health").status_code == 200


def test_without_an_issuer_there_is_no_such_way(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plane, "oidc", None)
    browser = TestClient(create_app(plane), raise_server_exceptions=False, follow_redirects=False)
    for path in (OUT, BACK):
        answer = browser.get(path)
        assert answer.status_code == 404
        assert "oidc_not_set_up" in answer.text


def test_the_control_plane_signs_its_operators_in_alike(tmp_path: Path) -> None:
    control = memory_plane(tmp_path)
    with OidcServer(control.clock) as issuer:
        issuer.issuer.people = {"oskar": {"sub": "o-1", "groups": ["ops"]}}
        settings = OidcSettings(
            issuer=issuer.url, client_id="frostbyte", address="http://localhost:8090", roles=(("ops", "operator"),)
        )
        access = control.admission
        control.oidc = oidc_sign_in(
            settings,
            MemoryTokenKeys(control.clock).keys,
            access.realm,
            control.store.unit_of_work,
            control.clock,
            owner="control",
        )
        browser = TestClient(control_app(control), raise_server_exceptions=False, follow_redirects=False)
        out = browser.get(OUT, params={"to": "/console/tenants"})
        led = httpx.get(f"{out.headers['location']}&person=oskar", trust_env=False).headers["location"]
        back = browser.get(led.removeprefix("http://localhost:8090"))
    assert (back.status_code, back.headers["location"]) == (303, "/console/tenants")
    assert browser.get("/api/v1/admin/tenants").status_code == 200
    assert browser.get("/api/v1/admin/keys").json()["code"] == "scope_missing"
