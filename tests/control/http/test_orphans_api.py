"""Orphans over the Admin API and on the command line: shown to readers, removed by admins, each by its key."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from control.http.test_described import shape
from control.memory_plane import Admin
from frostbyte.api.control import examples
from frostbyte.cli.app import run
from frostbyte.cli.exits import Exit
from frostbyte.kernel.tokens import Role
from provisioning.test_sweeping import House

Refused = Callable[[Any, int, str], dict[str, Any]]


def read(printed: str) -> Any:
    """The JSON after what the control plane, in this process, logs or does not log."""
    return json.loads(printed[f"\n{printed}".index("\n{\n") :])


@pytest.fixture
def house(admin: Admin) -> House:
    """A simulated project with orphans, seen by the control plane."""
    house = House()
    house.make(house.owner())
    house.clock.advance(3600)
    admin.control.sweeper = house.sweeper
    return house


@pytest.mark.slow
def test_orphans_are_shown_to_readers(admin: Admin, house: House) -> None:
    shown = admin.call("GET", "/orphans", token=admin.token(Role.VIEWER)).json()
    assert [one["kind"] for one in shown["orphans"]] == ["server", "volume", "network"]
    assert [(one["kind"], one["why"]) for one in shown["left"]] == [("record", "undated")]
    assert shape(shown) == shape(examples.ORPHANS)
    assert admin.call("GET", "/orphans", params={"grace": 7200}).json()["orphans"] == []


def test_only_admins_remove(admin: Admin, house: House, refused: Refused) -> None:
    keys = [one["key"] for one in admin.call("GET", "/orphans").json()["orphans"]]
    operator = admin.token(Role.OPERATOR)
    refused(admin.call("POST", "/orphans/removal", json={"keys": keys}, token=operator), 403, "scope_missing")
    refused(admin.call("POST", "/orphans/removal", json={"keys": []}), 422, "request_invalid")
    young = admin.call("POST", "/orphans/removal", json={"keys": keys, "grace": 7200}).json()
    assert {one["code"] for one in young["removals"]} == {"young"}
    removed = admin.call("POST", "/orphans/removal", json={"keys": keys}).json()
    assert removed["removals"] == [{"key": key, "code": None} for key in keys]
    assert shape(removed) == shape(examples.REMOVED | {"blind": [{"project_id": "", "code": ""}]})


def test_a_control_plane_without_a_cloud_says_so(admin: Admin, refused: Refused) -> None:
    refused(admin.call("GET", "/orphans"), 503, "provisioning_missing")


def test_the_command_shows_asks_and_removes(
    admin: Admin, house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Client:
        def __enter__(self) -> Client:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def limit(self, seconds: float) -> None:
            assert seconds > 60

        def json(self, method: str, path: str, *, params: Any = None, body: Any = None) -> Any:
            answer = admin.call(method, path, params=params, json=body)
            assert answer.status_code == 200, answer.text
            return answer.json()

    monkeypatch.setattr("frostbyte.cli.sweep.control_client", lambda token: Client())
    assert run(["sweep"]) == Exit.PROBLEMS
    shown = capsys.readouterr().out
    assert "fb-acme-db" in shown
    assert "project blind (cloud_token_missing)" in shown
    before = house.world.bill().owned
    assert run(["sweep", "--delete", "--confirm", "2"]) == Exit.USAGE
    assert "3 to be removed, not 2" in capsys.readouterr().err
    assert house.world.bill().owned == before
    assert run(["sweep", "--delete", "--confirm", "3", "--json"]) == Exit.PROBLEMS, "a project is not looked at"
    swept = read(capsys.readouterr().out)
    assert [one["code"] for one in swept["removals"]] == [None] * 3
    assert run(["sweep", "--grace", "1y"]) == Exit.USAGE
    assert run(["sweep", "--json", "--grace", "90m"]) == Exit.PROBLEMS
    assert read(capsys.readouterr().out)["orphans"] == []
