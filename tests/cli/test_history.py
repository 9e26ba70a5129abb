"""`frostbyte tenant history` against the Admin API: a tenant's life in sentences, and who is shown what."""

from __future__ import annotations

import pytest

from cli.fake_plane import Run
from control.memory_plane import Admin
from frostbyte.cli.client import CONTROL
from frostbyte.cli.exits import Exit
from frostbyte.kernel.tokens import Role


def test_a_life_in_sentences(admin: Admin, run: Run) -> None:
    tenant = admin.tenant("ACTIVE")
    admin.hands.fails = "plane_unreachable"
    admin.made(f"/tenants/{tenant}/suspend", {"reason": "payment"})
    admin.made(f"/tenants/{tenant}/resume", {"reason": "paid"})
    shown = run("tenant", "history", tenant)
    assert shown.code == Exit.OK, shown.err
    said = [line[12:].strip() for line in shown.out.splitlines() if line.startswith("  ")]
    assert said[:4] == [
        "ann entered the tenant into the register.",
        "ann entered how its plane is reached (requested).",
        "ann had it taken into service (requested).",
        "It is in service.",
    ]
    assert said[4:7] == [
        "ann suspended it (payment).",
        "The step edge_closed failed: plane_unreachable.",
        said[6],
    ]
    assert said[6].startswith("Suspending it failed after ")
    assert said[7] == "ann let it run again (paid)."
    assert said[8].startswith("Letting it run again was done after ")


def test_all_of_it_is_fetched_page_by_page(admin: Admin, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = admin.tenant("ACTIVE")
    for number in range(6):
        admin.made(f"/tenants/{tenant}/{('suspend', 'resume')[number % 2]}", {"reason": f"r{number}"})
    two = run("tenant", "history", tenant, "--limit", "2", "--json").json
    assert len(two["lines"]) == 2
    assert two["before"] is not None
    monkeypatch.setattr("frostbyte.cli.tenant_history._PAGE", 3)
    got = run("tenant", "history", tenant, "--all", "--json")
    assert got.code == 0, got.err
    whole = got.json
    assert whole["before"] is None
    assert len(whole["lines"]) == 4 + 12
    assert whole["lines"][-2:] == two["lines"]
    moments = [line["at"] for line in whole["lines"]]
    assert moments == sorted(moments)
    since = run("tenant", "history", tenant, "--since", moments[-3], "--json").json
    assert [line["at"] for line in since["lines"]] == moments[-3:]


def test_whoever_is_no_auditor_is_told_that_the_planes_part_is_missing(
    admin: Admin, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = admin.tenant("ACTIVE")
    assert run("tenant", "history", tenant, "--json").json["plane_told"] is True
    monkeypatch.setenv(CONTROL.prefix + "TOKEN", admin.token(Role.OPERATOR))
    shown = run("tenant", "history", tenant)
    assert "shown to auditors" in shown.err + shown.out
    assert run("tenant", "history", tenant, "--json").json["plane_told"] is False


def test_the_control_plane_has_one_of_its_own(admin: Admin, run: Run) -> None:
    admin.tenant()
    assert "ann made the project eu-1." in run("tenant", "history").out


@pytest.mark.parametrize("words", [("nobody",), ("acme", "--since", "yesterday"), ("../keys",)])
def test_what_is_no_tenant_and_no_moment_is_refused(admin: Admin, run: Run, words: tuple[str, ...]) -> None:
    assert run("tenant", "history", *words).code in (Exit.USAGE, Exit.NOT_FOUND)
