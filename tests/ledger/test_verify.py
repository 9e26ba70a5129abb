"""What a plane shows, judged: each single change of a page is found and named."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostbyte.control_plane.ledger.lines import Found, read_line, read_page
from frostbyte.control_plane.ledger.records import MAX_EVIDENCE, Finding
from frostbyte.control_plane.ledger.tree import grown, root
from frostbyte.control_plane.ledger.verify import (
    MAX_STEP,
    Problem,
    Step,
    Verified,
    judge_checkpoints,
    judge_events,
    step_end,
    too_far,
)
from frostbyte.kernel.audit import merkle
from frostbyte.kernel.audit.checkpoint import public_key
from frostbyte.kernel.canonical import canonical
from ledger.planes import SimulatedPlane, event

PLANE = SimulatedPlane().grow(9, 12, 6)
KEY = public_key(PLANE.signer.verifier_key)
NOTES = [note for _, note in PLANE.notes]
DATA = PLANE.lines(0, 27)


def points(notes: list[str] = NOTES) -> list[Any]:
    judged = judge_checkpoints(KEY, Verified(), notes, notes[-1])
    assert isinstance(judged, list)
    return judged


POINTS = points()


def judged(data: bytes) -> Step | Problem:
    return judge_events("acme", Verified(), POINTS, 27, data)


def after(size: int) -> Verified:
    """What was verified of the plane's log up to a checkpoint."""
    step = judge_events("acme", Verified(), POINTS, size, PLANE.lines(0, size))
    assert isinstance(step, Step)
    return step.after


def finding(result: object) -> Finding:
    assert isinstance(result, Problem), result
    assert 0 < len(result.evidence) <= MAX_EVIDENCE
    return result.finding


def test_what_holds_holds() -> None:
    step = judged(DATA)
    assert isinstance(step, Step)
    assert step.broken is None
    assert not step.loose
    assert b"".join(entry.line for entry in step.entries) == DATA
    assert step.after.root == PLANE.root(27)
    assert step.after.note == NOTES[-1]


def test_a_log_is_verified_in_pieces_as_in_one() -> None:
    first = after(9)
    rest = judge_events("acme", first, points(), 27, PLANE.lines(9, 27))
    assert isinstance(rest, Step)
    assert rest.after == after(27)


@given(st.integers(0, 300), st.integers(0, 300))
def test_an_edge_grows_as_the_tree_does(size: int, more: int) -> None:
    leaves = [merkle.leaf_hash(b"%d" % number) for number in range(size + more)]
    made, _ = merkle.extend(0, [], leaves)
    nodes = {(0, at): leaf for at, leaf in enumerate(leaves)} | {(level, at): value for level, at, value in made}
    edge = [nodes[position] for position in merkle.pieces(0, size)]
    assert grown(size, edge, leaves[size:]) == [nodes[position] for position in merkle.pieces(0, size + more)]
    assert root(grown(0, [], leaves)) == merkle.extend(0, [], leaves)[1]


# Each way of tampering with a page, at any place of it.


def _lines() -> list[bytes]:
    return DATA.splitlines(keepends=True)


@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
@settings(max_examples=300, deadline=None)
def test_any_changed_byte_is_found(at: int, change: int) -> None:
    data = DATA[:at] + bytes([DATA[at] ^ change]) + DATA[at + 1 :]
    assert finding(judged(data)) in (Finding.MALFORMED, Finding.GAP, Finding.FOREIGN_EVENTS, Finding.ALTERED)


@given(st.integers(0, 26), st.sampled_from(["actor", "type", "resource_id", "timestamp", "event_id", "details"]))
@settings(deadline=None)
def test_an_edited_event_is_altered(at: int, name: str) -> None:
    lines = _lines()
    value = json.loads(lines[at])
    fresh = {"timestamp": "2026-03-02T00:00:00.000000Z", "details": {}, "type": "DOCUMENT_ERASED"}
    value["event"][name] = fresh.get(name, "someone-else")
    lines[at] = canonical(value) + b"\n"
    assert finding(judged(b"".join(lines))) is Finding.ALTERED


@given(st.integers(0, 26))
def test_a_deleted_line_is_a_gap(at: int) -> None:
    lines = _lines()
    del lines[at]
    found = judged(b"".join(lines))
    assert finding(found) is Finding.GAP
    assert isinstance(found, Problem)
    assert found.position == at


