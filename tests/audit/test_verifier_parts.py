"""A long export is judged by parts and in several processes: what comes out is what one pass finds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit.test_verifier_export import delete, delete_last, edit, export, insert, read, reorder, repeat, write
from frostbyte.cli import verifier
from frostbyte.cli.verifier import Export, Tree, leaf_hash, verify_export
from frostbyte.kernel.audit.export import EVENTS

Change = Callable[[Any], Any]


def chain(lines: Any) -> Any:
    lines[4]["event"]["details"]["input_hash"] = "00" * 32
    return lines


def foreign(lines: Any) -> Any:
    lines[4]["event"]["tenant_id"] = "globex"
    return lines


CHANGES: dict[str, Change] = {
    item.__name__: item for item in (edit, delete, delete_last, reorder, insert, repeat, chain, foreign)
}
BYTES: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda data: data,
    "half a line": lambda data: data[:-30],
    "a space": lambda data: data.replace(b'"actor":', b'"actor": ', 1),
    "two lines in one": lambda data: data.replace(b"\n", b",", 1),
    "an empty line": lambda data: data.replace(b"\n", b"\n\n", 1),
    "garbage": lambda data: data[:700] + b"\xff\n" + data[700:],
    "empty": lambda data: b"",
    "a number with a fraction": lambda data: data.replace(b'"sequence":3}', b'"sequence":3.0}'),
    "moved between lines": lambda data: data.replace(b'"status":"ok"', b'"status":[{"event":1}]', 1),
}


def verdicts(folder: Path, key: str, monkeypatch: pytest.MonkeyPatch, jobs: int) -> tuple[Any, Any]:
    with monkeypatch.context() as patch:
        patch.setattr(verifier, "PART", 1500)
        patch.setattr(verifier, "BATCH", 2)
        parts = verify_export(folder, key, jobs=jobs)
    with monkeypatch.context() as patch:
        patch.setattr(Export, "_compare_at_once", lambda self: None)
        whole = verify_export(folder, key)
    return parts.to_json(), whole.to_json()


@pytest.mark.parametrize("change", CHANGES)
def test_parts_find_what_one_pass_finds(
    small_plane: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    folder = export(small_plane, tmp_path / "x")
    lines = CHANGES[change](read(folder))
    for mend in ({}, {"numbers": True}, {"leaves": True}):
        write(folder, lines, **mend)
        parts, whole = verdicts(folder, small_plane.signer.verifier_key, monkeypatch, 1)
        assert not whole["ok"]
        assert parts == whole


@pytest.mark.parametrize("change", BYTES)
def test_parts_read_bytes_as_one_pass_does(
    small_plane: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    folder = export(small_plane, tmp_path / "x")
    (folder / EVENTS).write_bytes(BYTES[change]((folder / EVENTS).read_bytes()))
    parts, whole = verdicts(folder, small_plane.signer.verifier_key, monkeypatch, 1)
    assert whole["ok"] is (change == "nothing")
    assert parts == whole


def test_the_fast_way_is_taken(small_plane: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = export(small_plane, tmp_path / "x")
    monkeypatch.setattr(Export, "_compare", None)
    monkeypatch.setattr(verifier, "PART", 1500)
    assert verify_export(folder, small_plane.signer.verifier_key, jobs=2).ok


def test_parts_of_a_part_of_the_log(small_plane: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = export(small_plane, tmp_path / "x", first=10)
    parts, whole = verdicts(folder, small_plane.signer.verifier_key, monkeypatch, 2)
    assert parts == whole
    assert whole["ok"]


def test_a_tree_grows_by_many_as_by_one() -> None:
    leaves = [leaf_hash(b"%d" % number) for number in range(70)]
    for start in range(1, 20):
        for count in range(50):
            one, many = Tree(0, []), Tree(0, [])
            for leaf in leaves[: start + count]:
                one.add(leaf)
            many.extend(leaves[:start])
            many.extend(leaves[start : start + count])
            assert (many.size, many.root(), json.dumps([bit for bit, _ in many._edge])) == (
                one.size,
                one.root(),
                json.dumps([bit for bit, _ in one._edge]),
            )
