"""The whole way of a person: a link, a password, an authenticator, in, around, out, in again, disabled while inside."""

from __future__ import annotations

import re
import time

import pyotp
import pytest

from browser.consoles import ControlConsole, PlaneConsole
from browser.watching import Opener
from frostbyte.kernel.accounts.codes import STEP_SECONDS

PASSWORD = "four words and a horse"


class Authenticator:
    """Shows codes, a new one each time: the steps around now are good, each once."""

    def __init__(self, key: str) -> None:
        self._otp = pyotp.TOTP(key)
        self._step = int(time.time()) // STEP_SECONDS - 1

    def code(self) -> str:
        """The earliest that is good and was not shown."""
        step = max(self._step, int(time.time()) // STEP_SECONDS - 1)
        while step > int(time.time()) // STEP_SECONDS + 1:
            time.sleep(0.2)
        self._step = step + 1
        return self._otp.generate_otp(step)


@pytest.mark.parametrize("kind", ["plane", "control"])
def test_a_person_from_the_link_to_the_end(page_of: Opener, request: pytest.FixtureRequest, kind: str) -> None:
    server: PlaneConsole | ControlConsole = request.getfixturevalue(kind)
    role = "reviewer" if kind == "plane" else "operator"

    admin = page_of("admin", "/console/people", server=server)
    admin.get_by_label("Name").fill("ann@example.org")
    admin.get_by_label("Role").select_option(role)
    admin.get_by_role("button", name="Make a link").click()
    link = admin.get_by_label("Link", exact=True).input_value()
    assert link.startswith(f"{server.url}/console/set-up#")

    ann = page_of("", link, server=server, forgiven=("status of 401", "status of 422"))
    ann.get_by_role("heading", name="2. An authenticator").wait_for()
    assert "#" not in ann.url, "the secret stays in no history"
    ann.get_by_text("I cannot read the picture").click()
    authenticator = Authenticator(ann.locator(".key").inner_text())
    ann.get_by_label("New password").fill(PASSWORD)
    ann.get_by_label("The same once more").fill("another password")
    ann.get_by_label("Code").fill("123456")
    ann.get_by_role("button", name="Set up and sign in").click()
    assert "not the same" in ann.get_by_role("alert").inner_text()
    ann.get_by_label("New password").fill(PASSWORD)
    ann.get_by_label("The same once more").fill(PASSWORD)
    ann.get_by_label("Code").fill(authenticator.code())
    ann.get_by_role("button", name="Set up and sign in").click()
    ann.wait_for_url(f"{server.url}/console/account?said=set_up")
    assert "Your account is set up." in ann.get_by_role("status").first.inner_text()

    assert "this one" in ann.get_by_role("table").inner_text()
    ann.get_by_role("button", name="Sign out").click()
    ann.wait_for_url(re.compile("/console/sign-in"))
    ann.goto("/console/account")
    assert "to=/console/account" in ann.url, "led to where one signs in, and back from there"
    ann.get_by_label("Name").fill("ann@example.org")
    ann.get_by_label("Password").fill("a wrong password")
    ann.get_by_label("Code").fill("123456")
    ann.keyboard.press("Enter")
    assert "is not right" in ann.get_by_role("alert").inner_text()
    ann.get_by_label("Password").fill(PASSWORD)
    ann.get_by_label("Code").fill(authenticator.code())
    ann.keyboard.press("Enter")
    ann.wait_for_url(f"{server.url}/console/account")

    admin.goto("/console/people")
    admin.get_by_role("link", name="ann@example.org").click()
    admin.get_by_text("Disable this account").click()
    admin.get_by_role("button", name="Disable ann@example.org").click()
    assert "Disabled" in admin.get_by_role("heading", level=1).inner_text()
    ann.reload()
    ann.wait_for_url(re.compile("/console/sign-in"))


def test_a_person_signs_in_and_out_without_a_script(page_of: Opener, plane: PlaneConsole) -> None:
    made = plane.ask("POST", "/accounts", json={"name": "plain", "role": "user"})
    page = page_of("", "/console/set-up", script=False)
    page.get_by_label("Link").fill(plane.url + made["link"])
    page.get_by_role("button", name="Open it").click()
    page.get_by_text("I cannot read the picture").click()
    authenticator = Authenticator(page.locator(".key").inner_text())
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_label("The same once more").fill(PASSWORD)
    page.get_by_label("Code").fill(authenticator.code())
    page.get_by_role("button", name="Set up and sign in").click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    assert "You are signed out." in page.get_by_role("status").first.inner_text()
