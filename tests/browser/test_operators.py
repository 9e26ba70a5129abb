"""Operators at their control plane: a tenant stopped and let go on while everything dies meanwhile, and every page of
theirs as axe, a telephone and a large screen find it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from acceptance.control_cluster import STAND_INS, PlaneProcess
from browser.consoles import ControlConsole
from browser.watching import NARROW, WIDE, Opener, grave, too_wide
from servers.lanes import need

TENANT = "acme"
LOST = ("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE")


@pytest.fixture(scope="module")
def tenant(servers_folder: Path, control: ControlConsole) -> Iterator[PlaneProcess]:
    """A tenant in service, with its plane; nobody scans, for nothing is sent to it."""
    made = control.call("POST", "/projects", {"project_id": "north"})
    assert made.status_code == 201, made.text
    made = control.call("POST", "/tenants", {"tenant_id": TENANT, "project_id": "north"})
    assert made.status_code == 201, made.text
    with PlaneProcess(servers_folder, TENANT, control, FROSTBYTE_STANDINS=f"{STAND_INS},scanner") as plane:
        done = control.finished(control.do(TENANT, "attach", plane.attachment()))
        assert done["status"] == "succeeded", done
        yield plane


def outcome(page: Page, text: str) -> None:
    expect(page.locator("#operation-outcome")).to_have_text(text, timeout=30_000)


def test_a_tenant_is_stopped_and_let_go_on_though_everything_dies_meanwhile(
    control: ControlConsole, tenant: PlaneProcess, operator_page: Opener
) -> None:
    page = operator_page("operator", forgiven=LOST)
    page.get_by_role("link", name=TENANT, exact=True).first.click()
    page.get_by_text("Suspend it").click()
    page.locator("#suspend-reason").select_option("payment")
    page.get_by_role("button", name=f"Suspend {TENANT}").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Suspending it")
    outcome(page, "Done")
    expect(page.locator("#figure-0")).to_have_text(re.compile(r"^\d+\.\d\d s$"))
    expect(page.locator("#figure-1")).to_have_text(re.compile(r"^\d+\.\d\d s$"))
    assert control.get(f"/tenants/{TENANT}")["state"] == "SUSPENDED"

    tenant.kill()
    page.get_by_role("link", name=TENANT, exact=True).click()
    expect(page.get_by_text("its requests were refused after")).to_be_visible()
    page.get_by_role("button", name=f"Let {TENANT} run again").click()
    waiting = page.locator('[data-key="plane_acknowledged"]')
    expect(waiting).to_have_attribute("data-state", "waiting", timeout=30_000)
    outcome(page, "In progress")
    expect(page.locator("#connection")).to_have_text("Live")

    control.kill()
    expect(page.locator("#connection")).to_contain_text("Connection lost")
    outcome(page, "In progress")
    control.start()
    tenant.start()
    expect(page.locator("#connection")).to_have_text("Live", timeout=30_000)
    outcome(page, "Done")
    expect(page.locator('[data-key="edge_opened"]')).to_have_attribute("data-state", "done")
    expect(page.locator("#figure-0")).to_have_text(re.compile(r"^\d+\.\d\d s$"))
    assert control.get(f"/tenants/{TENANT}")["state"] == "ACTIVE"


def test_without_scripts_it_is_stopped_as_well(
    control: ControlConsole, tenant: PlaneProcess, operator_page: Opener
) -> None:
    page = operator_page("admin", f"/console/tenants/{TENANT}", script=False)
    page.get_by_text("Suspend it").click()
    page.locator("#suspend-reason-other").fill("drill")
    page.get_by_role("button", name=f"Suspend {TENANT}").click()
    expect(page.get_by_text("for the reason drill")).to_be_visible()
    assert control.get(f"/tenants/{TENANT}")["state"] == "SUSPENDED"
    control.finished(control.do(TENANT, "resume", {"reason": "resolved"}))


@pytest.mark.parametrize(("theme", "size"), [("light", NARROW), ("dark", WIDE)])
def test_every_page_is_sound_in_both_themes_narrow_and_wide(
    theme: str, size: tuple[int, int], control: ControlConsole, tenant: PlaneProcess, operator_page: Opener
) -> None:
    need("axe")
    operation = control.get(f"/operations?tenant_id={TENANT}")["operations"][0]["operation_id"]
    rooms = ("tenants", "operations", "ledger", "orphans", "deliveries", "tenants?prefix=zzz")
    ones = (f"tenants/{TENANT}", f"tenants/{TENANT}/history", f"operations/{operation}")
    page = operator_page("admin", size=size, theme=theme)
    for path in (*rooms, *ones):
        page.goto(f"/console/{path}")
        page.evaluate("() => document.querySelectorAll('details').forEach(one => { one.open = true; })")
        assert too_wide(page) == [], path
        assert grave(page) == [], path
