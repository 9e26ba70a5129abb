"""Following many planes: a slow or dead one costs nobody else, silence is told, and a stop ends cleanly."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from frostbyte.adapters.ledger.memory import MemoryLedger
from frostbyte.control_plane.ledger.follow import SILENCE, Follower
from frostbyte.control_plane.ledger.pull import Followed, Source
from frostbyte.control_plane.ledger.records import Finding
from frostbyte.kernel.errors import Unavailable
from ledger.planes import Shown, SimulatedPlane
from ledger.test_pull import Ledger


class Following:
    """A follower over simulated planes, run in a thread."""

    def __init__(self, *planes: SimulatedPlane, workers: int = 4, interval: float = 0.05) -> None:
        self.planes = {plane.tenant_id: plane for plane in planes}
        self.followed = {plane.tenant_id: plane.followed for plane in planes}
        self.store = MemoryLedger()
        self.ledger = Ledger(self.store)
        self.ledger.clock.step = 0.001
        self.follower = Follower(
            self.store,
            self.ledger.keeping,
            self.ledger.puller,
            lambda: list(self.followed.values()),
            self._source,
            self.ledger.clock,
            workers=workers,
            interval=interval,
        )

    def _source(self, tenant_id: str) -> Source:
        return self.planes[tenant_id]

    def until(self, reached: Callable[[], bool], seconds: float = 20.0) -> None:
        stop, thread = threading.Event(), None
        thread = threading.Thread(target=self.follower.run, args=(stop,))
        thread.start()
        try:
            deadline = time.monotonic() + seconds
            while not reached():
                assert time.monotonic() < deadline, self.sizes()
                time.sleep(0.01)
        finally:
            stop.set()
            thread.join(10)
        assert not thread.is_alive()

    def sizes(self) -> dict[str, int]:
        return {item.plane.tenant_id: item.size for item in self.follower.standings()}


def unreachable(after_size: int) -> Shown:
    raise Unavailable("plane_unreachable", "It does not answer.", "Look.")


def test_254_planes_report_at_once() -> None:
    planes = [SimulatedPlane(f"t{number}", seed=number).grow(3, 6) for number in range(1, 255)]
    following = Following(*planes, workers=16, interval=60.0)
    following.until(lambda: list(following.sizes().values()) == [9] * 254)
    assert all(plane.cosigned[-1][0] == 9 for plane in planes)
    assert following.ledger.alerts() == []


def test_slow_planes_and_dead_ones_cost_nobody_else() -> None:
    slow, dead = SimulatedPlane("slow").grow(3), SimulatedPlane("dead").grow(3)
    gate = threading.Event()
    slow.page_hook = lambda data, first: (gate.wait(20), data)[1]
    dead.checkpoints = unreachable  # type: ignore[method-assign]
    others = [SimulatedPlane(f"t{number}", seed=number).grow(3) for number in range(1, 9)]
    following = Following(slow, dead, *others, workers=2)

    def rest_is_pulled() -> bool:
        sizes = following.sizes()
        return [sizes.get(plane.tenant_id) for plane in others] == [3] * 8

    stop = threading.Event()
    thread = threading.Thread(target=following.follower.run, args=(stop,))
    thread.start()
    deadline = time.monotonic() + 20
    while not rest_is_pulled():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert "slow" not in following.sizes()
    gate.set()
    stop.set()
    thread.join(10)
    codes = {item.plane.tenant_id: item.row.code for item in following.follower.standings()}
    assert codes["dead"] == "plane_unreachable"
    assert following.sizes()["slow"] == 3, "the step under way was ended"


def test_new_events_and_new_planes_are_found_while_it_runs() -> None:
    plane = SimulatedPlane().grow(3)
    following = Following(plane)
    following.until(lambda: following.sizes() == {"acme": 3})
    following.until(lambda: bool(plane.grow(3)) and following.sizes()["acme"] >= 6)


def test_silence_is_told_once_and_ends_with_an_answer() -> None:
    plane = SimulatedPlane().grow(3)
    following = Following(plane)
    following.follower.pull_now("acme")
    shown = plane.checkpoints
    plane.checkpoints = unreachable  # type: ignore[method-assign]
    following.follower.pull_now("acme")
    following.follower._watch()
    assert following.ledger.alerts() == []
    following.ledger.clock.leap(SILENCE.total_seconds() + 1)
    for _ in range(2):
        following.follower.pull_now("acme")
        following.follower._watch()
    alert = following.ledger.only_alert()
    assert (alert.row.finding, alert.ending) == (Finding.SILENCE, None)
    assert b"plane_unreachable" in alert.row.evidence

    plane.checkpoints = shown  # type: ignore[method-assign]
    pulled = following.follower.pull_now("acme")
    assert pulled is not None
    assert pulled.size == 3, "silence stops nothing"
    following.follower._watch()
    ended = following.ledger.only_alert().ending
    assert ended is not None
    assert (ended.actor, ended.reason) == ("ledger", "answered")


def test_a_suspended_plane_may_be_silent() -> None:
    plane = SimulatedPlane().grow(3)
    following = Following(plane)
    plane.checkpoints = unreachable  # type: ignore[method-assign]
    following.followed["acme"] = Followed(tenant_id="acme", log_key=plane.signer.verifier_key, active=False)
    following.follower.pull_now("acme")
    following.ledger.clock.leap(SILENCE.total_seconds() * 2)
    following.follower._watch()
    assert following.ledger.alerts() == []


def test_a_ledger_that_was_away_for_a_day_blames_nobody() -> None:
    plane = SimulatedPlane().grow(3)
    following = Following(plane)
    following.until(lambda: following.sizes() == {"acme": 3})
    following.ledger.clock.leap(86_400)
    plane.checkpoints = unreachable  # type: ignore[method-assign]
    begun_anew = Follower(
        following.store,
        following.ledger.keeping,
        following.ledger.puller,
        lambda: [plane.followed],
        following._source,
        following.ledger.clock,
    )
    begun_anew._recall()
    begun_anew.pull_now("acme")
    begun_anew._watch()
    assert following.ledger.alerts() == []
    (standing,) = begun_anew.standings()
    assert standing.row.heard_at is not None, "what was known before is known again"


def test_an_acknowledged_plane_is_tried_at_once() -> None:
    plane = SimulatedPlane().grow(3)
    plane.page_hook = lambda data, first: data[:-1]
    following = Following(plane, interval=60.0)
    following.until(lambda: bool(following.ledger.alerts()))
    plane.page_hook = lambda data, first: data
    following.ledger.keeping.end(following.ledger.only_alert().row.alert_id, "auditor", "mended")
    following.follower.retry("acme")
    following.until(lambda: following.sizes() == {"acme": 3}, 5)
