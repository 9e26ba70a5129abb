"""From a batch's end to its message: what is owed, sent, tried again, given up, and what an administrator does."""

from __future__ import annotations

import json
import threading
import time
from typing import Any
from uuid import UUID

import pytest

from frostbyte.data_plane.webhooks import dispatch, patience
from frostbyte.data_plane.webhooks.desk import MOST
from frostbyte.kernel.batches import complete_if_done
from frostbyte.kernel.errors import Conflict, Forbidden, FrostbyteError, Invalid, NotFound, Unavailable
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.ports.webhooks import Answer
from frostbyte.kernel.records import Outcome, State
from frostbyte.kernel.webhooks.records import Fate
from servers.receiver import documented_check
from stores.store_rows import NOW, batch, receipt
from webhooks.conftest import URL, Bench

CHECK = documented_check()


def test_a_batch_that_ends_is_told_of_once_and_the_receiver_can_check_it(bench: Bench) -> None:
    webhook_id, secret = bench.add()
    batch_id = bench.ended(State.INDEXED, State.QUARANTINED)
    assert bench.dispatch.turn() == 1
    [(url, headers, body)] = bench.courier.carried
    assert url == URL
    [row] = bench.told(webhook_id)
    assert CHECK(headers, body, [secret], bench.clock.now().timestamp()) == row["delivery_id"]
    said = json.loads(body)
    assert said["type"] == "batch.completed"
    assert said["data"]["batch_id"] == str(batch_id) == row["batch_id"]
    assert said["data"]["documents"] == {"indexed": 1, "quarantined": 1}
    assert (row["state"], row["status"], row["attempts"]) == ("delivered", 200, 1)
    assert bench.dispatch.turn() == 0


def test_what_is_said_has_ids_counts_and_states_and_no_name(bench: Bench) -> None:
    bench.add()
    with bench.store.unit_of_work() as uow:
        row = batch(closed_at=NOW, subject="erika@vendor.example", idempotency_key="Q3 report")
        uow.batches.put(row)
        refused = receipt(row.batch_id, 0, outcome=Outcome.REJECTED, file_id="secret-plan.exe", sealed_name=b"sealed")
        uow.batches.add_receipt(refused)
        assert complete_if_done(uow, bench.clock, "acme", row)
        uow.commit()
    bench.ended(State.FAILED, State.INDEXED, code="parse_failed", message="Page 3 of plan.pdf", needs_review=True)
    bench.dispatch.turn()
    bench.dispatch.turn()
    bodies = [json.loads(body)["data"] for _, _, body in bench.courier.carried]
    empty, other = bodies
    assert (empty["files"], empty["rejected"], empty["documents"], empty["attention"]) == (1, 1, {}, [])
    assert [item["state"] for item in sorted(other["attention"], key=lambda item: item["state"])] == [
        "failed",
        "indexed",
    ]
    assert other["needs_review"] == 2
    assert other["links"]["status"] == f"/api/v1/ingest/{other['batch_id']}"
    assert other["attention"][0].keys() == {"doc_id", "state", "code", "needs_review", "link"}
    for word in ("erika", "Q3", "secret-plan", "plan.pdf", "Page 3"):
        assert word not in json.dumps(bodies)


def test_a_large_batch_makes_a_small_message(bench: Bench) -> None:
    bench.add()
    bench.ended(*[State.FAILED] * 130)
    bench.dispatch.turn()
    [(_, _, body)] = bench.courier.carried
    said = json.loads(body)["data"]
    assert (len(said["attention"]), said["attention_more"], said["documents"]) == (100, 30, {"failed": 130})
    assert len(body) < 32 << 10


def test_what_does_not_happen_is_not_told(bench: Bench) -> None:
    webhook_id, _ = bench.add()
    bench.ended(commit=False)
    assert bench.dispatch.turn() == 0
    assert bench.told(webhook_id) == []


def test_a_webhook_is_told_of_what_ends_after_it_was_added(bench: Bench) -> None:
    bench.ended()
    webhook_id, _ = bench.add()
    assert bench.told(webhook_id) == []
    bench.ended()
    other, _ = bench.add("https://b.example/")
    bench.ended()
    assert (len(bench.told(webhook_id)), len(bench.told(other))) == (2, 1)


