"""Makes the test vectors in this folder: `python tests/vectors/generate.py` writes them, tests/audit compares them."""

from __future__ import annotations

import base64
import hashlib
import json
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from frostbyte.adapters.memory.unit_of_work import MemoryStore
from frostbyte.kernel.audit import merkle
from frostbyte.kernel.audit.answers import Attested, Disclosure, Place, build_proof, chunk_tree, commitment
from frostbyte.kernel.audit.checkpoint import Cosigner, Signer, add_signature
from frostbyte.kernel.audit.events import event_bytes, event_fields, event_leaf
from frostbyte.kernel.audit.export import EVENTS, LEAVES, MANIFEST, Exporter
from frostbyte.kernel.audit.logs import ProvenChain, naming, prove_chain
from frostbyte.kernel.audit.proofs import inclusion_proofs
from frostbyte.kernel.audit.sequencer import Sequencer
from frostbyte.kernel.records import EndedLogRow, EventRow

HERE = Path(__file__).parent
START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
SIGNER = Signer(bytes(range(32)), "acme.example/audit")
NEW_SIGNER = Signer(bytes(range(64, 96)), "acme.example/audit/2")
WITNESS = Cosigner(bytes(range(32, 64)), "witness.example/w1")
DOC = UUID("3f2b8c1e-0000-8000-8000-00000000d0c1")
GENERATION = "0123456789abcdef"
SOURCE = "The first passage.\nDie zweite Stelle: \u00e4\u00f6\u00fc \u20ac.\nA third one.\n"
SOURCE_NONCE, CHUNKS_NONCE = bytes([0x51]) * 32, bytes([0x52]) * 32


class FixedClock:
    """Always the same moment."""

    def now(self) -> datetime:
        return START


class Passage(msgspec.Struct, frozen=True):
    """A chunk."""

    chunk_id: UUID
    page: int
    start: int
    end: int
    text: str


PASSAGES = [
    Passage(UUID(int=0xC0 + number), 1, start, start + len(text), text)
    for number, (start, text) in enumerate(
        [(0, "The first passage."), (19, "Die zweite Stelle: \u00e4\u00f6\u00fc \u20ac."), (44, "A third one.")]
    )
]


def event(number: int, type: str, resource: str, details: dict[str, Any], previous: int | None = None) -> EventRow:
    return EventRow(
        event_id=event_id(number),
        tenant_id="acme",
        type=type,
        timestamp=START + timedelta(milliseconds=number),
        actor="plane",
        resource_type="document" if resource == str(DOC) else "batch",
        resource_id=resource,
        details=details,
        previous_event_id=None if previous is None else event_id(previous),
    )


def event_id(number: int) -> UUID:
    return UUID(f"019b7c2e-0000-7000-8000-{number:012x}")


def log_events() -> list[EventRow]:
    """A batch with one document, from intake to index."""
    source = commitment(SOURCE_NONCE, hashlib.sha256(SOURCE.encode()).digest())
    parsed = commitment(bytes([0x53]) * 32, hashlib.sha256(b"canonical document").digest())
    chunks = commitment(CHUNKS_NONCE, chunk_tree(PASSAGES).root)
    doc, batch, size = str(DOC), "019b7c2e-0000-7000-8000-0000000000ba", len(SOURCE.encode())
    return [
        event(0, "BATCH_RECEIVED", batch, {"accepted": 1, "component": "intake", "rejected": 0}),
        event(1, "DOCUMENT_INGESTED", doc, {"component": "intake", "output_hash": source, "size": size}),
        event(2, "DOCUMENT_SCANNED", doc, {"input_hash": source, "output_hash": source, "verdict": "clean"}, 1),
        event(3, "DOCUMENT_PARSED", doc, {"input_hash": source, "output_hash": parsed, "pipeline_version": "p/1"}, 2),
        event(
            4, "POLICY_GATE_PASSED", doc, {"input_hash": parsed, "output_hash": chunks, "pipeline_version": "g/1"}, 3
        ),
        event(5, "INDEX_WRITTEN", doc, {"generation": GENERATION, "input_hash": chunks, "output_hash": chunks}, 4),
        event(6, "BATCH_COMPLETED", batch, {"component": "flow", "indexed": 1}),
    ]


