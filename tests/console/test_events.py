"""The audit in sentences: every type that a plane writes has one, and none holds more than an event does."""

from __future__ import annotations

import re
from typing import Any

import pytest

from frostbyte.console import events, reviewing
from frostbyte.data_plane.lifecycle.holds import Reason, ReleaseReason
from frostbyte.data_plane.review import CLASSES, REASONS
from frostbyte.kernel.audit.events import DETAILS, EventType

CASES: list[tuple[str, dict[str, Any], str]] = [
    ("BATCH_RECEIVED", {"files": 1}, "An upload of 1 file came in."),
    ("BATCH_COMPLETED", {"indexed": 5, "rejected": 1, "failed": 0}, "An upload ended, 5 indexed, 1 refused."),
    ("BATCH_COMPLETED", {"files": 0}, "An upload ended."),
    ("DOCUMENT_PARSED", {"pages": 1}, "It was read: 1 page."),
    ("DOCUMENT_PARSED", {"pages": 1200}, "It was read: 1,200 pages."),
    ("RETRIEVAL_EXECUTED", {"results": 0, "mode": "hybrid"}, "A question was answered with 0 passages (hybrid)."),
    ("CONTENT_WITHHELD", {"reason": "attack", "status": "kept"}, "A passage was withheld: attack (kept)."),
    ("DOCUMENT_REJECTED", {"code": "unsupported_type"}, "A file was refused: unsupported type."),
    ("HOLD_PLACED", {"matter": "A_7", "reason": "regulator"}, "A legal hold was placed for A_7: regulator."),
    ("TOKEN_MINTED", {"subject": "a_b", "scopes": ["x", "y"]}, "A token was given out for a_b: x, y."),
    ("SIGN_IN_REFUSED", {"code": "sign_in_wrong"}, "A sign-in was refused: sign in wrong."),
    ("SOMETHING_NEW", {"code": "x"}, "Something new."),
]  # fmt: skip


@pytest.mark.parametrize(("type", "details", "said"), CASES)
def test_what_an_event_says(type: str, details: dict[str, Any], said: str) -> None:
    assert events.sentence(type, details) == said


def test_every_type_that_a_plane_writes_has_a_sentence() -> None:
    of_control = ("TENANT_", "PROJECT_", "RUN_", "RESOURCE_", "VOLUME_", "ORPHAN_", "SUPPORT_", "LEDGER_")
    wanted = {type for type in EventType if not type.startswith(of_control)}
    assert wanted - set(events.SENTENCES) == set()


def test_a_sentence_asks_for_nothing_that_an_event_cannot_hold() -> None:
    for pattern in events.SENTENCES.values():
        assert {name for name, _ in re.findall(r"\{([a-z_]+)(:[a-z]+)?\}", pattern)} <= set(DETAILS), pattern


def test_each_type_stands_in_one_group() -> None:
    named = [value for items in events.types().values() for value, _ in items]
    assert sorted(named) == sorted(events.SENTENCES)


def test_every_code_that_is_on_record_has_words() -> None:
    assert tuple(reviewing.CLASSES) == CLASSES
    kinds = {"release": reviewing.RELEASE, "keep": reviewing.KEEP, "classify": reviewing.CLASSIFY}
    assert {name: tuple(words) for name, words in kinds.items()} == REASONS
    assert list(reviewing.HELD) == [reason.value for reason in Reason]
    assert list(reviewing.FREED) == [reason.value for reason in ReleaseReason]
