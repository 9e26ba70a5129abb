"""What was tried in vain is kept for an operator, who tries again or puts it away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from acceptance.test_gates import with_ports
from frostbyte.bootstrap.data import Plane
from frostbyte.data_plane.patience import LIMIT_SECONDS, attempts, backoff
from frostbyte.kernel.errors import Conflict, NotFound, StageFailed, Unavailable
from frostbyte.kernel.records import Stage, State

pytestmark = pytest.mark.slow

Send = Callable[..., UUID]
NOTE = b"The hull was painted in spring."


class Reader:
    """Fails with what it is told to fail with."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def parse(self, *_: Any, **__: Any) -> Any:
        raise self.error

    def picture(self, *_: Any, **__: Any) -> Any:
        raise self.error

    def close(self) -> None:
        pass


@pytest.fixture
def dead(plane: Plane, send: Send) -> tuple[UUID, dict[str, Any]]:
    """A document whose parsing broke as often as it may, and its dead letter."""
    reader = plane.ports.reader
    with_ports(plane, reader=Reader(RuntimeError("words of a document")))
    doc_id = send("note.txt", NOTE)
    while plane.runner.run_one():
        pass
    with_ports(plane, reader=reader)
    plane.jobs._p = plane.ports
    (letter,) = plane.jobs.page(dead=True)["jobs"]
    return doc_id, letter


def events(plane: Plane, doc_id: UUID) -> list[Any]:
    while plane.sequencer.run_once():
        pass
    with plane.store.unit_of_work() as uow:
        return [entry.event for entry in uow.audit.events(resource_id=str(doc_id))]


@pytest.mark.parametrize(
    ("stage", "waits"),
    [
        (Stage.PARSE, [10, 60, 300]),
        (Stage.POLICY, [30, 30]),
        (Stage.EMBED, [10, 60, 300]),
        (Stage.INDEX, [10, 60, 300]),
    ],
)
def test_each_stage_waits_between_its_attempts(stage: Stage, waits: list[int]) -> None:
    assert [backoff(stage, attempt) for attempt in range(1, attempts(stage))] == waits


def test_indexing_ends_before_an_erasure_counts_on_it() -> None:
    from frostbyte.data_plane.lifecycle.erasure import VECTORS_GONE_AFTER

    assert LIMIT_SECONDS[Stage.INDEX] + 60 < VECTORS_GONE_AFTER.total_seconds()


def test_a_document_tried_in_vain_is_failed_and_leaves_a_letter(
    plane: Plane, dead: tuple[UUID, dict[str, Any]]
) -> None:
    doc_id, letter = dead
    row = plane.documents.row(doc_id)
    assert (row.state, row.stage, row.code) == (State.FAILED, None, "internal_error")
    assert (letter["doc_id"], letter["stage"], letter["state"]) == (str(doc_id), "parse", "dead")
    assert letter["attempt"] == letter["attempts"] == attempts(Stage.PARSE)
    assert plane.jobs.show(UUID(letter["job_id"])) == letter
    assert plane.ready()["jobs"] == {"dead": 1}
    assert not plane.runner.run_one(), "the dead are not tried by themselves"


def test_what_fails_for_its_own_reason_leaves_no_letter(plane: Plane, send: Send) -> None:
    reader = plane.ports.reader
    with_ports(plane, reader=Reader(StageFailed("file_damaged", "The file is damaged.", "Send it again.")))
    doc_id = send("note.txt", NOTE)
    while plane.runner.run_one():
        pass
    assert plane.documents.row(doc_id).state is State.FAILED
    assert plane.jobs.page()["jobs"] == []
    with_ports(plane, reader=reader)


