"""`frostbyte plane check` against a plane in one process: well, with gates broken in turn, killed, and read only."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import uvicorn
from structlog.testing import capture_logs

from cli.fake_plane import Run
from frostbyte.api.data.app import create_app
from frostbyte.bootstrap.data import Plane, build
from frostbyte.cli import acceptance
from frostbyte.cli.acceptance import JOURNAL, NAMES, SUBJECT
from frostbyte.cli.client import Client
from frostbyte.cli.specimens import body, specimens
from frostbyte.data_plane.lifecycle.holds import Reason, ReleaseReason
from frostbyte.data_plane.policy.judging import DirectJudge
from frostbyte.kernel.ports.scanner import ScanResult, Verdict
from frostbyte.kernel.settings import load
from frostbyte.kernel.tokens import Scope
from servers.clamd import EICAR

pytestmark = pytest.mark.slow


class Scanner:
    """Knows EICAR, as long as it is `awake`; blind, it calls everything clean."""

    stand_in = False
    awake = True

    def scan(self, chunks: Iterable[bytes]) -> ScanResult:
        found = self.awake and EICAR in b"".join(chunks)
        return ScanResult(
            verdict=Verdict.INFECTED if found else Verdict.CLEAN, engine="test", signature="Eicar" * found
        )

    def signatures_made_at(self) -> datetime | None:
        return datetime.now(UTC)

    def check(self, max_file_size: int) -> None:
        """It has no limits."""


class Served:
    """A plane that listens, and what a test may do to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scanner = Scanner()
        self.plane: Plane = build(load({"FROSTBYTE_DATA_DIR": str(folder), "FROSTBYTE_WORKERS": "1"}))
        self.plane.flow._p = replace(self.plane.ports, scanner=self.scanner)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._server = uvicorn.Server(uvicorn.Config(create_app(self.plane), log_config=None, access_log=False))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listener]}, daemon=True)

    def start(self) -> None:
        self.plane.start()
        self._thread.start()
        (self.folder / "log.pub").write_text(self.plane.signer.verifier_key)
        while not self._server.started:
            time.sleep(0.01)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self.plane.close()

    def token(self, subject: str = "tester") -> str:
        return self.plane.tokens.mint(subject, frozenset(Scope), timedelta(hours=1))[0]

    def configure(self, **values: object) -> None:
        version = self.plane.configuration.show()["version"]
        self.plane.configuration.change(values, expected=version, actor="tester")

    def documents(self) -> dict[str, str]:
        page = self.plane.documents.page(state=None, after=None, limit=500)["documents"]
        return {item["doc_id"]: item["state"] for item in page}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    made = Served(tmp_path_factory.mktemp("plane"))
    made.start()
    with capture_logs():
        yield made
    made.stop()


@pytest.fixture
def check(served: Served, run: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., dict[str, Any]]]:
    """Runs the check; returns its report, with findings by name."""
    monkeypatch.setenv("FROSTBYTE_DATA_DIR", str(served.folder))
    monkeypatch.setenv("FROSTBYTE_URL", served.url)
    monkeypatch.setenv("FROSTBYTE_TOKEN", served.token())

    def command(*options: str, young: bool = True) -> dict[str, Any]:
        ended = run("plane", "check", "--json", *(("--signatures-days", "0,0") if young else ()), *options)
        report: dict[str, Any] = json.loads(ended.out)
        report["by"] = {one["name"]: one for one in report["findings"]}
        assert ended.code == (3 if report["result"] == "fail" else 0)
        return report

    yield command
    served.scanner.awake = True
    served.configure(pii_policy="redact", pii_types=["SSN", "DOB", "EMAIL"], injection_withhold=0.7)


def failed(report: dict[str, Any]) -> set[str]:
    return {one["name"] for one in report["findings"] if one["level"] == "fail"}


def test_a_plane_that_is_well_passes_and_nothing_remains(served: Served, check: Callable[..., dict[str, Any]]) -> None:
    before = served.documents()
    report = check()
    assert failed(report) == set(), [one for one in report["findings"] if one["level"] == "fail"]
    assert set(NAMES) <= set(report["by"])
    assert report["by"]["malware_caught"]["level"] == "ok"
    after = {doc: state for doc, state in served.documents().items() if doc not in before}
    assert sorted(after.values()) == ["erased"] * 4
    assert not (served.folder / JOURNAL).exists()
    with served.plane.store.unit_of_work() as uow:
        events = uow.audit.events(after_sequence=-1, limit=1000)
    erased = [item.event for item in events if item.event.type == "DOCUMENT_ERASED"]
    assert [event.actor for event in erased] == [SUBJECT] * 4


def test_a_scanner_that_lets_everything_through_is_noticed(
    served: Served, check: Callable[..., dict[str, Any]]
) -> None:
    served.scanner.awake = False
    report = check()
    assert failed(report) == {"malware_caught"}
    assert "not caught" in report["by"]["malware_caught"]["message"]
    assert set(served.documents().values()) == {"erased"}


