"""Uploads over HTTP: good and bad files, lying manifests, hostile names, broken bodies, repeated requests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from frostbyte.kernel.ids import new_id
from frostbyte.kernel.tokens import Scope

Refused = Callable[[Any, int, str], dict[str, Any]]


def body(*parts: tuple[str, bytes], end: bytes = b"--x--\r\n") -> bytes:
    """A multipart body by hand: each part's headers and content."""
    return b"".join(b"--x\r\n" + head.encode() + b"\r\n\r\n" + data + b"\r\n" for head, data in parts) + end


def file_part(name: str, content: bytes, form: str = "files") -> tuple[str, bytes]:
    """A file's part."""
    return f'Content-Disposition: form-data; name="{form}"; filename="{name}"', content


def post(api: Any, content: bytes, kind: str = "multipart/form-data; boundary=x") -> Any:
    """Send a body as it is."""
    return api.call("POST", "/ingest", content=content, headers={"Content-Type": kind})


def with_manifest(api: Any, entries: list[dict[str, Any]], *files: tuple[str, bytes]) -> Any:
    """Send a manifest first, then files."""
    manifest = json.dumps({"files": entries}).encode()
    return post(
        api,
        body(('Content-Disposition: form-data; name="manifest"', manifest), *(file_part(*item) for item in files)),
    )


def test_good_and_bad_files_together(api: Any) -> None:
    unique = str(new_id()).encode()
    told = api.send(
        ("good.txt", b"Minutes of the meeting " + unique),
        ("program.exe", b"MZ\x90\x00" + bytes(200) + unique),
        ("empty.txt", b""),
        ("also-good.csv", b"item,price\nfreezer,100\n" + unique + b",2\n"),
    )
    assert [item["filename"] for item in told["accepted"]] == ["good.txt", "also-good.csv"]
    assert [item["filename"] for item in told["rejected"]] == ["program.exe", "empty.txt"]
    assert all(item["code"] and item["message"] and item["remedy"] for item in told["rejected"])
    assert told["replayed"] is False
    status = api.ended(told["batch_id"])
    assert status["counts"] == {"indexed": 2}
    assert [item["filename"] for item in status["rejected"]] == ["program.exe", "empty.txt"]


def test_what_the_manifest_says_wrong(api: Any) -> None:
    content = b"A letter about storage " + str(new_id()).encode()
    right = {"file_id": "f1", "filename": "right.txt", "sha256": hashlib.sha256(content).hexdigest()}
    answer = with_manifest(
        api,
        [
            right | {"size_bytes": len(content), "mime_type": "text/plain"},
            {"file_id": "f2", "filename": "short.txt", "size_bytes": 3},
            {"file_id": "f3", "filename": "digest.txt", "sha256": "0" * 64},
            {"file_id": "f4", "filename": "type.txt", "mime_type": "application/pdf"},
            {"file_id": "f5", "filename": "never-sent.txt"},
        ],
        ("right.txt", content),
        ("short.txt", content + b"2"),
        ("digest.txt", content + b"3"),
        ("type.txt", content + b"4"),
        ("unlisted.txt", content + b"5"),
    )
    assert answer.status_code == 202, answer.text
    told = answer.json()
    assert [(item["file_id"], item["size"]) for item in told["accepted"]] == [("f1", len(content))]
    assert {(item["file_id"], item["code"]) for item in told["rejected"]} == {
        ("f2", "manifest_mismatch_size"),
        ("f3", "manifest_mismatch_sha256"),
        ("f4", "manifest_mismatch_mime"),
        ("f5", "missing_file"),
        ("", "not_in_manifest"),
    }


@pytest.mark.parametrize("manifest", [b"{", b"[]", b'{"files": [{"file_id": "a"}]}', b"\xff", b""])
def test_manifests_that_are_none(manifest: bytes, api: Any, refused: Refused) -> None:
    part = ('Content-Disposition: form-data; name="manifest"', manifest)
    refused(post(api, body(part, file_part("a.txt", b"x"))), 422, "manifest_invalid")


