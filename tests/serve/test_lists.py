"""Lists of uploads and documents, their sums, the time left, and the plane at a glance."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from frostbyte.adapters.memory.unit_of_work import MemoryStore
from frostbyte.data_plane.serve.batches import Batches
from frostbyte.data_plane.serve.documents import Documents
from frostbyte.data_plane.serve.lists import WINDOW, Lists, seconds_left
from frostbyte.data_plane.serve.overview import Overview
from frostbyte.kernel.errors import FrostbyteError, NotFound, Unavailable
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.ports.listing import FileTally
from frostbyte.kernel.records import Outcome, Stage, State
from frostbyte.kernel.tenancy import TenantConfig
from intake.door_bench import CSV, EXE, TXT, Bench, new_bench
from stores.store_rows import NOW, later


class Plane:
    """The lists over an intake in memory."""

    def __init__(self) -> None:
        self.bench: Bench = new_bench(MemoryStore())
        self.waits: FrostbyteError | None = None
        unit_of_work, clock = self.bench.store.unit_of_work, self.bench.clock
        batches = Batches(unit_of_work, self.bench.vault, "acme", lambda: self.waits)
        documents = Documents(tenant_id="acme", unit_of_work=unit_of_work, vault=self.bench.vault, clock=clock)
        self.lists = Lists(
            unit_of_work=unit_of_work, batches=batches, documents=documents, clock=clock, waits=lambda: self.waits
        )
        self.config = TenantConfig(storage_quota_gb=1, max_file_size_mb=2, max_batch_size=3)
        self.overview = Overview(
            unit_of_work=unit_of_work, clock=clock, config=lambda: self.config, waits=lambda: self.waits
        )

    def send(self, *files: tuple[str, bytes], subject: str = "vendor") -> Any:
        result = self.bench.send(*files, subject=subject)
        self.bench.clock.advance(1)
        return result

    def change(self, doc_id: Any, **values: Any) -> None:
        with self.bench.store.unit_of_work() as uow:
            row = uow.documents.get(doc_id)
            assert row is not None
            uow.documents.put(replace(row, **values))
            uow.commit()


@pytest.fixture
def plane() -> Plane:
    return Plane()


def names(page: dict[str, Any]) -> list[str]:
    return [item["filename"] for item in page.get("files", page.get("documents", []))]


def text(number: int) -> bytes:
    return TXT + str(number).encode()


def test_uploads_are_listed_newest_first_with_their_sums(plane: Plane) -> None:
    first = plane.send(("a.txt", TXT), ("b.exe", EXE), ("again.txt", TXT))
    second = plane.send(("c.csv", CSV), subject="other")
    page = plane.lists.batches(None, limit=1)
    assert [item["batch_id"] for item in page["batches"]] == [str(second.batch_id)] == [page["next_cursor"]]
    page = plane.lists.batches(None, before=second.batch_id)
    [item] = page["batches"]
    assert page["next_cursor"] is None
    assert (item["batch_id"], item["sender"], item["files"]) == (str(first.batch_id), "vendor", 3)
    assert (item["rejected"], item["duplicates"], item["bytes"]) == (1, 1, 2 * len(TXT) + len(EXE))
    assert item["states"] == {state.value: 2 * (state is State.RECEIVED) for state in State}
    assert item["stages"] == {stage.value: 2 * (stage is Stage.SCAN) for stage in Stage}
    assert item["completed_at"] is None


def test_a_sender_sees_only_their_own(plane: Plane) -> None:
    own, others = plane.send(("a.txt", TXT)), plane.send(("b.txt", TXT), subject="other")
    assert [item["batch_id"] for item in plane.lists.batches("vendor")["batches"]] == [str(own.batch_id)]
    for ask in (plane.lists.progress, plane.lists.files):
        with pytest.raises(NotFound, match="no such batch"):
            ask(others.batch_id, "vendor")
        ask(others.batch_id, None)


def test_files_are_shown_by_the_page_and_by_how_they_stand(plane: Plane) -> None:
    sent = plane.send(*((f"{n}.txt", text(n)) for n in range(4)), ("x.exe", EXE))
    plane.change(sent.files[2].doc_id, state=State.INDEXED, stage=None)
    page = plane.lists.files(sent.batch_id, None, limit=3)
    assert (names(page), page["next_cursor"]) == (["0.txt", "1.txt", "2.txt"], 2)
    page = plane.lists.files(sent.batch_id, None, after=2, limit=3)
    assert (names(page), page["next_cursor"]) == (["3.txt", "x.exe"], None)
    assert page["files"][1]["remedy"]
    assert [item["position"] for item in page["files"]] == [3, 4]
    assert names(plane.lists.files(sent.batch_id, None, states=[State.INDEXED])) == ["2.txt"]
    assert names(plane.lists.files(sent.batch_id, None, states=())) == ["x.exe"]


def test_a_plane_that_stands_still_says_why_and_guesses_no_time(plane: Plane) -> None:
    sent = plane.send(("a.txt", TXT), ("b.txt", text(1)))
    plane.change(sent.files[0].doc_id, state=State.INDEXED, stage=None, finished_at=plane.bench.clock.now())
    assert plane.lists.progress(sent.batch_id, None)["seconds_left"] == 1.0
    plane.waits = Unavailable("control_plane_unreachable", "It does not answer.", "It goes on by itself.")
    said = plane.lists.progress(sent.batch_id, None)
    assert said["seconds_left"] is None
    assert said["waits"]["code"] == "control_plane_unreachable"
    assert (said["states"]["waiting"], said["states"]["received"], said["states"]["indexed"]) == (1, 0, 1)
    assert plane.overview.show()["waiting"] == {"control_plane_unreachable": 1}


def test_documents_are_listed_newest_first(plane: Plane) -> None:
    for n in range(3):
        plane.send((f"{n}.txt", text(n)))
    page = plane.lists.documents(limit=2)
    assert names(page) == ["2.txt", "1.txt"]
    with plane.bench.store.unit_of_work() as uow:
        last = uow.listing.documents(limit=2)[-1].doc_id
    assert page["next_cursor"] == str(last)
    assert names(plane.lists.documents(before=last)) == ["0.txt"]
    plane.change(last, state=State.FAILED, needs_review=True)
    assert (
        names(plane.lists.documents(states=[State.FAILED]))
        == ["1.txt"]
        == names(plane.lists.documents(needs_review=True))
    )


def tally(state: State | None, count: int, recent: int = 0) -> FileTally:
    outcome = Outcome.REJECTED if state is None else Outcome.ACCEPTED
    return FileTally(
        batch_id=new_id(), outcome=outcome, state=state, stage=None, count=count, size=count, recent=recent
    )


@pytest.mark.parametrize(
    ("seconds", "tallies", "left"),
    [
        (300, [tally(State.RECEIVED, 30), tally(State.INDEXED, 100, 60)], 30.0),  # one a second
        (300, [tally(State.WAITING, 30), tally(State.FAILED, 9, 6)], 300.0),  # failing is an end as well
        (10, [tally(State.RECEIVED, 30), tally(State.INDEXED, 5, 5)], 60.0),  # measured over what there was of it
        (300, [tally(State.RECEIVED, 30), tally(State.INDEXED, 100)], None),  # none ended lately
        (0, [tally(State.RECEIVED, 30), tally(State.INDEXED, 1, 1)], None),
        (300, [tally(State.INDEXED, 100, 60), tally(None, 5)], 0.0),
        (300, [], 0.0),
    ],
)
def test_the_time_left_follows_the_pace_of_the_last_minute(
    seconds: float, tallies: list[FileTally], left: float | None
) -> None:
    assert timedelta(seconds=60) == WINDOW
    assert seconds_left(tallies, since=NOW, now=later(seconds)) == left


def test_a_plane_at_a_glance(plane: Plane) -> None:
    assert plane.overview.show()["storage"] == {"bytes": 0, "quota": 1 << 30, "left": 1 << 30, "share": 0.0}
    sent = plane.send(("a.txt", TXT), ("b.txt", text(1)))
    plane.change(sent.files[0].doc_id, state=State.WAITING, code="embedder_unavailable", scan_verdict="unscanned")
    plane.change(sent.files[1].doc_id, state=State.INDEXED, needs_review=True)
    said = plane.overview.show()
    assert said["documents"] == {state.value: 0 for state in State} | {"waiting": 1, "indexed": 1}
    assert (said["waiting"], said["unscanned"]) == ({"embedder_unavailable": 1}, 1)
    assert said["review"] == {"documents": 1, "passages": 0}
    assert said["storage"]["bytes"] == 2 * len(TXT) + 1
    assert said["log"]["signed_at"] is None
    plane.config = TenantConfig(storage_quota_gb=1)
    plane.change(sent.files[1].doc_id, size=3 << 30)  # stored before the quota was lowered
    room = plane.overview.room()
    assert (room["left"], room["share"]) == (0, 1.0)


def test_limits_are_said_as_the_configuration_has_them(plane: Plane) -> None:
    plane.config = TenantConfig(max_file_size_mb=2, max_batch_size=3, mime_allowlist=("text/csv", "text/plain"))
    assert plane.overview.limits() == {"file_bytes": 2 << 20, "files": 3, "formats": ["CSV", "TXT"]}


def test_no_page_is_longer_than_asked(plane: Plane) -> None:
    asked: list[Callable[..., dict[str, Any]]] = [
        plane.lists.documents,
        lambda **more: plane.lists.batches(None, **more),
    ]
    for n in range(3):
        plane.send((f"{n}.txt", text(n)))
    for ask in asked:
        for limit in (1, 2, 3):
            page = ask(limit=limit)
            assert len(next(iter(page.values()))) == limit
            assert (page["next_cursor"] is None) == (limit == 3)
