"""`frostbyte tenant repair`: what it asks for, what it shows, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from typer.testing import CliRunner

from frostbyte.cli import tenant_repair
from frostbyte.cli.app import app

GONE = {"what": "missing", "kind": "server", "name": "fb-acme-db", "mended": True, "words": "another server is made"}
STRANGE = {"what": "extra", "kind": "server", "name": "fb-acme-db", "mended": False, "words": "Take it away"}


class Control:
    """A control plane: differences, and a repair that ends well."""

    def __init__(self, *differences: dict[str, Any], left: tuple[str, ...] = ()) -> None:
        self.differences, self.left, self.asked = list(differences), list(left), []  # type: ignore[var-annotated]

    def json(self, method: str, path: str, **_: Any) -> dict[str, Any]:
        if path == "/tenants/acme/drift":
            return {"tenant_id": "acme", "differences": self.differences}
        assert path == "/operations/op-1"
        steps = [{"step": "looked", "facts": {"left": self.left}}, {"step": "compared", "facts": {"left": self.left}}]
        return {"operation_id": "op-1", "steps": steps}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    def run(control: Control, *words: str, typed: str = "") -> Any:
        @contextmanager
        def client(token: str | None) -> Iterator[Control]:
            yield control

        def changed(_: Control, path: str, body: dict[str, Any]) -> dict[str, Any]:
            control.asked.append((path, body))
            return {"operation_id": "op-1", "tenant_id": "acme", "kind": "repair", "status": "running"}

        monkeypatch.setattr(tenant_repair, "control_client", client)
        monkeypatch.setattr(tenant_repair, "changed", changed)
        monkeypatch.setattr(tenant_repair, "wait", lambda client, operation, quiet: operation | {"status": "succeeded"})
        return CliRunner().invoke(app, ["tenant", "repair", "acme", *words], input=typed)

    return run


def test_a_dry_run_shows_what_is_mended_and_what_is_left(run: Any) -> None:
    control = Control(GONE, STRANGE)
    shown = run(control, "--dry-run")
    assert "another server is made" in shown.output
    assert "Take it away" in shown.output
    assert (shown.exit_code, control.asked) == (3, [])


def test_where_all_of_it_is_mended_a_dry_run_ends_well(run: Any) -> None:
    shown = run(Control(GONE), "--dry-run", "--json", "--replace", "db")
    assert shown.exit_code == 0
    assert json.loads(shown.stdout)["replace"] == ["db"]


def test_a_repair_asks_before_it_replaces_what_is_there(run: Any) -> None:
    control = Control()
    assert run(control, "--replace", "db", typed="n\n").exit_code != 0
    assert control.asked == []


def test_with_leave_it_is_asked_for(run: Any) -> None:
    control = Control()
    assert run(control, "--replace", "db", "--yes").exit_code == 0
    assert control.asked == [("/tenants/acme/repair", {"replace": ["db"], "reason": "requested"})]


def test_what_is_left_to_a_person_is_said_once_and_ends_with_3(run: Any) -> None:
    shown = run(Control(left=("server fb-acme-db: extra (networks): Take it away",)))
    assert shown.exit_code == 3
    assert shown.output.count("Take it away") == 1
