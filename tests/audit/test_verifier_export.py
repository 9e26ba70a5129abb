"""Exports: honest ones hold, and each way of tampering is named."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from frostbyte.cli.verifier import Unreadable, canonical, leaf_hash, verify_export
from frostbyte.kernel.audit.checkpoint import Cosigner, Signer, add_signature
from frostbyte.kernel.audit.export import EVENTS, LEAVES, MANIFEST, Exporter, kept_checkpoint
from frostbyte.kernel.audit.sequencer import Sequencer
from frostbyte.kernel.clock import iso
from frostbyte.kernel.errors import Conflict

Lines = list[dict[str, Any]]


def export(plane: Any, folder: Path, **options: Any) -> Path:
    folder.mkdir(exist_ok=True)
    Exporter(plane.unit_of_work, plane.signer, "acme", plane.clock).write(folder, **options)
    return folder


def read(folder: Path) -> Lines:
    return [json.loads(line) for line in (folder / EVENTS).read_bytes().splitlines()]


def write(folder: Path, lines: Lines, *, manifest: bool = True, leaves: bool = False, numbers: bool = False) -> None:
    """Put lines back, mending what a careful forger would mend."""
    if numbers:
        lines = [{**line, "sequence": number} for number, line in enumerate(lines)]
    data = b"".join(canonical(line) + b"\n" for line in lines)
    (folder / EVENTS).write_bytes(data)
    if leaves:
        (folder / LEAVES).write_bytes(b"".join(leaf_hash(canonical(line["event"])) for line in lines))
    if manifest:
        said = json.loads((folder / MANIFEST).read_text())
        said |= {"count": len(lines), "sha256": hashlib.sha256(data).hexdigest()}
        (folder / MANIFEST).write_text(json.dumps(said))


def edit(lines: Lines) -> Lines:
    lines[10]["event"]["actor"] = "someone-else"
    return lines


def delete(lines: Lines) -> Lines:
    return lines[:10] + lines[11:]


def delete_last(lines: Lines) -> Lines:
    return lines[:-1]


def reorder(lines: Lines) -> Lines:
    lines[10], lines[12] = lines[12], lines[10]
    return lines


def insert(lines: Lines) -> Lines:
    extra = json.loads(json.dumps(lines[10]))
    extra["event"]["event_id"] = "0190aaaa-0000-7000-8000-000000000001"
    extra["event"]["previous_event_id"] = None
    extra["event"]["details"] = {}
    return [*lines[:11], extra, *lines[11:]]


def repeat(lines: Lines) -> Lines:
    return [*lines[:11], lines[10], *lines[11:]]


TAMPERINGS: list[tuple[Callable[[Lines], Lines], str]] = [
    (edit, "edited"),
    (delete, "deleted"),
    (delete_last, "deleted"),
    (reorder, "reordered"),
    (insert, "inserted"),
    (repeat, "inserted"),
]


def test_an_honest_export_holds_and_says_what_was_checked(small_plane: Any, tmp_path: Path) -> None:
    verdict = verify_export(export(small_plane, tmp_path / "x"), small_plane.signer.verifier_key)
    assert verdict.ok, verdict.text()
    assert any("27 events" in item for item in verdict.checked)
    assert any("3 checkpoints" in item for item in verdict.checked)
    assert verdict.keep.splitlines()[2] == "27"
    assert verdict.attested


@pytest.mark.parametrize(("tamper", "name"), TAMPERINGS, ids=[t.__name__ for t, _ in TAMPERINGS])
@pytest.mark.parametrize("careful", [0, 1, 2, 3], ids=["lines", "and_manifest", "and_numbers", "and_leaves"])
def test_tampering_is_caught_and_named(
    small_plane: Any, tmp_path: Path, tamper: Callable[[Lines], Lines], name: str, careful: int
) -> None:
    folder = export(small_plane, tmp_path / "x")
    lines = tamper(read(folder))
    write(folder, lines, manifest=careful >= 1, numbers=careful >= 2, leaves=careful >= 3)
    verdict = verify_export(folder, small_plane.signer.verifier_key)
    assert name in verdict.names, verdict.text()
    others = {"edited", "deleted", "reordered", "inserted"} - {name}
    assert not verdict.names & others, verdict.text()
    assert not any("each as it was written" in item for item in verdict.checked)


def test_the_damaged_event_is_pointed_at(small_plane: Any, tmp_path: Path) -> None:
    folder = export(small_plane, tmp_path / "x")
    write(folder, edit(read(folder)))
    verdict = verify_export(folder, small_plane.signer.verifier_key)
    assert [f.where for f in verdict.failures if f.name == "edited"] == ["event 10"]


@pytest.mark.parametrize(("tamper", "name"), TAMPERINGS, ids=[t.__name__ for t, _ in TAMPERINGS])
def test_an_export_without_leaves_still_names_it(
    small_plane: Any, tmp_path: Path, tamper: Callable[[Lines], Lines], name: str
) -> None:
    folder = export(small_plane, tmp_path / "x")
    (folder / LEAVES).unlink()
    write(folder, tamper(read(folder)), numbers=True)
    assert name in verify_export(folder, small_plane.signer.verifier_key).names


def test_bytes_that_are_not_canonical_or_no_event_are_edits(small_plane: Any, tmp_path: Path) -> None:
    for number, change in enumerate((b" ", b"")):
        folder = export(small_plane, tmp_path / str(number))
        lines = (folder / EVENTS).read_bytes().splitlines(keepends=True)
        lines[4] = lines[4].replace(b'{"event"', b'{"event"' + change) if change else b"[]\n"
        if change:
            lines[4] = lines[4].replace(b'"event" :', b'"event":').replace(b":{", b": {", 1)
        (folder / EVENTS).write_bytes(b"".join(lines))
        assert "edited" in verify_export(folder, small_plane.signer.verifier_key).names


def test_damage_to_leaves_or_manifest_alone_is_told_apart(small_plane: Any, tmp_path: Path) -> None:
    folder = export(small_plane, tmp_path / "x")
    good = (folder / LEAVES).read_bytes()
    (folder / LEAVES).write_bytes(good[:-1] + b"x")
    assert verify_export(folder, small_plane.signer.verifier_key).names == {"leaves_wrong"}
    (folder / LEAVES).write_bytes(good)
    said = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(said | {"count": 5}))
    assert verify_export(folder, small_plane.signer.verifier_key).names == {"manifest_wrong"}


def test_a_wrong_signature_is_named(small_plane: Any, tmp_path: Path) -> None:
    folder = export(small_plane, tmp_path / "x")
    other = Signer(b"\x07" * 32, small_plane.signer.origin)
    assert verify_export(folder, other.verifier_key).names == {"checkpoint_signature_wrong"}
    said = json.loads((folder / MANIFEST).read_text())
    said["checkpoints"][1] = said["checkpoints"][1].replace("\n18\n", "\n17\n")
    (folder / MANIFEST).write_text(json.dumps(said))
    assert "checkpoint_signature_wrong" in verify_export(folder, small_plane.signer.verifier_key).names
    (folder / MANIFEST).write_text(json.dumps(said | {"checkpoints": []}))
    assert verify_export(folder, small_plane.signer.verifier_key).names == {"checkpoint_signature_wrong"}


def test_without_a_key_the_verdict_says_whose_key_it_took(small_plane: Any, tmp_path: Path) -> None:
    verdict = verify_export(export(small_plane, tmp_path / "x"), None)
    assert verdict.ok
    assert "export's own" in verdict.attested[0]


BREAKS: dict[str, Callable[[Any], Any]] = {
    "input_hash": lambda event: replace(event, details={**event.details, "input_hash": "0" * 64}),
    "no_link": lambda event: replace(event, previous_event_id=None),
    "resource": lambda event: replace(event, resource_id="another"),
    "missing": lambda event: replace(event, previous_event_id=UUID(int=5)),
    "fork": lambda event: replace(event, event_id=UUID(int=event.event_id.int + 1)),
}


@pytest.mark.parametrize("kind", BREAKS)
def test_a_log_that_signed_a_broken_chain_is_named(plane: Any, tmp_path: Path, kind: str) -> None:
    *events, last = plane.chain()
    broken = BREAKS[kind](last)
    plane.add([*events, last, broken] if kind == "fork" else [*events, broken])
    plane.sequencer.run_once()
    assert verify_export(export(plane, tmp_path / "x"), plane.signer.verifier_key).names == {"chain_inconsistent"}


def test_a_chain_whose_writers_clocks_disagreed_is_still_a_chain(plane: Any, tmp_path: Path) -> None:
    first, *rest, last = plane.chain()
    plane.add([first, *rest, replace(last, event_id=UUID(int=first.event_id.int - 1))])
    plane.sequencer.run_once()
    assert read(export(plane, tmp_path / "x"))[0]["event"]["type"] == "DOCUMENT_PARSED"
    verdict = verify_export(tmp_path / "x", plane.signer.verifier_key)
    assert verdict.ok, verdict.text()


def test_an_event_of_another_tenant_is_named(plane: Any, tmp_path: Path) -> None:
    first, *rest = plane.chain()
    plane.add([replace(first, tenant_id="other"), *rest])
    plane.sequencer.run_once()
    assert verify_export(export(plane, tmp_path / "x"), plane.signer.verifier_key).names == {"wrong_tenant"}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), documents=st.integers(1, 4), batch=st.integers(1, 7))
def test_chains_hold_however_they_are_interleaved_and_break_with_any_link(
    tmp_path_factory: pytest.TempPathFactory, plane_type: Any, data: st.DataObject, documents: int, batch: int
) -> None:
    plane = plane_type()
    plane.sequencer = Sequencer(plane.unit_of_work, plane.signer, plane.clock, batch=batch)
    events = [event for _ in range(documents) for event in plane.chain()]
    ids = sorted(event.event_id for event in events)
    order = data.draw(st.permutations(ids))
    renamed = {event.event_id: new for event, new in zip(events, order, strict=True)}
    events = [
        replace(event, event_id=renamed[event.event_id], previous_event_id=renamed.get(event.previous_event_id))
        for event in events
    ]
    broken = data.draw(st.none() | st.integers(0, len(events) - 1))
    if broken is not None and events[broken].previous_event_id:
        wrong = {**events[broken].details, "input_hash": "0" * 64}
        events[broken] = replace(events[broken], details=wrong)
    plane.add(events)
    while plane.sequencer.run_once():
        pass
    verdict = verify_export(export(plane, tmp_path_factory.mktemp("x")), plane.signer.verifier_key)
    spoilt = broken is not None and events[broken].previous_event_id is not None
    assert verdict.names == ({"chain_inconsistent"} if spoilt else set()), verdict.text()


# -- against a checkpoint that the verifier holds ---------------------------------------------------------------------


def keep(plane: Any, path: Path, *, timed: bool = True) -> Path:
    with plane.unit_of_work() as uow:
        note = uow.audit.latest_checkpoint().note
        last = uow.audit.events(after_sequence=uow.audit.log_size() - 2)[-1].event
    path.write_text(kept_checkpoint(note, iso(last.timestamp)) if timed else note)
    return path


@pytest.mark.parametrize("timed", [True, False])
def test_a_log_that_went_on_continues_the_held_checkpoint(small_plane: Any, tmp_path: Path, timed: bool) -> None:
    held = keep(small_plane, tmp_path / "kept", timed=timed)
    small_plane.grow(2)
    verdict = verify_export(export(small_plane, tmp_path / "x"), small_plane.signer.verifier_key, held)
    assert verdict.ok, verdict.text()
    assert any("continues the held checkpoint of 27" in item for item in verdict.checked)


@pytest.mark.parametrize("careful", [False, True])
def test_a_truncated_export_is_named(small_plane: Any, tmp_path: Path, careful: bool) -> None:
    held = keep(small_plane, tmp_path / "kept")
    folder = export(small_plane, tmp_path / "x")
    write(folder, read(folder)[:18], leaves=careful)
    if careful:
        said = json.loads((folder / MANIFEST).read_text())
        said["checkpoints"] = said["checkpoints"][:2]
        with small_plane.unit_of_work() as uow:
            root = uow.audit.checkpoints()[1].root.hex()
        (folder / MANIFEST).write_text(json.dumps(said | {"tree": {"size": 18, "root": root}}))
        assert verify_export(folder, small_plane.signer.verifier_key).ok, "alone, a well cut export is whole"
    verdict = verify_export(folder, small_plane.signer.verifier_key, held)
    assert "truncated" in verdict.names, verdict.text()
    assert "rolled_back" not in verdict.names


def test_a_log_that_was_set_back_and_went_on_is_named(small_plane: Any, tmp_path: Path) -> None:
    held = keep(small_plane, tmp_path / "kept")
    small_plane.set_back(9)
    small_plane.grow(1)
    folder = export(small_plane, tmp_path / "x")
    assert verify_export(folder, small_plane.signer.verifier_key).ok
    assert verify_export(folder, small_plane.signer.verifier_key, held).names == {"rolled_back"}


def test_for_a_bare_note_the_age_of_its_file_tells_rolled_back_from_truncated(small_plane: Any, tmp_path: Path) -> None:
    held = keep(small_plane, tmp_path / "kept", timed=False)
    small_plane.set_back(9)
    small_plane.grow(1)
    folder = export(small_plane, tmp_path / "x")
    newest = datetime.fromisoformat(read(folder)[-1]["event"]["timestamp"]).timestamp()
    for age, name in ((-60, "rolled_back"), (60, "truncated")):
        os.utime(held, (newest + age, newest + age))
        assert verify_export(folder, small_plane.signer.verifier_key, held).names == {name}


def test_two_signed_roots_of_one_size_are_a_fork(small_plane: Any, tmp_path: Path) -> None:
    folder = export(small_plane, tmp_path / "x")
    said = json.loads((folder / MANIFEST).read_text())
    said["checkpoints"].insert(0, small_plane.signer.sign(9, b"\x01" * 32))
    (folder / MANIFEST).write_text(json.dumps(said))
    assert "forked" in verify_export(folder, small_plane.signer.verifier_key).names


def test_a_forked_log_is_named(small_plane: Any, tmp_path: Path) -> None:
    held = keep(small_plane, tmp_path / "kept")
    small_plane.set_back(9)
    small_plane.grow(9)
    folder = export(small_plane, tmp_path / "x")
    assert verify_export(folder, small_plane.signer.verifier_key, held).names == {"forked"}


def test_a_held_checkpoint_of_another_log_is_named(small_plane: Any, tmp_path: Path) -> None:
    other = tmp_path / "kept"
    other.write_text(Signer(b"\x07" * 32, "elsewhere").sign(3, b"\x01" * 32))
    verdict = verify_export(export(small_plane, tmp_path / "x"), small_plane.signer.verifier_key, other)
    assert verdict.names == {"checkpoint_signature_wrong"}


# -- parts, archives, witnesses ---------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=st.integers(0, 26))
def test_any_later_part_holds_by_itself(small_plane: Any, tmp_path: Path, first: int) -> None:
    folder = export(small_plane, tmp_path / f"from{first}", first=first)
    verdict = verify_export(folder, small_plane.signer.verifier_key)
    assert verdict.ok, verdict.text()
    assert len(read(folder)) == 27 - first


def test_a_part_is_compared_with_checkpoints_at_or_after_its_beginning(small_plane: Any, tmp_path: Path) -> None:
    held = keep(small_plane, tmp_path / "kept")
    small_plane.grow(4)
    key = small_plane.signer.verifier_key
    assert verify_export(export(small_plane, tmp_path / "a", first=27), key, held).ok
    assert verify_export(export(small_plane, tmp_path / "b", first=28), key, held).names == {"since_unproven"}
    with pytest.raises(Conflict):
        export(small_plane, tmp_path / "c", first=39)


def test_an_archive_is_checked_as_it_is(small_plane: Any, tmp_path: Path) -> None:
    blocks = Exporter(small_plane.unit_of_work, small_plane.signer, "acme", small_plane.clock).tar()
    packed = tmp_path / "export.tar"
    packed.write_bytes(b"".join(blocks))
    with tarfile.open(packed) as archive:
        assert set(archive.getnames()) == {EVENTS, LEAVES, MANIFEST}
    verdict = verify_export(packed, small_plane.signer.verifier_key)
    assert verdict.ok, verdict.text()


def test_many_checkpoints_are_thinned_to_the_newest_and_even_ones(
    plane: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frostbyte.kernel.audit.export.MAX_CHECKPOINTS", 8)
    plane.grow(1, runs=30)
    folder = export(plane, tmp_path / "x")
    notes = json.loads((folder / MANIFEST).read_text())["checkpoints"]
    assert 4 <= len(notes) <= 9
    assert notes[-1].splitlines()[1] == "90"
    assert verify_export(folder, plane.signer.verifier_key).ok


def test_witnesses_asked_for_must_have_cosigned(small_plane: Any, tmp_path: Path) -> None:
    folder = export(small_plane, tmp_path / "x")
    witness = Cosigner(b"\x09" * 32, "ledger.example/w")
    key = small_plane.signer.verifier_key
    assert verify_export(folder, key, witnesses=[str(witness.public_key)]).names == {"cosignature_missing"}
    said = json.loads((folder / MANIFEST).read_text())
    note = said["checkpoints"][-1]
    said["checkpoints"][-1] = add_signature(note, witness.cosign(note, 1_770_000_000))
    (folder / MANIFEST).write_text(json.dumps(said))
    verdict = verify_export(folder, key, witnesses=[str(witness.public_key)])
    assert verdict.ok, verdict.text()
    assert any("ledger.example/w" in item for item in verdict.checked)


def test_what_is_no_export_is_refused_and_not_judged(tmp_path: Path) -> None:
    with pytest.raises(Unreadable):
        verify_export(tmp_path, None)
    (tmp_path / MANIFEST).write_text("{}")
    with pytest.raises(Unreadable):
        verify_export(tmp_path, None)
    (tmp_path / "x.tar").write_bytes(b"no archive")
    with pytest.raises(Unreadable):
        verify_export(tmp_path / "x.tar", None)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_flipped_bit_of_the_events_goes_unseen(small_plane: Any, tmp_path: Path, data: st.DataObject) -> None:
    folder = export(small_plane, tmp_path / "x")
    raw = bytearray((folder / EVENTS).read_bytes())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    (folder / EVENTS).write_bytes(bytes(raw))
    assert not verify_export(folder, small_plane.signer.verifier_key).ok
