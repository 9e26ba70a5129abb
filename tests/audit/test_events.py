"""What an event may say, how a chain is made, and the bytes that are hashed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostbyte.cli import verifier
from frostbyte.kernel.audit.events import DETAILS, EventType, checked_details, event_bytes, event_leaf, make_event
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.records import EventRow

SOMETHING_SECRET = "Dear Mr Miller, the invoice"

ALLOWED: dict[str, Any] = {
    "component": "scan",
    "duration_ms": 12,
    "engine": "ClamAV 1.4.3/27800",
    "pipeline_version": "frostbyte-parse/1.0+rules.3",
    "output_hash": "ab" * 32,
    "generation": "0123456789abcdef",
    "chunk_id": UUID(int=5),
    "chunk_ids": (str(UUID(int=5)),),
    "pii_type": "DE_TAX_ID",
    "mime": "application/pdf",
    "changed": ["top_k", "pii_policy"],
    "remote": False,
}


def test_ids_numbers_codes_and_versions_are_taken() -> None:
    details = checked_details(ALLOWED)
    assert details["engine"] == "ClamAV_1.4.3/27800"
    assert details["chunk_id"] == "00000000-0000-0000-0000-000000000005"
    json.dumps(details)


@pytest.mark.parametrize("key", sorted(DETAILS))
def test_no_detail_takes_a_sentence(key: str) -> None:
    for value in (SOMETHING_SECRET, SOMETHING_SECRET.lower(), [SOMETHING_SECRET], {"text": SOMETHING_SECRET}, 1.5):
        with pytest.raises(Invalid) as error:
            checked_details({key: value})
        assert error.value.code == "audit_event_refused"
        assert "Miller" not in error.value.message


def test_unknown_keys_are_refused_without_repeating_them() -> None:
    with pytest.raises(Invalid) as error:
        checked_details({"file name of Mr Miller": 1})
    assert "Miller" not in error.value.message


@pytest.mark.parametrize("bad", [-1, 2**53, True, "1", None])
def test_integers_are_integers_that_every_reader_keeps(bad: object) -> None:
    with pytest.raises(Invalid):
        checked_details({"count": bad})


@pytest.mark.parametrize(
    ("actor", "resource_type", "resource_id"),
    [(SOMETHING_SECRET, "document", "x"), ("plane", "Some thing", "x"), ("plane", "document", "my file.pdf \u00e4")],
)
def test_actor_and_resource_are_no_free_text_either(
    plane: Any, actor: str, resource_type: str, resource_id: str
) -> None:
    with pytest.raises(Invalid):
        make_event("acme", EventType.SOURCE_READ, plane.clock, actor, resource_type, resource_id, {})


def test_a_documents_events_chain(plane: Any) -> None:
    first, second, third = plane.chain()
    assert first.previous_event_id is None
    assert "input_hash" not in first.details
    assert (second.previous_event_id, third.previous_event_id) == (first.event_id, second.event_id)
    assert second.details["input_hash"] == second.details["output_hash"] == first.details["output_hash"]
    assert third.details["input_hash"] == second.details["output_hash"] != third.details["output_hash"]


def test_every_type_of_the_design_is_there_once() -> None:
    names = {item.value for item in EventType}
    assert (
        len(names) == 86
    )  # with those of dead letters, keys, people, webhooks, the ledger, provisioning, exports and upkeep
    assert EventType.PARSE_FAILED is EventType.DOCUMENT_PARSE_FAILED
    assert {"BATCH_RECEIVED", "PLANE_RESTORED", "TENANT_ABANDONED", "DOCUMENT_PARSE_FAILED"} <= names


@settings(max_examples=50, deadline=None)
@given(
    moment=st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2100, 1, 1)),
    count=st.integers(0, 2**53 - 1),
    previous=st.none() | st.uuids(),
)
def test_the_verifier_hashes_the_same_bytes(moment: datetime, count: int, previous: UUID | None) -> None:
    event = EventRow(
        event_id=UUID(int=7),
        tenant_id="acme",
        type="PII_DETECTED",
        timestamp=moment.replace(tzinfo=UTC),
        actor="plane",
        resource_type="document",
        resource_id="d",
        details={"count": count, "action": "redact"},
        previous_event_id=previous,
    )
    data = event_bytes(event)
    assert verifier.canonical(json.loads(data)) == data
    assert verifier.leaf_hash(data) == event_leaf(event)
