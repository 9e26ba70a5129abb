"""People at a plane's console and API: in with a link, a password and a code, and out again at once."""

from __future__ import annotations

import itertools
import re
import time
from typing import Any

import pyotp
import pytest

from frostbyte.api.http.people import device_of, within
from frostbyte.kernel.accounts.codes import STEP_SECONDS
from frostbyte.kernel.accounts.passwords import Cost

HERE = {"sec-fetch-site": "same-origin"}
PASSWORD = "four words and a horse"
COOKIE = "frostbyte-demo"
_numbers = itertools.count(1)


class Person:
    """Somebody at a browser: keeps cookies, sends forms, follows nothing."""

    def __init__(self, api: Any, name: str = "") -> None:
        self.api = api
        self.name = name
        self.cookies: dict[str, str] = {}

    def get(self, path: str) -> Any:
        return self._ask("GET", path)

    def post(self, path: str, *, headers: dict[str, str] | None = None, **form: str) -> Any:
        page = self.get("/console/account").text
        found = re.search(r'name="csrf" value="([^"]+)"', page)
        return self._ask(
            "POST", path, HERE if headers is None else headers, ({"csrf": found[1]} if found else {}) | form
        )

    def _ask(self, method: str, path: str, headers: dict[str, str] | None = None, form: Any = None) -> Any:
        sent = {"cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} | (headers or {})
        answer = self.api.client.request(method, path, headers=sent, data=form, follow_redirects=False)
        for header in answer.headers.get_list("set-cookie"):
            name, _, rest = header.partition("=")
            value = rest.partition(";")[0].strip('"')
            self.cookies = {k: v for k, v in self.cookies.items() if k != name} | ({name: value} if value else {})
        self.api.client.cookies.clear()
        return answer


def code_of(secret: str, last: list[int]) -> str:
    """A code that was not used yet: the step of now or, where that was used, the next, which is good as well."""
    step = last[-1] + 1 if last else int(time.time()) // STEP_SECONDS - 1
    last.append(step)
    return pyotp.TOTP(secret).generate_otp(step)


@pytest.fixture(autouse=True)
def cheap(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guesses cost nothing here: tests/accounts/test_passwords.py says what they cost."""
    monkeypatch.setattr(api.plane.people.door, "_cost", Cost(log_n=4, r=1, p=1))


@pytest.fixture
def used() -> list[int]:
    return []


def invited(api: Any, role: str = "admin") -> dict[str, Any]:
    """An account of its own for the test, made as `frostbyte account create` does."""
    name = f"{role}-{next(_numbers)}"
    answer = api.call("POST", "/accounts", json={"name": name, "role": role})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def entered(api: Any, used: list[int], role: str = "admin") -> tuple[Person, str]:
    """Somebody who set their account up, and the key of their authenticator."""
    made = invited(api, role)
    secret = made["link"].partition("#")[2]
    person = Person(api, made["name"])
    page = person.post("/console/set-up", link=f"https://plane.example/console/set-up#{secret}")
    assert page.status_code == 200
    key = re.search(r'class="key">([A-Z2-7]{32})<', page.text)
    assert key
    done = person.post(
        "/console/set-up/finish", link=secret, password=PASSWORD, again=PASSWORD, code=code_of(key[1], used)
    )
    assert (done.status_code, done.headers["location"]) == (303, "/console/account?said=set_up"), done.text
    return person, key[1]


def test_from_a_link_to_a_session_and_out_again(api: Any, used: list[int]) -> None:
    person, key = entered(api, used)
    assert person.get("/console/").status_code == 200
    assert set(person.cookies) == {COOKIE, f"{COOKIE}-known"}
    kept = person.cookies[COOKIE]
    out = person.post("/console/sign-out")
    assert (out.status_code, out.headers["location"]) == (303, "/console/sign-in?said=signed_out")
    assert set(person.cookies) == {f"{COOKIE}-known"}
    person.cookies[COOKIE] = kept
    assert person.get("/console/").headers["location"].startswith("/console/sign-in"), "what was copied opens nothing"
    del person.cookies[COOKIE]
    wrong = person.post("/console/sign-in", name=person.name, password=PASSWORD, code="000000", to="/console/")
    assert wrong.status_code == 401
    assert "Name, password or code is not right." in wrong.text
    assert f'value="{person.name}"' in wrong.text
    right = person.post(
        "/console/sign-in", name=person.name.upper(), password=PASSWORD, code=code_of(key, used), to="/console/batches"
    )
    assert (right.status_code, right.headers["location"]) == (303, "/console/batches")
    assert person.get("/console/sign-in").headers["location"] == "/console/", "who is in is led on"


def test_the_cookies_are_no_script_s_and_no_other_site_s(api: Any, used: list[int]) -> None:
    secret = invited(api)["link"].partition("#")[2]
    person = Person(api)
    key = re.search(r'class="key">([A-Z2-7]{32})<', person.post("/console/set-up", link=secret).text)
    assert key
    form = {"link": secret, "password": PASSWORD, "again": PASSWORD, "code": code_of(key[1], used)}
    answer = person.post("/console/set-up/finish", headers=HERE | {"x-forwarded-proto": "https"}, **form)
    cookies = answer.headers.get_list("set-cookie")
    assert [cookie.partition("=")[0] for cookie in cookies] == [f"__Host-{COOKIE}", f"__Host-{COOKIE}-known"]
    for cookie in cookies:
        for word in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"):
            assert word in cookie
        assert "Domain" not in cookie


@pytest.mark.parametrize("headers", [{}, {"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}])
@pytest.mark.parametrize("path", ["/console/sign-in", "/console/set-up", "/console/set-up/finish"])
def test_no_other_site_signs_anybody_in(api: Any, path: str, headers: dict[str, str]) -> None:
    answer = Person(api).post(path, headers=headers, name="ann", link="x")
    assert answer.status_code == 403
    assert "request_forged" in answer.text


def test_a_link_is_good_once_and_says_what_is_wrong(api: Any, used: list[int]) -> None:
    made = invited(api)
    secret = made["link"].partition("#")[2]
    person = Person(api)
    assert person.get("/console/set-up").status_code == 200
    unknown = person.post("/console/set-up", link="made-up")
    assert unknown.status_code == 404
    assert "This link is not good" in unknown.text
    page = person.post("/console/set-up", link=secret)
    key = re.search(r'class="key">([A-Z2-7]{32})<', page.text)
    assert key
    assert "<svg" in page.text
    assert page.headers["cache-control"] == "no-store"
    assert f"secret={key[1]}" not in page.text, "the address is in the picture alone"

    def finish(**changed: str) -> Any:
        form = {"link": secret, "password": PASSWORD, "again": PASSWORD, "code": "000000"} | changed
        return person.post("/console/set-up/finish", **form)

    for changed, sentence in (
        ({"again": "another"}, "The two passwords are not the same."),
        ({"password": "short", "again": "short"}, "less than 12 characters"),
        ({}, "This is not the code"),
    ):
        refused = finish(**changed)
        assert refused.status_code == 422
        assert sentence in refused.text
        assert key[1] in refused.text, "with the same authenticator"
        assert PASSWORD not in refused.text
    assert finish(code=code_of(key[1], used)).status_code == 303
    assert finish(code=code_of(key[1], used)).status_code == 404


def test_guesses_are_told_to_wait(api: Any) -> None:
    person = Person(api)
    for _ in range(5):
        assert person.post("/console/sign-in", name="guessed", password="x", code="1").status_code == 401
    slowed = person.post("/console/sign-in", name="guessed", password="x", code="1")
    assert slowed.status_code == 429
    assert int(slowed.headers["retry-after"]) >= 1
    assert "too many attempts" in slowed.text


def test_an_administrator_invites_changes_and_disables(api: Any, used: list[int]) -> None:
    boss, _ = entered(api, used)
    made = boss.post("/console/people", name="eve@example.org", role="vendor")
    assert made.status_code == 200
    link = re.search(r'value="(http://testserver/console/set-up#[\w-]{43})"', made.text)
    assert link
    again = boss.post("/console/people", name="eve@example.org", role="vendor")
    assert again.status_code == 409
    assert "There is an account of this name already." in again.text
    page = boss.get("/console/people")
    assert link[1] not in page.text
    identity = re.search(r'href="(/console/people/[0-9a-f-]{36})">eve@example.org', page.text)
    assert identity
    assert boss.get(identity[1]).status_code == 200
    for what, form, answer in (
        ("role", {"role": "auditor"}, 303),
        ("link", {}, 200),
        ("disable", {}, 303),
        ("recover", {}, 200),
        ("role", {"role": "king"}, 422),
    ):
        assert boss.post(f"{identity[1]}/{what}", **form).status_code == answer, what
    rows = {row["name"]: row for row in api.call("GET", "/accounts").json()["accounts"]}
    assert (rows["eve@example.org"]["role"], rows["eve@example.org"]["state"]) == ("auditor", "invited")
    events = api.plane.store.unit_of_work
    with events() as uow:
        said = [(event.type, event.actor) for event in uow.audit.newest("demo", limit=6)]
    assert ("ACCOUNT_RECOVERED", boss.name) in said


def test_a_vendor_sees_no_people_and_a_disabled_one_nothing_at_once(api: Any) -> None:
    vendor, _ = entered(api, [], "vendor")
    assert vendor.get("/console/people").status_code == 403
    assert 'href="/console/people"' not in vendor.get("/console/account").text
    rows = {row["name"]: row for row in api.call("GET", "/accounts").json()["accounts"]}
    assert api.call("POST", f"/accounts/{rows[vendor.name]['account_id']}/disable").json()["state"] == "disabled"
    assert vendor.get("/console/account").status_code == 303


def test_sessions_elsewhere_are_seen_and_ended(api: Any, used: list[int]) -> None:
    person, _ = entered(api, used)
    plane = api.plane
    other = plane.sessions.begin(person.name, "admin", device="Chrome on Windows")
    theirs = plane.sessions.begin("bob", "user", device="Safari on macOS")
    page = person.get("/console/account").text
    assert "Chrome on Windows" in page
    assert "Safari on macOS" not in page
    assert (
        person.post("/console/account/sessions", session_id=str(plane.sessions.visit(theirs).session_id)).status_code
        == 404
    )
    ended = person.post("/console/account/sessions", session_id=str(plane.sessions.visit(other).session_id))
    assert ended.headers["location"] == "/console/account?said=sessions_ended"
    assert "Safari on macOS" in person.get("/console/people").text
    assert person.post(f"/console/people/sessions/{plane.sessions.visit(theirs).session_id}").status_code == 303
    assert plane.people.sessions.open_ones("bob") == []
    assert person.post("/console/account/sessions").status_code == 303


def test_a_password_is_changed_on_the_own_page(api: Any, used: list[int]) -> None:
    person, key = entered(api, used)
    fresh = "another four words here"
    form = {"present": PASSWORD, "password": fresh, "again": fresh}
    assert person.post("/console/account/password", code="000000", **form).status_code == 422
    changed = person.post("/console/account/password", code=code_of(key, used), **form)
    assert changed.headers["location"] == "/console/account?said=password_changed"
    assert person.get("/console/account").status_code == 200


def test_names_are_escaped_wherever_they_are_shown(api: Any) -> None:
    refused = Person(api).post("/console/sign-in", name='"><script>x</script>', password="x", code="1")
    assert "<script>x" not in refused.text
    assert "&lt;script&gt;x" in refused.text


@pytest.mark.parametrize(
    ("to", "where"),
    [
        ("/console/batches?state=failed", "/console/batches?state=failed"),
        ("https://evil.example/", "/console/"),
        ("//evil.example/console/", "/console/"),
        ("/console/\\evil", "/console/"),
        ("/console/\r\nSet-Cookie: x=y", "/console/"),
        ("/api/v1/documents", "/console/"),
        ("/console/sign-in", "/console/"),
        ("", "/console/"),
    ],
)
def test_nobody_is_led_away_after_signing_in(to: str, where: str) -> None:
    assert within(to) == where


@pytest.mark.parametrize(
    ("agent", "device"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1", "Safari on iPhone"),
        ("<script>alert(1)</script>", "A browser"),
        ("", "A browser"),
    ],
)
def test_a_browser_is_named_in_words_of_ours(agent: str, device: str) -> None:
    from starlette.requests import Request

    scope = {"type": "http", "headers": [(b"user-agent", agent.encode())]}
    assert device_of(Request(scope)) == device