@given(st.integers(0, 26), st.integers(0, 26))
def test_lines_out_of_order_are_a_gap(one: int, other: int) -> None:
    lines = _lines()
    lines[one], lines[other] = lines[other], lines[one]
    if one == other:
        assert isinstance(judged(b"".join(lines)), Step)
    else:
        assert finding(judged(b"".join(lines))) is Finding.GAP


@given(st.integers(0, 25), st.booleans())
def test_an_inserted_line_is_found(at: int, renumbered: bool) -> None:
    values = [json.loads(line) for line in _lines()]
    values.insert(at, {"event": event("acme", 999), "sequence": at})
    if renumbered:
        values = [{**value, "sequence": number} for number, value in enumerate(values)][:27]
    data = b"".join(canonical(value) + b"\n" for value in values)
    assert finding(judged(data)) is (Finding.ALTERED if renumbered else Finding.GAP)


@given(st.integers(0, len(DATA) - 1))
def test_a_truncated_page_is_found(end: int) -> None:
    whole = end == 0 or DATA[end - 1 : end] == b"\n"
    assert finding(judged(DATA[:end])) is (Finding.GAP if whole else Finding.MALFORMED)


@given(st.binary(max_size=200))
def test_garbage_is_found(data: bytes) -> None:
    assert finding(judged(data)) in (Finding.MALFORMED, Finding.GAP)
    assert read_line(data) is None


def test_more_than_was_asked_for_is_found() -> None:
    longer = SimulatedPlane().grow(28)
    assert finding(judged(longer.lines(0, 28))) is Finding.MALFORMED


def test_events_of_another_tenant_are_named() -> None:
    lines = _lines()
    lines[4] = canonical({"event": event("globex", 4), "sequence": 4}) + b"\n"
    found = judged(b"".join(lines))
    assert finding(found) is Finding.FOREIGN_EVENTS
    assert isinstance(found, Problem)
    assert found.position == 4


LINE = DATA.splitlines()[1]
NOT_CANONICAL = {
    "a space": LINE.replace(b'"actor":', b'"actor": '),
    "keys in another order": b'{"sequence":1,"event":' + LINE[9:-14] + b"}",
    "an escape that need not be": LINE.replace(b"plane", b"\\u0070lane"),
    "a key twice": LINE.replace(b'"actor":"plane"', b'"actor":"x","actor":"plane"'),
    "a key more": LINE.replace(b'"type":', b'"tzz":1,"type":'),
    "a float": LINE.replace(b'"status":"ok"', b'"status":1.5'),
    "a number as a float": LINE.replace(b'"sequence":1', b'"sequence":1.0'),
    "a NUL": LINE.replace(b"plane", b"pl\\u0000ane"),
    "a time of another form": LINE.replace(b".000000Z", b"Z"),
    "no such day": LINE.replace(b"2026-03-01", b"2026-02-31"),
    "a name that no index takes": LINE.replace(b'"type":"DOC', b'"type":"' + b"x" * 200),
    "deep nesting": LINE.replace(b'"status":"ok"', b'"status":' + b"[" * 5000 + b"]" * 5000),
    "a huge number": LINE.replace(b'"sequence":1', b'"sequence":' + b"9" * 6000),
    "no UTF-8": LINE.replace(b"plane", b"pl\xffane"),
}


@pytest.mark.parametrize("what", NOT_CANONICAL)
def test_what_is_not_canonical_is_malformed(what: str) -> None:
    lines = _lines()
    assert NOT_CANONICAL[what] != LINE
    lines[1] = NOT_CANONICAL[what] + b"\n"
    with pytest.raises(Found) as caught:
        read_page(b"".join(lines), "acme", 0, 27)
    assert (caught.value.finding, caught.value.position) == (Finding.MALFORMED, 1)


_scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(st.characters(exclude_categories=["Cs"]))


@given(st.dictionaries(st.text(st.characters(min_codepoint=33, max_codepoint=126)), _scalars | st.lists(_scalars)))
@settings(max_examples=60)
def test_the_fast_way_and_the_kernels_agree_on_what_is_canonical(details: dict[str, Any]) -> None:
    value = {"event": {**event("acme", 0), "details": details}, "sequence": 0}
    line = canonical(value)
    if b"\\u0000" in line:
        assert read_line(line) is None
    else:
        assert read_page(line + b"\n", "acme", 0, 1).entries[0].leaf == merkle.leaf_hash(canonical(value["event"]))


# Checkpoints.


