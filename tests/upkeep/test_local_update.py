"""A real plane, whose host is a process of this machine, is updated while somebody goes on asking it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from frostbyte.kernel.records import Upkeep
from upkeep.local_tenant import FIRST, THEN, LocalSite, asking

pytestmark = pytest.mark.slow
QUESTION = {"query": "freezer K-17"}


def test_a_real_plane_is_updated_and_answers_as_before(tmp_path: Path) -> None:
    site = LocalSite(tmp_path)
    try:
        _filled(site)
        with asking(site, "POST", "/api/v1/query", 200, json=QUESTION) as questions:
            operation = site.updated()
        assert operation.code == "", site.seconds(operation)
        with site.client() as client:
            (found, *_) = client.post("/api/v1/query", json=QUESTION).json()["results"]
        assert "thermostat" in found["text"]
        assert site.channel().upkeep().upkeep is Upkeep.OPEN
        assert site.journal == THEN != FIRST
        # Requests are refused from the freeze until another process listens; then they wait for it.
        assert questions.codes <= {"503 plane_updating", "ConnectError", "ReadError", "RemoteProtocolError"}
        assert questions.refused < questions.asked
        assert not list(site.folder.glob("hosts/*/data/postgres/before*"))
    finally:
        site.close()


def _filled(site: LocalSite) -> None:
    with site.client() as client:
        file = ("files", ("note.txt", b"The thermostat of freezer K-17 was replaced.\n", "text/plain"))
        assert client.post("/api/v1/ingest", files=[file]).status_code == 202
        deadline = time.monotonic() + 60
        while not client.post("/api/v1/query", json=QUESTION).json()["results"]:
            assert time.monotonic() < deadline
            time.sleep(0.2)