HOSTILE = {
    "../../../etc/passwd": "passwd",
    "..\\..\\windows\\win.ini": "win.ini",
    "invoice\u202efdp.exe": "invoicefdp.exe",
    "a\tb.txt": "a b.txt",
    "..": "unnamed",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_made_harmless(name: str, api: Any) -> None:
    content = b"A text with a name " + str(new_id()).encode()
    answer = post(api, body(file_part(name, content)))
    assert answer.status_code == 202, answer.text
    [item] = answer.json()["accepted"]
    assert item["filename"] == HOSTILE[name]


def test_a_name_of_300_characters_keeps_its_ending(api: Any) -> None:
    told = api.send(("n" * 300 + ".txt", b"Long name " + str(new_id()).encode()))
    [item] = told["accepted"]
    assert len(item["filename"]) <= 200
    assert item["filename"].endswith(".txt")


BROKEN: dict[str, tuple[bytes, str]] = {
    "no boundary in the header": (body(file_part("a.txt", b"x")), "multipart/form-data"),
    "another type": (b"{}", "application/json"),
    "no closing boundary": (body(file_part("a.txt", b"x"), end=b""), "multipart/form-data; boundary=x"),
    "nothing at all": (b"", "multipart/form-data; boundary=x"),
    "another boundary": (body(file_part("a.txt", b"x")), "multipart/form-data; boundary=y"),
    "a part of another name": (body(file_part("a.txt", b"x", "other")), "multipart/form-data; boundary=x"),
    "a file without a name": (
        body(('Content-Disposition: form-data; name="files"', b"x")),
        "multipart/form-data; boundary=x",
    ),
    "a part without headers": (b"--x\r\n\r\nabc\r\n--x--\r\n", "multipart/form-data; boundary=x"),
    "a manifest that comes late": (
        body(file_part("a.txt", b"x"), ('Content-Disposition: form-data; name="manifest"', b"{}")),
        "multipart/form-data; boundary=x",
    ),
    "an endless header": (
        body(("Content-Disposition: form-data; name=" + "a" * 9000, b"x")),
        "multipart/form-data; boundary=x",
    ),
    "many headers": (
        body(("\r\n".join(f"X-{number}: 1" for number in range(40)), b"x")),
        "multipart/form-data; boundary=x",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_bodies(name: str, api: Any, refused: Refused) -> None:
    refused(post(api, *BROKEN[name]), 422, "multipart_invalid")


def test_what_came_before_a_break_stays_and_what_broke_leaves_nothing(api: Any, refused: Refused) -> None:
    whole, broken = (b"Kept " + str(new_id()).encode(), b"Lost " + str(new_id()).encode())
    sent = body(file_part("kept.txt", whole), file_part("lost.txt", broken), end=b"")[:-2]
    refused(post(api, sent), 422, "multipart_invalid")
    again = api.send(("kept.txt", whole), ("lost.txt", broken))
    assert [item["outcome"] for item in again["accepted"]] == ["duplicate", "accepted"]


def test_repeating_a_request_gives_the_same_answer(api: Any, refused: Refused) -> None:
    content = b"Sent twice " + str(new_id()).encode()
    key = {"Idempotency-Key": str(new_id())}
    first = api.send(("a.txt", content), **key)
    second = api.send(("a.txt", content), **key)
    assert second["replayed"] is True
    assert second["batch_id"] == first["batch_id"]
    assert [item["receipt_id"] for item in second["accepted"]] == [item["receipt_id"] for item in first["accepted"]]
    entry = [{"file_id": "1", "filename": "a.txt"}]
    manifest = ('Content-Disposition: form-data; name="manifest"', json.dumps({"files": entry}).encode())
    other = api.call(
        "POST",
        "/ingest",
        content=body(manifest, file_part("a.txt", content)),
        headers=key | {"Content-Type": "multipart/form-data; boundary=x"},
    )
    refused(other, 409, "idempotency_key_reused")


def test_one_senders_key_is_not_anothers(api: Any) -> None:
    content, key = b"Two senders " + str(new_id()).encode(), {"Idempotency-Key": str(new_id())}
    mine = api.send(("a.txt", content), token=api.token(Scope.INGEST, subject="vendor-a"), **key)
    theirs = api.send(("a.txt", content), token=api.token(Scope.INGEST, subject="vendor-b"), **key)
    assert theirs["batch_id"] != mine["batch_id"]
    assert theirs["replayed"] is False
    assert theirs["accepted"][0]["outcome"] == "accepted", "nobody learns that somebody else sent the same"


@pytest.mark.slow
def test_senders_see_their_own_uploads_alone(api: Any, refused: Refused) -> None:
    mine = api.token(Scope.INGEST, subject="vendor-c")
    others = [api.token(Scope.INGEST, subject="vendor-d"), api.token(Scope.INGEST, Scope.ERASE, subject="vendor-d")]
    told = api.send(("mine.txt", b"Mine " + str(new_id()).encode()), token=mine)
    receipt = told["accepted"][0]["receipt_id"]
    root = f"/ingest/{told['batch_id']}"
    api.ended(told["batch_id"])
    for path in (root, f"{root}/events", f"{root}/report", f"{root}/report?format=html"):
        assert api.call("GET", path, token=mine).status_code == 200
        for other in others:
            refused(api.call("GET", path, token=other), 404, "batch_not_found")
    assert api.call("GET", f"/receipts/{receipt}", token=mine).json()["filename"] == "mine.txt"
    missing = refused(api.call("GET", f"/receipts/{new_id()}", token=mine), 404, "receipt_not_found")
    for other in others:
        hidden = refused(api.call("GET", f"/receipts/{receipt}", token=other), 404, "receipt_not_found")
        assert hidden["detail"] == missing["detail"], "hidden and missing look the same"
    assert api.call("GET", root, token=api.token(Scope.AUDIT)).status_code == 200


def test_the_report_adds_up_and_says_what_stands_in(api: Any) -> None:
    told = api.send(("a.txt", b"Report " + str(new_id()).encode()), ("b.exe", b"MZ" + bytes(100)))
    api.ended(told["batch_id"])
    report = api.call("GET", f"/ingest/{told['batch_id']}/report").json()
    totals = report["totals"]
    assert (totals["received"], totals["rejected"], totals["indexed"]) == (2, 1, 1)
    assert {"scanner", "vectors", "database", "objects", "queue", "embedder"} == set(report["stand_ins"])
    assert report["warnings"]
    assert [item["filename"] for item in report["problems"]] == ["b.exe"]
    for tally in report["account"].values():
        parts = tally["indexed"] + tally["redacted"] + tally["withheld"] + sum(tally["dropped"].values())
        assert tally["found"] == parts


def test_the_report_page_escapes_names(api: Any) -> None:
    name = "<img src=x onerror=alert(1)>&.txt"
    told = api.send((name, b"Escaped " + str(new_id()).encode()), ("<b>.exe", b"MZ" + bytes(100)))
    api.ended(told["batch_id"])
    page = api.call("GET", f"/ingest/{told['batch_id']}/report?format=html")
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "<img" not in page.text
    assert "<b>.exe" not in page.text
    assert "&lt;img src=x onerror=alert(1)&gt;&amp;.txt" in page.text


def test_events_end_with_done(api: Any) -> None:
    told = api.send(("watched.txt", b"Watched " + str(new_id()).encode()))
    answer = api.call("GET", told["links"]["events"])
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [block.split("\n", 1) for block in answer.text.strip().split("\n\n") if not block.startswith(":")]
    assert [name for name, _ in events[:-1]] == ["event: document"] * (len(events) - 1)
    assert events[-1][0] == "event: done"
    assert json.loads(events[-1][1].removeprefix("data: ")) == {"indexed": 1}
    last = json.loads(events[-2][1].removeprefix("data: "))
    assert (last["filename"], last["state"]) == ("watched.txt", "indexed")


def test_a_receipt(api: Any, contract: Any) -> None:
    told = api.call("GET", f"/receipts/{contract['receipt_id']}").json()
    assert told["doc_id"] == contract["doc_id"]
    assert told["batch_id"] == contract["batch_id"]
    assert told["checkpoint"].startswith("frostbyte/demo/plane\n")
    assert UUID(told["receipt_id"]).version == UUID(contract["receipt_id"]).version


def test_an_upload_in_parts(api: Any, refused: Refused) -> None:
    key, vendor = {"Idempotency-Key": str(new_id())}, api.token(Scope.INGEST, subject="parts")
    texts = [f"Part {n} of {key}".encode() for n in range(3)]

    def part(path: str, *numbers: int, headers: dict[str, str] = key) -> Any:
        files = [("files", (f"{n}.txt", texts[n], "text/plain")) for n in numbers]
        return api.call("POST", path, token=vendor, files=files, headers=headers)

    one = part("/ingest?more=true", 0).json()
    assert [item["filename"] for item in part("/ingest?first=1&more=true", 1).json()["accepted"]] == ["1.txt"]
    again = part("/ingest?first=1&more=true", 1).json()
    assert (again["batch_id"], len(again["accepted"])) == (one["batch_id"], 1)
    refused(part("/ingest?first=2", 2, headers={}), 422, "upload_parts")
    status = api.call("GET", f"/ingest/{one['batch_id']}").json()
    assert (len(status["documents"]), status["completed_at"]) == (2, None)
    stranger = api.token(Scope.INGEST, subject="stranger")
    refused(api.call("POST", f"/ingest/{one['batch_id']}/close", token=stranger), 404, "batch_not_found")
    closed = api.call("POST", f"/ingest/{one['batch_id']}/close", token=vendor).json()
    assert closed["closed_at"]
    assert api.ended(one["batch_id"])["counts"] == {"indexed": 2}
    listed = api.call("GET", "/ingest", token=vendor).json()
    assert [(item["batch_id"], item["files"]) for item in listed["batches"]] == [(one["batch_id"], 2)]
    assert listed["next_cursor"] is None