def made_log() -> Any:
    """The log with a checkpoint after each of three steps."""
    unit_of_work = MemoryStore().unit_of_work
    sequencer = Sequencer(unit_of_work, SIGNER, FixedClock())
    events = log_events()
    for part in (events[:2], events[2:5], events[5:]):
        with unit_of_work() as uow:
            uow.audit.append_many(part)
            uow.commit()
        sequencer.run_once()
    return unit_of_work


def merkle_vectors() -> dict[str, Any]:
    leaves = [merkle.leaf_hash(f"leaf {number}".encode()) for number in range(9)]
    nodes = {(0, number): leaf for number, leaf in enumerate(leaves)}
    nodes |= {(level, index): value for level, index, value in merkle.extend(0, [], leaves)[0]}

    def lookup(wanted: Sequence[merkle.Position]) -> dict[merkle.Position, bytes]:
        return {position: nodes[position] for position in wanted}

    return {
        "leaf_data": [f"leaf {number}" for number in range(9)],
        "leaf_hashes": hexes(leaves),
        "roots": [merkle.root(size, lookup).hex() for size in range(10)],
        "inclusion": [
            {"index": index, "size": size, "path": hexes(merkle.inclusion_proof(index, size, lookup))}
            for size in (1, 2, 7, 8, 9)
            for index in range(size)
        ],
        "consistency": [
            {"from": old, "to": new, "path": hexes(merkle.consistency_proof(old, new, lookup))}
            for new in (7, 8, 9)
            for old in range(1, new)
        ],
    }


def checkpoint_vectors() -> dict[str, Any]:
    root = merkle.leaf_hash(b"leaf 0")
    note = SIGNER.sign(1, root)
    line = WITNESS.cosign(note, 1_767_323_045)
    return {
        "private_key": bytes(range(32)).hex(),
        "verifier_key": SIGNER.verifier_key,
        "witness_private_key": bytes(range(32, 64)).hex(),
        "witness_key": str(WITNESS.public_key),
        "witness_time": 1_767_323_045,
        "size": 1,
        "root": root.hex(),
        "note": note,
        "cosigned_note": add_signature(note, line),
    }


def event_vectors() -> list[dict[str, Any]]:
    return [
        {"event": event_fields(item), "canonical": event_bytes(item).decode(), "leaf_hash": event_leaf(item).hex()}
        for item in log_events()
    ]


def proof_vectors(unit_of_work: Any) -> dict[str, Any]:
    tree = chunk_tree(PASSAGES)
    with unit_of_work() as uow:
        point = uow.audit.latest_checkpoint()
        events = inclusion_proofs(uow.audit, [event_id(number) for number in range(1, 6)], point)
    proof = build_proof(
        tenant_id="acme",
        verifier_key=SIGNER.verifier_key,
        chunk=PASSAGES[1],
        doc_id=DOC,
        generation=GENERATION,
        place=Place(index=1, size=3, path=tuple(tree.path_for(1)), root=tree.root, nonce=CHUNKS_NONCE),
        proven=ProvenChain(events=tuple((0, item) for item in events), checkpoint=point),
        attested=Attested(parser="p/1", policy="g/1", embedding="nomic-embed-text-v1.5"),
        disclosure=Disclosure(sha256=hashlib.sha256(SOURCE.encode()).digest(), nonce=SOURCE_NONCE),
    )
    changes: list[tuple[list[Any], Any, str]] = [
        (["answer", "text"], "Die zweite Stelle", "answer_wrong"),
        (["answer", "page"], 2, "answer_wrong"),
        (["answer", "chunks"], 4, "answer_wrong"),
        (["answer", "generation"], "f" * 16, "answer_unbound"),
        (["source", "disclosure", "sha256"], "0" * 64, "source_wrong"),
        (["source", "commitment"], "0" * 64, "source_unbound"),
        (["events", 1, "event", "actor"], "somebody", "edited"),
        (["events", 1, "sequence"], 4, "edited"),
        (["tenant_id"], "other", "wrong_tenant"),
        (["attested", "parser"], "p/2", "attested_wrong"),
        (["checkpoint"], point.note.replace("\n7\n", "\n8\n"), "checkpoint_signature_wrong"),
    ]
    return {
        "verifier_key": SIGNER.verifier_key,
        "source_base64": base64.b64encode(SOURCE.encode()).decode(),
        "proof": proof,
        "changes": [{"path": path, "value": value, "failure": failure} for path, value, failure in changes],
    }