def test_what_is_refused_is_sent_again_with_the_same_id_and_a_new_time(bench: Bench) -> None:
    webhook_id, secret = bench.add()
    bench.courier.answers += [Answer(code="webhook_refused", status=500), Answer(code="webhook_slow")]
    bench.ended()
    bench.dispatch.turn()
    [row] = bench.told(webhook_id)
    assert (row["state"], row["status"], row["code"], row["attempts"]) == ("waiting", 500, "webhook_refused", 1)
    assert row["message"]
    assert row["remedy"]
    assert bench.dispatch.turn() == 0, "not yet"
    bench.wait(patience.WAITS[0])
    assert bench.dispatch.turn() == 1
    bench.wait(patience.WAITS[1])
    bench.dispatch.turn()
    first, second, third = bench.courier.carried
    assert first[1]["webhook-id"] == second[1]["webhook-id"] == third[1]["webhook-id"] == row["delivery_id"]
    assert first[2] == second[2] == third[2]
    assert len({headers["webhook-timestamp"] for _, headers, _ in bench.courier.carried}) == 3
    assert CHECK(third[1], third[2], [secret], bench.clock.now().timestamp())
    [row] = bench.told(webhook_id)
    assert (row["state"], row["attempts"], row["code"]) == ("delivered", 3, None)
    types = [event.type for event in bench.events() if event.type.startswith("WEBHOOK")]
    assert types == ["WEBHOOK_ADDED", "WEBHOOK_DELIVERED"], "an event for a message, and none for an attempt"


def test_after_a_day_it_is_dead_and_shown_and_a_person_sends_it_again(bench: Bench) -> None:
    webhook_id, _ = bench.add()
    bench.courier.answers += [Answer(code="webhook_unreachable")] * patience.MOST_ATTEMPTS
    batch_id = bench.ended()
    for seconds in (*patience.WAITS, 0):
        assert bench.dispatch.turn() == 1
        bench.wait(seconds)
    bench.wait(100_000)
    assert bench.dispatch.turn() == 0
    assert bench.desk.show(webhook_id)["deliveries"] == {"waiting": 0, "delivered": 0, "dead": 1}
    [dead] = bench.desk.deliveries(webhook_id, state=Fate.DEAD)["deliveries"]
    failed = bench.events()[-1]
    assert (failed.type, failed.actor, failed.resource_id) == ("WEBHOOK_FAILED", "plane", str(webhook_id))
    assert failed.details["batch_id"] == str(batch_id)
    assert (failed.details["code"], failed.details["attempts"]) == ("webhook_unreachable", patience.MOST_ATTEMPTS)
    assert failed.details["host"] == "hooks.example:443"
    assert "frostbyte" not in json.dumps(failed.details), "the path is not the audit's business"
    again = bench.desk.again(webhook_id, UUID(dead["delivery_id"]))
    assert (again["state"], again["attempts"]) == ("waiting", 0)
    bench.dispatch.turn()
    assert bench.courier.carried[-1][1]["webhook-id"] == dead["delivery_id"]
    assert bench.events()[-1].type == "WEBHOOK_DELIVERED"
    with pytest.raises(Conflict):
        bench.desk.again(webhook_id, UUID(dead["delivery_id"]))


def test_what_nobody_needs_any_more_is_discarded_by_name_and_what_goes_on_is_not(bench: Bench) -> None:
    webhook_id, _ = bench.add()
    bench.courier.answers += [Answer(code="webhook_gone", status=410)]
    batch_id = bench.ended()
    bench.dispatch.turn()
    assert bench.desk.list()["given_up"] == 1
    [dead] = bench.told(webhook_id)
    delivery_id = UUID(dead["delivery_id"])
    with pytest.raises(NotFound):
        bench.desk.discard(bench.add("https://b.example/")[0], delivery_id, actor="ann")
    bench.desk.discard(webhook_id, delivery_id, actor="ann")
    assert bench.desk.list()["given_up"] == 0
    assert bench.told(webhook_id) == []
    noted = bench.events()[-1]
    assert (noted.type, noted.actor, noted.details["action"]) == ("WEBHOOK_FAILED", "ann", "discarded")
    assert (noted.details["batch_id"], noted.details["delivery_id"]) == (str(batch_id), str(delivery_id))
    bench.ended()
    [waits] = bench.told(webhook_id)
    with pytest.raises(Conflict, match="not given up"):
        bench.desk.discard(webhook_id, UUID(waits["delivery_id"]), actor="ann")
    assert bench.told(webhook_id) == [waits]


