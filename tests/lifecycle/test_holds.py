"""A hold is placed for a matter, covers what it says, and is released once; the log tells all of it and no story."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from frostbyte.data_plane.lifecycle.holds import MOST, Reason, ReleaseReason
from frostbyte.kernel.errors import Conflict, FrostbyteError, NotFound
from frostbyte.kernel.ids import new_id
from lifecycle.conftest import Keeping


def placed(plane: Keeping, *doc_ids: UUID, **said: Any) -> UUID:
    values: dict[str, Any] = {"matter": "2026-0147", "reason": Reason.LITIGATION, "actor": "counsel"} | said
    shown = plane.holds.place(values.pop("matter"), values.pop("reason"), doc_ids=doc_ids, **values)
    return UUID(shown["hold_id"])


def code_of(call: Any) -> str:
    with pytest.raises(FrostbyteError) as caught:
        call()
    return caught.value.code


def test_a_held_document_is_not_erased_until_the_last_hold_is_released(plane: Keeping) -> None:
    doc_id, other = plane.document(), plane.document()
    first, second = placed(plane, doc_id), placed(plane, doc_id, other, matter="A/12-7")
    for hold in (first, second):
        assert code_of(lambda: plane.erasure.erase(doc_id, actor="officer", reason="request")) == "document_held"
        assert plane.erased(doc_id) == [False]
        plane.holds.release(hold, ReleaseReason.CLOSED, actor="chief")
    assert plane.erasure.erase(doc_id, actor="officer", reason="request")["key_destroyed_at"]
    assert plane.erased(doc_id, other) == [True, False]
    assert len(plane.events("DOCUMENT_ERASED")) == 1, "what was refused is not in the document's chain"


def test_a_hold_on_everything_covers_what_comes_later(plane: Keeping) -> None:
    hold = placed(plane, everything=True)
    doc_id = plane.document()
    assert code_of(lambda: plane.erasure.erase(doc_id, actor="officer", reason="request")) == "document_held"
    plane.holds.release(hold, ReleaseReason.WITHDRAWN, actor="chief")
    plane.erasure.erase(doc_id, actor="officer", reason="request")
    assert plane.erased(doc_id) == [True]


def test_who_asks_again_for_what_is_erased_gets_its_receipt_though_all_is_held(plane: Keeping) -> None:
    doc_id = plane.document()
    receipt = plane.erasure.erase(doc_id, actor="officer", reason="request")
    placed(plane, everything=True)
    assert plane.erasure.erase(doc_id, actor="officer", reason="request")["erasure_id"] == receipt["erasure_id"]


def test_the_log_tells_of_both_moments(plane: Keeping) -> None:
    doc_id = plane.document()
    hold = placed(plane, doc_id)
    plane.holds.release(hold, ReleaseReason.MISTAKE, actor="chief")
    first, second = plane.events("HOLD_PLACED", "HOLD_RELEASED")
    assert (first.actor, first.resource_type, first.resource_id) == ("counsel", "hold", str(hold))
    assert first.details == {
        "component": "lifecycle",
        "hold_id": str(hold),
        "matter": "2026-0147",
        "reason": "litigation",
        "kind": "documents",
        "documents": 1,
        "doc_ids": [str(doc_id)],
        "status": "placed",
    }
    assert (second.type, second.actor, second.details["reason"]) == ("HOLD_RELEASED", "chief", "mistake")


def test_released_is_released(plane: Keeping) -> None:
    hold = placed(plane, plane.document())
    shown = plane.holds.release(hold, ReleaseReason.CLOSED, actor="chief")
    assert (shown["in_force"], shown["released_by"], shown["release_reason"]) == (False, "chief", "closed")
    assert code_of(lambda: plane.holds.release(hold, ReleaseReason.MISTAKE, actor="x")) == "hold_released"
    assert plane.holds.show(hold) == shown
    assert code_of(lambda: plane.holds.release(new_id(), ReleaseReason.CLOSED, actor="x")) == "hold_not_found"
    assert code_of(lambda: plane.holds.show(new_id())) == "hold_not_found"
    assert len(plane.events("HOLD_RELEASED")) == 1


@pytest.mark.parametrize(
    "matter", ["", "Smith against Jones", "smith", "2026 0147", "2026-0147\n", "x" * 64 + "1", "-7", "§7", "٣a"]
)
def test_a_matter_is_a_reference(plane: Keeping, matter: str) -> None:
    doc_id = plane.document()
    assert code_of(lambda: placed(plane, doc_id, matter=matter)) == "hold_matter"


def test_what_a_hold_may_cover(plane: Keeping) -> None:
    doc_id = plane.document()
    assert code_of(lambda: placed(plane)) == "hold_scope"
    assert code_of(lambda: placed(plane, doc_id, everything=True)) == "hold_scope"
    assert code_of(lambda: placed(plane, *(new_id() for _ in range(MOST + 1)))) == "hold_scope"
    many = [plane.document() for _ in range(MOST)]
    assert len(plane.holds.show(placed(plane, *many))["doc_ids"]) == MOST


def test_nothing_is_held_where_one_document_is_not_there(plane: Keeping) -> None:
    doc_id, gone = plane.document(), plane.document()
    plane.erasure.erase(gone, actor="officer", reason="request")
    with pytest.raises(NotFound):
        placed(plane, doc_id, new_id())
    with pytest.raises(Conflict) as caught:
        placed(plane, doc_id, gone)
    assert caught.value.code == "document_erased"
    assert str(gone) in caught.value.message
    assert plane.holds.page()["in_force"] == 0
    assert plane.events("HOLD_PLACED") == []


def test_pages_of_holds(plane: Keeping) -> None:
    doc_id, other = plane.document(), plane.document()
    holds = [placed(plane, doc_id), placed(plane, other), placed(plane, everything=True)]
    plane.holds.release(holds[0], ReleaseReason.CLOSED, actor="chief")
    assert [item["hold_id"] for item in plane.holds.page()["holds"]] == [str(hold) for hold in holds[1:]]
    assert [item["hold_id"] for item in plane.holds.page(released=True)["holds"]] == [str(hold) for hold in holds]
    assert [item["hold_id"] for item in plane.holds.page(doc_id=doc_id)["holds"]] == [str(holds[2])]
    first = plane.holds.page(limit=1)
    assert (first["in_force"], first["cursor"]) == (2, str(holds[1]))
    rest = plane.holds.page(limit=1, after=UUID(first["cursor"]))
    assert ([item["hold_id"] for item in rest["holds"]], rest["cursor"]) == ([str(holds[2])], None)
