"""A real plane with a database of its own is closed, frozen, started anew while it is frozen, and opened."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.fake_plane import Run
from frostbyte.adapters.postgres import EmbeddedServer
from frostbyte.api.data.app import create_app
from frostbyte.bootstrap.data import Plane, build
from frostbyte.bootstrap.upkeep import desk
from frostbyte.cli.exits import Exit
from frostbyte.data_plane.obeying import Following
from frostbyte.data_plane.upkeep import UpkeepDesk
from frostbyte.kernel.records import Upkeep
from frostbyte.kernel.settings import load
from frostbyte.kernel.tokens import Scope
from servers.postgres import unsynced

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # starlette announces another client library
    from starlette.testclient import TestClient

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder = tmp_path_factory.mktemp("kept")
    server = EmbeddedServer(folder / "postgres", database="template")
    server.start()
    unsynced(server)
    server.create_database("tenant_kept")
    yield {
        "FROSTBYTE_TENANT_ID": "kept",
        "FROSTBYTE_DATA_DIR": str(folder / "data"),
        "FROSTBYTE_EMBEDDING_ENDPOINT": "none",
        "FROSTBYTE_DATABASE_URL": server.dsn("frostbyte_writer", "tenant_kept"),
        "FROSTBYTE_DATABASE_OWNER_URL": server.dsn("frostbyte_owner", "tenant_kept"),
    }
    server.stop()


class Asked:
    """A plane behind its application."""

    def __init__(self, plane: Plane) -> None:
        self.plane = plane
        token = plane.tokens.mint("tester", frozenset(Scope), timedelta(hours=1))[0]
        self.client = TestClient(create_app(plane), headers={"Authorization": f"Bearer {token}"})

    def post(self) -> Any:
        file = ("files", ("note.txt", b"The thermostat of freezer K-17 was replaced.\n", "text/plain"))
        return self.client.post("/api/v1/ingest", files=[file])

    def ask(self) -> Any:
        return self.client.post("/api/v1/query", json={"query": "freezer K-17"})

    def follow(self) -> None:
        """As its thread does twice a second."""
        Following(self.plane.store.unit_of_work, self.plane.clock, self.plane.gate).turn()


@contextmanager
def planed(settings: dict[str, str]) -> Iterator[Asked]:
    plane = build(load(settings))
    try:
        yield Asked(plane)
    finally:
        plane.close()


def test_a_plane_stands_still_and_goes_on(settings: dict[str, str], run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("frostbyte.api.data.standing.WAIT_SECONDS", 0.1)

    def plane_command(*words: str) -> Any:
        done = run("plane", *words, "--json")
        assert done.code == 0, done
        return json.loads(done.out[done.out.index("{\n") :])  # behind what the plane's own log says

    with planed(settings) as at:
        assert at.post().status_code == 202
        while at.plane.runner.run_one():
            pass
        assert plane_command("close")["upkeep"] == "reading"
        at.follow()
        refused = at.post()
        assert (refused.status_code, refused.json()["code"]) == (503, "plane_updating")
        assert refused.headers["retry-after"]
        assert [item["filename"] for item in at.ask().json()["results"]] == ["note.txt"]
        assert at.client.get("/ready").json()["status"] == "updating"
        plane_command("drain", "--seconds", "5")
        frozen = plane_command("freeze", "--seconds", "20")
        assert (frozen["upkeep"], frozen["documents"]) == ("frozen", {"indexed": 1})
        assert frozen["log_size"] == frozen["checkpoint_size"] > 5
        # Before this process has heard of it, the database refuses what would have to be written down.
        assert at.ask().json()["code"] == "plane_updating"
        at.follow()
        assert at.ask().status_code == 503
        assert at.client.get("/health").json()["upkeep"] == "frozen"

    with planed(settings) as at:  # as the new version starts, and as the old one does after it
        at.plane.maintain()
        assert at.plane.sequencer.run_once() == 0
        assert at.post().status_code == 503
        assert plane_command("status") == frozen
        with desk(at.plane.settings) as table:
            assert table.state().differs(table.state()) == []
        assert plane_command("open", "--updated-to", "9.9.9")["upkeep"] == "open"
        at.follow()
        assert at.ask().json()["results"]
        with at.plane.store.unit_of_work() as uow:
            assert "TENANT_UPDATED" in [event.type for event in uow.audit.unsequenced(100)]


def test_a_database_of_its_own_is_copied_beside_itself_and_put_back(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The server is started where the plane does not run, and left where it does."""
    told = {"FROSTBYTE_TENANT_ID": "own", "FROSTBYTE_DATA_DIR": str(tmp_path), "FROSTBYTE_EMBEDDING_ENDPOINT": "none"}
    for name, value in told.items():
        monkeypatch.setenv(name, value)

    def snapshot(verb: str) -> Any:
        done = run("plane", "snapshot", verb, "own", "--mark", "m1", "--json")
        said = done.out if '"' in done.out else done.err
        return json.loads(said[re.search(r'\{\s*"', said).start() :])  # type: ignore[union-attr]

    with planed(told) as at:
        assert snapshot("take")["error"]["code"] == "plane_not_frozen"
        assert at.post().status_code == 202
        work = UpkeepDesk("own", at.plane.store.unit_of_work, at.plane.clock, at.plane.sequencer.run_once)
        work.close()
        frozen = work.freeze(20)
        assert snapshot("take") == {"taken": True}
        assert work.state() == frozen  # whoever was cut off comes back by itself
    with planed(told) as at, at.plane.store.unit_of_work() as uow:
        uow.standing.keep(Upkeep.READING)  # what the new version did to it
        uow.commit()
    assert snapshot("restore")["error"]["code"] == "plane_not_frozen"
    with planed(told) as at, at.plane.store.unit_of_work() as uow:
        uow.standing.keep(Upkeep.FROZEN)
        uow.commit()
    assert snapshot("restore") == {"restored": True}
    assert snapshot("restore") == {"restored": False}
    with planed(told) as at:
        work = UpkeepDesk("own", at.plane.store.unit_of_work, at.plane.clock)
        assert work.state() == frozen
        assert work.open().upkeep is Upkeep.OPEN
        assert at.client.get("/ready").status_code == 200


def test_a_plane_with_an_embedded_database_is_not_closed(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FROSTBYTE_DATA_DIR", str(tmp_path))
    done = run("plane", "close", "--json")
    assert done.code == Exit.USAGE
    assert json.loads(done.err)["error"]["code"] == "plane_embedded"
