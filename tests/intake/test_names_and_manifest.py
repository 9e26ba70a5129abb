"""Names are cleaned for show; a manifest is held against what comes, file by file."""

import hashlib
import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from frostbyte.data_plane.intake.manifest import Manifest, parse_manifest
from frostbyte.data_plane.intake.names import LONGEST, display_name
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.records import Outcome
from intake.door_bench import CSV, PDF, TXT, Bench

NAMES: dict[str | bytes, str] = {
    "invoice.pdf": "invoice.pdf",
    "../../etc/passwd": "passwd",
    "C:\\Users\\x\\file.docx": "file.docx",
    "a\x00b.txt": "ab.txt",
    "invoice\u202efdp.exe": "invoicefdp.exe",
    "zero\u200bwidth.txt": "zerowidth.txt",
    "  two   spaces .txt ": "two spaces .txt",
    "tab\there\n.txt": "tab here .txt",
    "": "unnamed",
    "..": "unnamed",
    "folder/": "folder",
    "Müller.pdf": "Müller.pdf",
    "Mu\u0308ller.pdf": "Müller.pdf",
    b"M\xfcller.pdf": "M\ufffdller.pdf",
    "M\udcfcller.pdf": "M\ufffdller.pdf",
    "lone\ud800.txt": "lone?.txt",
}


@pytest.mark.parametrize("given_name", NAMES)
def test_names_are_cleaned(given_name: str | bytes) -> None:
    assert display_name(given_name) == NAMES[given_name]


def test_a_long_name_keeps_its_ending() -> None:
    name = display_name("x" * 300 + ".pdf")
    assert len(name) == LONGEST
    assert name.endswith("….pdf")


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=400), st.binary(max_size=400)))
def test_every_name_becomes_a_harmless_one(name: str | bytes) -> None:
    shown = display_name(name)
    assert 0 < len(shown) <= LONGEST
    assert not set("/\\\x00") & set(shown)
    assert all(unicodedata.category(ch) not in ("Cc", "Cf", "Cs") for ch in shown)
    assert display_name(shown) == shown
    shown.encode()


@pytest.mark.parametrize("name", NAMES)
def test_no_name_reaches_the_store(bench: Bench, name: str) -> None:
    outcome = bench.one(TXT, name)
    assert outcome.filename == NAMES[name]
    assert all(part.isascii() for part in bench.blobs.names(""))
    assert sorted(n.partition("/")[0] for n in bench.blobs.names("")) == ["keys", "raw"]


def manifest(*entries: dict[str, Any]) -> Manifest:
    return parse_manifest(json.dumps({"files": list(entries)}).encode())


def entry(data: bytes, name: str = "a", mime: str = "text/plain", **changes: Any) -> dict[str, Any]:
    sha256 = hashlib.sha256(data).hexdigest()
    return {
        "file_id": name, "filename": name, "mime_type": mime, "size_bytes": len(data), "sha256": sha256
    } | changes  # fmt: skip


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{", b"{}", b'{"files": [{"file_id": "1"}]}', b'{"files": [], "extra": 1}', b"\xff\xfe",
     b'{"files":[{"file_id":"1","filename":"a","size_bytes":-1}]}', b'{"files":[{"file_id":"","filename":"a"}]}',
     b'{"files":[{"file_id":"1","filename":"a","sha256":"zz"}]}', b'{"files":[{"file_id":"a b","filename":"a"}]}',
     b'{"files":[{"file_id":"1","filename":"a"},{"file_id":"1","filename":"b"}]}'],
)  # fmt: skip
def test_a_manifest_that_is_not_one_is_refused(data: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        parse_manifest(data)
    assert caught.value.code == "manifest_invalid"


def test_values_of_a_manifest_are_never_in_its_error() -> None:
    with pytest.raises(Invalid) as caught:
        manifest(entry(TXT, sha256="SECRET-VALUE"))
    assert "SECRET" not in caught.value.message


def test_a_manifest_that_is_right_changes_nothing(bench: Bench) -> None:
    outcome = bench.one(TXT, "a", manifest=manifest(entry(TXT, mime="Text/Plain; charset=utf-8")))
    assert (outcome.outcome, outcome.file_id) == (Outcome.ACCEPTED, "a")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"mime_type": "application/pdf"}, "manifest_mismatch_mime"),
        ({"size_bytes": 1}, "manifest_mismatch_size"),
        ({"sha256": "0" * 64}, "manifest_mismatch_sha256"),
        ({"mime_type": "", "sha256": "", "size_bytes": None}, ""),
        ({"sha256": hashlib.sha256(TXT).hexdigest().upper()}, ""),
    ],
)
def test_what_the_manifest_says_must_be_so(bench: Bench, changes: dict[str, Any], code: str) -> None:
    outcome = bench.one(TXT, "a", manifest=manifest(entry(TXT) | changes))
    assert (outcome.code, outcome.file_id) == (code, "a")
    assert len(list(bench.blobs.names("raw/"))) == (0 if code else 1)


def test_a_lying_ending_or_header_decides_nothing(bench: Bench) -> None:
    session = bench.intake.open_batch("vendor")
    sink = session.file("picture.png", "image/png")
    sink.write(PDF)
    assert sink.finish().mime == "application/pdf"


@pytest.mark.parametrize(("data", "said"), [(CSV, "text/plain"), (b"name\nalpha\n", "text/csv")])
def test_between_two_kinds_of_text_the_manifest_chooses(bench: Bench, data: bytes, said: str) -> None:
    assert bench.one(data, "a", manifest=manifest(entry(data, mime=said))).mime == said


def test_missing_and_unknown_files_are_reported_one_by_one(bench: Bench) -> None:
    listed = manifest(entry(TXT), entry(PDF, "b", "application/pdf"), entry(PDF, "c", "application/pdf"))
    result = bench.send(("a", TXT), ("stranger", CSV), manifest=listed)
    assert [(f.filename, f.file_id, f.code) for f in result.files] == [
        ("a", "a", ""), ("stranger", "", "not_in_manifest"), ("b", "b", "missing_file"), ("c", "c", "missing_file")
    ]  # fmt: skip
    assert bench.event_types().count("DOCUMENT_REJECTED") == 3


def test_files_of_one_name_are_matched_in_order(bench: Bench) -> None:
    listed = manifest(entry(TXT, file_id="1"), entry(CSV, file_id="2", mime="text/csv"))
    result = bench.send(("a", TXT), ("a", CSV), ("a", PDF), manifest=listed)
    assert [(f.file_id, f.code) for f in result.files] == [("1", ""), ("2", ""), ("", "not_in_manifest")]


def test_the_quota_does_not_excuse_a_wrong_manifest(bench: Bench) -> None:
    bench.one(TXT, "a")
    bench.configure(storage_quota_gb=1)
    bench.change(lambda row: replace(row, size=1024**3))
    assert bench.one(PDF).code == "quota_reached"
    wrong = manifest(entry(TXT, sha256="0" * 64))
    assert bench.one(TXT, "a", manifest=wrong).outcome is Outcome.REJECTED