def test_a_document_that_kills_its_worker_each_time_ends_as_a_letter(plane: Plane, send: Send) -> None:
    doc_id = send("note.txt", NOTE)
    for _ in range(attempts(Stage.SCAN)):  # as a worker does that is killed in the stage: leased, and never heard of
        with plane.store.unit_of_work() as uow:
            job = uow.jobs.lease("doomed", plane.clock.now(), 0.0, [Stage.SCAN])
            uow.commit()
        assert job is not None
    assert plane.runner.run_one()
    row = plane.documents.row(doc_id)
    assert (row.state, row.code) == (State.FAILED, "attempts_exhausted")
    (letter,) = plane.jobs.page(dead=True)["jobs"]
    assert letter["code"] == "attempts_exhausted"


def test_a_letter_is_tried_again_as_a_new_incarnation(plane: Plane, dead: tuple[UUID, dict[str, Any]]) -> None:
    doc_id, letter = dead
    done = plane.jobs.retry(UUID(letter["job_id"]), actor="operator")
    assert done["incarnation"] == 1
    while plane.runner.run_one():
        pass
    assert plane.documents.row(doc_id).state is State.INDEXED
    assert plane.jobs.page()["jobs"] == []
    retried = [event for event in events(plane, doc_id) if event.details.get("trigger") == "retry"]
    assert [event.actor for event in retried] == ["operator"]
    with pytest.raises(NotFound):
        plane.jobs.retry(UUID(letter["job_id"]), actor="operator")


def test_a_letter_is_discarded_and_its_document_stays_failed(plane: Plane, dead: tuple[UUID, dict[str, Any]]) -> None:
    doc_id, letter = dead
    plane.jobs.discard(UUID(letter["job_id"]), actor="operator")
    assert plane.documents.row(doc_id).state is State.FAILED
    assert plane.ready()["jobs"] == {"dead": 0}
    last = events(plane, doc_id)[-1]
    assert (last.type, last.actor, last.details["job_id"]) == ("JOB_DISCARDED", "operator", letter["job_id"])
    assert plane.review.retry(doc_id, actor="reviewer")["incarnation"] == 1, "the document can still be tried again"


def test_erasing_takes_the_letter_along(plane: Plane, dead: tuple[UUID, dict[str, Any]]) -> None:
    doc_id, _ = dead
    plane.erasure.erase(doc_id, actor="operator", reason="request")
    assert plane.jobs.page()["jobs"] == []


def test_a_job_that_is_put_off_is_begun_at_once_when_told(plane: Plane, send: Send) -> None:
    reader = plane.ports.reader
    with_ports(plane, reader=Reader(Unavailable("parser_unavailable", "No parser.", "Wait.")))
    plane.ports = changed_scale(plane)
    doc_id = send("note.txt", NOTE)
    while plane.runner.run_one():
        pass
    (job,) = plane.jobs.page()["jobs"]
    assert (job["state"], job["code"]) == ("waiting", "parser_unavailable")
    with pytest.raises(Conflict) as early:
        plane.jobs.discard(UUID(job["job_id"]), actor="operator")
    assert early.value.code == "job_not_dead"
    with_ports(plane, reader=reader)
    plane.jobs.retry(UUID(job["job_id"]), actor="operator")
    with pytest.raises(Conflict) as twice:
        plane.jobs.retry(UUID(job["job_id"]), actor="operator")
    assert twice.value.code == "job_not_waiting"
    while plane.runner.run_one():
        pass
    assert plane.documents.row(doc_id).state is State.INDEXED
    assert "JOB_HURRIED" in [event.type for event in events(plane, doc_id)]


def changed_scale(plane: Plane) -> Any:
    """The plane's ports with waits as they are in life."""
    from dataclasses import replace

    from frostbyte.data_plane.flow import Flow

    ports = replace(plane.ports, retry_scale=1.0)
    plane.runner.leases.run = Flow(ports).run
    return ports


def test_an_unknown_job_is_not_found(plane: Plane) -> None:
    for ask in (plane.jobs.show, lambda job_id: plane.jobs.discard(job_id, actor="operator")):
        with pytest.raises(NotFound) as unknown:
            ask(uuid4())
        assert unknown.value.code == "job_not_found"
