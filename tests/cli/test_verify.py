"""Checking proofs and exports from the command line, without a server: codes and words."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from cli.fake_plane import Run
from frostbyte.cli.exits import Exit

VECTORS = Path(__file__).parents[1] / "vectors"


@pytest.fixture
def case(tmp_path: Path) -> dict[str, Any]:
    """The proof of the vectors as files: `proof`, `key`, `source`."""
    told: dict[str, Any] = json.loads((VECTORS / "proof.json").read_bytes())
    (tmp_path / "proof.json").write_text(json.dumps(told["proof"]), encoding="utf-8")
    (tmp_path / "log.pub").write_text(told["verifier_key"] + "\n", encoding="utf-8")
    (tmp_path / "source").write_bytes(base64.b64decode(told["source_base64"]))
    return {"told": told} | {name: str(tmp_path / file) for name, file in
                             (("proof", "proof.json"), ("key", "log.pub"), ("source", "source"))}  # fmt: skip


def test_a_proof_holds_with_its_key_as_file_or_text(run: Run, case: dict[str, Any]) -> None:
    for key in (case["key"], case["told"]["verifier_key"]):
        ended = run("proof", "verify", case["proof"], "--key", key, "--source", case["source"])
        assert ended.code == Exit.OK, ended.err
        assert "HOLDS" in ended.out
    assert run("proof", "verify", case["proof"], "--key", case["key"], "--json").json["ok"] is True


def test_a_changed_proof_and_another_source_end_with_6(run: Run, case: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"another file")
    ended = run("proof", "verify", case["proof"], "--key", case["key"], "--source", str(tmp_path / "other"))
    assert ended.code == Exit.VERIFICATION_FAILED
    assert "source_wrong" in ended.out
    forged = case["told"]["proof"]
    forged["answer"]["text"] += "!"
    Path(case["proof"]).write_text(json.dumps(forged), encoding="utf-8")
    ended = run("proof", "verify", case["proof"], "--key", case["key"])
    assert ended.code == Exit.VERIFICATION_FAILED
    assert "DOES NOT HOLD" in ended.out


def test_what_cannot_be_checked_is_not_called_wrong(run: Run, case: dict[str, Any], tmp_path: Path) -> None:
    assert run("proof", "verify", str(tmp_path / "nowhere"), "--key", case["key"]).code == Exit.NOT_FOUND
    assert run("proof", "verify", case["proof"], "--key", str(tmp_path / "nowhere")).code == Exit.NOT_FOUND
    assert run("proof", "verify", case["proof"], "--key", "a+b+c").code == Exit.USAGE
    (tmp_path / "no.json").write_text("no")
    assert run("proof", "verify", str(tmp_path / "no.json"), "--key", case["key"]).code == Exit.USAGE


def test_an_export_is_checked_as_folder_and_as_archive(run: Run, case: dict[str, Any], tmp_path: Path) -> None:
    key = json.loads((VECTORS / "export.json").read_bytes())["verifier_key"]
    assert run("audit", "verify", str(VECTORS / "export"), "--key", key).code == Exit.OK
    folder = shutil.copytree(VECTORS / "export", tmp_path / "export")
    packed = shutil.make_archive(str(tmp_path / "packed"), "tar", folder)
    assert run("audit", "verify", packed, "--key", key, "--json").json["ok"] is True
    lines = (folder / "audit_export.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "audit_export.jsonl").write_text("".join(lines[:1] + lines[2:]), encoding="utf-8")
    ended = run("audit", "verify", str(folder), "--key", key)
    assert ended.code == Exit.VERIFICATION_FAILED
    assert "deleted" in ended.out
