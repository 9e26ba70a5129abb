"""Legal holds and retention over HTTP, on a real plane."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from frostbyte.data_plane.lifecycle import retention
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.tokens import Scope

Refused = Callable[[Any, int, str], dict[str, Any]]
HOLD = {"matter": "2026-0147", "reason": "litigation"}


def placed(api: Any, **said: Any) -> dict[str, Any]:
    answer = api.call("POST", "/holds", json=HOLD | said)
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_a_held_document_stays_until_its_hold_is_released(api: Any, refused: Refused) -> None:
    item = api.indexed("held.txt", f"Kept for the matter {new_id()}".encode())
    hold = placed(api, doc_ids=[item["doc_id"]])
    body = refused(api.call("DELETE", f"/documents/{item['doc_id']}"), 409, "document_held")
    assert HOLD["matter"] not in str(body), "who may erase need not know of the matter"
    assert api.call("GET", f"/documents/{item['doc_id']}").json()["state"] == "indexed"
    path = f"/holds/{hold['hold_id']}"
    refused(api.call("DELETE", path), 422, "request_invalid")
    refused(api.call("DELETE", f"{path}?reason=because"), 422, "request_invalid")
    released = api.call("DELETE", f"{path}?reason=closed")
    assert released.status_code == 200, released.text
    assert released.json()["released_by"] == "tester"
    assert api.call("GET", path).json() == released.json()
    refused(api.call("DELETE", f"{path}?reason=closed"), 409, "hold_released")
    assert api.call("DELETE", f"/documents/{item['doc_id']}").status_code == 200
    refused(api.call("POST", "/holds", json=HOLD | {"doc_ids": [item["doc_id"]]}), 409, "document_erased")


def test_holds_are_listed_and_audited(api: Any, contract: Any) -> None:
    hold = placed(api, doc_ids=[contract["doc_id"]], reason="regulator")
    found = api.call("GET", f"/holds?doc_id={contract['doc_id']}").json()["holds"]
    assert hold in found
    assert hold not in api.call("GET", f"/holds?doc_id={new_id()}").json()["holds"]
    api.call("DELETE", f"/holds/{hold['hold_id']}?reason=mistake")
    assert api.call("GET", f"/holds?doc_id={contract['doc_id']}").json()["holds"] == []
    assert len(api.call("GET", f"/holds?doc_id={contract['doc_id']}&released=true").json()["holds"]) == 1
    while api.plane.sequencer.run_once():
        pass
    events = api.call("GET", f"/audit/events?resource_id={hold['hold_id']}").json()["events"]
    told = [(item["type"], item["actor"], item["details"]["reason"]) for item in events]
    assert told == [("HOLD_PLACED", "tester", "regulator"), ("HOLD_RELEASED", "tester", "mistake")]


@pytest.mark.parametrize(
    ("said", "status", "code"),
    [
        ({"matter": "Smith against Jones", "everything": True}, 422, "hold_matter"),
        ({"reason": "because", "everything": True}, 422, "request_invalid"),
        ({}, 422, "hold_scope"),
        ({"doc_ids": [str(UUID(int=7))], "everything": True}, 422, "hold_scope"),
        ({"doc_ids": [str(UUID(int=7))]}, 404, "document_not_found"),
        ({"doc_ids": ["7"]}, 422, "request_invalid"),
        ({"everything": True, "tenant_id": "other"}, 422, "request_invalid"),
    ],
)
def test_what_is_no_hold(api: Any, refused: Refused, said: dict[str, Any], status: int, code: str) -> None:
    refused(api.call("POST", "/holds", json=HOLD | said), status, code)
    assert api.plane.holds.page()["in_force"] == 0


def test_who_may_look_may_not_release(api: Any, contract: Any, refused: Refused) -> None:
    hold = placed(api, doc_ids=[contract["doc_id"]])
    auditor = api.token(Scope.AUDIT)
    assert api.call("GET", f"/holds/{hold['hold_id']}", token=auditor).status_code == 200
    for scope in (Scope.AUDIT, Scope.ERASE, Scope.REVIEW):
        path = f"/holds/{hold['hold_id']}?reason=closed"
        refused(api.call("DELETE", path, token=api.token(scope)), 403, "scope_missing")
    assert api.call("DELETE", f"/holds/{hold['hold_id']}?reason=closed").status_code == 200


def test_what_is_old_is_planned_erased_and_shown(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # The plane's own loop may have had its run of today already.
    monkeypatch.setattr(retention, "EVERY", timedelta(0))
    item = api.indexed("old.txt", f"From long ago {new_id()}".encode())
    doc_id, plane = UUID(item["doc_id"]), api.plane
    with plane.store.unit_of_work() as uow:
        row = uow.documents.get(doc_id, lock=True)
        uow.documents.put(replace(row, received_at=datetime.now(UTC) - timedelta(days=2600)))
        uow.commit()
    told = api.call("GET", "/retention/plan").json()
    assert (told["due"], [each["doc_id"] for each in told["documents"]]) == (1, [str(doc_id)])
    assert api.call("GET", "/retention/plan?days=3000").json()["due"] == 0
    assert api.call("GET", "/retention/plan?days=3000&ahead=500").json()["due"] == 1
    plane.retention.turn()
    assert api.call("GET", f"/documents/{doc_id}").json()["state"] == "erased"
    [run] = [each for each in api.call("GET", "/retention/runs").json()["runs"] if each["erased"]]
    assert (run["erased"], run["held"], run["remaining"]) == (1, 0, 0)
    [erasure] = api.call("GET", f"/retention/runs/{run['run_id']}").json()["erasures"]
    receipt = api.call("GET", f"/erasures/{erasure['erasure_id']}").json()
    assert (receipt["doc_id"], receipt["reason"], receipt["actor"]) == (str(doc_id), "retention", "plane")


def test_which_day_it_is(api: Any, refused: Refused) -> None:
    today = datetime.now(UTC).date()
    wrong = {"today": str(today - timedelta(days=30))}
    refused(api.call("POST", "/retention/clock", json=wrong), 409, "clock_not_today")
    answer = api.call("POST", "/retention/clock", json={"today": str(today)})
    assert answer.status_code == 200
    assert answer.json()["believed_at"][:10] in {str(today), str(today + timedelta(days=1))}


def test_an_unknown_hold_or_run(api: Any, refused: Refused) -> None:
    refused(api.call("GET", f"/holds/{new_id()}"), 404, "hold_not_found")
    refused(api.call("DELETE", f"/holds/{new_id()}?reason=closed"), 404, "hold_not_found")
    refused(api.call("GET", f"/retention/runs/{new_id()}"), 404, "run_not_found")
