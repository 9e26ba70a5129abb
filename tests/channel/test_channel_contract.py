"""What the control plane may rely on, whichever way it reaches a plane."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from channel.plane_cases import FOREIGN_KEY, KEY, NEXT_KEY, Ticking, directive
from frostbyte.data_plane.lifecycle.holds import Holds, Reason, ReleaseReason
from frostbyte.kernel.audit.checkpoint import Cosigner, open_checkpoint, open_cosignature, public_key, read_checkpoint
from frostbyte.kernel.audit.export import line
from frostbyte.kernel.clock import SystemClock
from frostbyte.kernel.directive import DirectedConfig, NonceOld
from frostbyte.kernel.errors import FrostbyteError
from frostbyte.kernel.records import PlaneState, Upkeep
from frostbyte.kernel.tenancy import TenantConfig, config_from

Plane = tuple[Any, Any]


def refused(channel: Any, text: str) -> str:
    with pytest.raises(FrostbyteError) as caught:
        channel.put(text)
    return caught.value.code


def tell(channel: Any, version: int, state: PlaneState = PlaneState.ACTIVE, **values: Any) -> Any:
    return channel.put(directive(channel.standing().nonce, version=version, state=state, **values))


def test_a_plane_begins_untold_and_without_a_lease(plane: Plane) -> None:
    itself, channel = plane
    first, second = channel.standing(), channel.standing()
    assert (first.tenant_id, first.version, first.state, first.lease_seconds_left) == ("acme", 0, PlaneState.ACTIVE, 0)
    assert (first.mode, first.log_key, first.in_flight) == ("online", itself.log_key, 0)
    assert len({first.nonce, second.nonce}) == 2
    assert len(first.nonce) >= 32
    assert itself.gate.waits.code == "control_plane_unreachable"


def test_a_lease_runs_from_when_its_nonce_was_given_out(plane: Plane, ticks: Ticking) -> None:
    itself, channel = plane
    nonce = channel.standing().nonce
    ticks.now += 25  # on the way
    assert channel.put(directive(nonce)).lease_seconds_left == 35
    assert itself.gate.waits is None
    ticks.now += 35
    assert channel.standing().lease_seconds_left == 0
    itself.obeying.turn()
    assert itself.gate.waits.code == "control_plane_unreachable"
    assert itself.gate.refusal is None  # uploads and questions go on
    assert tell(channel, 1).lease_seconds_left == 60
    assert itself.gate.waits is None


def test_a_directive_that_came_too_late_grants_nothing(plane: Plane, ticks: Ticking) -> None:
    _, channel = plane
    nonce = channel.standing().nonce
    ticks.now += 61
    assert channel.put(directive(nonce)).lease_seconds_left == 0


def test_a_recorded_directive_does_nothing(plane: Plane, ticks: Ticking) -> None:
    itself, channel = plane
    recorded = directive(channel.standing().nonce)
    channel.put(recorded)
    ticks.now += 50
    with pytest.raises(NonceOld) as caught:
        channel.put(recorded)
    assert channel.put(directive(caught.value.nonce)).lease_seconds_left == 60  # the nonce was a fresh one
    tell(channel, 2, PlaneState.SUSPENDED)
    assert refused(channel, recorded) == "directive_stale"
    assert itself.gate.state is PlaneState.SUSPENDED


def test_suspending_resuming_and_closing_are_in_the_planes_own_log(plane: Plane) -> None:
    itself, channel = plane
    tell(channel, 1)
    assert tell(channel, 2, PlaneState.SUSPENDED).state is PlaneState.SUSPENDED
    tell(channel, 2, PlaneState.SUSPENDED)
    tell(channel, 3, PlaneState.ACTIVE)
    assert tell(channel, 4, PlaneState.CLOSED).state is PlaneState.CLOSED
    assert refused(channel, directive(channel.standing().nonce, version=5)) == "plane_closed"
    itself.sequencer.run_once()
    events = [json.loads(text)["event"] for text in channel.events(-1, 100).splitlines()]
    assert [(event["type"], event["actor"], event["details"]) for event in events] == [
        (type, "control", {"old_version": old, "new_version": new, "from_state": before, "to_state": after})
        for type, old, new, before, after in (
            ("TENANT_SUSPENDED", 1, 2, "active", "suspended"),
            ("TENANT_RESUMED", 2, 3, "suspended", "active"),
            ("TENANT_SUSPENDED", 3, 4, "active", "closed"),
        )
    ]


def test_a_plane_with_legal_holds_says_so_and_is_not_closed(plane: Plane) -> None:
    itself, channel = plane
    holds = Holds("acme", itself.store.unit_of_work, SystemClock())
    placed = [holds.place("2026-0147", Reason.AUDIT, everything=True, actor="counsel") for _ in range(2)]
    assert channel.standing().holds == 2
    assert tell(channel, 2, PlaneState.SUSPENDED).holds == 2
    assert refused(channel, directive(channel.standing().nonce, version=3, state=PlaneState.CLOSED)) == "tenant_held"
    assert (channel.standing().version, channel.standing().state) == (2, PlaneState.SUSPENDED)
    for hold in placed:
        holds.release(UUID(hold["hold_id"]), ReleaseReason.CLOSED, actor="counsel")
    assert tell(channel, 3, PlaneState.CLOSED).state is PlaneState.CLOSED


def test_a_directive_brings_the_time_too(plane: Plane, ticks: Ticking) -> None:
    itself, channel = plane
    assert itself.obeying.told_time is None
    moment = datetime(2026, 11, 27, 12, tzinfo=UTC)
    tell(channel, 1, issued_at=int(moment.timestamp()))
    ticks.now += 90
    assert itself.obeying.told_time == moment + timedelta(seconds=90)
    assert refused(channel, directive("old", version=1, issued_at=0)) == "directive_nonce"
    assert itself.obeying.told_time == moment + timedelta(seconds=90), "what is refused says nothing"
    tell(channel, 1, issued_at=2**53 - 1)
    assert itself.obeying.told_time is None


def test_nobody_else_tells_a_plane_anything(plane: Plane) -> None:
    _, channel = plane
    nonce = channel.standing().nonce
    assert refused(channel, directive(nonce, key=FOREIGN_KEY)) == "directive_signature_wrong"
    assert refused(channel, KEY.sign({"sub": "operator"}, "JWT")) == "directive_signature_wrong"
    assert refused(channel, "no.jws.atall") == "directive_signature_wrong"
    assert refused(channel, directive(nonce, tenant_id="other")) == "directive_foreign_tenant"
    assert refused(channel, KEY.sign({"tenant_id": "acme"}, "frostbyte-directive")) == "directive_malformed"
    assert refused(channel, "x" * 20_000) == "directive_malformed"
    assert channel.put(directive(nonce)).version == 1  # none of it spent the nonce


def test_keys_are_replaced_by_a_key_that_is_known(plane: Plane) -> None:
    _, channel = plane
    both = (str(KEY.public), str(NEXT_KEY.public))
    assert refused(channel, directive(channel.standing().nonce, keys=both[1:])) == "control_keys_wrong"
    assert refused(channel, directive(channel.standing().nonce, key=NEXT_KEY)) == "directive_signature_wrong"
    tell(channel, 1, keys=both)
    tell(channel, 1, key=NEXT_KEY, keys=both[1:])
    assert refused(channel, directive(channel.standing().nonce)) == "directive_signature_wrong"
    assert tell(channel, 2, PlaneState.SUSPENDED, key=NEXT_KEY).version == 2


def test_events_come_as_an_export_has_them_and_only_under_a_signature(plane: Plane) -> None:
    itself, channel = plane
    assert channel.events(-1, 10) == b""
    itself.happen(25)
    with itself.store.unit_of_work() as uow:
        lines = [line(item) for item in uow.audit.events(limit=100)]
    assert channel.events(-1, 10_000) == b"".join(lines)
    assert channel.events(9, 5) == b"".join(lines[10:15])
    assert channel.events(24, 5) == b""
    assert channel.events(10_000, 5) == b""


def test_checkpoints_open_with_the_key_that_the_plane_names(plane: Plane) -> None:
    itself, channel = plane
    empty = channel.checkpoints(0)
    assert (empty.checkpoints, empty.latest) == ((), None)
    itself.happen(3)
    itself.happen(4)
    found = channel.checkpoints(0)
    key = public_key(channel.standing().log_key)
    assert [open_checkpoint(note, key).size for note in found.checkpoints] == [3, 7]
    assert found.latest == found.checkpoints[-1]
    assert [read_checkpoint(note).size for note in channel.checkpoints(3).checkpoints] == [7]


def test_a_cosignature_is_kept_and_shown_with_its_checkpoint(plane: Plane) -> None:
    itself, channel = plane
    witness = Cosigner(bytes([3]) * 32, "ledger.example")
    itself.happen(3)
    note = channel.checkpoints(0).latest
    signed = witness.cosign(note, 1_770_000_000)
    unknown = _refused_cosignature(channel, 3, signed)  # the plane was not told of a witness
    tell(channel, 1, witness_key=str(witness.public_key))
    other = Cosigner(bytes([4]) * 32, "ledger.example").cosign(note, 1)
    wrong = [_refused_cosignature(channel, size, text) for size, text in ((3, other), (2, signed), (3, "x"), (9, ""))]
    assert {unknown, *wrong} == {"cosignature_wrong"}
    channel.cosign(3, signed)
    channel.cosign(3, witness.cosign(note, 1_770_000_001))  # the first stays
    after = channel.checkpoints(0).checkpoints[0]
    assert after == note + signed
    assert open_cosignature(after, witness.public_key) == 1_770_000_000
    assert open_checkpoint(after, public_key(itself.log_key)).size == 3


def _refused_cosignature(channel: Any, size: int, text: str) -> str:
    with pytest.raises(FrostbyteError) as caught:
        channel.cosign(size, text)
    return caught.value.code


def test_health_counts_what_waits(plane: Plane) -> None:
    itself, channel = plane
    itself.happen(2)
    found = channel.health()
    assert (found.ready, found.log_size, found.jobs.get("dead")) == (True, 2, 0)


def test_a_newer_configuration_is_taken_once_and_is_in_the_log(plane: Plane) -> None:
    itself, channel = plane
    assert channel.standing().config_version == 0
    values = msgspec.to_builtins(TenantConfig(top_k=7, retention_days=30))
    told = DirectedConfig(version=3, values=values)
    assert tell(channel, 1, config=told).config_version == 3
    assert tell(channel, 1, config=told).config_version == 3
    older = DirectedConfig(version=2, values=msgspec.to_builtins(TenantConfig()))
    assert tell(channel, 1, config=older).config_version == 3
    with itself.store.unit_of_work() as uow:
        row = uow.configs.latest()
    assert row is not None
    assert (row.version, row.actor, config_from(row.values)) == (1, "control", config_from(values))
    itself.sequencer.run_once()
    events = [json.loads(text)["event"] for text in channel.events(-1, 100).splitlines()]
    assert [(event["type"], event["actor"], event["details"]["changed"]) for event in events] == [
        ("TENANT_CONFIG_UPDATED", "control", ["retention_days", "top_k"])
    ]


def test_a_configuration_that_a_plane_cannot_read_stops_nobody_from_stopping_it(plane: Plane) -> None:
    itself, channel = plane
    for values in ({"top_k": 7, "from_a_later_version": True}, {"injection_flag": 0.9, "injection_withhold": 0.1}):
        told = DirectedConfig(version=2, values=values)
        answer = tell(channel, channel.standing().version + 1, PlaneState.SUSPENDED, config=told)
        assert (answer.state, answer.config_version) == (PlaneState.SUSPENDED, 0)
    with itself.store.unit_of_work() as uow:
        assert uow.configs.latest() is None


def test_a_plane_is_closed_frozen_and_opened_and_says_what_it_holds(plane: Plane) -> None:
    itself, channel = plane
    itself.happen(3)
    before = channel.upkeep()
    assert (before.upkeep, before.log_size, before.settled, before.parts) == (Upkeep.OPEN, 3, True, {})
    assert channel.keep(Upkeep.READING).upkeep is Upkeep.READING
    assert itself.gate.upkeep is Upkeep.READING  # heard of at once, and not at the next turn
    assert channel.keep(Upkeep.FROZEN).upkeep is Upkeep.FROZEN
    assert channel.keep(Upkeep.READING).upkeep is Upkeep.FROZEN
    frozen = channel.upkeep(tried=True)
    assert frozen.holds() == before.holds()
    assert frozen.parts == {"index": "ok"}
    assert channel.keep(Upkeep.OPEN, updated_to="2.0").upkeep is Upkeep.OPEN
    itself.sequencer.run_once()
    (told,) = [json.loads(text)["event"] for text in channel.events(2, 10).splitlines()]
    assert (told["type"], told["details"]) == ("TENANT_UPDATED", {"pipeline_version": "2.0"})


def test_a_frozen_plane_says_that_it_is_updated_and_takes_what_it_is_told_once_it_is_opened(plane: Plane) -> None:
    """Nothing that it would have to write down is lost, and nobody takes it for something that is no plane."""
    itself, channel = plane
    tell(channel, 1)
    channel.keep(Upkeep.FROZEN)
    assert tell(channel, 1).lease_seconds_left == 60  # a lease is no event
    text = directive(channel.standing().nonce, version=2, state=PlaneState.SUSPENDED)
    assert refused(channel, text) == "plane_updating"
    assert itself.gate.state is PlaneState.ACTIVE
    channel.keep(Upkeep.OPEN)
    assert tell(channel, 2, PlaneState.SUSPENDED).state is PlaneState.SUSPENDED
