"""Both consoles let in who is signed in, lead everybody else to where that is done, and survive a kill."""

from __future__ import annotations

from playwright.sync_api import expect

from browser.consoles import ControlConsole, PlaneConsole
from browser.watching import Opener


def test_a_session_of_the_plane_is_good_until_it_is_started_again_and_after(
    plane: PlaneConsole, page_of: Opener
) -> None:
    page = page_of("admin", forgiven=("ERR_CONNECTION_REFUSED",))
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    plane.kill()
    plane.start()
    page.reload()
    expect(page.get_by_role("navigation").first).to_contain_text("Search")


def test_nobody_is_led_to_the_sign_in(page_of: Opener) -> None:
    page = page_of("", goto=False, forgiven=("status of 40",))
    page.goto("/console/")
    assert "/console/sign-in?to=/console/" in page.url


def test_a_session_of_the_control_plane_is_good_there_alone(
    plane: PlaneConsole, control: ControlConsole, page_of: Opener, operator_page: Opener
) -> None:
    page = operator_page("operator", forgiven=("status of 40",))
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    stranger = plane.session("admin") | {"name": f"frostbyte-{control.place}", "url": control.url}
    page.context.clear_cookies()
    page.context.add_cookies([stranger])  # type: ignore[list-item]
    page.goto("/console/")
    assert "/console/sign-in" in page.url
