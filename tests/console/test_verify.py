"""The browser's verifier against the vectors that every verifier is written against, and against ours in Python."""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.servers.lanes import need, program

from frostbyte import console
from frostbyte.cli import verifier
from frostbyte.kernel.audit import merkle

VECTORS = Path(__file__).parent.parent / "vectors"
RUNNER = Path(__file__).parent / "run_verify.mjs"
MODULES = Path(console.__file__).parent / "static"
Run = Callable[..., list[Any]]
PROOFS = ("proof.json", "restored_proof.json")


def load(name: str) -> Any:
    return json.loads((VECTORS / name).read_bytes())


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """What the modules make of each case, in node: one process for them all."""
    need("node")
    command = [str(program("node")), str(RUNNER), str(MODULES)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as node:
        assert node.stdin is not None
        assert node.stdout is not None

        def ask(*cases: dict[str, Any]) -> list[Any]:
            assert node.stdin is not None
            assert node.stdout is not None
            node.stdin.write(json.dumps(cases).encode() + b"\n")
            node.stdin.flush()
            found: list[Any] = json.loads(node.stdout.readline())
            assert len(found) == len(cases)
            return found

        yield ask
        node.stdin.close()


def proof_case(proof: Any, key: str | None, **more: Any) -> dict[str, Any]:
    text = proof if isinstance(proof, str) else json.dumps(proof, ensure_ascii=False)
    return {"does": "proof", "text": text, "key": key} | more


def changed(proof: Any, path: list[Any], value: Any) -> Any:
    made = copy.deepcopy(proof)
    at = made
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return made


def test_events_paths_and_notes_are_read_as_the_vectors_say(run: Run) -> None:
    events, tree, notes = load("events.json"), load("merkle.json"), load("checkpoint.json")
    cases = [{"does": "event", "event": case["event"]} for case in events]
    paths = [case | {"does": "path", "leaf": tree["leaf_hashes"][case["index"]]} for case in tree["inclusion"]]
    signed = [
        {"does": "signed", "note": notes[note], "key": notes[key]}
        for note in ("note", "cosigned_note")
        for key in ("verifier_key", "witness_key")
    ]
    found = run(*cases, *paths, *signed)
    assert found[: len(cases)] == [[case["canonical"], case["leaf_hash"]] for case in events]
    assert found[len(cases) : -4] == [tree["roots"][case["size"]] for case in tree["inclusion"]]
    assert found[-4:] == [True, False, True, True]


@pytest.mark.parametrize("name", PROOFS)
def test_the_proof_holds_and_each_change_is_named(name: str, run: Run) -> None:
    case = load(name)
    source, earlier = case.get("source_base64"), [key for key in [case.get("earlier_key")] if key]
    changes = [
        proof_case(changed(case["proof"], change["path"], change["value"]), case["verifier_key"], source=source)
        for change in case["changes"]
    ]
    whole, *found = run(proof_case(case["proof"], case["verifier_key"], source=source, earlier=earlier), *changes)
    assert whole["ok"], whole
    assert not whole["failures"]
    assert len(whole["checked"]) >= 4
    for change, verdict in zip(case["changes"], found, strict=True):
        assert change["failure"] in verdict["failures"], (change, verdict)
        assert not verdict["ok"]


def scalars(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[list[Any], Any]]:
    """Every member of a proof that is no list or object, with where it stands."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from scalars(item, (*path, key))
    else:
        yield list(path), value


def others(value: Any) -> list[Any]:
    """Other values of the same kind."""
    if isinstance(value, bool) or value is None:
        return ["x"]
    if isinstance(value, int):
        return [value + 1, value * 2 + 7]
    if not value:
        return ["x"]
    swapped = ("0" if value[-1] != "0" else "1") if value[-1] in "0123456789abcdef" else "x"
    return [value[:-1] + swapped, ""]


@pytest.mark.slow
@pytest.mark.parametrize("name", PROOFS)
def test_whatever_is_changed_both_verifiers_judge_alike(name: str, run: Run) -> None:
    case = load(name)
    made = [changed(case["proof"], path, new) for path, value in scalars(case["proof"]) for new in others(value)]
    assert len(made) > 120
    for proof, verdict in zip(made, run(*(proof_case(proof, case["verifier_key"]) for proof in made)), strict=True):
        try:
            names = verifier.verify_proof(proof, case["verifier_key"]).names
        except verifier.Unreadable:
            assert "unreadable" in verdict, verdict
            continue
        if "unreadable" in verdict:  # the stricter one wants every member to be of its kind
            assert names or proof["source"]["disclosure"]["sha256"] == ""
        else:
            assert set(verdict["failures"]) == names


def test_what_can_be_read_in_two_ways_is_refused(run: Run) -> None:
    case = load("proof.json")
    text = json.dumps(case["proof"])
    page = f'"page": {case["proof"]["answer"]["page"]}'
    assert text.count(page) == 1
    spoiled = [text.replace(page, f'"page": {number}') for number in ("1.0", "1e0", "-1", "01", "9007199254740992")]
    half = text.replace('"The first', '"\\ud800The first').replace("Die zweite", "\\udc00")
    missing = [
        json.dumps({name: value for name, value in case["proof"].items() if name != left_out})
        for left_out in ("format", "answer", "source", "events", "checkpoint", "attested", "tenant_id")
    ]
    later = text.replace("frostbyte-proof/1", "frostbyte-proof/9")
    cases = [*spoiled, half, *missing, later, "", "[]", "null", "{", text[:-1], text + "x"]
    assert all("unreadable" in found for found in run(*(proof_case(item, case["verifier_key"]) for item in cases)))


def test_members_that_are_not_known_are_ignored(run: Run) -> None:
    case = load("proof.json")
    more = case["proof"] | {"later": {"a": [1]}, "__proto__": {"answer": 1}}
    assert run(proof_case(more, case["verifier_key"]))[0]["ok"]


def test_another_key_damaged_keys_and_witnesses_that_did_not_sign_are_named(run: Run) -> None:
    case, notes = load("proof.json"), load("checkpoint.json")
    proof, other = case["proof"], load("restored_proof.json")["verifier_key"]
    damaged = case["verifier_key"][:-2] + "A="
    wrong, no_key, own, unsigned = run(
        proof_case(proof, other),
        proof_case(proof, damaged),
        proof_case(proof, None),
        proof_case(proof, case["verifier_key"], witnesses=[notes["witness_key"]]),
    )
    assert wrong["failures"] == ["checkpoint_signature_wrong"]
    assert "unreadable" in no_key
    assert own["ok"]
    assert "the log's key" in own["attested"][0]
    assert unsigned["failures"] == ["cosignature_missing"]


def test_a_page_that_shows_another_passage_than_the_proof_is_told(run: Run) -> None:
    case = load("proof.json")
    answer = case["proof"]["answer"]
    shown = {name: answer[name] for name in ("chunk_id", "doc_id", "page", "text")}
    same, *different = run(
        proof_case(case["proof"], case["verifier_key"], shown=shown),
        *(
            proof_case(case["proof"], case["verifier_key"], shown=shown | {name: value})
            for name, value in (("text", "Another passage."), ("page", 2), ("chunk_id", "c"), ("doc_id", "d"))
        ),
    )
    assert same["ok"]
    assert [found["failures"] for found in different] == [["answer_shown_otherwise"]] * 4


def test_a_passage_withheld_or_erased_since_is_told_even_if_the_log_were_resigned(run: Run) -> None:
    """Events are added without being in the log: the names of what they say must come out beside `edited`."""
    case = load("proof.json")
    last = case["proof"]["events"][-1]
    for type, name in (("CONTENT_WITHHELD", "answer_withheld"), ("DOCUMENT_ERASED", "answer_erased")):
        details = last["event"]["details"] | {"chunk_id": case["proof"]["answer"]["chunk_id"]}
        event = last["event"] | {
            "type": type,
            "event_id": "e",
            "previous_event_id": last["event"]["event_id"],
            "details": details,
        }
        proof = case["proof"] | {"events": [*case["proof"]["events"], last | {"event": event, "sequence": 6}]}
        verdict = run(proof_case(proof, case["verifier_key"]))[0]
        assert set(verdict["failures"]) == verifier.verify_proof(proof, case["verifier_key"]).names
        assert name in verdict["failures"]


def test_a_file_that_is_not_the_source_or_cannot_be_judged_is_told(run: Run) -> None:
    case = load("proof.json")
    closed = changed(case["proof"], ["source", "disclosure"], None)
    other, undisclosed = run(
        proof_case(case["proof"], case["verifier_key"], source="AAAA"),
        proof_case(closed, case["verifier_key"], source=case["source_base64"]),
    )
    assert other["failures"] == ["source_wrong"]
    assert undisclosed["failures"] == ["source_undisclosed"]


def test_people_compare_keys_by_the_digest_that_a_restored_plane_names(run: Run) -> None:
    key = load("restored_proof.json")["earlier_key"]
    assert run({"does": "fingerprint", "key": key + "\n"})[0].replace(" ", "") == verifier.key_digest(key)


def test_the_first_key_is_kept_and_another_one_is_told_until_a_person_takes_it(run: Run) -> None:
    acts = [
        ["meet", "acme", "one"],
        ["keep", "acme", "one"],
        ["meet", "acme", "one"],
        ["meet", "other", "one"],
        ["meet", "acme", "two"],
        ["compared", "acme"],
        ["remember", "acme", 7, "aa"],
        ["remember", "acme", 7, "aa"],
        ["remember", "acme", 7, "bb"],
        ["remember", "acme", 8, "bb"],
        ["newest", "acme"],
        ["remember", "acme", 10, "cc"],
        ["remember", "acme", 9, "dd"],
        ["newest", "acme"],
        ["newest", "other"],
        ["replace", "acme", "two"],
        ["meet", "acme", "two"],
        ["meet", "acme", "one"],
        ["newest", "acme"],
    ]
    [found] = run({"does": "pins", "acts": acts})
    assert [said for said, _ in found] == [
        *("new", None, "known", "new", "changed", None),
        *(True, True, False, True, {"size": 8, "root": "bb"}, True, True, {"size": 10, "root": "cc"}, None),
        *(None, "known", "changed", None),
    ]
    assert found[5][1]["compared"]
    assert not found[4][1]["compared"]
    assert found[-1][1]["former"] == ["one"]
    assert found[-1][1]["roots"] == {}, "another log may have other roots"


def begins(tree: Any, old: int, new: int, path: list[str], **roots: str) -> dict[str, Any]:
    before, now = roots.get("before", tree["roots"][old]), roots.get("now", tree["roots"][new])
    return {"does": "begins", "old": {"size": old, "root": before}, "whole": {"size": new, "root": now}, "path": path}


def ours(case: dict[str, Any]) -> bool:
    """What our own verifier says."""
    (old, before), (new, now) = ((case[one]["size"], bytes.fromhex(case[one]["root"])) for one in ("old", "whole"))
    return merkle.verify_consistency(old, new, before, now, [bytes.fromhex(part) for part in case["path"]])


def test_a_log_begins_with_an_earlier_one_or_it_is_another(run: Run) -> None:
    tree = load("merkle.json")
    given = [(case["from"], case["to"], case["path"]) for case in tree["consistency"]]
    same = [(size, size, list[str]()) for size in range(1, len(tree["roots"]))]
    assert all(run(*(begins(tree, *case) for case in (*given, *same))))
    other, spoiled = tree["leaf_hashes"][0], list[dict[str, Any]]()
    for old, new, path in (*given, *same):
        spoiled += [begins(tree, old, new, path, before=other), begins(tree, old, new, path, now=other)]
        spoiled += [begins(tree, old, new, [*path, other]), begins(tree, new, old, path)]
        spoiled += [begins(tree, old, size, path) for size in range(1, len(tree["roots"]))]
        for at in range(len(path)):
            spoiled.append(begins(tree, old, new, [*path[:at], other, *path[at + 1 :]]))
            spoiled.append(begins(tree, old, new, path[:at] + path[at + 1 :]))
    verdicts = run(*spoiled)
    assert verdicts == [ours(case) for case in spoiled]
    assert verdicts.count(False) > 200


def test_large_logs_are_compared_without_losing_a_bit(run: Run) -> None:
    """Sizes above 2^32, where JavaScript's own bit operations would be wrong; the old tree is perfect."""
    old, leaf = 2**40, bytes(32)
    siblings = [bytes([number]) * 32 for number in range(1, 4)]
    root = leaf
    for sibling in siblings:  # 2^43 events: the old log, and three times its double beside it
        root = merkle.node_hash(root, sibling)
    asked = {
        "does": "begins",
        "old": {"size": old, "root": leaf.hex()},
        "whole": {"size": 2**43, "root": root.hex()},
        "path": [sibling.hex() for sibling in siblings],
    }
    assert merkle.verify_consistency(old, 2**43, leaf, root, siblings)
    assert run(asked, asked | {"whole": {"size": 2**42, "root": root.hex()}}) == [True, False]


def test_without_storage_every_page_is_the_first(run: Run) -> None:
    [found] = run({"does": "pins", "broken": True, "acts": [["keep", "acme", "one"], ["meet", "acme", "two"]]})
    assert [said for said, _ in found] == [None, "new"]
