"""Proofs of answers: honest ones hold, and each thing that can be changed is noticed."""

from __future__ import annotations

import ast
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import frostbyte.cli.verifier as verifier_module
from frostbyte.cli.verifier import Unreadable, root_from_path, verify_proof
from frostbyte.kernel.audit.answers import Attested, Disclosure, Place, build_proof, chunk_leaf, chunk_tree, commitment
from frostbyte.kernel.audit.checkpoint import Cosigner, Signer, add_signature
from frostbyte.kernel.audit.events import EventType, chain
from frostbyte.kernel.audit.logs import ProvenChain
from frostbyte.kernel.audit.proofs import inclusion_proofs
from frostbyte.kernel.errors import Conflict
from frostbyte.kernel.records import DocumentRow, State

SOURCE = b"the source file"
GENERATION = "0123456789abcdef"
DOC = UUID("80000000-0000-8000-8000-000000000abc")


class Passage(msgspec.Struct, frozen=True):
    chunk_id: UUID
    page: int
    start: int
    end: int
    text: str


PASSAGES = [Passage(UUID(int=n + 1), 1 + n // 2, n * 10, n * 10 + 10, f"passage {n} \u00e4\u20ac") for n in range(5)]


def indexed(plane: Any, *later: tuple[EventType, dict[str, Any]]) -> list[UUID]:
    """The events of an indexed document; returns their ids."""
    nonce, digest = b"s" * 32, hashlib.sha256(SOURCE).digest()
    steps: list[tuple[EventType, dict[str, Any], str]] = [
        (EventType.DOCUMENT_INGESTED, {}, commitment(nonce, digest)),
        (EventType.DOCUMENT_SCANNED, {"verdict": "clean"}, ""),
        (EventType.DOCUMENT_PARSED, {"pipeline_version": "parse/1"}, commitment(b"d" * 32, digest)),
        (
            EventType.POLICY_GATE_PASSED,
            {"pipeline_version": "policy/2"},
            commitment(b"c" * 32, chunk_tree(PASSAGES).root),
        ),
        (EventType.INDEX_WRITTEN, {"generation": GENERATION}, commitment(b"c" * 32, chunk_tree(PASSAGES).root)),
        *((type, details, "") for type, details in later),
    ]
    row = DocumentRow(
        doc_id=DOC,
        incarnation=0,
        state=State.RECEIVED,
        mime="text/plain",
        size=len(SOURCE),
        received_at=plane.clock.now(),
        raw_object="raw/x",
        key_object="keys/x",
        sealed_name=b"",
        config_version=1,
    )
    ids = []
    for type, details, output in steps:
        event, row = chain(
            row, tenant_id="acme", type=type, clock=plane.clock, actor="plane", details=details, output=output
        )
        plane.add([event])
        ids.append(event.event_id)
    return ids


def proof_of(
    plane: Any, ids: list[UUID], index: int = 2, *, disclose: bool = True, generation: str = GENERATION
) -> Any:
    plane.sequencer.run_once()
    tree = chunk_tree(PASSAGES)
    with plane.unit_of_work() as uow:
        point = uow.audit.latest_checkpoint()
        events = inclusion_proofs(uow.audit, ids, point)
    return build_proof(
        tenant_id="acme",
        verifier_key=plane.signer.verifier_key,
        chunk=PASSAGES[index],
        doc_id=DOC,
        generation=generation,
        place=Place(index=index, size=5, path=tuple(tree.path_for(index)), root=tree.root, nonce=b"c" * 32),
        proven=ProvenChain(events=tuple((0, item) for item in events), checkpoint=point),
        attested=Attested(parser="parse/1", policy="policy/2", embedding="nomic/1.5"),
        disclosure=Disclosure(sha256=hashlib.sha256(SOURCE).digest(), nonce=b"s" * 32) if disclose else None,
    )


@pytest.fixture
def proof(small_plane: Any) -> dict[str, Any]:
    return json.loads(json.dumps(proof_of(small_plane, indexed(small_plane))))


@pytest.fixture
def key(small_plane: Any) -> str:
    return str(small_plane.signer.verifier_key)


@pytest.mark.parametrize("index", range(5))
def test_every_passage_of_a_document_is_proven(small_plane: Any, tmp_path: Path, index: int) -> None:
    source = tmp_path / "source.txt"
    source.write_bytes(SOURCE)
    proof = proof_of(small_plane, indexed(small_plane), index)
    verdict = verify_proof(proof, small_plane.signer.verifier_key, source)
    assert verdict.ok, verdict.text()
    assert len(verdict.checked) == 5
    assert {"parser parse/1", "policy policy/2", "embedding nomic/1.5"} <= set(verdict.attested)


def test_without_disclosure_the_source_is_attested_only(small_plane: Any, tmp_path: Path) -> None:
    proof = proof_of(small_plane, indexed(small_plane), disclose=False)
    assert hashlib.sha256(SOURCE).hexdigest() not in json.dumps(proof)
    verdict = verify_proof(proof, small_plane.signer.verifier_key)
    assert verdict.ok, verdict.text()
    assert any("only the commitment" in item for item in verdict.attested)
    assert verify_proof(proof, small_plane.signer.verifier_key, tmp_path / "x").names == {"source_undisclosed"}


def test_another_source_file_is_noticed(proof: dict[str, Any], key: str, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_bytes(SOURCE + b" ")
    assert verify_proof(proof, key, other).names == {"source_wrong"}


def put(*path: Any) -> Callable[[dict[str, Any]], None]:
    """A change: the last item is put where the others lead."""

    def change(proof: dict[str, Any]) -> None:
        at: Any = proof
        for step in path[:-2]:
            at = at[step]
        at[path[-2]] = path[-1]

    return change


CHANGES: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "text": (put("answer", "text", "passage 2"), "answer_wrong"),
    "page": (put("answer", "page", 9), "answer_wrong"),
    "start": (put("answer", "start", 21), "answer_wrong"),
    "end": (put("answer", "end", 31), "answer_wrong"),
    "chunk_id": (put("answer", "chunk_id", str(UUID(int=9))), "answer_wrong"),
    "index": (put("answer", "index", 3), "answer_wrong"),
    "chunks": (put("answer", "chunks", 6), "answer_wrong"),
    "path": (put("answer", "path", 0, "00" * 32), "answer_wrong"),
    "path_short": (put("answer", "path", []), "answer_wrong"),
    "nonce": (put("answer", "nonce", "00" * 32), "answer_wrong"),
    "generation": (put("answer", "generation", "f" * 16), "answer_unbound"),
    "commitment": (put("answer", "commitment", "0" * 64), "answer_unbound"),
    "answer_event": (put("answer", "event_id", str(UUID(int=9))), "answer_unbound"),
    "doc_id": (put("answer", "doc_id", str(UUID(int=9))), "chain_inconsistent"),
    "tenant": (put("tenant_id", "other"), "wrong_tenant"),
    "source_commitment": (put("source", "commitment", "0" * 64), "source_unbound"),
    "source_event": (put("source", "event_id", str(UUID(int=9))), "source_unbound"),
    "sha256": (put("source", "disclosure", "sha256", "0" * 64), "source_wrong"),
    "source_nonce": (put("source", "disclosure", "nonce", "0" * 64), "source_wrong"),
    "event_field": (put("events", 1, "event", "actor", "other"), "edited"),
    "event_detail": (put("events", 1, "event", "details", "verdict", "infected"), "edited"),
    "event_place": (put("events", 1, "sequence", 3), "edited"),
    "event_path": (put("events", 1, "path", 0, "0" * 64), "edited"),
    "event_missing": (lambda proof: proof["events"].pop(1), "chain_inconsistent"),
    "attested": (put("attested", "parser", "parse/9"), "attested_wrong"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_proof_is_named(proof: dict[str, Any], key: str, what: str) -> None:
    change, name = CHANGES[what]
    change(proof)
    verdict = verify_proof(proof, key)
    assert name in verdict.names, verdict.text()


def test_a_checkpoint_that_was_not_signed_is_named(proof: dict[str, Any]) -> None:
    other = Signer(b"\x02" * 32, proof["origin"])
    assert verify_proof(proof, other.verifier_key).names == {"checkpoint_signature_wrong"}


@pytest.mark.parametrize(
    ("later", "names"),
    [
        ([(EventType.DOCUMENT_ERASED, {"reason": "request"})], {"answer_erased"}),
        ([(EventType.DOCUMENT_INGESTED, {"trigger": "retry"})], set()),
        ([(EventType.CONTENT_WITHHELD, {"chunk_id": str(UUID(int=3))})], {"answer_withheld"}),
        ([(EventType.CONTENT_WITHHELD, {"chunk_id": str(UUID(int=1))})], set()),
        (
            [
                (EventType.CONTENT_WITHHELD, {"chunk_id": str(UUID(int=3))}),
                (EventType.CONTENT_RELEASED, {"chunk_id": str(UUID(int=3))}),
            ],
            set(),
        ),
    ],
)
def test_what_happened_since_counts(small_plane: Any, later: list[Any], names: set[str]) -> None:
    verdict = verify_proof(proof_of(small_plane, indexed(small_plane, *later)), small_plane.signer.verifier_key)
    assert verdict.names == names, verdict.text()


def test_witnesses_asked_for_must_have_cosigned(proof: dict[str, Any], key: str) -> None:
    witness = Cosigner(b"\x09" * 32, "ledger.example/w")
    assert verify_proof(proof, key, witnesses=[str(witness.public_key)]).names == {"cosignature_missing"}
    proof["checkpoint"] = add_signature(proof["checkpoint"], witness.cosign(proof["checkpoint"], 1_770_000_000))
    assert verify_proof(proof, key, witnesses=[str(witness.public_key)]).ok


def test_a_proof_is_not_built_where_the_log_lacks_its_events(small_plane: Any) -> None:
    ids = indexed(small_plane)
    with pytest.raises(Conflict) as error:
        proof_of(small_plane, ids[:-1])
    assert error.value.code == "proof_incomplete"
    with pytest.raises(Conflict):
        proof_of(small_plane, ids, generation="f" * 16)


@pytest.mark.parametrize("bad", [{}, {"format": "other"}, {"format": "frostbyte-proof/1"}, []])
def test_what_is_no_proof_is_refused_and_not_judged(bad: Any) -> None:
    with pytest.raises(Unreadable):
        verify_proof(bad, None)


@settings(max_examples=40, deadline=None)
@given(size=st.integers(1, 40), data=st.data())
def test_chunk_paths_lead_to_the_root_for_every_size(size: int, data: st.DataObject) -> None:
    passages = [Passage(UUID(int=n), 1, n, n + 1, str(n)) for n in range(size)]
    tree = chunk_tree(passages)
    index = data.draw(st.integers(0, size - 1))
    leaf = chunk_leaf(passages[index])
    path = tree.path_for(index)

    def whole(root: bytes) -> bytes:
        return hashlib.sha256(size.to_bytes(8, "big") + root).digest()

    assert whole(root_from_path(leaf, index, size, path)) == tree.root
    other = data.draw(st.integers(-1, size))
    assert (whole(root_from_path(leaf, other, size, path)) == tree.root) is (other == index)
    assert whole(root_from_path(leaf, index, size, [*path, leaf])) != tree.root


# -- the file by itself -----------------------------------------------------------------------------------------------


def test_the_verifier_imports_the_standard_library_and_one_package() -> None:
    tree = ast.parse(Path(verifier_module.__file__).read_text(encoding="utf-8"))
    names = {node.module.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    names |= {name.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert names - set(sys.stdlib_module_names) == {"cryptography"}


def test_the_verifier_runs_alone(proof: dict[str, Any], key: str, tmp_path: Path) -> None:
    alone = Path(shutil.copy(verifier_module.__file__, tmp_path / "verifier.py"))
    (tmp_path / "proof.json").write_text(json.dumps(proof))
    (tmp_path / "key").write_text(key)
    (tmp_path / "source").write_bytes(SOURCE)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        blocked = "import sys; sys.modules['frostbyte'] = None; import runpy; sys.argv = sys.argv[1:]; "
        code = f"{blocked}runpy.run_path(sys.argv[0], run_name='__main__')"
        command = [sys.executable, "-c", code, str(alone), *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)

    good = run("proof", "proof.json", "--key", "key", "--source", "source", "--json")
    assert (good.returncode, json.loads(good.stdout)["ok"]) == (0, True)
    proof["answer"]["text"] += "!"
    (tmp_path / "proof.json").write_text(json.dumps(proof))
    bad = run("proof", "proof.json", "--key", key)
    assert bad.returncode == 1
    assert "answer_wrong" in bad.stdout
    assert run("proof", "missing.json").returncode == 2
    assert run("export", str(tmp_path), "--key", key).returncode == 2