def restored_proof_vectors(unit_of_work: Any) -> dict[str, Any]:
    """The proof of the same passage, once the plane was restored under another key; ends the log that it is given."""
    with unit_of_work() as uow:
        point = uow.audit.latest_checkpoint()
        old = EndedLogRow(
            log=0,
            origin=SIGNER.origin,
            public_key=SIGNER.verifier_key,
            size=point.size,
            root=point.root,
            note=point.note,
            ended_at=START,
        )
        uow.audit.end(old)
        first = event(8, "PLANE_RESTORED", "acme", {"component": "lifecycle", "status": "restored", **naming(old)})
        uow.audit.append(first)
        uow.audit.extend(0, [first.event_id], [event_leaf(first)])
        uow.commit()
    Sequencer(unit_of_work, NEW_SIGNER, FixedClock()).run_once()
    tree = chunk_tree(PASSAGES)
    proof = build_proof(
        tenant_id="acme",
        verifier_key=NEW_SIGNER.verifier_key,
        chunk=PASSAGES[1],
        doc_id=DOC,
        generation=GENERATION,
        place=Place(index=1, size=3, path=tuple(tree.path_for(1)), root=tree.root, nonce=CHUNKS_NONCE),
        proven=prove_chain(unit_of_work, [event_id(number) for number in range(1, 6)], 0.0),
        attested=Attested(parser="p/1", policy="g/1", embedding="nomic-embed-text-v1.5"),
    )
    changes: list[tuple[list[Any], Any, str]] = [
        (["earlier", 0, "named_by", "event", "details", "old_size"], 6, "restore_unbound"),
        (["earlier", 0, "named_by", "sequence"], 1, "restore_unbound"),
        (["earlier", 0, "checkpoint"], SIGNER.sign(7, merkle.leaf_hash(b"")), "restore_unbound"),
        (["events", 0, "log"], 1, "edited"),
    ]
    return {
        "verifier_key": NEW_SIGNER.verifier_key,
        "earlier_key": SIGNER.verifier_key,
        "proof": proof,
        "changes": [{"path": path, "value": value, "failure": failure} for path, value, failure in changes],
    }


def tampered(lines: list[bytes]) -> list[dict[str, Any]]:
    """The export's lines, damaged in each way."""
    changed = lines[3].replace(b'"actor":"plane"', b'"actor":"other"')
    extra = lines[6].replace(b"000000000006", b"0000000000ff")
    cases = {
        "edited": [*lines[:3], changed, *lines[4:]],
        "deleted": [*lines[:3], *lines[4:]],
        "reordered": [*lines[:3], lines[4], lines[3], *lines[5:]],
        "inserted": [*lines[:3], extra, *lines[3:]],
    }
    return [{"failure": name, "events": b"".join(case).decode()} for name, case in cases.items()]


def files() -> dict[str, bytes]:
    """Every vector file by its name in this folder."""
    unit_of_work = made_log()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        Exporter(unit_of_work, SIGNER, "acme", FixedClock()).write(path)
        export = {f"export/{name}": (path / name).read_bytes() for name in (EVENTS, LEAVES, MANIFEST)}
    cases = {
        "verifier_key": SIGNER.verifier_key,
        "tampered": tampered(export[f"export/{EVENTS}"].splitlines(keepends=True)),
    }
    vectors = {
        "events.json": event_vectors(),
        "merkle.json": merkle_vectors(),
        "checkpoint.json": checkpoint_vectors(),
        "proof.json": proof_vectors(unit_of_work),
        "export.json": cases,
        "restored_proof.json": restored_proof_vectors(unit_of_work),
    }
    return export | {
        name: json.dumps(value, indent=1, sort_keys=True).encode() + b"\n" for name, value in vectors.items()
    }


def hexes(values: Sequence[bytes]) -> list[str]:
    return [value.hex() for value in values]


if __name__ == "__main__":
    for name, data in files().items():
        (HERE / name).parent.mkdir(exist_ok=True)
        (HERE / name).write_bytes(data)
