"""Pulling: what is verified is stored once, cosigned and handed back; what is wrong stops the plane and is kept."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from frostbyte.adapters.ledger.memory import MemoryLedger, MemoryLedgerUnitOfWork
from frostbyte.control_plane.ledger.keeping import Keeping
from frostbyte.control_plane.ledger.ports import LedgerStore, Query
from frostbyte.control_plane.ledger.pull import STEPS_A_TURN, Followed, Pulled, Puller
from frostbyte.control_plane.ledger.records import Alert, Finding
from frostbyte.kernel.audit.checkpoint import Cosigner, add_signature, open_cosignature
from frostbyte.kernel.errors import Conflict, NotFound, Unavailable
from ledger.planes import Shown, SimulatedPlane, SteppingClock

WITNESS = Cosigner(bytes([9]) * 32, "frostbyte/control/test/witness")


class Ledger:
    """A ledger of its own with everything wired."""

    def __init__(self, store: LedgerStore) -> None:
        self.store, self.clock = store, SteppingClock()
        self.keeping = Keeping(store, WITNESS, self.clock)
        self.puller = Puller(self.keeping)

    def pull(self, plane: SimulatedPlane, followed: Followed | None = None) -> Pulled:
        while (pulled := self.puller.pull(followed or plane.followed, plane)).more:
            pass
        return pulled

    def alerts(self) -> list[Alert]:
        with self.store.unit_of_work() as uow:
            return uow.alerts()

    def only_alert(self) -> Alert:
        (alert,) = self.alerts()
        assert alert.row.evidence
        return alert

    def lines(self, tenant_id: str = "acme") -> bytes:
        with self.store.unit_of_work() as uow:
            ids = tuple(log.log_id for log in uow.logs(tenant_id))
            return b"".join(item.entry.line for item in uow.events(Query(log_ids=ids), limit=100_000))

    def audited(self) -> list[tuple[str, str]]:
        with self.store.unit_of_work() as uow:
            return [(item.type, item.details["code"]) for item in uow.audit.unsequenced(100)]


@pytest.fixture
def ledger(store: LedgerStore) -> Ledger:
    return Ledger(store)


def test_a_plane_is_pulled_cosigned_and_continued(ledger: Ledger) -> None:
    plane = SimulatedPlane().grow(9, 12)
    first = ledger.pull(plane)
    assert (first.events, first.size, first.plane_size, first.code, first.finding) == (21, 21, 21, "", None)
    assert ledger.lines() == plane.lines(0, 21)
    size, line = plane.cosigned[0]
    assert size == 21
    assert open_cosignature(add_signature(plane.notes[-1][1], line), WITNESS.public_key) is not None

    plane.grow(6)
    assert ledger.pull(plane).events == 6
    assert ledger.lines() == plane.lines(0, 27)
    assert [size for size, _ in plane.cosigned] == [21, 27]
    assert ledger.pull(plane).events == 0
    assert len(plane.cosigned) == 2
    assert ledger.alerts() == []


def test_an_empty_log_is_fine(ledger: Ledger) -> None:
    pulled = ledger.pull(SimulatedPlane())
    assert (pulled.heard, pulled.size, pulled.finding) == (True, 0, None)


def test_a_plane_that_sends_fewer_at_once_is_asked_again(ledger: Ledger) -> None:
    plane = SimulatedPlane(page=4).grow(9, 12, 1)
    assert ledger.pull(plane).size == 22
    assert ledger.lines() == plane.lines(0, 22)


def test_a_long_log_takes_turns(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("frostbyte.control_plane.ledger.pull.step_end", lambda verified, points: points[0].said.size)
    plane = SimulatedPlane().grow(*[3] * (STEPS_A_TURN + 2))
    first = ledger.puller.pull(plane.followed, plane)
    assert (first.size, first.more) == (3 * STEPS_A_TURN, True)
    assert ledger.pull(plane).size == 3 * (STEPS_A_TURN + 2)


def test_more_checkpoints_than_one_answer_holds(ledger: Ledger) -> None:
    plane = SimulatedPlane().grow(*[1] * 40)
    plane.notes_hook = lambda shown: Shown(shown.checkpoints[:7], shown.latest)
    assert ledger.pull(plane).size == 40
    assert ledger.alerts() == []


# What is wrong.


def _bytes(change: Callable[[bytes], bytes]) -> Callable[[SimulatedPlane], None]:
    def broken(plane: SimulatedPlane) -> None:
        plane.page_hook = lambda data, first: change(data) if first == 9 else data
        plane.grow(6)

    return broken


def _rewritten(plane: SimulatedPlane) -> None:
    """All of it anew, under the same key, with other sizes."""
    plane.events_, plane.notes = [], []
    plane.grow(10, 20, salt="rewritten")


def _same_size(plane: SimulatedPlane) -> None:
    plane.events_, plane.notes = [], []
    plane.grow(9, salt="rewritten")


def _rolled_back(plane: SimulatedPlane) -> None:
    plane.events_, plane.notes = plane.events_[:3], []
    plane.sign()


def _replayed(plane: SimulatedPlane) -> None:
    old = plane.notes[0][1]
    plane.grow(6)
    plane.notes_hook = lambda shown: Shown((), old)


def _other_key(plane: SimulatedPlane) -> None:
    plane.signer = SimulatedPlane(plane.tenant_id, seed=8).signer
    plane.grow(6)


def _foreign(plane: SimulatedPlane) -> None:
    """The plane's own key signs events of another tenant."""
    plane.events_ += SimulatedPlane("globex").grow(12).events_[9:]
    plane.sign()


