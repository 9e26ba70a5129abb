"""The operators' pages: who sees what, what a form begins, and that what others made up stays text."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute

from control.http.operators_site import HERE, Operator, OperatorsSite
from frostbyte.api.control.console.pages import PAGES
from frostbyte.api.http.access import scopes_of
from frostbyte.console.policy import POLICY
from frostbyte.control_plane.provisioning.resources import Found, Kind, Owner
from frostbyte.kernel.tokens import Role
from ledger.planes import SimulatedPlane
from provisioning.planning import RUN
from provisioning.test_sweeping import House

LISTS = ("tenants", "operations", "operations?running=true", "ledger", "ledger?all=true", "deliveries", "orphans")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> OperatorsSite:
    """One for all tests that look at tenants of their own."""
    return OperatorsSite(tmp_path_factory.mktemp("operators"))


@pytest.fixture
def fresh(tmp_path: Path) -> OperatorsSite:
    """One that nobody else has touched."""
    return OperatorsSite(tmp_path)


@pytest.fixture
def ann(site: OperatorsSite) -> Operator:
    return Operator(site, "admin")


@pytest.fixture
def bea(fresh: OperatorsSite) -> Operator:
    return Operator(fresh, "admin", "bea")


def text(answer: Any, status: int = 200) -> str:
    """What a page says, without its markup."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-security-policy"] == POLICY
    body = re.sub(r"<script.*?</script>|<style.*?</style>", "", answer.text, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def test_every_page_is_sound_and_asks_for_a_session(site: OperatorsSite, ann: Operator) -> None:
    site.control.sweeper = House().sweeper
    tenant = site.tenant("ACTIVE")
    (operation,) = site.control.operations.page(tenant_id=tenant)
    ones = (f"tenants/{tenant}", f"tenants/{tenant}/history", f"tenants/{tenant}/drift")
    for path in (*LISTS, *ones, f"operations/{operation.operation_id}"):
        answer = ann.get(f"/console/{path}")
        assert text(answer)
        assert "<h1>" in answer.text or "<h1 " in answer.text, path
        assert " style=" not in answer.text
        assert "undefined" not in answer.text
        alone = site.client.get(f"/console/{path}", follow_redirects=False)
        assert alone.status_code == 303
        assert alone.headers["location"].startswith("/console/sign-in?to=/console/")
    assert ann.get("/console/").headers["location"] == "/console/tenants"


def test_every_change_is_an_operator_s_and_every_removal_an_admin_s() -> None:
    routes = [route for router in PAGES for route in router.routes if isinstance(route, APIRoute)]
    changes = {route.path: set(scopes_of(route)) for route in routes if route.methods == {"POST"}}
    assert changes.pop("/console/orphans/removal") == {Role.ADMIN}
    ours = {path: roles for path, roles in changes.items() if "/tenants/" in path or "/ledger/" in path}
    assert len(ours) == 9
    assert all(roles == {Role.OPERATOR, Role.ADMIN} for roles in ours.values())


def test_an_empty_control_plane_says_what_to_do(fresh: OperatorsSite, bea: Operator) -> None:
    assert "There is no tenant yet." in text(bea.get("/console/tenants"))
    assert "Nothing was done yet." in text(bea.get("/console/operations"))
    assert "No alert is open" in text(bea.get("/console/ledger"))
    tenant = fresh.tenant()
    assert f"frostbyte tenant provision {tenant}" in text(bea.get(f"/console/tenants/{tenant}"))


def test_a_tenant_is_suspended_with_a_reason_and_the_seconds_are_told(site: OperatorsSite, ann: Operator) -> None:
    tenant = site.tenant("ACTIVE")
    fields = ann.form(f"/console/tenants/{tenant}", f"/console/tenants/{tenant}/suspend")
    assert "version" not in fields, "what must stop is stopped as it is"
    sent = ann.post(f"/console/tenants/{tenant}/suspend", reason="payment", other="unpaid_3", key=fields["key"])
    assert sent.status_code == 303, sent.text
    page = sent.headers["location"]
    assert site.state(tenant) == "SUSPENDED"
    shown = text(ann.get(page))
    assert "Suspending it" in shown
    assert re.search(r"Requests refused after \d\.\d\d s", shown)
    assert "for the reason unpaid_3" in shown
    again = ann.post(f"/console/tenants/{tenant}/suspend", reason="payment", other="unpaid_3", key=fields["key"])
    assert again.headers["location"] == page, "a form that is sent twice is done once"
    shown = text(ann.get(f"/console/tenants/{tenant}"))
    assert re.search(r"its requests were refused after \d\.\d\d s", shown)
    resume = ann.form(f"/console/tenants/{tenant}", f"/console/tenants/{tenant}/resume")
    done = ann.post(f"/console/tenants/{tenant}/resume", reason="resolved", **resume)
    assert done.status_code == 303
    assert site.state(tenant) == "ACTIVE"


def test_what_was_changed_since_it_was_seen_is_not_changed(site: OperatorsSite, ann: Operator) -> None:
    tenant = site.tenant("SUSPENDED")
    seen = ann.form(f"/console/tenants/{tenant}", f"/console/tenants/{tenant}/resume")["version"]
    site.made(f"/tenants/{tenant}/resume", {"reason": "requested"})
    site.made(f"/tenants/{tenant}/suspend", {"reason": "incident"})
    answer = ann.post(f"/console/tenants/{tenant}/resume", reason="resolved", version=seen)
    assert "tenant_changed" in text(answer, 409)
    assert site.state(tenant) == "SUSPENDED"


def test_closing_asks_for_the_name(site: OperatorsSite, ann: Operator) -> None:
    tenant = site.tenant("ACTIVE")
    assert "confirmation_wrong" in text(ann.post(f"/console/tenants/{tenant}/deprovision", confirm="other"), 422)
    assert site.state(tenant) == "ACTIVE"
    assert ann.post(f"/console/tenants/{tenant}/deprovision", confirm=tenant).status_code == 303
    assert site.state(tenant) == "DEPROVISIONED"
    assert tenant not in text(ann.get("/console/tenants"))
    assert tenant in text(ann.get("/console/tenants?state=DEPROVISIONED"))


@pytest.mark.parametrize("fields", [{"other": "Because I say so"}, {"reason": "with space"}, {"version": "x"}])
def test_a_reason_is_a_word(fields: dict[str, str], site: OperatorsSite, ann: Operator) -> None:
    tenant = site.tenant("ACTIVE")
    answer = ann.post(f"/console/tenants/{tenant}/suspend", **fields)
    assert "request_invalid" in text(answer, 422)
    assert site.state(tenant) == "ACTIVE"


def test_another_site_s_form_does_nothing(site: OperatorsSite, ann: Operator) -> None:
    tenant = site.tenant("ACTIVE")
    path = f"/console/tenants/{tenant}/suspend"
    assert "request_forged" in text(ann.post(path, csrf="guessed", reason="payment"), 403)
    elsewhere = {"sec-fetch-site": "cross-site", **ann.cookie}
    sent = site.client.post(path, headers=elsewhere, data={"csrf": ann.csrf}, follow_redirects=False)
    assert sent.status_code == 403
    assert site.client.post(path, headers=HERE, data={"csrf": ann.csrf}, follow_redirects=False).status_code == 401
    assert site.state(tenant) == "ACTIVE"


def test_a_viewer_looks_and_does_not_change(site: OperatorsSite) -> None:
    tenant = site.tenant("ACTIVE")
    viewer = Operator(site, "viewer", "vera")
    page = viewer.get(f"/console/tenants/{tenant}").text
    assert "Your role looks and does not change." in page
    assert f'action="/console/tenants/{tenant}' not in page
    assert viewer.post(f"/console/tenants/{tenant}/suspend", reason="payment").status_code == 403
    assert site.state(tenant) == "ACTIVE"


def test_an_operation_is_a_tree_with_what_it_made(fresh: OperatorsSite, bea: Operator) -> None:
    tenant = fresh.tenant()
    operation = fresh.ordered(tenant, shape="small")
    work = fresh.work(operation, until="settle.single")
    work.begin("settle.single")
    path = f"/console/operations/{operation.operation_id}"
    shown = text(bea.get(path))
    assert re.search(r"made: server fb-\w+-single \(47\d\d\) · cx53 in nbg1, 17\.99 EUR a month", shown)
    assert "Now: single: booted, its own key pinned" in shown
    told = bea.get(f"{path}/progress").json()
    assert (told["status"], told["now"]) == ("running", "single: booted, its own key pinned")
    assert str(operation.operation_id) in bea.get("/console/operations?running=true").text
    listed = text(bea.get("/console/tenants"))
    cost = sum((step.monthly for step in work.plan.steps if step.monthly), Decimal(0))
    assert f"{cost:.2f} EUR" in listed
    assert "Taking it into service" in listed
    assert "exists" in text(bea.get(f"/console/tenants/{tenant}"))
    work.do(next(step for step in work.plan.steps if step.key == "settle.single"))
    fresh.hands.finish(operation.operation_id)
    ended = bea.get(f"{path}/progress").json()
    assert (ended["status"], ended["outcome"], ended["now"]) == ("succeeded", "Done", "")


def test_the_list_is_filtered_and_paged(fresh: OperatorsSite, bea: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    names = sorted(fresh.tenant("ACTIVE" if number % 2 else "PENDING") for number in range(4))
    fresh.look()
    monkeypatch.setattr("frostbyte.api.control.console.tenants.PAGE", 3)
    first = bea.get("/console/tenants")
    rows = re.findall(r'<th scope="row"[^>]*><a href="/console/tenants/(\w+)"', first.text)
    assert rows == names[:3]
    (more,) = re.findall(r'href="(/console/tenants\?after=\w+)" rel="next"', first.text)
    assert f'href="/console/tenants/{names[3]}"' in bea.get(more).text
    critical = bea.get("/console/tenants?level=critical").text
    critical_rows = re.findall(r'<th scope="row"[^>]*><a href="/console/tenants/(\w+)"', critical)
    assert len(critical_rows) == 2
    assert "No tenant fits." in text(bea.get("/console/tenants?prefix=zzz"))
    needing = text(first)
    assert needing.count("gateway answers 503") >= 2


def test_drift_is_told_with_what_a_repair_would_do(
    site: OperatorsSite, ann: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = site.tenant("ACTIVE")
    assert "Everything is as it was made." in text(ann.get(f"/console/tenants/{tenant}/drift"))
    labels = Owner(environment=site.control.settings.environment, project_id="eu-1", tenant_id=tenant).labels(RUN, "x")
    found = [Found(kind=Kind.SERVER, resource_id="7", name="<b>fb-x</b>", labels=labels)]
    monkeypatch.setattr(site.provisioned.shop, "there", found)
    answer = ann.get(f"/console/tenants/{tenant}/drift")
    assert "unknown" in text(answer)
    assert "&lt;b&gt;fb-x" in answer.text
    assert "<b>fb-x" not in answer.text
    monkeypatch.setattr(site.control, "provisioning", None)
    assert "provisioning_missing" in text(ann.get(f"/console/tenants/{tenant}/drift"), 503)


def test_orphans_are_looked_at_when_asked_and_removed_when_counted(fresh: OperatorsSite, bea: Operator) -> None:
    house = House()
    fresh.control.sweeper = house.sweeper
    house.make(house.owner("nobody"))
    house.clock.advance(2 * 3600)
    assert "Nobody has looked yet." in text(bea.get("/console/orphans"))
    looked = bea.get("/console/orphans?look=true")
    keys = re.findall(r'name="keys" value="([^"]+)"', looked.text)
    assert keys
    assert "could not be looked at" in text(looked)
    viewer = Operator(fresh, "operator", "olaf")
    assert 'name="keys"' not in viewer.get("/console/orphans?look=true").text
    assert viewer.post("/console/orphans/removal", keys=keys[:1], confirm="1").status_code == 403
    assert "confirmation_wrong" in text(bea.post("/console/orphans/removal", keys=keys[:1], confirm="2"), 422)
    assert "confirmation_wrong" in text(bea.post("/console/orphans/removal", confirm="0"), 422)
    done = bea.post("/console/orphans/removal", keys=[keys[0], "server/999"], confirm="2")
    assert f"{keys[0]} : removed" in text(done)
    assert "server/999 : was gone already" in text(done)
    assert f'value="{keys[0]}"' not in done.text


def test_an_alert_is_shown_to_auditors_and_acknowledged_by_operators(fresh: OperatorsSite, bea: Operator) -> None:
    tenant = fresh.tenant("ACTIVE")
    plane = SimulatedPlane(tenant, seed=7).grow(3)
    fresh.control.ledger._channels = lambda _: plane  # type: ignore[union-attr]
    with fresh.control.store.unit_of_work() as uow:
        endpoints = uow.endpoints.get(tenant)
    assert endpoints is not None
    fresh.control.ledger.follower.pull_now(tenant)  # type: ignore[union-attr]
    listed = bea.get("/console/ledger")
    (alert,) = re.findall(r'href="(/console/ledger/alerts/[^"]+)"', listed.text)
    assert "a checkpoint is not signed by its key" in text(listed).lower()
    assert "Ledger alerts 1" in text(bea.get("/console/tenants"))
    assert "<pre" in bea.get(alert).text
    viewer = Operator(fresh, "viewer", "vera").get(alert).text
    assert "<pre" not in viewer
    assert '<form method="post" action="/console/ledger' not in viewer
    sent = bea.post(f"{alert}/acknowledge", reason="looked_into")
    assert sent.headers["location"] == "/console/ledger?said=acknowledged"
    assert "It is acknowledged" in text(bea.get(sent.headers["location"]))
    assert "by bea, looked_into" in text(bea.get(alert))


def test_history_goes_on_page_by_page(site: OperatorsSite, ann: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = site.tenant("SUSPENDED")
    monkeypatch.setattr("frostbyte.api.control.console.tenant.MORE_LINES", 2)
    first = ann.get(f"/console/tenants/{tenant}/history")
    (more,) = re.findall(r'href="(/console/tenants/\w+/history\?before=[^"]+)"', first.text)
    assert "suspended it (payment)" in text(first)
    assert "suspended it (payment)" not in text(ann.get(more))
    assert "time_invalid" in text(ann.get(f"/console/tenants/{tenant}/history?before=2026-13-40T00:00:00Z"), 422)
    assert "tenant_not_found" in text(ann.get("/console/tenants/nobody/history"), 404)
