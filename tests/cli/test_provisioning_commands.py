"""Planning and provisioning by command: what people see, what programs get, and how it ends."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from cli.fake_plane import Run
from control.memory_plane import Admin
from control.provisioned import Provisioned
from frostbyte.cli import operation_tree
from frostbyte.cli.exits import Exit
from frostbyte.cli.operation_tree import Progress
from frostbyte.control_plane.overview.words import DONE, said
from frostbyte.control_plane.provisioning.resources import Found, Kind, Owner
from frostbyte.control_plane.provisioning.steps import Action
from provisioning.planning import GROUND, RUN, carried_out


@pytest.fixture
def hosts(admin: Admin) -> Provisioned:
    return Provisioned(admin)


def test_a_plan_says_what_a_person_wants_to_know_before_they_say_yes(
    run: Run, admin: Admin, hosts: Provisioned
) -> None:
    tenant = admin.tenant()
    octet = admin.call("GET", f"/tenants/{tenant}").json()["octet"]
    told = run(
        "tenant", "plan", tenant, "--location", "hel1", "--location", "fsn1", "--egress", "hooks.example.com:443"
    )
    assert told.code == Exit.OK, told.err
    for words in (
        f"standard, {tenant}.pipeline.frostbyte.io, network 10.{octet}.0.0/16",
        f"10.{octet}.1.31",
        "cx43",
        "hel1 FI",
        f"fb-{tenant}-worker-1",
        "hel1, fsn1 (DE, FI), zone eu-central; nowhere else",
        "hooks.example.com:443",
        "35.57 EUR a month, net",
        "about 3 min",
        "cpx42 in hel1",
        "storage",
    ):
        assert words in told.out, (words, told.out)
    planned = run("tenant", "plan", tenant, "--shape", "small", "--json").json
    assert [one["type"] for one in planned["servers"]] == ["cx53"]
    assert hosts.begun == []


def test_a_plan_that_cannot_be_carried_out_says_why_and_ends_so(run: Run, admin: Admin, hosts: Provisioned) -> None:
    tenant = admin.tenant()
    hosts.ground = replace(GROUND, edge="", bastion="")
    told = run("tenant", "plan", tenant)
    assert told.code == Exit.PROBLEMS
    assert "no base yet" in told.err
    assert "frostbyte control up" in told.err
    begun = run("tenant", "provision", tenant, "--yes")
    assert begun.code == Exit.REFUSED
    assert "base_missing" in begun.err
    assert hosts.begun == []


def test_provisioning_asks_for_leave_because_it_costs(run: Run, admin: Admin, hosts: Provisioned) -> None:
    tenant = admin.tenant()
    asked = run("tenant", "provision", tenant, "--shape", "small")
    assert asked.code == Exit.USAGE
    assert "24.59 EUR a month" in asked.err
    assert hosts.begun == []
    dry = run("tenant", "provision", tenant, "--shape", "small", "--dry-run")
    assert (dry.code, hosts.begun) == (Exit.OK, [])
    done = run("tenant", "provision", tenant, "--shape", "small", "--volume-gb", "40", "--yes")
    assert done.code == Exit.OK, done.err
    assert "provision succeeded" in done.out
    assert admin.state(tenant) == "ACTIVE"
    assert hosts.request(tenant)["volume_gb"] == 40
    again = run("tenant", "provision", tenant, "--yes", "--json")
    assert again.code == Exit.REFUSED
    assert "move_illegal" in again.err


def test_the_octet_has_to_be_the_tenants_own(run: Run, admin: Admin, hosts: Provisioned) -> None:
    admin.tenant()
    made = run("tenant", "create", "octet1", "--project", "eu-1", "--octet", "77", "--json")
    assert made.json["octet"] == 77
    assert run("tenant", "plan", "octet1", "--octet", "78").code == Exit.REFUSED
    assert run("tenant", "provision", "octet1", "--octet", "77", "--yes").code == Exit.OK


def test_what_is_typed_wrongly_is_said_at_once(run: Run, admin: Admin, hosts: Provisioned) -> None:
    tenant = admin.tenant()
    for options, code in (
        (("--type", "ccx23"), "type_invalid"),
        (("--type", "edge=cx23"), "provision_request_invalid"),
        (("--shape", "huge"), "request_invalid"),
        (("--egress", "nowhere"), "provision_request_invalid"),
    ):
        told = run("tenant", "plan", tenant, *options)
        assert told.code == Exit.USAGE
        assert code in told.err


def test_what_failed_says_what_remains(run: Run, admin: Admin, hosts: Provisioned) -> None:
    tenant = admin.tenant()
    admin.hands.fails = "cloud_quota"
    hosts.left = carried_out(hosts.plan(tenant).plan, {"server.db": "undoing"})
    told = run("tenant", "provision", tenant, "--yes")
    assert told.code == Exit.PROBLEMS
    assert "cloud_quota" in told.err
    assert f"fb-{tenant}-db" in told.err
    assert "being taken away" in told.err
    assert f"fb-{tenant}-network" in run("tenant", "show", tenant).err
    assert f"fb-{tenant}-network" not in run("tenant", "show", tenant, "--json").err


def test_drift_ends_with_three_where_there_is_any(run: Run, admin: Admin, hosts: Provisioned) -> None:
    tenant = admin.tenant()
    assert "as it was made" in run("tenant", "drift", tenant).out
    environment = admin.control.settings.environment
    labels = Owner(environment=environment, project_id="eu-1", tenant_id=tenant).labels(RUN, "x")
    hosts.shop.there = [Found(kind=Kind.SERVER, resource_id="7", name=f"fb-{tenant}-more", labels=labels)]
    told = run("tenant", "drift", tenant)
    assert told.code == Exit.PROBLEMS
    assert "is not in the journal" in told.out
    assert run("tenant", "drift", tenant, "--json").json["differences"][0]["what"] == "unknown"


def test_every_action_has_words() -> None:
    assert {action.value for action in Action} - {"firewall_seen"} <= set(DONE)


def step(name: str, status: str, at: int = 0, code: str | None = None) -> dict[str, Any]:
    return {"number": 1, "step": name, "status": status, "code": code, "at": f"2026-11-26T12:00:{at:02}.000000Z"}


@pytest.fixture
def progress(monkeypatch: pytest.MonkeyPatch) -> Progress:
    """Of an operation whose steps are partly known."""
    console = Console(width=100, file=StringIO())
    monkeypatch.setattr(operation_tree, "err", lambda: console)
    expected = ["plan", "network", "server.gateway", "server.db"]
    return Progress({"kind": "provision", "tenant_id": "acme"}, expected=expected)


def drawn(progress: Progress) -> list[str]:
    file = StringIO()
    console = Console(width=100, file=file)
    console.print(progress._tree())
    return [line.strip(" │├└─") for line in file.getvalue().splitlines()]


def test_the_tree_shows_hosts_as_branches_and_what_is_still_to_come(progress: Progress) -> None:
    progress.see(step("plan", "succeeded"))
    progress.see(step("server.gateway", "running", 1))
    progress.see(step("server.gateway", "succeeded", 9))
    progress.see(step("join.gateway", "running", 9))
    progress.see(step("plane_answered", "running", 9))
    assert drawn(progress) == [
        "provision acme",
        "✓ planned",
        "· network",
        "gateway",
        "✓ server ordered  8 s",
        "… joined to the network",
        "db",
        "· server ordered",
        "… waiting until its plane answers",
    ]


def test_what_is_taken_away_stands_where_it_was_made(progress: Progress) -> None:
    progress.see(step("server.gateway", "succeeded"))
    progress.see(step("server.db", "failed", code="cloud_out_of_stock"))
    progress.see(step("undo.server.gateway", "running", 2))
    progress.see(step("undo.server.gateway", "succeeded", 3))
    lines = drawn(progress)
    assert "↩ server ordered - taken away  1 s" in lines
    assert "✗ server ordered  cloud_out_of_stock" in lines


def test_words_for_steps_that_are_not_known() -> None:
    assert said("mystery_step.db") == "db: mystery step"
    assert said("undo.volume") == "volume - taken away"
    assert said("edge_closed") == "the edge refuses its requests"
