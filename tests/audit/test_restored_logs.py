"""A plane that was restored: what is older is proven against the log that it came with, and nobody can move either."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from audit.test_verifier_proof import DOC, GENERATION, PASSAGES, indexed
from frostbyte.cli.verifier import Unreadable, main, verify_export, verify_proof
from frostbyte.kernel.audit.answers import Attested, Place, build_proof, chunk_tree
from frostbyte.kernel.audit.events import EventType, chain
from frostbyte.kernel.audit.export import Exporter
from frostbyte.kernel.audit.logs import begin_next, prove_chain
from frostbyte.kernel.audit.proofs import inclusion_proof, wait_for_checkpoint
from frostbyte.kernel.errors import Conflict, NotFound
from frostbyte.kernel.records import DocumentRow, State


class Restored:
    """A plane with a document whose events lie in its old log, and the keys of both."""

    def __init__(self, plane: Any) -> None:
        self.plane = plane
        self.ids = indexed(plane)
        plane.sequencer.run_once()
        self.old_key = plane.signer.verifier_key
        self.old_note = self.newest()
        plane.restore()
        self.key = plane.signer.verifier_key

    def newest(self) -> str:
        with self.plane.unit_of_work() as uow:
            return str(uow.audit.latest_checkpoint().note)

    def proof(self) -> dict[str, Any]:
        tree = chunk_tree(PASSAGES)
        made = build_proof(
            tenant_id="acme",
            verifier_key=self.key,
            chunk=PASSAGES[2],
            doc_id=DOC,
            generation=GENERATION,
            place=Place(index=2, size=5, path=tuple(tree.path_for(2)), root=tree.root, nonce=b"c" * 32),
            proven=prove_chain(self.plane.unit_of_work, self.ids, 1.0),
            attested=Attested(parser="parse/1", policy="policy/2", embedding="nomic/1.5"),
        )
        return dict(json.loads(json.dumps(made)))

    def add(self, type: EventType, **details: Any) -> None:
        """One more event of the document, in the log that grows."""
        with self.plane.unit_of_work() as uow:
            last = uow.audit.event(self.ids[-1])
        row = DocumentRow(
            doc_id=DOC,
            incarnation=0,
            state=State.INDEXED,
            mime="text/plain",
            size=1,
            received_at=self.plane.clock.now(),
            raw_object="raw/x",
            key_object="keys/x",
            sealed_name=b"",
            config_version=1,
            last_event_id=last.event_id,
            last_output=last.details["output_hash"],
        )
        event, _ = chain(row, tenant_id="acme", type=type, clock=self.plane.clock, actor="op", details=details)
        self.plane.add([event])
        self.plane.sequencer.run_once()
        self.ids.append(event.event_id)

    def export(self, folder: Path, log: int | None = None) -> Path:
        folder.mkdir()
        Exporter(self.plane.unit_of_work, self.plane.signer, "acme", self.plane.clock).write(folder, log=log)
        return folder


@pytest.fixture
def restored(small_plane: Any) -> Restored:
    return Restored(small_plane)


def test_an_old_answer_is_proven_against_the_old_log_that_the_new_one_names(restored: Restored) -> None:
    proof = restored.proof()
    assert proof["format"] == "frostbyte-proof/2"
    assert {item["log"] for item in proof["events"]} == {0}
    verdict = verify_proof(proof, restored.key)
    assert verdict.ok, verdict.text()
    assert any("restored from the log acme.pipeline.frostbyte.io/audit" in item for item in verdict.attested)
    pinned = verify_proof(proof, restored.key, earlier_keys=[restored.old_key])
    assert pinned.ok, pinned.text()
    assert not any("restored from" in item for item in pinned.attested)
    assert verify_proof(proof, restored.key, earlier_keys=[restored.key]).names == {"checkpoint_signature_wrong"}
    assert verify_proof(proof, restored.old_key).names == {"checkpoint_signature_wrong"}


def test_a_chain_may_go_on_in_the_new_log_and_in_the_one_after(restored: Restored) -> None:
    restored.add(EventType.CONTENT_WITHHELD, chunk_id=str(PASSAGES[0].chunk_id))
    restored.plane.restore()
    restored.key = restored.plane.signer.verifier_key
    restored.add(EventType.CONTENT_RELEASED, chunk_id=str(PASSAGES[0].chunk_id))
    proof = restored.proof()
    assert [item["log"] for item in proof["events"]] == [0, 0, 0, 0, 0, 1, 2]
    assert [item["log"] for item in proof["earlier"]] == [0, 1]
    verdict = verify_proof(proof, restored.key)
    assert verdict.ok, verdict.text()


@pytest.mark.parametrize(
    ("type", "failure"), [(EventType.CONTENT_WITHHELD, "answer_withheld"), (EventType.DOCUMENT_ERASED, "answer_erased")]
)
def test_what_the_new_log_says_of_an_old_answer_counts(restored: Restored, type: EventType, failure: str) -> None:
    restored.add(type, chunk_id=str(PASSAGES[2].chunk_id))
    assert verify_proof(restored.proof(), restored.key).names == {failure}


def test_a_document_of_the_new_log_needs_no_old_one(restored: Restored) -> None:
    restored.plane.grow(1)
    with restored.plane.unit_of_work() as uow:
        ids = [item.event.event_id for item in uow.audit.events()][1:]
    proven = prove_chain(restored.plane.unit_of_work, ids, 1.0)
    assert proven.earlier == ()
    assert {log for log, _ in proven.events} == {1}


@pytest.mark.parametrize(
    ("path", "value", "failures"),
    [
        (["earlier", 0, "named_by", "event", "details", "old_size"], 5, {"restore_unbound"}),
        (["earlier", 0, "named_by", "sequence"], 1, {"restore_unbound"}),
        (["earlier", 0, "named_by", "event", "type"], "BATCH_RECEIVED", {"restore_unbound"}),
        (["events", 1, "event", "actor"], "somebody", {"edited"}),
        (["events", 1, "log"], 1, {"edited"}),
    ],
)
def test_nothing_of_it_can_be_changed(restored: Restored, path: list[Any], value: object, failures: set[str]) -> None:
    proof = restored.proof()
    place = proof
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert verify_proof(proof, restored.key).names == failures


def test_another_old_log_cannot_be_put_in_its_place(restored: Restored, plane_type: Any) -> None:
    other = plane_type()
    other.signer, other.sequencer._signer = restored.plane.signer, restored.plane.signer
    foreign = Restored(other)
    proof, theirs = restored.proof(), foreign.proof()
    mixed = copy.deepcopy(proof)
    mixed["events"] = theirs["events"]
    mixed["earlier"][0] |= {"checkpoint": theirs["earlier"][0]["checkpoint"], "public_key": foreign.old_key}
    assert "restore_unbound" in verify_proof(mixed, restored.key).names
    assert verify_proof(proof | {"earlier": []}, restored.key).names == {"edited"}
    with pytest.raises(Unreadable):  # numbers that leave a gap would put events out of order
        verify_proof(proof | {"earlier": [*proof["earlier"], {**proof["earlier"][0], "log": 7}]}, restored.key)


def test_both_logs_are_exported_and_verified_each_by_its_key(restored: Restored, tmp_path: Path) -> None:
    restored.add(EventType.CONTENT_WITHHELD, chunk_id=str(PASSAGES[0].chunk_id))
    held = tmp_path / "held"
    held.write_text(restored.old_note, encoding="utf-8")
    old, new = restored.export(tmp_path / "old", 0), restored.export(tmp_path / "new")
    verdict = verify_export(old, restored.old_key, held)
    assert verdict.ok, verdict.text()
    verdict = verify_export(new, restored.key, held)
    assert verdict.ok, verdict.text()
    assert any("began where the held checkpoint" in item for item in verdict.checked)
    assert verify_export(old, restored.key).names == {"checkpoint_signature_wrong"}
    assert verify_export(restored.export(tmp_path / "again", 1), restored.key).ok
    with pytest.raises(NotFound):
        restored.export(tmp_path / "none", 2)


def test_a_held_checkpoint_tells_what_a_restore_lost(restored: Restored, plane_type: Any, tmp_path: Path) -> None:
    """The old plane went on after the export: whoever holds its later checkpoint is told that events are missing."""
    longer = plane_type()
    longer.grow(3, runs=5)
    with longer.unit_of_work() as uow:
        notes = [row.note for row in uow.audit.checkpoints()]
    new = restored.export(tmp_path / "new")
    for name, note in (("rolled_back", notes[-1]), ("since_unproven", notes[0])):
        (tmp_path / name).write_text(note, encoding="utf-8")
        assert verify_export(new, restored.key, tmp_path / name).names == {name}
    other = restored.old_note.replace("acme.", "acmf.")
    (tmp_path / "foreign").write_text(other, encoding="utf-8")
    assert verify_export(new, restored.key, tmp_path / "foreign").names == {"checkpoint_signature_wrong"}


def test_the_verifier_alone_checks_such_a_proof(restored: Restored, tmp_path: Path) -> None:
    (tmp_path / "proof.json").write_text(json.dumps(restored.proof()), encoding="utf-8")
    (tmp_path / "old.key").write_text(restored.old_key + "\n", encoding="utf-8")
    words = ["proof", str(tmp_path / "proof.json"), "--key", restored.key, "--earlier-key", str(tmp_path / "old.key")]
    assert main(words) == 0


def test_events_that_had_no_number_come_after_the_first(plane: Any) -> None:
    plane.grow(1)
    waiting = plane.lone()
    plane.restore()
    with plane.unit_of_work() as uow:
        assert [item.event.type for item in uow.audit.events()] == ["PLANE_RESTORED", waiting.type]


def test_an_old_event_is_found_with_its_own_checkpoint(restored: Restored) -> None:
    point = wait_for_checkpoint(restored.plane.unit_of_work, restored.ids[0], 0.0)
    assert point.note.startswith("acme.pipeline.frostbyte.io/audit\n")
    with restored.plane.unit_of_work() as uow:
        assert inclusion_proof(uow.audit.of(0), restored.ids[0], point).event.event_id == restored.ids[0]
        with pytest.raises(NotFound):
            inclusion_proof(uow.audit, UUID(int=1), point)


def test_a_log_without_a_last_checkpoint_is_not_ended(plane: Any) -> None:
    with pytest.raises(Conflict) as caught, plane.unit_of_work() as uow:
        begin_next(uow, tenant_id="acme", public_key="k", clock=plane.clock, actor="op", details={})
    assert caught.value.code == "log_beyond_checkpoint"
