"""Promise 10: erased means erased, in the middle of any stage, and a canary is found nowhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from frostbyte.bootstrap.data import Plane
from frostbyte.data_plane.flow import ORDER
from frostbyte.data_plane.serve.search import Filters, Mode
from frostbyte.kernel.errors import FrostbyteError, NotFound
from frostbyte.kernel.records import Stage, State

pytestmark = pytest.mark.slow

CANARY = "Quagsworthian heliotrope"
TEXT = f"1. Storage\n\nThe {CANARY} samples are kept at minus eighty degrees in the reserve freezer.\n" * 3
NAME = "zanzibaric-ledger.txt"

Send = Callable[..., UUID]
Settle = Callable[[], None]


def asked(plane: Plane, query: str) -> list[dict[str, Any]]:
    answer = plane.answers.answer(query, top_k=5, filters=Filters(), mode=Mode.HYBRID, actor="tester")
    found: list[dict[str, Any]] = answer["results"]
    return found


def hiding_places(plane: Plane) -> list[str]:
    """Every file of the plane that holds the canary: as it lies there, and opened with every key that is left."""
    folder = Path(plane.settings.data_dir)
    needles = [CANARY.encode(), NAME.encode(), b"zanzibaric"]
    found = [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and any(needle in path.read_bytes() for needle in needles)
    ]
    keys = []
    for name in plane.vault.blobs.names("keys/"):
        keys.append(plane.vault.load_key(name))
    for prefix in ("raw/", "normalized/"):
        for name in plane.vault.blobs.names(prefix):
            for key in keys:
                try:
                    opened = plane.vault.get(name, key)
                except FrostbyteError:
                    continue
                if any(needle in opened for needle in needles):
                    found.append(name)
    return found


def test_nothing_of_an_erased_document_is_left(plane: Plane, send: Send, settle: Settle) -> None:
    doc_id = send(NAME, TEXT.encode())
    other = send("other.txt", b"1. Travel\n\nTravel costs are refunded within thirty days of the journey.\n")
    settle()
    assert asked(plane, CANARY)[0]["doc_id"] == str(doc_id)
    assert hiding_places(plane), "while the document is there, its own key opens it"

    receipt = plane.erasure.erase(doc_id, actor="officer", reason="request")
    settle()

    assert receipt["key_destroyed_at"]
    assert receipt["vectors"]["status"] == "pending"
    assert hiding_places(plane) == []
    assert str(doc_id) not in {item["doc_id"] for item in asked(plane, CANARY)}
    assert plane.ports.vectors.count(doc_id) == 0
    assert plane.documents.row(other).state is State.INDEXED
    row = plane.documents.row(doc_id)
    assert (row.state, row.sealed_name, row.active_generation) == (State.ERASED, b"", "")
    assert plane.documents.summary(row)["filename"] == ""
    again = plane.erasure.erase(doc_id, actor="officer", reason="request")
    assert again["erasure_id"] == receipt["erasure_id"]


def test_the_receipt_names_exports_that_held_the_document(plane: Plane, send: Send, settle: Settle) -> None:
    doc_id = send(NAME, TEXT.encode())
    settle()
    plane.export.page(format="jsonl", cursor=None, limit=10, actor="partner")
    receipt = plane.erasure.erase(doc_id, actor="officer", reason="request")
    assert [item["actor"] for item in receipt["exports"]] == ["partner"]


@pytest.mark.parametrize("stage", ORDER)
def test_erasure_in_the_middle_of_a_stage_wins(
    plane: Plane, send: Send, settle: Settle, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    doc_id = send(NAME, TEXT.encode())
    work: Any = plane.flow._stages[stage]

    def interrupted(given: Any) -> Any:
        outcome = work(given)
        plane.erasure.erase(doc_id, actor="officer", reason="request")
        return outcome

    monkeypatch.setitem(plane.flow._stages, stage, interrupted)
    settle()
    assert plane.documents.row(doc_id).state is State.ERASED
    assert asked(plane, CANARY) == []
    with plane.store.unit_of_work() as uow:
        assert uow.jobs.get(doc_id) is None
        assert uow.chunks.of_document(doc_id, plane.documents.row(doc_id).generation) == []
    assert hiding_places(plane) == []


def test_a_kill_between_decision_and_key_is_resumed(
    plane: Plane, send: Send, settle: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    doc_id = send(NAME, TEXT.encode())
    settle()
    with monkeypatch.context() as patch:
        patch.setattr(plane.vault, "destroy_key", lambda name: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            plane.erasure.erase(doc_id, actor="officer", reason="request")
    assert plane.documents.row(doc_id).state is State.ERASED
    assert hiding_places(plane)
    plane.erasure.resume()
    assert hiding_places(plane) == []


def test_the_same_file_may_come_again(plane: Plane, send: Send, settle: Settle) -> None:
    doc_id = send(NAME, TEXT.encode())
    settle()
    first = plane.documents.row(doc_id).incarnation
    plane.erasure.erase(doc_id, actor="officer", reason="request")
    assert send(NAME, TEXT.encode()) == doc_id
    settle()
    plane.erasure.resume()
    row = plane.documents.row(doc_id)
    assert row.state is State.INDEXED
    assert row.incarnation > first
    assert asked(plane, CANARY)[0]["doc_id"] == str(doc_id)


def test_an_unknown_document_cannot_be_erased(plane: Plane) -> None:
    with pytest.raises(NotFound):
        plane.erasure.erase(UUID(int=5), actor="officer", reason="request")
