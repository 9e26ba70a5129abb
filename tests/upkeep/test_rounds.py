"""One duty for many tenants: the canary first, looked at, then one by one, until one fails; on after every crash."""

from __future__ import annotations

from pathlib import Path

import pytest

from frostbyte.control_plane.registry.records import OperationKind, OperationStatus, RoundRow
from frostbyte.kernel.errors import Conflict, FrostbyteError, NotFound
from frostbyte.kernel.ids import new_id
from upkeep.fresh_office import NEVER, Office, failing
from upkeep.test_refreshing import BROKEN

ALL = ("acme", "beta", "gamma")


@pytest.fixture
def office(tmp_path: Path) -> Office:
    made = Office(tmp_path, ALL)
    made.taken(1)
    return made


def begun(office: Office, **more: object) -> RoundRow:
    told = {"soak_seconds": 60, "actor": "alice", "reason": "requested", **more}
    return office.rounds.begin(OperationKind.REFRESH, {"supply": "set-1"}, **told)  # type: ignore[arg-type]


def turned(office: Office, times: int = 1) -> None:
    for _ in range(times):
        office.rounds.turn()
        office.foreman.turn(NEVER)


def states(office: Office, row: RoundRow) -> dict[str, str]:
    return {name: found.status.value for name, found in office.rounds.operations(row).items()}


def test_the_canary_comes_first_and_is_looked_at_before_the_others_follow(office: Office) -> None:
    row = begun(office, canary="beta")
    assert row.tenants == ("beta", "acme", "gamma")
    turned(office, 3)
    assert states(office, row) == {"beta": "succeeded"}
    office.clock.advance(61)
    turned(office)
    assert states(office, row) == {"beta": "succeeded", "acme": "succeeded"}
    turned(office, 2)
    assert office.rounds.show(row.round_id).status is OperationStatus.SUCCEEDED
    assert list(states(office, row)) == ["beta", "acme", "gamma"]


def test_a_canary_that_gets_unwell_stops_it(office: Office) -> None:
    row = begun(office)
    turned(office, 2)
    office.trouble["acme"] = "intake_refused"
    office.clock.advance(61)
    turned(office, 2)
    ended = office.rounds.show(row.round_id)
    assert (ended.status, ended.code, ended.stopped_at) == (OperationStatus.FAILED, "canary_unwell", "acme")
    assert list(states(office, row)) == ["acme"]


@pytest.mark.parametrize(("host", "reached"), [("acme", ["acme"]), ("beta", ["acme", "beta"])])
def test_the_first_failure_stops_it(office: Office, host: str, reached: list[str]) -> None:
    office.hosts.struck = failing("look", BROKEN, host=host)
    row = begun(office, soak_seconds=0)
    turned(office, 6)
    ended = office.rounds.show(row.round_id)
    assert (ended.status, ended.code, ended.stopped_at) == (OperationStatus.FAILED, "host_command_failed", host)
    assert list(states(office, row)) == reached
    again = begun(office, soak_seconds=0)
    turned(office, 6)
    assert office.rounds.show(again.round_id).code == ""


@pytest.mark.parametrize("crash", range(1, 9))
def test_after_a_crash_it_goes_on_and_begins_nothing_twice(office: Office, crash: int) -> None:
    row = begun(office, soak_seconds=0)
    for number in range(1, 12):
        (office.rounds.turn if number % 2 else lambda: office.foreman.turn(NEVER))()
        if number == crash:
            office.restart()
    assert office.rounds.show(row.round_id).status is OperationStatus.SUCCEEDED
    begun_in_all = [one for one in office.operations.page(limit=100) if one.kind is OperationKind.REFRESH]
    assert sorted(one.tenant_id for one in begun_in_all) == list(ALL)


def test_a_tenant_that_is_worked_on_is_waited_for(office: Office) -> None:
    own = office.begun(office.shelf.supply("set-1"), "acme")
    row = begun(office, soak_seconds=0)
    office.rounds.turn()
    assert states(office, row) == {}
    assert office.ended(own).code == ""
    turned(office, 5)
    assert office.rounds.show(row.round_id).code == ""


def test_stopped_it_brings_nothing_to_further_tenants(office: Office) -> None:
    row = begun(office, soak_seconds=0)
    office.rounds.turn()
    stopped = office.rounds.stop(row.round_id)
    assert (stopped.code, stopped.stopped_at) == ("round_stopped", "acme")
    turned(office, 4)
    assert states(office, row) == {"acme": "succeeded"}
    with pytest.raises(Conflict) as refused:
        office.rounds.stop(row.round_id)
    assert refused.value.code == "round_ended"


def test_one_at_a_time_and_only_where_there_are_hosts(office: Office) -> None:
    row = begun(office)
    for call, code in (
        (lambda: begun(office), "round_running"),
        (lambda: begun(office, canary="nobody"), "round_empty"),
        (lambda: begun(office, only=["acme", "nobody"]), "round_empty"),
        (lambda: office.rounds.show(new_id()), "round_not_found"),
    ):
        with pytest.raises(FrostbyteError) as refused:
            call()
        assert refused.value.code == code
        assert isinstance(refused.value, Conflict | NotFound)
    office.rounds.stop(row.round_id)
    assert begun(office, only=["gamma", "beta"]).tenants == ("beta", "gamma")