WRONG: dict[str, tuple[Finding, Callable[[SimulatedPlane], None]]] = {
    "half a line": (Finding.MALFORMED, _bytes(lambda data: data[:-20])),
    "garbage": (Finding.MALFORMED, _bytes(lambda data: b"\x00\xff<html>" * 9)),
    "a line less": (Finding.GAP, _bytes(lambda data: data[data.index(b"\n") + 1 :])),
    "nothing": (Finding.GAP, _bytes(lambda data: b"")),
    "an edit": (Finding.ALTERED, _bytes(lambda data: data.replace(b'"actor":"plane"', b'"actor":"nobody"', 1))),
    "rewritten": (Finding.FORK, _rewritten),
    "rewritten, the same size": (Finding.FORK, _same_size),
    "rolled back": (Finding.ROLLBACK, _rolled_back),
    "an old checkpoint": (Finding.ROLLBACK, _replayed),
    "another key": (Finding.SIGNATURE_WRONG, _other_key),
    "events of another tenant": (Finding.FOREIGN_EVENTS, _foreign),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_stops_the_plane_and_is_kept(ledger: Ledger, what: str) -> None:
    expected, harm = WRONG[what]
    plane, neighbour = SimulatedPlane().grow(3, 6), SimulatedPlane("globex", seed=3).grow(9)
    pinned = plane.followed
    assert ledger.pull(plane).size == 9
    harm(plane)
    assert ledger.pull(plane, pinned).finding is expected
    alert = ledger.only_alert()
    assert (alert.row.finding, alert.row.size, alert.row.tenant_id, alert.ending) == (expected, 9, "acme", None)
    assert ledger.audited() == [("LEDGER_FINDING", expected.value)]
    assert ledger.lines() == SimulatedPlane().grow(9).lines(0, 9)
    assert [size for size, _ in plane.cosigned] == [9]

    calls = plane.calls
    assert ledger.pull(plane, pinned).finding is expected
    assert plane.calls == calls, "a stopped plane is not asked"
    assert ledger.pull(neighbour).size == 9

    ledger.keeping.end(alert.row.alert_id, "auditor", "looked_into")
    assert ledger.pull(plane, pinned).finding is expected, "still wrong: found again"
    assert [item.ending is None for item in ledger.alerts()] == [True, False]


def test_a_rewritten_history_is_shown_by_both_notes_and_both_lines(ledger: Ledger) -> None:
    plane = SimulatedPlane().grow(3, 6)
    ledger.pull(plane)
    cosigned = ledger_note(ledger)
    _rewritten(plane)
    ledger.pull(plane)
    alert = ledger.only_alert().row
    assert alert.position == 0
    assert cosigned.encode() in alert.evidence
    assert WITNESS.public_key.name.encode() in alert.evidence
    assert any(note.encode() in alert.evidence for _, note in plane.notes)
    assert SimulatedPlane().grow(1).lines(0, 1) in alert.evidence
    assert plane.lines(0, 1) in alert.evidence


def ledger_note(ledger: Ledger) -> str:
    with ledger.store.unit_of_work() as uow:
        step = uow.last_step(1)
    assert step is not None
    return step.note


def test_what_was_mended_goes_on_after_it_was_acknowledged(ledger: Ledger) -> None:
    plane = SimulatedPlane().grow(9)
    plane.page_hook = lambda data, first: data[:-1]
    assert ledger.pull(plane).finding is Finding.MALFORMED
    plane.page_hook = lambda data, first: data
    alert = ledger.only_alert().row
    ledger.keeping.end(alert.alert_id, "auditor", "proxy_mended")
    assert ledger.pull(plane).size == 9
    assert ledger.audited() == [("LEDGER_FINDING", "malformed"), ("LEDGER_ACKNOWLEDGED", "malformed")]
    with pytest.raises(Conflict, match="ended"):
        ledger.keeping.end(alert.alert_id, "auditor", "again")
    with pytest.raises(NotFound):
        ledger.keeping.end(alert.alert_id.__class__(int=5), "auditor", "again")


def test_a_broken_chain_is_told_and_the_log_goes_on(ledger: Ledger) -> None:
    """Also across two pulls: the predecessor is in the store."""
    plane = SimulatedPlane().grow(4)
    ledger.pull(plane)
    plane.grow(2, salt="other")
    assert ledger.pull(plane).size == 6
    alert = ledger.only_alert().row
    assert (alert.finding, alert.position) == (Finding.CHAIN_BROKEN, 4)
    assert ledger.pull(plane.grow(3)).size == 9


def test_a_plane_that_was_restored_has_another_log(ledger: Ledger) -> None:
    old = SimulatedPlane().grow(9)
    ledger.pull(old)
    restored = SimulatedPlane(seed=8).grow(6)
    assert ledger.pull(restored, restored.followed).size == 6
    with ledger.store.unit_of_work() as uow:
        assert [log.log_key for log in uow.logs("acme")] == [old.signer.verifier_key, restored.signer.verifier_key]
    assert ledger.lines() == old.lines(0, 9) + restored.lines(0, 6)


# Bad luck.


class Killed(BaseException):
    """The process ends here."""


class Countdown:
    """Ends the process at one of the calls that it watches."""

    def __init__(self, calls: int) -> None:
        self.left = calls

    def watch(self, patch: pytest.MonkeyPatch, owner: object, *names: str) -> None:
        for name in names:
            patch.setattr(owner, name, self._watched(getattr(owner, name)))

    def _watched(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*arguments: Any, **options: Any) -> Any:
            self.left -= 1
            if self.left == 0:
                raise Killed
            return call(*arguments, **options)

        return counting


def test_killed_anywhere_nothing_is_doubled_and_nothing_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ended at each call that the pull makes of its store or its plane, then begun anew."""
    monkeypatch.setattr("frostbyte.control_plane.ledger.pull.step_end", lambda verified, points: points[0].said.size)
    for at in range(1, 1000):
        store, plane, countdown = MemoryLedger(), SimulatedPlane(page=4).grow(5, 7, 3), Countdown(at)
        with monkeypatch.context() as patch:
            countdown.watch(
                patch, MemoryLedgerUnitOfWork, "open_log", "logs", "lock", "last_step", "add_step", "alerts", "commit"
            )
            countdown.watch(patch, plane, "events", "checkpoints", "cosign")
            with contextlib.suppress(Killed):
                Ledger(store).pull(plane)
        after = Ledger(store)
        assert after.pull(plane).size == 15
        assert after.lines() == plane.lines(0, 15)
        assert plane.cosigned[-1][0] == 15
        assert after.alerts() == []
        if countdown.left > 0:
            break
    assert 20 < at < 100


def test_two_pulls_of_one_plane_at_once_add_its_events_once(ledger: Ledger) -> None:
    plane = SimulatedPlane().grow(9)
    other = Ledger(ledger.store)
    ledger.puller.fetched = lambda tenant_id: (setattr(ledger.puller, "fetched", lambda _: None), other.pull(plane))[0]
    assert ledger.puller.pull(plane.followed, plane).code == "ledger_moved"
    assert ledger.lines() == plane.lines(0, 9)


def test_a_plane_that_cannot_be_reached_is_no_finding(ledger: Ledger) -> None:
    plane = SimulatedPlane().grow(9)

    def unreachable(after_size: int) -> Shown:
        raise Unavailable("plane_unreachable", "It does not answer.", "Look.")

    plane.checkpoints = unreachable  # type: ignore[method-assign]
    pulled = ledger.pull(plane)
    assert (pulled.code, pulled.heard, pulled.finding) == ("plane_unreachable", False, None)
    assert ledger.alerts() == []


def test_the_cosignature_is_handed_over_again_after_a_failure(ledger: Ledger) -> None:
    plane = SimulatedPlane().grow(9)
    cosign = plane.cosign

    def failing(size: int, line: str) -> None:
        plane.cosign = cosign  # type: ignore[method-assign]
        raise Unavailable("plane_unreachable", "It does not answer.", "Look.")

    plane.cosign = failing  # type: ignore[method-assign]
    assert ledger.pull(plane).code == "plane_unreachable"
    assert plane.cosigned == []
    assert ledger.pull(plane).code == ""
    assert [size for size, _ in plane.cosigned] == [9]
