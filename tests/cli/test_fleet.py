"""`frostbyte fleet`: a canary first, then one by one, stopped by the first failure and gone on with."""

from __future__ import annotations

from typing import Any

import pytest

from cli.fake_plane import Run
from frostbyte.cli import fleet
from frostbyte.cli.exits import Exit
from frostbyte.kernel.errors import Conflict, FrostbyteError


class Clock:
    """Time that passes where somebody waits, and nowhere else."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Fleet:
    """A control plane with four tenants that stand, as a client asks it."""

    def __init__(self) -> None:
        self.runs = {"alfa": "1.0", "bravo": "1.0", "charlie": "2.0", "delta": "1.0", "hand": None}
        self.updated: dict[str, dict[str, Any]] = {}
        self.duty: dict[str, dict[str, Any]] = {}
        self.fails: dict[str, str] = {}
        self.levels: list[str] = []
        self.asked: list[str] = []

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, *error: object) -> None:
        return

    def json(self, method: str, path: str, **more: Any) -> Any:
        if path.startswith("/health/"):
            self.asked.append(f"health {path[8:]}")
            level = self.levels.pop(0) if self.levels else "ok"
            return {"level": level, "reasons": [{"code": "edge_silent"}] if level == "critical" else []}
        names = [name for name in self.runs if name > more.get("params", {}).get("cursor", "")]
        page = [self.shown(name) for name in names[:2]]
        return {"version": "2.0", "tenants": page, "cursor": names[1] if len(names) > 2 else None}

    def shown(self, name: str) -> dict[str, Any]:
        return {
            "tenant_id": name,
            "state": "ACTIVE",
            "release": self.runs[name],
            "duty": self.duty.get(name),
            "updated": self.updated.get(name),
        }

    def changed(self, client: Fleet, path: str, body: dict[str, Any]) -> dict[str, Any]:
        name = path.split("/")[2]
        self.asked.append(f"update {name} to {body['to']}")
        if self.fails.get(name) == "refused":
            raise Conflict("operation_running", "A backup runs for this tenant.", "Wait until it has ended.")
        return {"tenant_id": name, "kind": "update", "operation_id": name, "request": {"to": body["to"]}}

    def wait(self, client: Fleet, operation: dict[str, Any], **how: Any) -> dict[str, Any]:
        name = operation["tenant_id"]
        self.asked.append(f"follow {name}")
        if name in self.fails:
            raise FrostbyteError("operation_failed", f"The update failed: {self.fails[name]}.", "See docs/errors.md.")
        self.runs[name] = operation["request"]["to"]
        return operation


@pytest.fixture
def tenants(monkeypatch: pytest.MonkeyPatch) -> Fleet:
    made = Fleet()
    monkeypatch.setattr(fleet, "control_client", lambda token: made)
    monkeypatch.setattr(fleet, "wait", made.wait)
    monkeypatch.setattr("frostbyte.cli.tenant_update.changed", made.changed)
    monkeypatch.setattr(fleet, "LOOK_SECONDS", 0.01)
    return made


def update(run: Run, *more: str) -> Any:
    return run("fleet", "update", "--to", "2.0", "--yes", "--soak", "0", *more)


def test_the_canary_comes_first_and_who_runs_the_version_is_left_alone(run: Run, tenants: Fleet) -> None:
    done = update(run, "--canary", "delta")
    assert done.code == Exit.OK, done.err
    assert [one for one in tenants.asked if one.startswith("update")] == [
        "update delta to 2.0",
        "update alfa to 2.0",
        "update bravo to 2.0",
    ]
    assert "(3 of 3)" in done.out
    assert "run 2.0" in update(run).out
    assert len(tenants.asked) == 6


def test_the_first_failure_stops_it_and_the_same_command_goes_on(run: Run, tenants: Fleet) -> None:
    tenants.fails["bravo"] = "update_unwell"
    stopped = update(run)
    assert stopped.code == Exit.PROBLEMS
    assert "1 of 3 were updated before it, 1 were not touched" in " ".join(stopped.err.split())
    assert "update delta to 2.0" not in tenants.asked
    tenants.fails.clear()
    tenants.asked.clear()
    assert update(run, "--json").json == {"to": "2.0", "updated": ["bravo", "delta"]}


def test_a_tenant_that_is_busy_stops_it_with_its_own_words(run: Run, tenants: Fleet) -> None:
    tenants.fails["alfa"] = "refused"
    stopped = update(run)
    assert "A backup runs for this tenant." in stopped.err
    assert tenants.runs["bravo"] == "1.0"


def test_an_update_that_runs_already_is_followed_and_one_left_half_done_is_ended(run: Run, tenants: Fleet) -> None:
    tenants.duty["alfa"] = tenants.updated["alfa"] = {
        "tenant_id": "alfa", "kind": "update", "status": "running", "code": None, "request": {"to": "2.0"},
    }  # fmt: skip
    tenants.updated["charlie"] = {"status": "failed", "code": "upkeep_remains", "request": {"to": "2.0"}}
    assert update(run).code == Exit.OK
    assert "update alfa to 2.0" not in tenants.asked
    assert "follow alfa" in tenants.asked
    assert "update charlie to 2.0" in tenants.asked


def test_a_canary_has_to_be_seen_well_without_a_break(
    run: Run, tenants: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "time", Clock())
    monkeypatch.setattr(fleet, "LOOK_SECONDS", 5.0)
    tenants.levels = ["ok", "critical", "warn", "ok"]
    begun = run("fleet", "update", "--to", "2.0", "--yes", "--soak", "20")
    assert begun.code == Exit.OK, begun.err
    looks = [one for one in tenants.asked if one.startswith("health")]
    assert set(looks) == {"health alfa"}
    assert len(looks) == 5, "at 0 s, at 5 s unwell, and from then on for 20 s"
    other = Fleet()
    tenants.runs, tenants.asked = other.runs, other.asked
    tenants.levels = ["critical"] * 1000
    stopped = run("fleet", "update", "--to", "2.0", "--yes", "--soak", "20")
    assert stopped.code == Exit.PROBLEMS
    assert "canary_unwell" in stopped.err
    assert tenants.runs["bravo"] == "1.0"


def test_it_asks_shows_and_refuses_before_it_does_anything(run: Run, tenants: Fleet) -> None:
    dry = run("fleet", "update", "--to", "2.0", "--canary", "bravo", "--dry-run", "--json")
    assert dry.json["due"] == ["bravo", "alfa", "delta"]
    assert "confirmation_missing" in run("fleet", "update", "--to", "2.0").err
    assert run("fleet", "update", "--to", "2.0", "--canary", "nobody", "--yes").code == Exit.NOT_FOUND
    assert run("fleet", "update", "--to", "2.0", "--canary", "hand", "--yes").code == Exit.NOT_FOUND
    assert tenants.asked == []
    shown = run("fleet", "list").out
    assert "attached by hand" in shown
    assert "charlie" in shown
