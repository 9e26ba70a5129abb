"""What crosses tenants and the control plane, as people see it through a real edge."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from browser.town import Town
from browser.watching import Opener
from servers.lanes import need

WORDS = ("aurora.txt", b"1. Aurora\n\nThe aurora samples of Borealis are stored in hall seven.\n")


@pytest.fixture(scope="module")
def town(servers_folder: Path) -> Iterator[Town]:
    need("traefik")
    need("clamd")
    with Town(servers_folder, "acme", "borealis") as town:
        yield town


@pytest.mark.timeout(240)
def test_two_tenants_are_used_side_by_side_in_one_browser(town: Town, page_of: Opener) -> None:
    acme, borealis = town.planes["acme"], town.planes["borealis"]
    page = page_of("admin", server=acme, others=(borealis.url,), forgiven=("status of 40",))
    page.context.add_cookies([borealis.session("user")])
    other = page.context.new_page()
    other.goto(f"{borealis.url}/console/")
    expect(page.locator(".place")).to_have_text("acme")
    expect(other.locator(".place")).to_have_text("borealis")
    batch = town.edge.ingest(borealis, *WORDS)
    other.goto(f"{borealis.url}/console/batches/{batch}")
    expect(other.locator("main")).to_contain_text(WORDS[0])
    answer = page.goto(f"/console/batches/{batch}")
    assert answer is not None
    assert answer.status == 404
    page.goto("/console/")

    page.get_by_role("button", name="Sign out").click()
    page.goto("/console/")
    assert "/console/sign-in" in page.url
    other.reload()
    expect(other.locator(".place")).to_have_text("borealis")
    expect(other.get_by_role("button", name="Sign out")).to_be_visible()

    # A session of one tenant says nothing to the other, whatever it is called there.
    stranger = borealis.session("admin") | {"name": acme.cookie_name, "url": acme.url}
    page.context.add_cookies([stranger])
    page.goto("/console/")
    assert "/console/sign-in" in page.url


@pytest.mark.timeout(240)
def test_an_operator_suspends_a_tenant_whose_people_get_503_and_lets_it_run_again(town: Town, page_of: Opener) -> None:
    people = page_of("user", server=town.planes["acme"], forgiven=("status of 503", "status of 404"))
    operator = page_of("operator", "/console/tenants/acme", server=town.control)
    operator.get_by_text("Suspend it").click()
    operator.get_by_role("button", name="Suspend acme").click()
    operator.wait_for_load_state()
    answer = people.goto("/console/")
    assert answer is not None
    assert answer.status == 503
    operator.goto("/console/tenants/acme")
    expect(operator.locator("main")).to_contain_text("its requests were refused after")
    assert town.edge.status("borealis") == 200

    operator.get_by_role("button", name="Let acme run again").click()
    deadline = time.monotonic() + 60
    while town.edge.status("acme") != 200:
        assert time.monotonic() < deadline, "the edge does not open again"
        time.sleep(0.2)
    people.goto("/console/")
    expect(people.get_by_role("heading", level=1)).to_have_count(1)


@pytest.mark.timeout(240)
def test_an_operation_is_watched_to_its_end_while_the_control_plane_is_killed_and_comes_back(
    town: Town, page_of: Opener
) -> None:
    plane = town.planes["borealis"]
    plane.pause()  # it acknowledges nothing, so the operation goes on until it does
    try:
        operation = town.control.do("borealis", "suspend", {"reason": "requested"})
        page = page_of(
            "viewer", f"/console/operations/{operation['operation_id']}", server=town.control, forgiven=("ERR_",)
        )
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
        town.control.kill()
        town.control.start()
    finally:
        plane.resume()
    town.control.finished(operation, 90)
    expect(page.locator("#operation-outcome")).to_have_text("Done", timeout=60_000)
    expect(page.locator("#operation-steps")).to_contain_text("3 of 3")
