"""Sending: which files, in what batches, byte for byte, and how it ends."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.fake_plane import BATCH, FakePlane, Request, Run, doc_id, item, report
from frostbyte.cli import upload, watch
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.exits import Exit


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "in"
    (made / "deep").mkdir(parents=True)
    (made / "a.txt").write_bytes(b"alpha")
    (made / "deep" / "b.txt").write_bytes(b"beta\r\n--boundary\r\n")
    (made / ".hidden").write_bytes(b"no")
    return made


def takes(plane: FakePlane, states: dict[int, str] | None = None, **more: Any) -> None:
    """Let the plane accept everything and have it in these states."""

    def ingest(request: Request) -> tuple[int, Any]:
        count = len(request.parts()) - 1
        accepted = [
            {key: item(n, "received")[key] for key in ("receipt_id", "doc_id", "file_id", "filename", "outcome")}
            for n in range(1, count + 1)
        ]
        return 202, {"batch_id": BATCH, "accepted": accepted, "rejected": [], "checkpoint": None, "links": {}} | more

    documents = [item(n, state) for n, state in (states or {1: "indexed", 2: "indexed"}).items()]
    plane.on("POST", "/ingest", ingest)
    plane.on("GET", "/config", {"version": 1, "values": {"max_batch_size": 1000}})
    plane.on(
        "GET", f"/ingest/{BATCH}", {"batch_id": BATCH, "created_at": "", "completed_at": None, "documents": documents}
    )
    plane.on("GET", f"/ingest/{BATCH}/report", report(documents, more.get("rejected")))


def test_folders_are_sent_whole_with_a_manifest_first(run: Run, plane: FakePlane, folder: Path) -> None:
    takes(plane)
    ended = run("ingest", str(folder))
    assert ended.code == Exit.OK
    parts = plane.last("POST", "/ingest").parts()
    assert [(name, filename) for name, filename, _ in parts] == [
        ("manifest", None),
        ("files", "a.txt"),
        ("files", "b.txt"),
    ]
    entries = json.loads(parts[0][2])["files"]
    for entry, (_, filename, content) in zip(entries, parts[1:], strict=True):
        assert entry["filename"] == filename
        assert entry["size_bytes"] == len(content)
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()
    assert parts[2][2] == b"beta\r\n--boundary\r\n"
    assert "2 received" in ended.out
    assert "The account closes" in ended.out


@pytest.mark.slow
def test_the_same_files_have_the_same_idempotency_key_and_others_do_not(
    run: Run, plane: FakePlane, folder: Path
) -> None:
    takes(plane)

    def key(*options: str) -> str:
        run("ingest", str(folder), *options)
        return plane.last("POST", "/ingest").headers["Idempotency-Key"]

    first = key()
    assert key() == first
    assert key("--again") != first
    assert key("--no-checksums") != key("--no-checksums")
    (folder / "a.txt").write_bytes(b"alphA")
    assert key() != first


def test_more_files_than_a_batch_holds_become_several(run: Run, plane: FakePlane, tmp_path: Path) -> None:
    takes(plane)
    for number in range(5):
        (tmp_path / f"{number}.txt").write_bytes(b"x%d" % number)
    plane.on("GET", "/config", {"version": 1, "values": {"max_batch_size": 2}})
    run("ingest", str(tmp_path))
    sent = [len(r.parts()) - 1 for r in plane.seen if (r.method, r.path) == ("POST", "/api/v1/ingest")]
    assert sent == [2, 2, 1]


@pytest.mark.parametrize("state", ["failed", "quarantined"])
def test_it_ends_with_3_if_a_document_is_not_indexed(run: Run, plane: FakePlane, folder: Path, state: str) -> None:
    takes(plane, {1: "indexed", 2: state})
    assert run("ingest", str(folder)).code == Exit.PROBLEMS


def test_it_ends_with_3_and_the_remedy_if_a_file_is_rejected(run: Run, plane: FakePlane, folder: Path) -> None:
    refused = {"filename": "b.txt", "code": "unsupported_type", "message": "Not accepted.", "remedy": "Convert it."}
    takes(plane, {1: "indexed"}, rejected=[refused])
    ended = run("ingest", str(folder))
    assert ended.code == Exit.PROBLEMS
    assert "Convert it." in ended.out


def test_json_holds_the_answers_and_the_reports_and_nothing_else_is_on_stdout(
    run: Run, plane: FakePlane, folder: Path
) -> None:
    takes(plane)
    ended = run("ingest", str(folder), "--json")
    assert ended.json["batches"][0]["batch_id"] == BATCH
    assert ended.json["reports"][0]["totals"]["indexed"] == 2
    assert ended.err == ""


def test_documents_that_only_wait_do_not_hold_the_command(
    run: Run, plane: FakePlane, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "WAITING_SECONDS", 0.2)
    monkeypatch.setattr(watch, "POLL_SECONDS", 0.05)
    takes(plane)
    waiting = item(1, "waiting", stage="scan", code="scanner_unavailable", message="No scanner.", remedy="Start clamd.")
    plane.on("GET", f"/ingest/{BATCH}", {"batch_id": BATCH, "completed_at": None, "documents": [waiting]})
    plane.on("GET", f"/ingest/{BATCH}/report", report([waiting]))
    ended = run("ingest", str(folder))
    assert ended.code == Exit.PROBLEMS
    assert "Start clamd." in ended.out


def test_the_event_stream_is_followed_and_polling_takes_over_where_it_breaks(
    run: Run, plane: FakePlane, folder: Path
) -> None:
    takes(plane, {1: "indexed"})
    first = f"event: document\ndata: {json.dumps(item(1, 'received'))}\n\n"
    stream = f": hello\n\n{first}event: document\ndata: {json.dumps(item(1, 'indexed'))[:20]}"  # cut off
    plane.on("GET", f"/ingest/{BATCH}/events", stream.encode())
    ended = run("ingest", str(folder / "a.txt"))
    assert ended.code == Exit.OK
    assert any(r.path == f"/api/v1/ingest/{BATCH}" for r in plane.seen)
    assert "indexed" in ended.err


def test_a_missing_path_and_an_empty_folder_are_said(run: Run, plane: FakePlane, tmp_path: Path) -> None:
    assert run("ingest", str(tmp_path / "nowhere")).code == Exit.NOT_FOUND
    (tmp_path / "empty").mkdir()
    ended = run("ingest", str(tmp_path / "empty"))
    assert ended.code == Exit.USAGE
    assert "no files" in ended.err
    assert not plane.seen


def test_a_file_is_sent_once_however_often_it_is_named(folder: Path) -> None:
    (folder / "link.txt").symlink_to(folder / "a.txt")
    found = upload.collect([folder, folder / "a.txt", folder / "deep"])
    assert [path.name for path in found] == ["a.txt", "b.txt"]


def test_a_file_that_grows_while_it_is_sent_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "log.txt"
    file.write_bytes(b"one")
    (source,) = upload.describe([file], digests=True, progress=lambda _: None)
    for content in (b"one and more", b"o"):
        file.write_bytes(content)
        with pytest.raises(CommandFailed, match="changed") as caught:
            b"".join(upload.Body([source], b"{}"))
        assert caught.value.code == "file_changed"


@given(names=st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=4), data=st.binary(max_size=200))
@settings(max_examples=60, deadline=None)
def test_the_body_is_as_long_as_it_says_and_names_cannot_break_out(names: list[bytes], data: bytes) -> None:
    sources = []
    usable = [name for name in names if not set(name) & {0, 0x2F} and name not in (b".", b"..")]
    folder = Path(os.environ.get("TMPDIR", "/tmp"))
    for number, name in enumerate(usable):
        sources.append(upload.Source(folder / os.fsdecode(name), str(number), 0))
    body = upload.Body(sources, data)
    head = [body._file_head(source) for source in sources]
    assert all(part.count(b"\r\n") == 4 and part.count(b'"') == 4 for part in head)
    assert body.length() == len(body._manifest_part()) + sum(len(part) + 2 for part in head) + len(body._end())


@given(st.lists(st.integers(0, 5 << 30), max_size=30), st.integers(1, 7))
def test_batches_keep_order_and_size(sizes: list[int], most: int) -> None:
    sources = [upload.Source(Path(str(n)), str(n), size) for n, size in enumerate(sizes)]
    cut = upload.batches(sources, most)
    assert [source for part in cut for source in part] == sources
    for part in cut:
        assert len(part) <= most
        assert len(part) == 1 or sum(source.size for source in part) <= upload.BATCH_BYTES


def test_patience_ends_when_all_is_settled() -> None:
    patience = watch.Patience()
    patience.see([item(1, "indexed"), item(2, "received")])
    assert not patience.ended
    patience.see([{"doc_id": doc_id(2), "state": "failed", "code": "damaged"}])
    assert patience.ended
