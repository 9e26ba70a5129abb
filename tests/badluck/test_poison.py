"""Documents that are bad luck themselves: one that kills its worker, ones that no scanner can look through."""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from badluck.cursed_worker import CURSED_BYTES
from badluck.load import Load
from badluck.reckoning import audit_holds, reckon, settle
from badluck.stack import Stack
from draws import SOAK
from servers.clamd import EICAR, shipped_conf
from servers.lanes import need

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    for lane in ("redis", "minio", "clamd"):
        need(lane)
    folder = Path(tempfile.mkdtemp(prefix="fb-poison-"))
    folder.chmod(0o755)
    with Stack(folder, worker_command=[sys.executable, str(Path(__file__).with_name("cursed_worker.py"))]) as running:
        yield running
    shutil.rmtree(folder, ignore_errors=True)


def send(stack: Stack, name: str, content: bytes) -> dict[str, Any]:
    """Upload one file; what the plane says of it."""
    answer = httpx.post(
        f"{stack.url}/api/v1/ingest",
        files=[("files", (name, content, "application/octet-stream"))],
        headers={"Authorization": f"Bearer {stack.token}"},
        timeout=300,
    )
    assert answer.status_code == 202, answer.text
    told = answer.json()
    assert len(told["accepted"]) == 1, told
    item: dict[str, Any] = told["accepted"][0]
    return item


def row(stack: Stack, doc_id: str) -> tuple[str, str, str]:
    """State, code and verdict of a document."""
    with psycopg.connect(stack.database) as connection:
        found = connection.execute(
            "SELECT state, code, scan_verdict FROM documents WHERE doc_id = %s", [doc_id]
        ).fetchone()
    assert found is not None
    return found[0], found[1], found[2]


def until(stack: Stack, doc_id: str, *states: str, seconds: float = 240) -> tuple[str, str, str]:
    """Its row when it has come to one of the states."""
    deadline = time.monotonic() + seconds
    while (found := row(stack, doc_id))[0] not in states:
        assert time.monotonic() < deadline, f"it is {found}"
        time.sleep(0.5)
    return found


def test_a_document_that_kills_its_worker_ends_alone_and_visibly(stack: Stack) -> None:
    load = Load(stack, 7).start()
    time.sleep(2)
    body = (b"It ends every process that reads it. " * 2000)[:CURSED_BYTES]
    cursed = send(stack, "cursed.txt", body)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        time.sleep(1)
    load.stop()
    state, code, _ = until(stack, cursed["doc_id"], "failed", seconds=400)
    assert (state, code) == ("failed", "attempts_exhausted")
    assert stack.deaths >= 3
    settle(stack, 240)
    # Those that were at work beside it when it struck are none the worse.
    reckon(stack, load, allowed=Counter({"attempts_exhausted": 1}))
    audit_holds(stack)


def nested(depth: int) -> bytes:
    """A Word file with the test virus in archives within archives."""
    data = EICAR
    for level in range(depth):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("eicar.com" if level == 0 else f"{level}.zip", data)
        data = out.getvalue()
    return _docx(data)


def _docx(inner: bytes) -> bytes:
    out = io.BytesIO()
    types = "http://schemas.openxmlformats.org/package/2006/content-types"
    word = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    text = '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body/></w:document>'
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        override = f'<Override PartName="/word/document.xml" ContentType="{word}"/>'
        archive.writestr("[Content_Types].xml", f'<Types xmlns="{types}">{override}</Types>')
        archive.writestr("word/document.xml", text)
        archive.writestr("word/embeddings/1.zip", inner)
    return out.getvalue()


@pytest.mark.parametrize("depth", [1, 5, 30])
def test_a_virus_deep_in_an_archive_is_never_called_clean(stack: Stack, depth: int) -> None:
    found = until(stack, send(stack, "deep.docx", nested(depth))["doc_id"], "quarantined", "waiting", "failed")
    assert found[2] != "clean"
    assert found[0] != "indexed"


@pytest.mark.parametrize("megabytes", [400] if SOAK else [60])
def test_a_virus_behind_hundreds_of_megabytes_is_never_called_clean(stack: Stack, megabytes: int) -> None:
    line = b"Every delivery is checked on arrival and entered into the register within two working days.\n"
    body = line * (megabytes * 1_000_000 // len(line)) + EICAR
    found = until(stack, send(stack, "long.txt", body)["doc_id"], "quarantined", "waiting", "failed")
    assert found[2] != "clean"


def test_past_a_scanner_whose_limits_shrank_nothing_is_clean(stack: Stack) -> None:
    """Somebody starts clamd with its own defaults while the plane runs."""
    stack.clamd.stop()
    small = {"StreamMaxLength": "1M", "MaxFileSize": "1M", "MaxScanSize": "1M"}
    paths = {"LocalSocket": str(stack.clamd.socket), "DatabaseDirectory": str(stack.clamd.folder / "db")}
    stack.clamd.socket.parent.mkdir(exist_ok=True)
    kept = stack.clamd.conf.read_text()
    try:
        shipped_conf(stack.clamd.folder, **paths, **small)
        stack.clamd.start()
        sent = send(stack, "large.txt", b"A line that nobody has looked at.\n" * 36_000)  # beyond 1M
        _, code, verdict = until(stack, sent["doc_id"], "waiting")
        assert verdict != "clean"
        assert code
    finally:
        stack.clamd.stop()
        stack.clamd.socket.parent.mkdir(exist_ok=True)
        stack.clamd.conf.write_text(kept)
        stack.clamd.start()
    assert until(stack, sent["doc_id"], "indexed")[2] == "clean"  # it was only waiting
