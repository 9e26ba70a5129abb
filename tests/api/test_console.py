"""The console's frame: sessions, what keeps other sites out, errors as pages, assets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from frostbyte.api.data.console.pages import PAGES, READING
from frostbyte.api.http import oidc, people
from frostbyte.api.http.visiting import SAFE
from frostbyte.console.assets import ASSETS, asset_url
from frostbyte.console.policy import POLICY
from frostbyte.kernel.accounts.roles import PLANE
from frostbyte.kernel.tokens import Scope

HERE = {"sec-fetch-site": "same-origin"}
COOKIE = "frostbyte-demo"
OPEN_PAGES = people.OPEN | oidc.OPEN
"""Pages for who is not signed in."""
ROUTES = [r for router in (*PAGES, *READING) for r in router.routes if isinstance(r, APIRoute)]
GUARDED = [r for r in ROUTES if r.path not in OPEN_PAGES]


class Browser:
    """Somebody with a session, without a browser's good manners."""

    def __init__(self, api: Any, role: str) -> None:
        self.api = api
        self.cookie = api.plane.sessions.begin("tester", role)
        self.csrf = api.plane.sessions.visit(self.cookie).csrf

    def call(self, method: str, path: str, *, headers: dict[str, str] | None = None, **more: Any) -> Any:
        sent = {"cookie": f"{COOKIE}={self.cookie}"} | (headers or {})
        return self.api.client.request(method, path, headers=sent, follow_redirects=False, **more)


@pytest.fixture
def admin(api: Any) -> Browser:
    return Browser(api, "admin")


def test_the_cookie_s_name_is_the_tenant_s(plane: Any) -> None:
    assert f"frostbyte-{plane.settings.tenant_id}" == COOKIE


def test_a_page_is_framed_by_its_policy(admin: Browser) -> None:
    answer = admin.call("GET", "/console/")
    assert answer.status_code == 200
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["cache-control"] == "no-store"
    assert "<script>" not in answer.text
    assert " style=" not in answer.text
    for found in re.findall(r'(?:src|href)="(/console/assets/[^"]+)"', answer.text):
        assert admin.call("GET", found).status_code == 200


def test_assets_are_kept_and_old_ones_lead_to_new_ones(admin: Browser) -> None:
    for name in ASSETS:
        answer = admin.call("GET", asset_url(name))
        assert "immutable" in answer.headers["cache-control"]
    moved = admin.call("GET", "/console/assets/0000000000000000/console.css")
    assert (moved.status_code, moved.headers["location"]) == (307, asset_url("console.css"))
    assert admin.call("GET", "/console/assets/0000000000000000/../../etc/passwd").status_code == 404


def test_no_style_or_script_asks_elsewhere() -> None:
    for name, asset in ASSETS.items():
        text = asset.content.decode()
        assert not re.findall(r"https?://(?!www\.w3\.org)", text), name
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "DOMParser"):
            assert word not in text, (name, word)


def test_who_is_not_signed_in_is_led_there(api: Any) -> None:
    answer = api.client.get("/console/?state=failed", follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/console/sign-in?to=/console/%3Fstate%3Dfailed"
    assert api.client.get("/", follow_redirects=False).headers["location"] == "/console/"


def test_the_api_takes_a_session_as_it_takes_a_token(api: Any) -> None:
    user = Browser(api, "user")
    assert user.call("GET", "/api/v1/documents").status_code == 200
    asked = {"json": {"query": "notice period"}}
    for headers in (
        {},
        HERE,
        HERE | {"x-frostbyte-csrf": "guessed"},
        {"x-frostbyte-csrf": user.csrf},
        {"x-frostbyte-csrf": user.csrf, "origin": "https://elsewhere.example"},
        {"x-frostbyte-csrf": user.csrf, "sec-fetch-site": "cross-site"},
        {"x-frostbyte-csrf": user.csrf, "sec-fetch-site": "same-site"},
    ):
        refused = user.call("POST", "/api/v1/query", headers=headers, **asked)
        assert (refused.status_code, refused.json()["code"]) == (403, "request_forged"), headers
    for headers in (HERE, {"origin": "http://testserver"}):
        done = user.call("POST", "/api/v1/query", headers=headers | {"x-frostbyte-csrf": user.csrf}, **asked)
        assert done.status_code == 200
    refused = user.call("GET", "/api/v1/audit/events")
    assert refused.json()["code"] == "scope_missing"


def test_a_session_is_no_token_and_a_token_no_session(api: Any, admin: Browser) -> None:
    assert api.call("GET", "/documents", token=admin.cookie).json()["code"] == "token_malformed"
    admin.cookie = api.everything
    assert admin.call("GET", "/api/v1/documents").json()["code"] == "session_wrong"


def test_another_plane_s_session_is_none(api: Any, admin: Browser) -> None:
    admin.cookie = admin.cookie[:-4] + "AAAA"
    assert admin.call("GET", "/api/v1/documents").json()["code"] == "session_wrong"


def test_a_problem_is_a_page_where_a_page_was_asked_for(admin: Browser) -> None:
    answer = admin.call("GET", "/console/nothing-here")
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "route_not_found" in answer.text
    assert answer.headers["x-request-id"] in answer.text


def scopes_of(dependant: Dependant) -> Iterator[Scope]:
    for inner in dependant.dependencies:
        yield from getattr(inner.call, "scopes", ())
        yield from scopes_of(inner)


def filled(path: str) -> str:
    return re.sub(r"\{[a-z_]+(:path)?\}", "019ac000-0000-7000-8000-000000000001", path)


@pytest.mark.parametrize("route", GUARDED, ids=lambda r: f"{','.join(r.methods)} {r.path}")
def test_every_page_asks_who_visits_what_they_may_and_where_they_come_from(route: APIRoute, api: Any) -> None:
    scopes = set(scopes_of(route.dependant))
    assert scopes, "a page asks for no scope"
    [method] = route.methods
    path = filled(route.path)
    without = api.client.request(method, path, follow_redirects=False)
    if method in SAFE:
        assert without.headers["location"].startswith("/console/sign-in")
    else:
        assert without.status_code == 401
    for role, rights in PLANE.items():
        browser = Browser(api, role)
        if not rights & scopes:
            answer = browser.call(method, path, headers=HERE | {"x-frostbyte-csrf": browser.csrf})
            assert answer.status_code == 403, role
            assert "scope_missing" in answer.text
    if method not in SAFE:
        forged = Browser(api, "admin").call(method, path, headers=HERE)
        assert forged.status_code == 403
        assert "request_forged" in forged.text
