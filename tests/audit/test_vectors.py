"""The vectors that other verifiers are written against: they are what our code makes, and our verifier passes them."""

from __future__ import annotations

import base64
import importlib.util
import json
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from frostbyte.cli import verifier

VECTORS = Path(__file__).parent.parent / "vectors"


def load(name: str) -> Any:
    return json.loads((VECTORS / name).read_bytes())


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_vectors", VECTORS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_vectors_are_what_the_code_makes_today(generator: ModuleType) -> None:
    made = generator.files()
    stored = {
        str(path.relative_to(VECTORS)) for path in VECTORS.rglob("*") if path.suffix in (".json", ".jsonl", ".bin")
    }
    assert stored == set(made)
    for name, data in made.items():
        assert (VECTORS / name).read_bytes() == data, f"{name}: a change here breaks other people's verifiers"


def test_events_hash_as_the_vectors_say() -> None:
    for case in load("events.json"):
        assert verifier.canonical(case["event"]).decode() == case["canonical"]
        assert verifier.leaf_hash(case["canonical"].encode()).hex() == case["leaf_hash"]


def test_trees_grow_and_paths_lead_as_the_vectors_say() -> None:
    case = load("merkle.json")
    leaves = [bytes.fromhex(value) for value in case["leaf_hashes"]]
    tree = verifier.Tree(0, [])
    for size, leaf in enumerate(leaves, 1):
        tree.add(leaf)
        assert tree.root().hex() == case["roots"][size]
    for item in case["inclusion"]:
        path = [bytes.fromhex(value) for value in item["path"]]
        root = verifier.root_from_path(leaves[item["index"]], item["index"], item["size"], path)
        assert root.hex() == case["roots"][item["size"]]


def test_notes_are_signed_and_cosigned_as_the_vectors_say() -> None:
    case = load("checkpoint.json")
    log, witness = verifier.Key.read(case["verifier_key"]), verifier.Key.read(case["witness_key"])
    plain, both = verifier.Note.read(case["note"]), verifier.Note.read(case["cosigned_note"])
    assert (plain.size, plain.root.hex()) == (case["size"], case["root"])
    assert (plain.signed_by(log), plain.signed_by(witness)) == (True, False)
    assert (both.signed_by(log), both.signed_by(witness)) == (True, True)


@pytest.mark.parametrize("name", ["proof.json", "restored_proof.json"])
def test_the_proof_holds_and_each_change_is_named(tmp_path: Path, name: str) -> None:
    case = load(name)
    source, earlier = None, [key for key in [case.get("earlier_key")] if key]
    if "source_base64" in case:
        source = tmp_path / "source.txt"
        source.write_bytes(base64.b64decode(case["source_base64"]))
    assert verifier.verify_proof(case["proof"], case["verifier_key"], source, earlier_keys=earlier).ok
    for change in case["changes"]:
        proof = load(name)["proof"]
        at = proof
        for step in change["path"][:-1]:
            at = at[step]
        at[change["path"][-1]] = change["value"]
        verdict = verifier.verify_proof(proof, case["verifier_key"], source)
        assert change["failure"] in verdict.names, (change, verdict.text())


def test_the_export_holds_and_each_damage_is_named(tmp_path: Path) -> None:
    case = load("export.json")
    assert verifier.verify_export(VECTORS / "export", case["verifier_key"]).ok
    for number, damaged in enumerate(case["tampered"]):
        folder = Path(shutil.copytree(VECTORS / "export", tmp_path / str(number)))
        (folder / verifier.EVENTS).write_text(damaged["events"], encoding="utf-8", newline="")
        assert damaged["failure"] in verifier.verify_export(folder, case["verifier_key"]).names
