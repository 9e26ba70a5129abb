"""What a look sees of planes, and how it is told."""

from __future__ import annotations

import pytest

from control.killswitch.planes import UNREACHABLE
from control.watch.views import Looking
from frostbyte.api.control.health import shown
from frostbyte.control_plane.registry.states import Move
from frostbyte.control_plane.watch.view import Lag


@pytest.fixture
def looking() -> Looking:
    made = Looking()
    made.world.tenants("acme", "globex")
    for name in ("acme", "globex"):
        made.world.attach(name)
        made.edge[name] = 200
        made.lags[name] = Lag(seconds=1.0, events=0)
    return made


def test_all_is_well(looking: Looking) -> None:
    assert looking.look() == {"acme": [], "globex": []}
    item = looking.switching.watch.tenant("acme")
    assert item is not None
    assert (shown(item)["level"], shown(item)["edge_status"], shown(item)["model"]) == ("ok", 200, "none")
    age = looking.switching.watch.age_seconds()
    assert age is not None
    assert age < 5
    assert looking.metric("frostbyte_control_tenants_count")[("ACTIVE",)] == 2
    assert looking.metric("frostbyte_control_reasons_count") == {}


def test_a_dead_plane_is_named_and_the_other_is_not(looking: Looking) -> None:
    looking.world.plane("acme").trouble = UNREACHABLE
    looking.edge["acme"] = 502
    looking.world.pusher.exchange(looking.world.entry("acme"))
    looking.world.pusher.store()
    looking.world.clock.advance(61)
    looking.world.pusher.exchange(looking.world.entry("globex"))
    looking.world.pusher.store()
    assert looking.look() == {"acme": ["gateway_down", "lease_over"], "globex": []}
    assert looking.metric("frostbyte_control_reasons_count")[("critical", "lease_over")] == 1


def test_a_plane_whose_health_hangs_is_told_by_what_it_no_longer_tells(
    looking: Looking, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking.look()

    def away() -> None:
        raise UNREACHABLE

    monkeypatch.setattr(looking.world.plane("acme"), "health", away)
    assert looking.look() == {"acme": [], "globex": []}, "what it told a moment ago still holds"
    monkeypatch.setattr("frostbyte.control_plane.watch.view.STALE_SECONDS", 0.0)
    assert looking.look()["acme"] == ["health_unknown"]


def test_a_suspended_tenant_that_is_reached_is_critical(looking: Looking) -> None:
    looking.world.do(Move.SUSPEND, "acme")
    looking.world.settle()
    looking.edge["acme"] = 503
    assert looking.look()["acme"] == []
    looking.edge["acme"] = 200
    assert looking.look()["acme"] == ["edge_open"]


def test_alarms_and_findings_are_one_list(looking: Looking) -> None:
    looking.world.alarms.ring("acme", "standing_ahead", expected="1", came="9")
    looking.findings["acme"] = ("fork",)
    looking.lags["globex"] = Lag(seconds=1000.0, events=5)
    assert looking.look() == {"acme": ["alerts_open"], "globex": ["ledger_behind"]}
    item = looking.switching.watch.tenant("acme")
    assert item is not None
    assert item.seen.alerts == ("standing_ahead", "fork")


def test_what_a_plane_tells_of_its_certificate_is_not_trusted_to_be_a_time(looking: Looking) -> None:
    plane = looking.world.plane("acme")
    real = plane.health
    for told in ("yesterday", "2026-01-01", ""):
        plane.health = lambda told=told: _with(real(), told)
        assert looking.look()["acme"] == []


def _with(health: object, told: str) -> object:
    from msgspec.structs import replace

    return replace(health, certificate_not_after=told)  # type: ignore[type-var]
