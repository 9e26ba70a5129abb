"""A whole plane whose scanner's signatures grow older than its tenant allows, and are made fresh."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from frostbyte.adapters.hosts.local import STAND_INS
from frostbyte.api.data.app import create_app
from frostbyte.bootstrap.data import build
from frostbyte.bootstrap.sighting import Sighting
from frostbyte.kernel.records import State
from frostbyte.kernel.settings import load
from frostbyte.kernel.tokens import Scope
from scan.clamd_servers import FakeClamd
from scan.test_scanner_contract import GOOD

pytestmark = pytest.mark.slow


def told(days: float) -> bytes:
    return (datetime.now(UTC) - timedelta(days=days)).strftime("ClamAV 1.4.3/27400/%a %b %d %H:%M:%S %Y").encode()


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 90
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_uploads_wait_then_are_refused_and_go_on_when_signatures_are_fresh(tmp_path: Path) -> None:
    conf = tmp_path / "clamd.conf"
    conf.write_text("".join(f"{name} {value}\n" for name, value in GOOD.items()))
    scanner = FakeClamd(version=told(1))
    told_to = {"FROSTBYTE_CLAMD_ADDRESS": f"127.0.0.1:{scanner.address[1]}", "FROSTBYTE_CLAMD_CONF": str(conf)}
    told_to |= {"FROSTBYTE_DATA_DIR": str(tmp_path / "plane"), "FROSTBYTE_MODE": "offline", "FROSTBYTE_WORKERS": "1"}
    plane = build(load(told_to | {"FROSTBYTE_STANDINS": STAND_INS}))
    sighting = Sighting(plane.ports.scanner, plane.store.unit_of_work, plane.clock, "test")
    token, _ = plane.tokens.mint("tester", frozenset({Scope.INGEST, Scope.QUERY}), timedelta(hours=1))
    plane.start()
    try:
        with TestClient(create_app(plane), headers={"Authorization": f"Bearer {token}"}) as client:

            def upload(text: bytes) -> int:
                return client.post("/api/v1/ingest", files={"files": ("a.txt", text)}).status_code

            def verdicts() -> list[tuple[str, bool]]:
                with plane.store.unit_of_work() as uow:
                    return [(row.scan_verdict, row.state is State.WAITING) for row in uow.documents.page()]

            plane.configuration.change({"signatures_max_age_days": 7}, expected=0, actor="tester")
            assert upload(b"Forty boxes arrive on Tuesday.") == 202
            until(lambda: verdicts() == [("clean", False)])

            scanner.version = told(8)  # taken before anybody has noticed: it waits, and is never called clean
            with plane.store.unit_of_work() as uow:
                uow.scanners.saw("gateway@x", datetime.now(UTC), datetime.now(UTC))
                uow.commit()
            assert upload(b"Fifty boxes arrive on Wednesday.") == 202
            until(lambda: ("", True) in verdicts())
            with plane.store.unit_of_work() as uow:
                waiting = uow.documents.page(state=State.WAITING)[0]
            assert (waiting.code, waiting.scan_verdict) == ("signatures_too_old", "")
            assert "frostbyte deliver" in waiting.remedy

            with plane.store.unit_of_work() as uow:
                for row in uow.scanners.seen(datetime.now(UTC), 300):
                    uow.scanners.saw(row.name, datetime.now(UTC) - timedelta(days=8), datetime.now(UTC))
                uow.commit()
            sighting.turn()
            refused = client.post("/api/v1/ingest", files={"files": ("b.txt", b"Sixty.")})
            assert (refused.status_code, refused.json()["code"]) == (503, "signatures_too_old")
            assert client.get("/api/v1/documents").status_code == 200
            plane.watch.count()
            assert any("older than this tenant allows" in line for line in client.get("/health").json()["warnings"])
            metrics = client.get("/metrics").text
            assert "frostbyte_plane_intake_refused_bool 1.0" in metrics
            assert "frostbyte_plane_signatures_limit_seconds 604800.0" in metrics

            scanner.version = told(0.1)
            with plane.store.unit_of_work() as uow:
                for row in uow.scanners.seen(datetime.now(UTC), 300):
                    uow.scanners.saw(row.name, datetime.now(UTC), datetime.now(UTC))
                uow.commit()
            assert upload(b"Sixty boxes arrive on Thursday.") == 202
            until(lambda: verdicts() == [("clean", False)] * 3)
    finally:
        plane.close()
        scanner.close()