def test_a_checkpoint_that_the_pinned_key_did_not_sign_is_named() -> None:
    other = SimulatedPlane(seed=8).grow(9)
    assert (
        finding(judge_checkpoints(KEY, Verified(), [other.notes[0][1]], other.notes[0][1])) is Finding.SIGNATURE_WRONG
    )


def test_a_changed_checkpoint_is_named() -> None:
    wrong = NOTES[0].replace("\n9\n", "\n8\n")
    assert finding(judge_checkpoints(KEY, Verified(), [wrong], NOTES[-1])) is Finding.SIGNATURE_WRONG


@given(st.text(min_size=1, max_size=300))
def test_what_is_no_note_is_malformed(text: str) -> None:
    assert finding(judge_checkpoints(KEY, Verified(), [text], NOTES[-1])) is Finding.MALFORMED


def test_an_older_newest_checkpoint_is_a_rollback_that_shows_both() -> None:
    found = judge_checkpoints(KEY, after(21), [], NOTES[0])
    assert finding(found) is Finding.ROLLBACK
    assert isinstance(found, Problem)
    assert NOTES[0].encode() in found.evidence
    assert NOTES[1].encode() in found.evidence


def test_a_log_that_says_it_is_empty_is_a_rollback() -> None:
    assert finding(judge_checkpoints(KEY, after(9), [], None)) is Finding.ROLLBACK
    assert judge_checkpoints(KEY, Verified(), [], None) == []


def test_two_roots_of_one_size_are_a_fork_that_shows_both() -> None:
    other = SimulatedPlane().grow(9, 12, salt="other")
    note = other.notes[1][1]
    found = judge_checkpoints(KEY, after(21), [note], note)
    assert finding(found) is Finding.FORK
    assert isinstance(found, Problem)
    assert found.evidence.count(KEY.name.encode()) == 4
    assert finding(judge_checkpoints(KEY, Verified(), [NOTES[1], note], note)) is Finding.FORK


def test_a_step_ends_at_the_last_checkpoint_within_it() -> None:
    assert step_end(Verified(), points(), most=10_000) == 27
    assert step_end(Verified(), points(), most=20) == 9
    assert step_end(Verified(), points(), most=5) == 9


def test_checkpoints_too_far_apart_are_not_followed() -> None:
    assert too_far(Verified(), points(), MAX_STEP) is None
    assert finding(too_far(Verified(), points(), MAX_STEP + 1)) is Finding.MALFORMED


# Chains.


def forged(change: Any) -> Step:
    """A page whose events were changed and then signed: the plane itself says so."""
    plane = SimulatedPlane()
    values = [event("acme", number) for number in range(6)]
    change(values)
    plane.events_ = [canonical(value) for value in values]
    plane.sign()
    step = judge_events("acme", Verified(), points([plane.notes[0][1]]), 6, plane.lines(0, 6))
    assert isinstance(step, Step)
    return step


def test_a_chain_that_does_not_hold_is_named_though_the_log_does() -> None:
    def other_input(values: Any) -> None:
        values[4]["details"]["input_hash"] = "ab" * 32

    def other_document(values: Any) -> None:
        values[4]["resource_id"] = values[0]["resource_id"]

    def continued_twice(values: Any) -> None:
        values[5]["previous_event_id"] = values[4]["previous_event_id"]

    def from_nothing(values: Any) -> None:
        values[4]["previous_event_id"] = None

    for change in (other_input, other_document, continued_twice, from_nothing):
        broken = forged(change).broken
        assert broken is not None, change
        assert broken.finding is Finding.CHAIN_BROKEN
        assert broken.position in (4, 5)


def test_an_event_numbered_before_its_predecessor_is_no_problem() -> None:
    def swapped(values: Any) -> None:
        values[0], values[1] = values[1], values[0]

    step = forged(swapped)
    assert step.broken is None
    assert not step.loose


def test_what_began_before_the_page_is_left_to_the_store() -> None:
    step = judge_events("acme", after(9), points(), 21, PLANE.lines(9, 21))
    assert isinstance(step, Step)
    assert not step.loose
    plane = SimulatedPlane().grow(4, 5)
    judged_points = points([note for _, note in plane.notes])
    first = judge_events("acme", Verified(), judged_points, 4, plane.lines(0, 4))
    assert isinstance(first, Step)
    second = judge_events("acme", first.after, judged_points, 9, plane.lines(4, 9))
    assert isinstance(second, Step)
    assert [line.sequence for line in second.loose] == [4]