def test_both_secrets_sign_for_a_day_and_a_stolen_one_no_more(bench: Bench) -> None:
    webhook_id, old = bench.add()
    new = bench.desk.rotate(webhook_id, actor="ann")["secret"]
    assert new != old

    def taken_by(*secrets: str) -> list[bool]:
        bench.ended()
        bench.dispatch.turn()
        _, headers, body = bench.courier.carried[-1]
        found = []
        for secret in secrets:
            try:
                CHECK(headers, body, [secret], bench.clock.now().timestamp())
                found.append(True)
            except ValueError:
                found.append(False)
        return found

    assert taken_by(old, new) == [True, True]
    assert bench.desk.show(webhook_id)["old_secret_until"]
    bench.wait(24 * 3600)
    assert taken_by(old, new) == [False, True]
    assert bench.desk.show(webhook_id)["old_secret_until"] is None
    newest = bench.desk.rotate(webhook_id, actor="ann", retire_old=True)["secret"]
    assert taken_by(old, new, newest) == [False, False, True]
    assert "secret" not in bench.desk.show(webhook_id)
    assert old not in str(bench.desk.list())


def test_a_server_that_the_configuration_names_no_more_is_told_nothing_more(bench: Bench) -> None:
    webhook_id, _ = bench.add()
    bench.ended()
    bench.config = type(bench.config)()
    assert bench.dispatch.turn() == 1
    assert bench.courier.carried == []
    [row] = bench.told(webhook_id)
    assert (row["state"], row["code"]) == ("waiting", "webhook_host_closed")
    assert not bench.desk.show(webhook_id)["allowed"]


def test_while_the_plane_begins_nothing_nothing_is_sent_and_nothing_is_lost(bench: Bench) -> None:
    webhook_id, _ = bench.add()
    bench.waits = Unavailable("tenant_suspended", "Suspended.", "Ask.")
    bench.ended()
    bench.wait(3 * 86_400)
    assert bench.dispatch.turn() == 0
    with pytest.raises(Unavailable):
        bench.desk.test(webhook_id, actor="ann")
    bench.waits = None
    bench.dispatch.turn()
    [row] = bench.told(webhook_id)
    assert (row["state"], row["attempts"]) == ("delivered", 1), "time that stood still is no attempt"


def test_a_plane_that_was_killed_in_an_attempt_makes_it_again(bench: Bench) -> None:
    webhook_id, _ = bench.add()
    bench.ended()
    [begun] = bench.dispatch.claimed()
    reborn = dispatch.Dispatch(bench.store.unit_of_work, bench.clock, bench.delivery, waits=lambda: False)
    assert reborn.turn() == 0, "perhaps it is still under way"
    bench.wait(dispatch.LEASE_SECONDS)
    assert reborn.turn() == 1
    [row] = bench.told(webhook_id)
    assert (row["state"], row["attempts"]) == ("delivered", 2)
    late = bench.delivery.attempt(begun)  # whoever was taken for dead comes back
    assert late.state is Fate.DELIVERED
    assert [row["attempts"] for row in bench.told(webhook_id)] == [2]
    assert [event.type for event in bench.events()].count("WEBHOOK_DELIVERED") == 1


def test_an_attempt_that_nobody_saw_end_is_given_up_when_it_was_the_last(bench: Bench) -> None:
    webhook_id, _ = bench.add()
    bench.ended()
    for _ in range(patience.MOST_ATTEMPTS):  # each time it is killed in the middle
        assert len(bench.dispatch.claimed()) == 1
        bench.dispatch._busy.clear()
        bench.wait(dispatch.LEASE_SECONDS)
    assert bench.dispatch.turn() == 1
    assert bench.courier.carried == []
    [row] = bench.told(webhook_id)
    assert (row["state"], row["code"]) == ("dead", "webhook_lost")
    assert bench.events()[-1].type == "WEBHOOK_FAILED"


def test_what_cannot_be_written_down_is_sent_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    webhook_id, _ = bench.add()
    bench.ended()
    real = bench.store.unit_of_work

    def broken(*, reading: bool = False) -> Any:
        if not reading:
            raise Unavailable("database_unavailable", "It is down.", "Wait.")
        return real(reading=True)

    rows = bench.dispatch.claimed()
    monkeypatch.setattr(bench.delivery, "_unit_of_work", broken)
    bench.dispatch._carry(rows[0])
    assert len(bench.courier.carried) == 1
    monkeypatch.undo()
    bench.wait(dispatch.LEASE_SECONDS)
    bench.dispatch.turn()
    first, second = bench.courier.carried
    assert first[1]["webhook-id"] == second[1]["webhook-id"]
    assert [row["state"] for row in bench.told(webhook_id)] == ["delivered"]


