"""A plane of several processes: a gateway in this one, workers as others, and real servers between them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

import httpx
import redis

from frostbyte.adapters.redis.acl import rules
from frostbyte.bootstrap.data import Plane, build
from frostbyte.kernel.records import DocumentRow
from frostbyte.kernel.settings import load
from servers.postgres import PostgresServer
from servers.process import ServerProcess, free_port
from servers.redis import RedisServer
from servers.vectors import VectorsServer

QUEUE_PASSWORD = "test-queue-9f/Kd+7 wQz"
PROGRAM = Path(__file__).with_name("doomed_worker.py")


def eventually(check: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)


def queue_user(server: RedisServer, tenant: str) -> str:
    """The address of a user with a tenant's rights and no others; its keys are gone."""
    admin = redis.Redis.from_url(server.url)
    admin.flushall()
    name = f"tenant_{tenant}"
    admin.execute_command("ACL", "SETUSER", name, "reset", "on", f">{QUEUE_PASSWORD}", *rules(tenant))
    return f"redis://{name}:{quote(QUEUE_PASSWORD, safe='')}@127.0.0.1:{server.port}/0"


class WorkerProcess(ServerProcess):
    """`frostbyte serve worker`. A group of its own: killing it ends its processes with it."""

    def __init__(self, name: str, folder: Path, settings: Mapping[str, str], *, doom: str = "") -> None:
        self.port = free_port()
        command = [sys.executable, *(["-m", "frostbyte"] if not doom else [str(PROGRAM), doom])]
        command += ["serve", "worker", "--listen", f"127.0.0.1:{self.port}"]
        super().__init__(name, command, folder=folder, ready=self._answers, environment=settings)

    def health(self) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}/health", timeout=8, trust_env=False)

    def _answers(self) -> bool:
        try:
            return self.health().status_code == 200
        except httpx.TransportError:
            return False


class Cluster:
    """The gateway, and what workers are started with."""

    def __init__(self, folder: Path, settings: Mapping[str, str], redis_server: RedisServer) -> None:
        self.settings = dict(settings)
        self.redis = redis_server
        self.folder = folder
        self.plane: Plane = build(load(self.settings))
        self.plane.start()

    @contextmanager
    def worker(self, name: str = "worker", *, doom: str = "", **settings: str) -> Iterator[WorkerProcess]:
        """A worker that runs; `doom` is what befalls it (see doomed_worker.py)."""
        given = self.settings | {"FROSTBYTE_LOG_LEVEL": "info", "DOOM_FOLDER": str(self.folder)} | settings
        process = WorkerProcess(name, self.folder, given, doom=doom)
        process.start()
        try:
            yield process
        finally:
            process.stop()

    def send(self, *texts: str) -> list[UUID]:
        """Take files in."""
        session = self.plane.intake.open_batch("tester")
        ids = []
        for number, words in enumerate(texts):
            sink = session.file(f"{number}.txt")
            sink.write(words.encode())
            outcome = sink.finish()
            assert outcome.doc_id is not None, outcome.code
            ids.append(outcome.doc_id)
        session.close()
        return ids

    def row(self, doc_id: UUID) -> DocumentRow:
        return self.plane.documents.row(doc_id)

    def ended(self, ids: list[UUID], seconds: float = 120.0) -> list[str]:
        """The states of the documents once all have ended."""
        eventually(lambda: all(self.row(doc_id).state.terminal for doc_id in ids), seconds)
        return [self.row(doc_id).state.value for doc_id in ids]

    def _unnumbered(self) -> bool:
        with self.plane.store.unit_of_work() as uow:
            return bool(uow.audit.unsequenced(1))

    def indexed_once(self, ids: list[UUID]) -> bool:
        """Whether each document was written into the index by one commit, and its passages are there once.

        Another sequencer may be at the log: what it numbers is waited for.
        """
        deadline = time.monotonic() + 20
        while self.plane.sequencer.run_once() or (self._unnumbered() and time.monotonic() < deadline):
            time.sleep(0.05)
        for doc_id in ids:
            with self.plane.store.unit_of_work() as uow:
                row = uow.documents.get(doc_id)
                events = [entry.event.type for entry in uow.audit.events(resource_id=str(doc_id), limit=1000)]
            assert row is not None
            if events.count("INDEX_WRITTEN") != 1 or self.plane.ports.vectors.count(doc_id) != row.chunks:
                return False
        return True


@contextmanager
def cluster(
    folder: Path, postgres: PostgresServer, redis_server: RedisServer, vectors: VectorsServer
) -> Iterator[Cluster]:
    """A plane on servers, with a database of its own and an empty queue; no worker runs yet."""
    name = f"plane_{time.monotonic_ns()}"
    settings = {
        "FROSTBYTE_DATA_DIR": str(folder / "data"),
        "FROSTBYTE_DATABASE_URL": postgres.database(name),
        "FROSTBYTE_QUEUE_URL": queue_user(redis_server, "demo"),
        "FROSTBYTE_VECTORS_URL": vectors.url,
        "FROSTBYTE_VECTORS_API_KEY": vectors.key,
        "FROSTBYTE_EMBEDDING_ENDPOINT": "none",
        "FROSTBYTE_WORKERS": "2",
    }
    made = Cluster(folder, settings, redis_server)
    try:
        yield made
    finally:
        made.plane.close()
