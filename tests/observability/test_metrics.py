"""The numbers say what is so: after work, after a fault, and while a server hangs."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from frostbyte.adapters.memory.webhooks import MemoryCourier
from frostbyte.bootstrap import watch as watching
from frostbyte.bootstrap.data import Plane
from frostbyte.bootstrap.watch import Answer, Watch
from frostbyte.data_plane.lifecycle.holds import Reason
from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.ports.webhooks import Answer as Carried
from frostbyte.kernel.records import TrustedTimeRow

pytestmark = pytest.mark.slow

Metrics = Callable[[], dict[str, float]]


def send(plane: Plane, name: str, content: bytes) -> None:
    session = plane.intake.open_batch("tester")
    sink = session.file(name)
    sink.write(content)
    sink.finish()
    session.close()


def settle(plane: Plane) -> None:
    while plane.runner.run_one():
        pass
    while plane.sequencer.run_once():
        pass


def test_a_document_is_counted_through_every_stage(plane: Plane, metrics: Metrics) -> None:
    send(plane, "one.txt", b"A contract about cold storage.")
    before = metrics()
    assert before['frostbyte_jobs_open_count{stage="scan"}'] == 1
    assert before['frostbyte_jobs_oldest_seconds{stage="scan"}'] < 60
    assert before['frostbyte_documents_stored_count{state="received"}'] == 1
    assert before["frostbyte_audit_unnumbered_seconds"] >= 0
    settle(plane)
    after = metrics()
    for stage in ("scan", "parse", "policy", "embed", "index"):
        assert after[f'frostbyte_stage_run_seconds_count{{outcome="done",stage="{stage}"}}'] == 1
        assert after[f'frostbyte_jobs_open_count{{stage="{stage}"}}'] == 0
    assert after['frostbyte_documents_stored_count{state="indexed"}'] == 1
    assert after['frostbyte_documents_stored_count{state="received"}'] == 0
    assert after["frostbyte_documents_unscanned_count"] == 1
    assert after["frostbyte_audit_unsigned_events"] == 0
    assert after["frostbyte_audit_checkpoint_events"] > 5
    assert after["frostbyte_plane_ready_bool"] == 1
    assert after["frostbyte_plane_stand_ins_count"] > 0
    assert after['frostbyte_dependency_up_bool{dependency="database"}'] == 1


def test_a_document_that_cannot_be_read_is_a_failure_of_its_stage(plane: Plane, metrics: Metrics) -> None:
    send(plane, "broken.pdf", b"%PDF-1.7\n" + bytes(range(256)) * 8)
    settle(plane)
    found = metrics()
    assert found['frostbyte_stage_run_seconds_count{outcome="failed",stage="parse"}'] == 1
    assert found['frostbyte_documents_stored_count{state="failed"}'] == 1


def test_problems_are_counted_by_code_and_logged_with_it(client: Any, metrics: Metrics) -> None:
    client.get("/api/v1/documents")
    assert metrics()['frostbyte_api_problems_total{code="token_missing"}'] >= 1


def test_a_server_that_fails_or_hangs_is_down_and_holds_nobody_up(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(watching, "HANGS_SECONDS", 0.2)
    stop, hanging, broken = threading.Event(), threading.Event(), threading.Event()

    def fails() -> None:
        if broken.is_set():
            raise Unavailable("scanner_unavailable", "It does not answer.")

    def hangs() -> None:
        if hanging.is_set():
            stop.wait(20)

    def never() -> watching.Tallies:
        raise Unavailable("database_unavailable", "It does not answer.")

    watch = Watch(
        probes={"scanner": fails, "objects": hangs, "vectors": lambda: None},
        tally=never, hints=None, data_dir=tmp_path, interval=0.02,
    )  # fmt: skip
    watch.start(stop)

    def up() -> dict[str, bool]:
        return {name: answer.holds(time.monotonic()) for name, answer in watch.answers.items()}

    def becomes(wanted: dict[str, bool]) -> bool:
        until = time.monotonic() + 5
        while up() != wanted and time.monotonic() < until:
            time.sleep(0.01)
        return up() == wanted

    assert becomes({"scanner": True, "objects": True, "vectors": True})
    broken.set()
    assert becomes({"scanner": False, "objects": True, "vectors": True})
    hanging.set()
    assert becomes({"scanner": False, "objects": False, "vectors": True})
    broken.clear()
    assert becomes({"scanner": True, "objects": False, "vectors": True})
    assert watch.tallies is None
    stop.set()


def test_an_answer_that_was_never_asked_for_is_not_up() -> None:
    assert not Answer().holds(0.0)


def test_old_counts_are_not_shown(plane: Plane, client: Any, metrics: Metrics) -> None:
    metrics()
    assert plane.watch.tallies is not None
    object.__setattr__(plane.watch.tallies, "at", time.monotonic() - 100)
    text = client.get("/metrics").text
    assert "frostbyte_jobs_dead_count" not in text
    assert float(text.split("\nfrostbyte_watch_age_seconds ")[1].split()[0]) >= 100


def test_messages_that_were_given_up_are_counted_and_said_until_somebody_decides(
    plane: Plane, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    def says() -> bool:
        return any("webhook" in warning for warning in plane.health()["warnings"])

    courier = MemoryCourier()
    monkeypatch.setattr(plane.webhooks.desk._delivery, "_courier", courier)
    version = plane.configuration.show()["version"]
    plane.configuration.change({"webhook_hosts": ["hooks.example"]}, expected=version, actor="tester")
    desk = plane.webhooks.desk
    webhook_id = UUID(desk.add("https://hooks.example/", actor="tester")["webhook_id"])
    courier.answers += [Carried(code="webhook_gone", status=410)] * 2
    desk.test(webhook_id, actor="tester")
    assert metrics()["frostbyte_webhooks_dead_count"] == 0, "whoever tries it sees what comes of it"
    assert not says()
    send(plane, "one.txt", b"A contract about cold storage.")
    settle(plane)
    assert plane.webhooks.dispatch.turn() == 1
    assert metrics()["frostbyte_webhooks_dead_count"] == 1
    assert says()
    [dead] = [row for row in desk.deliveries(webhook_id)["deliveries"] if row["batch_id"]]
    desk.again(webhook_id, UUID(dead["delivery_id"]))
    assert metrics()["frostbyte_webhooks_dead_count"] == 0
    assert not says()
    desk.remove(webhook_id, actor="tester")


def test_holds_and_retention_are_counted(plane: Plane, metrics: Metrics) -> None:
    before = metrics()
    assert before["frostbyte_documents_holds_count"] == 0
    assert math.isnan(before["frostbyte_documents_retention_seconds"])
    plane.holds.place("2026-0147", Reason.AUDIT, everything=True, actor="counsel")
    plane.retention.turn()
    after = metrics()
    assert after["frostbyte_documents_holds_count"] == 1
    assert after["frostbyte_documents_retention_seconds"] < 60
    assert after["frostbyte_plane_clock_doubted_bool"] == 0
    with plane.store.unit_of_work() as uow:
        uow.retention.trust(TrustedTimeRow(trusted_at=plane.clock.now() - timedelta(days=30)))
        uow.commit()
    with pytest.raises(Unavailable):
        plane.retention.turn()
    assert metrics()["frostbyte_plane_clock_doubted_bool"] == 1
    assert any("confirm-clock" in warning for warning in plane.health()["warnings"])