def test_a_server_that_does_not_answer_keeps_only_its_own_messages_waiting(bench: Bench) -> None:
    slow, _ = bench.add()
    quick, _ = bench.add("https://b.example/")
    held, carried = threading.Event(), bench.courier.carry

    def carry(url: str, headers: dict[str, str], body: bytes) -> Answer:
        if url == URL:
            held.wait(10)
        return carried(url, headers, body)  # type: ignore[no-any-return]

    bench.courier.carry = carry
    for _ in range(3):
        bench.ended()
    stop = threading.Event()
    quickly = dispatch.Dispatch(
        bench.store.unit_of_work, bench.clock, bench.delivery, waits=lambda: False, turn_seconds=0.01
    )
    thread = threading.Thread(target=quickly.run, args=(stop,))
    thread.start()
    try:
        deadline = time.monotonic() + 8
        while bench.desk.show(quick)["deliveries"]["delivered"] < 3:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert bench.desk.show(slow)["deliveries"] == {"waiting": 3, "delivered": 0, "dead": 0}
        assert sorted(row["attempts"] for row in bench.told(slow)) == [0, 0, 1], "one at a time"
        held.set()
        while bench.desk.show(slow)["deliveries"]["delivered"] < 3:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        held.set()
        stop.set()
        thread.join()


def test_a_test_is_sent_once_and_says_what_came_of_it(bench: Bench) -> None:
    webhook_id, secret = bench.add()
    done = bench.desk.test(webhook_id, actor="ann")
    assert (done["type"], done["state"], done["status"]) == ("webhook.test", "delivered", 200)
    _, headers, body = bench.courier.carried[0]
    assert CHECK(headers, body, [secret], bench.clock.now().timestamp()) == done["delivery_id"]
    assert (bench.events()[-1].type, bench.events()[-1].actor) == ("WEBHOOK_DELIVERED", "ann")
    bench.courier.answers.append(Answer(code="webhook_certificate"))
    failed = bench.desk.test(webhook_id, actor="ann")
    assert (failed["state"], failed["code"]) == ("dead", "webhook_certificate")
    assert "certificate" in failed["message"]
    bench.wait(86_400)
    assert bench.dispatch.turn() == 0
    with pytest.raises(NotFound):
        bench.desk.test(new_id(), actor="ann")


def test_what_is_removed_is_told_nothing_more(bench: Bench) -> None:
    webhook_id, _ = bench.add()
    bench.ended()
    [begun] = bench.dispatch.claimed()
    bench.desk.remove(webhook_id, actor="ann")
    assert bench.delivery.attempt(begun) == begun
    assert bench.courier.carried == []
    assert bench.dispatch.turn() == 0
    for act in (bench.desk.show, bench.desk.deliveries, lambda each: bench.desk.remove(each, actor="ann")):
        with pytest.raises(NotFound):
            act(webhook_id)  # type: ignore[operator]
    assert [event.type for event in bench.events()][-1] == "WEBHOOK_REMOVED"


@pytest.mark.parametrize(
    ("url", "kind", "code"),
    [
        ("https://elsewhere.example/", Forbidden, "webhook_host_not_allowed"),
        ("https://hooks.example:8443/", Forbidden, "webhook_host_not_allowed"),
        ("http://hooks.example/", Invalid, "webhook_url_invalid"),
        (URL, Conflict, "webhook_exists"),
    ],
)
def test_what_cannot_be_added(bench: Bench, url: str, kind: type[FrostbyteError], code: str) -> None:
    bench.add()
    with pytest.raises(kind) as refused:
        bench.add(url)
    assert refused.value.code == code
    assert len(bench.desk.list()["webhooks"]) == 1


def test_there_are_as_many_webhooks_as_threads(bench: Bench) -> None:
    for number in range(MOST):
        bench.add(f"https://hooks.example/{number}")
    with pytest.raises(Conflict) as refused:
        bench.add()
    assert refused.value.code == "webhook_limit"


def test_what_ended_long_ago_is_forgotten_and_what_waits_is_not(bench: Bench) -> None:
    webhook_id, _ = bench.add()
    bench.ended()
    bench.dispatch.turn()
    bench.courier.answers += [Answer(code="webhook_gone", status=410), Answer(code="webhook_slow")]
    bench.ended()
    bench.dispatch.turn()
    bench.ended()
    bench.dispatch.turn()

    def states() -> list[str]:
        return [row["state"] for row in bench.told(webhook_id)]

    assert states() == ["waiting", "dead", "delivered"]
    for days, left in ((6.9, 3), (0.2, 2), (22.7, 2), (0.3, 1)):
        bench.wait(days * 86_400)
        bench.dispatch.forget()
        assert len(states()) == left
    assert states() == ["waiting"]
