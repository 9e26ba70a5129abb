"""Withheld passages stay unfound until a reviewer releases them; the account moves and still closes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from frostbyte.bootstrap.data import Plane
from frostbyte.cli import verifier
from frostbyte.data_plane.document import Account
from frostbyte.data_plane.serve.search import Filters, Mode
from frostbyte.kernel.errors import Conflict, NotFound
from frostbyte.kernel.records import State

pytestmark = pytest.mark.slow

SAMPLES = Path(__file__).parents[2] / "samples"
Send = Callable[..., UUID]
Settle = Callable[[], None]


def passages(plane: Plane, query: str) -> set[str]:
    answer = plane.answers.answer(query, top_k=20, filters=Filters(), mode=Mode.HYBRID, actor="tester")
    return {item["chunk_id"] for item in answer["results"]}


def account(plane: Plane, doc_id: UUID) -> Account:
    import msgspec

    return msgspec.convert(plane.documents.row(doc_id).account, Account)


@pytest.fixture
def injected(plane: Plane, send: Send, settle: Settle) -> UUID:
    doc_id = send("supplier-note.pdf", (SAMPLES / "supplier-note.pdf").read_bytes())
    settle()
    return doc_id


def test_a_withheld_passage_is_found_only_after_its_release(plane: Plane, injected: UUID, settle: Settle) -> None:
    queue = plane.review.queue()["chunks"]
    assert len(queue) == 1
    held = queue[0]
    before = account(plane, injected)
    assert before.closes
    assert before.characters.withheld > 0
    assert held["chunk_id"] not in passages(plane, held["text"])
    with pytest.raises(NotFound):
        plane.documents.shown_chunk(UUID(held["chunk_id"]))
    assert held["text"].strip()[:20] not in plane.documents.markdown(injected)

    plane.review.release(UUID(held["chunk_id"]), actor="reviewer")
    settle()

    after = account(plane, injected)
    assert after.closes
    assert after.characters.withheld == 0
    assert after.characters.found == before.characters.found
    assert held["chunk_id"] in passages(plane, held["text"])
    assert plane.review.queue()["chunks"] == []
    chain = plane.record.chain(str(injected))["events"]
    assert chain[-1]["type"] == "CONTENT_RELEASED"
    assert chain[-1]["actor"] == "reviewer"
    with pytest.raises(Conflict):
        plane.review.release(UUID(held["chunk_id"]), actor="reviewer")


def test_the_proof_of_a_released_passage_holds(plane: Plane, injected: UUID, settle: Settle) -> None:
    chunk_id = UUID(plane.review.queue()["chunks"][0]["chunk_id"])
    plane.review.release(chunk_id, actor="reviewer")
    settle()
    proof: dict[str, Any] = json.loads(json.dumps(plane.proofs.chunk(chunk_id, source=False, actor="tester")))
    verdict = verifier.verify_proof(proof, plane.signer.verifier_key)
    assert verdict.ok, verdict
    proof["answer"]["text"] += "."
    assert not verifier.verify_proof(proof, plane.signer.verifier_key).ok


def test_a_reviewer_names_a_class(plane: Plane, injected: UUID) -> None:
    plane.review.classify(injected, "correspondence", actor="reviewer")
    row = plane.documents.row(injected)
    assert (row.classification, row.needs_review) == ("correspondence", False)
    assert str(injected) not in {item["doc_id"] for item in plane.review.queue()["documents"]}


def test_the_queue_says_between_what_an_uncertain_class_wavers(plane: Plane, send: Send, settle: Settle) -> None:
    doc_id = send("note.txt", b"INVOICE\nCONTRACT\n")
    settle()
    (item,) = [item for item in plane.review.queue()["documents"] if item["doc_id"] == str(doc_id)]
    assert {item["classification"], item["second"]} == {"invoice", "contract"}
    assert item["class_confidence"] >= item["second_confidence"] > 0.1
    assert item["reasons"]


def test_a_failed_document_is_tried_again(
    plane: Plane, send: Send, settle: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    from frostbyte.kernel.errors import StageFailed

    def broken(*_: Any, **__: Any) -> Any:
        raise StageFailed("damaged", "It is broken.", "Send another.")

    with monkeypatch.context() as patch:
        patch.setattr(plane.ports.reader, "parse", broken)
        doc_id = send("note.txt", b"A note about the delivery of forty boxes in March.\n")
        settle()
    row = plane.documents.row(doc_id)
    assert (row.state, row.code) == (State.FAILED, "damaged")
    plane.review.retry(doc_id, actor="reviewer")
    settle()
    assert plane.documents.row(doc_id).state is State.INDEXED
    assert plane.record.chain(str(doc_id))["events"][0]["type"] == "DOCUMENT_INGESTED"
