"""Promise 2: no gate fails open. And what is redacted is redacted everywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from frostbyte.bootstrap.data import Plane, build
from frostbyte.data_plane import artefacts
from frostbyte.data_plane.flow import Flow
from frostbyte.data_plane.serve.search import Filters, Mode
from frostbyte.kernel.errors import Invalid, Unavailable
from frostbyte.kernel.ports.scanner import ScanResult, Verdict
from frostbyte.kernel.records import State
from frostbyte.kernel.settings import load

pytestmark = pytest.mark.slow

Send = Callable[..., UUID]
Settle = Callable[[], None]
NOTE = b"1. Delivery\n\nForty boxes of glass arrive at the north gate on Tuesday morning.\n"


class Scanner:
    stand_in = False

    def __init__(self, verdict: Verdict | None) -> None:
        self.verdict = verdict

    def scan(self, chunks: Iterable[bytes]) -> ScanResult:
        if self.verdict is None:
            raise Unavailable("scanner_unavailable", "The scanner does not answer.", "Start it.")
        for _ in chunks:
            pass
        return ScanResult(verdict=self.verdict, engine="fake/1", signature="Test", reason="size_limit")

    def signatures_made_at(self) -> datetime | None:
        return datetime.now(UTC)

    def check(self, max_file_size: int) -> None:
        pass


def with_ports(plane: Plane, **changes: Any) -> None:
    plane.ports = replace(plane.ports, retry_scale=0.0, **changes)
    plane.flow = Flow(plane.ports)
    plane.runner.leases.run = plane.flow.run


def found(plane: Plane, query: str) -> list[Any]:
    answer = plane.answers.answer(query, top_k=5, filters=Filters(), mode=Mode.LEXICAL, actor="tester")
    results: list[Any] = answer["results"]
    return results


def test_without_a_scanner_documents_wait_visibly_and_go_on_by_themselves(plane: Plane, send: Send) -> None:
    scanner = Scanner(None)
    with_ports(plane, scanner=scanner, allow_unscanned=False)
    doc_id = send("note.txt", NOTE)
    for _ in range(6):  # an outage costs no attempt
        plane.runner.run_one()
    row = plane.documents.row(doc_id)
    assert (row.state, row.code) == (State.WAITING, "scanner_unavailable")
    scanner.verdict = Verdict.CLEAN
    while plane.runner.run_one():
        pass
    row = plane.documents.row(doc_id)
    assert (row.state, row.scan_verdict, row.code) == (State.INDEXED, "clean", "")


def test_unscanned_is_not_clean(plane: Plane, send: Send) -> None:
    with_ports(plane, scanner=Scanner(Verdict.UNSCANNED), allow_unscanned=False)
    doc_id = send("note.txt", NOTE)
    plane.runner.run_one()
    row = plane.documents.row(doc_id)
    assert (row.state, row.code) == (State.WAITING, "scan_limit_exceeded")


def test_malware_is_locked_away(plane: Plane, send: Send, settle: Settle) -> None:
    with_ports(plane, scanner=Scanner(Verdict.INFECTED), allow_unscanned=False)
    doc_id = send("note.txt", NOTE)
    settle()
    row = plane.documents.row(doc_id)
    assert (row.state, row.code) == (State.QUARANTINED, "malware_found")
    assert found(plane, "glass") == []


@pytest.mark.parametrize("vector", [[0.0] * 384, [float("nan")] * 384, [1.0] * 3])
def test_an_unusable_vector_is_never_indexed(plane: Plane, send: Send, vector: list[float]) -> None:
    class Broken:
        spec, remote, label = plane.ports.embedder.spec, False, "broken"

        def documents(self, texts: Any) -> list[list[float]]:
            return [vector for _ in texts]

        def query(self, text: str) -> list[float]:
            return vector

    with_ports(plane, embedder=Broken())
    doc_id = send("note.txt", NOTE)
    for _ in range(6):
        plane.runner.run_one()
    row = plane.documents.row(doc_id)
    assert (row.state, row.code) == (State.WAITING, "embedder_unavailable")
    assert plane.ports.vectors.count() == 0


def test_a_document_that_breaks_a_stage_ends_failed_after_its_attempts(plane: Plane, send: Send) -> None:
    class Breaking:
        def parse(self, *_: Any, **__: Any) -> Any:
            raise RuntimeError("secret words of a document")

        picture = close = parse

    reader = plane.ports.reader
    with_ports(plane, reader=Breaking())
    doc_id = send("note.txt", NOTE)
    for _ in range(8):
        plane.runner.run_one()
    row = plane.documents.row(doc_id)
    assert (row.state, row.code) == (State.FAILED, "internal_error")
    assert "secret words" not in row.message
    plane.ports = replace(plane.ports, reader=reader)


@pytest.mark.parametrize("mode", ["offline", "online"])
def test_production_refuses_stand_ins(mode: str, tmp_path: Path) -> None:
    with pytest.raises(Invalid) as refused:
        build(load({"FROSTBYTE_DATA_DIR": str(tmp_path / "p"), "FROSTBYTE_MODE": mode}))
    assert refused.value.code == "stand_in_refused"


def test_named_stand_ins_never_let_the_unscanned_pass_in_production(tmp_path: Path) -> None:
    named = {"FROSTBYTE_MODE": "offline", "FROSTBYTE_STANDINS": "scanner,vectors,database,objects,queue,embedder"}
    plane = build(load({"FROSTBYTE_DATA_DIR": str(tmp_path / "p"), **named}))
    try:
        assert any("NOT FOR PRODUCTION" in text for text in plane.health()["warnings"])
        assert not plane.ports.allow_unscanned
    finally:
        plane.close()


def test_personal_data_leaves_no_trace_in_what_is_shown(plane: Plane, send: Send, settle: Settle) -> None:
    mail, number = "erika.q.musterfrau@example.org", "536-22-8175"
    text = f"1. Contact\n\nErika can be reached at {mail}. Her social security number is {number}.\n".encode()
    doc_id = send("contact.txt", text)
    settle()
    row = plane.documents.row(doc_id)
    assert row.state is State.INDEXED
    assert row.account is not None
    assert row.account["characters"]["redacted"] == len(mail) + len(number)
    key = plane.vault.load_key(row.key_object)
    for kind in (artefacts.CLEARED, artefacts.VIEW, artefacts.CHUNKS):
        stored = plane.documents.artefacts.get(row, row.active_generation, kind, key)
        assert mail.encode() not in stored
        assert number.encode() not in stored
    shown = plane.documents.markdown(doc_id) + str(plane.documents.json(doc_id)) + str(found(plane, "social security"))
    assert mail not in shown
    assert number not in shown
    assert "[EMAIL]" in shown
    assert "[SSN]" in shown
    assert found(plane, mail) == [] or mail not in str(found(plane, mail))
    events = str(plane.record.events(limit=500))
    assert mail not in events
    assert "PII_DETECTED" in events


def test_a_blocked_document_is_quarantined(plane: Plane, send: Send, settle: Settle) -> None:
    plane.configuration.change({"pii_policy": "block"}, expected=0, actor="admin")
    doc_id = send("contact.txt", b"Write to erika.q.musterfrau@example.org for the keys of the archive.\n")
    settle()
    row = plane.documents.row(doc_id)
    assert (row.state, row.code) == (State.QUARANTINED, "pii_blocked")
    assert found(plane, "archive") == []


def test_a_scanner_that_does_not_answer_stops_the_start(tmp_path: Path) -> None:
    given = {"FROSTBYTE_CLAMD_ADDRESS": f"unix:{tmp_path / 'nobody'}", "FROSTBYTE_DATA_DIR": str(tmp_path / "p")}
    with pytest.raises(Unavailable) as refused:
        build(load(given))
    assert refused.value.code == "scanner_unavailable"


def test_a_start_that_fails_leaves_nothing_running(tmp_path: Path) -> None:
    folder = str(tmp_path / "p")
    given = {"FROSTBYTE_CLAMD_ADDRESS": f"unix:{tmp_path / 'nobody'}", "FROSTBYTE_DATA_DIR": folder}
    with pytest.raises(Unavailable):
        build(load(given))
    assert not list(Path(folder).rglob("postmaster.pid"))
    build(load({"FROSTBYTE_DATA_DIR": folder})).close()