def test_a_policy_that_lets_everything_through_is_noticed(
    served: Served, check: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rules that find nothing: what stands in the documents is shown, and each gate is named."""
    ports = served.plane.flow._p
    blind = DirectJudge(lambda: replace(ports.rules(), pii=()), ports.names)
    monkeypatch.setattr(served.plane.flow, "_p", replace(ports, judge=blind))
    clear = sys.modules["frostbyte.data_plane.policy.clear"]
    monkeypatch.setattr(clear, "score_range", lambda *_, **__: (0.0, ()))
    assert failed(check()) == {"injection_withheld", "pii_redacted"}
    served.configure(injection_withhold=0.99)
    assert failed(check()) == {"pii_redacted"}
    assert set(served.documents().values()) == {"erased"}


def test_what_a_tenant_leaves_alone_is_said_to_be_untried(served: Served, check: Callable[..., dict[str, Any]]) -> None:
    served.configure(pii_types=["PASSPORT"])
    report = check()
    assert failed(report) == set()
    assert report["by"]["pii_redacted"]["level"] == "warn"


def test_a_tenant_that_takes_no_text_is_not_called_well(served: Served, check: Callable[..., dict[str, Any]]) -> None:
    served.configure(mime_allowlist=["application/pdf"])
    report = check()
    served.configure(mime_allowlist=["application/pdf", "text/plain"])
    assert failed(report) == set(NAMES)
    assert "specimens_refused" in report["by"]["documents_taken"]["message"]


def test_a_tenant_under_a_hold_is_sent_nothing_and_that_is_said(
    served: Served, check: Callable[..., dict[str, Any]]
) -> None:
    before = served.documents()
    hold = served.plane.holds.place("2026-1", Reason.LITIGATION, everything=True, actor="counsel")
    try:
        report = check()
    finally:
        served.plane.holds.release(UUID(hold["hold_id"]), ReleaseReason.CLOSED, actor="counsel")
    assert failed(report) == set()
    assert {report["by"][name]["level"] for name in NAMES} == {"warn"}
    assert served.documents() == before


@pytest.mark.parametrize(("policy", "level"), [("flag", "warn"), ("block", "ok")])
def test_what_a_tenant_decided_about_personal_data_is_respected_and_said(
    served: Served, check: Callable[..., dict[str, Any]], policy: str, level: str
) -> None:
    served.configure(pii_policy=policy)
    report = check()
    assert failed(report) == set(), [one for one in report["findings"] if one["level"] == "fail"]
    assert report["by"]["pii_redacted"]["level"] == level


def test_what_a_killed_run_has_left_is_erased_by_the_next(served: Served, check: Callable[..., dict[str, Any]]) -> None:
    seed = "00ff"
    left = body(specimens(seed).documents)
    with Client(served.token(SUBJECT), served.url) as client:
        headers = {"Content-Type": left.content_type, "Idempotency-Key": left.key}
        client.json("POST", "/ingest", content=left.content, headers=headers)
    (served.folder / JOURNAL).write_text(seed)
    report = check()
    assert failed(report) == set(), [one for one in report["findings"] if one["level"] == "fail"]
    assert set(served.documents().values()) == {"erased"}


def test_two_at_once_are_refused(served: Served, check: Callable[..., dict[str, Any]], run: Run) -> None:
    with acceptance.alone(served.folder):
        ended = run("plane", "check", "--json")
    assert ended.code == 4
    assert "check_running" in ended.err


def test_read_only_sends_nothing_and_follows_a_checkpoint(
    served: Served, check: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    report = check("--read-only")
    kept = tmp_path / "kept"
    kept.write_text(report["checkpoint"])
    before = len(served.documents())
    report = check("--read-only", "--since", str(kept))
    assert failed(report) == set()
    assert len(served.documents()) == before
    assert not set(NAMES) & set(report["by"])
    assert report["by"]["audit_continues"]["level"] == "ok"
    lines = kept.read_text().splitlines()
    at = next(number for number, line in enumerate(lines) if line.isdigit())
    lines[at] = str(int(lines[at]) + 1)
    kept.write_text("\n".join(lines) + "\n")
    assert failed(check("--read-only", "--since", str(kept))) == {"audit_continues"}


def test_signatures_of_an_unknown_age_fail_and_an_empty_checkpoint_is_refused(
    check: Callable[..., dict[str, Any]],
    run: Run,
    tmp_path: Path,
) -> None:
    assert failed(check("--read-only", young=False)) == {"signatures_age"}
    (tmp_path / "kept").write_text("\n")
    assert "checkpoint_unreadable" in run("plane", "check", "--read-only", "--since", str(tmp_path / "kept")).err
