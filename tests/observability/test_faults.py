"""Each fault on real servers: Prometheus sees the alert fire, the runbook's own commands are typed, and it is over.

The services' restarts go through a `docker` of ours in PATH, which restarts the test's servers instead of containers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import httpx
import psycopg
import pytest
import yaml

from frostbyte.kernel.ids import new_id
from observability.runbooks import RULES, alerts, section
from servers.buckets import administrator
from servers.clamd import ClamdServer
from servers.embedder import MODEL, EmbedderServer
from servers.lanes import need, program
from servers.minio import PASSWORD, USER, MinioServer
from servers.postgres import PostgresServer
from servers.process import ServerProcess, free_port
from servers.redis import RedisServer
from servers.vectors import VectorsServer
from worker.cluster import WorkerProcess, queue_user

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
MAY_TELL_OF_TROUBLE: Final = {"frostbyte jobs": 3, "frostbyte doctor": 3, "frostbyte status": 3}
"""Commands whose exit code 3 says that not everything is well: they were typed because it is not."""


def eventually(check: Callable[[], object], what: str, seconds: float = 120.0) -> None:
    until = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < until, what
        time.sleep(0.3)


class Gateway(ServerProcess):
    """`frostbyte serve data`."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        given = dict(settings) | {"FROSTBYTE_LISTEN": f"127.0.0.1:{self.port}", "FROSTBYTE_LOG_LEVEL": "info"}
        command = [sys.executable, "-m", "frostbyte", "serve", "data"]
        super().__init__("gateway", command, folder=folder, ready=self._answers, environment=given)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=5, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False


class Prometheus(ServerProcess):
    """Debian's, asking every three seconds, with the shipped rules less their patience."""

    def __init__(self, folder: Path, target: int) -> None:
        folder.mkdir(parents=True)
        rules = yaml.safe_load(RULES.read_text())
        for group in rules["groups"]:
            for rule in group["rules"]:
                rule.pop("for")
                rule["expr"] = rule["expr"].replace("unnumbered_seconds > 60", "unnumbered_seconds > 4")
        (folder / "alerts.yml").write_text(yaml.safe_dump(rules))
        jobs = [{"job_name": "frostbyte-plane", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}]
        config = {
            "global": {"scrape_interval": "3s", "evaluation_interval": "1s"},
            "rule_files": ["alerts.yml"],
            "scrape_configs": jobs,
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self.port = free_port()
        command = [str(program("prometheus")), f"--config.file={folder / 'prometheus.yml'}"]
        command += [f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{self.port}"]
        super().__init__("prometheus", command, folder=folder, ready=self._answers)

    def firing(self) -> set[str]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/alerts", timeout=5) as answer:
            return {alert["labels"]["alertname"] for alert in json.load(answer)["data"]["alerts"]}

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


class Operator:
    """Types what a runbook says, on a plane whose services are the test's."""

    def __init__(self, folder: Path, gateway: Gateway, services: dict[str, Callable[[], object]]) -> None:
        self.services = services
        self.restarted: list[str] = []
        operator = self

        class Compose(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                words = self.rfile.read(int(self.headers["content-length"])).decode().split()
                if words[:2] == ["compose", "restart"]:
                    operator.restarted.append(words[2])
                    operator.services[words[2]]()
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Compose)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        programs = folder / "programs"
        programs.mkdir()
        docker = programs / "docker"
        docker.write_text(f'#!/bin/sh\nexec curl -fsS --data "$*" http://127.0.0.1:{self._server.server_port}/\n')
        docker.chmod(0o755)
        path = f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        self._environment = gateway.environment | {"PATH": path, "FROSTBYTE_URL": gateway.url, "COLUMNS": "200"}

    def types(self, line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", line], env=self._environment, capture_output=True, text=True, timeout=120, check=False
        )

    def follows(self, alert: str) -> None:
        """Types every command of the alert's section: each does what it says."""
        for line in section(alerts()[alert]["annotations"]["runbook"]).commands:  # type: ignore[index, call-overload]
            done = self.types(line)
            allowed = {0, *(code for start, code in MAY_TELL_OF_TROUBLE.items() if line.startswith(start))}
            assert done.returncode in allowed, f"{alert}: {line}: {done.stdout}{done.stderr}"

    def finds_it_over(self, alert: str) -> bool:
        lines = section(alerts()[alert]["annotations"]["runbook"]).over  # type: ignore[index, call-overload]
        return all(self.types(line).returncode == 0 for line in lines)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Scene:
    """Everything together."""

    def __init__(self, gateway: Gateway, prometheus: Prometheus, operator: Operator, dsn: str) -> None:
        self.gateway, self.prometheus, self.operator, self.dsn = gateway, prometheus, operator, dsn

    def fires(self, *names: str) -> None:
        eventually(lambda: set(names) <= self.prometheus.firing(), f"{names} do not fire: {self.prometheus.firing()}")
        for name in names:
            assert not self.operator.finds_it_over(name), f"{name} is over while it lasts"

    def ends(self, *names: str) -> None:
        for name in names:
            eventually(lambda name=name: self.operator.finds_it_over(name), f"{name} is not over")  # type: ignore[misc]
        eventually(lambda: not set(names) & self.prometheus.firing(), f"{names} still fire")

    def sends(self, words: str) -> None:
        token = (Path(self.gateway.environment["FROSTBYTE_DATA_DIR"]) / "token").read_text().strip()
        answer = httpx.post(
            f"{self.gateway.url}/api/v1/ingest",
            files=[("files", ("a.txt", words.encode(), "text/plain"))],
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
            trust_env=False,
        )
        assert answer.status_code == 202, answer.text

    def changes(self, statement: str, *values: Any) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(statement, values)  # type: ignore[call-overload]


@pytest.fixture(scope="module")
def scene(
    servers_folder: Path,
    postgres_server: PostgresServer,
    redis_server: RedisServer,
    minio_server: MinioServer,
    clamd_server: ClamdServer,
    vectors_server: VectorsServer,
    embedder_server: EmbedderServer,
) -> Iterator[Scene]:
    need("promtool")
    administrator(minio_server).make_bucket("tenant-demo-bucket")
    dsn = postgres_server.database("observed")
    settings = {
        "FROSTBYTE_DATA_DIR": str(servers_folder / "plane"),
        "FROSTBYTE_DATABASE_URL": dsn,
        "FROSTBYTE_QUEUE_URL": queue_user(redis_server, "demo"),
        "FROSTBYTE_VECTORS_URL": vectors_server.url,
        "FROSTBYTE_VECTORS_API_KEY": vectors_server.key,
        "FROSTBYTE_OBJECTS_URL": minio_server.url,
        "FROSTBYTE_OBJECTS_ACCESS_KEY": USER,
        "FROSTBYTE_OBJECTS_SECRET_KEY": PASSWORD,
        "FROSTBYTE_CLAMD_ADDRESS": clamd_server.address,
        "FROSTBYTE_CLAMD_CONF": str(clamd_server.conf),
        "FROSTBYTE_EMBEDDING_ENDPOINT": embedder_server.endpoint,
        "FROSTBYTE_EMBEDDING_MODEL": MODEL,
        "FROSTBYTE_EMBEDDING_DIMENSIONS": "32",
        "FROSTBYTE_WORKERS": "1",
    }
    gateway = Gateway(servers_folder / "gateway", settings)
    worker = WorkerProcess("celery-worker", servers_folder / "worker", settings)

    def with_its_users() -> None:
        redis_server.start()
        queue_user(redis_server, "demo")  # a compose project keeps them in a file

    services: dict[str, Callable[[], object]] = {
        "clamav": clamd_server.start, "nomic-embed": embedder_server.start, "postgres": postgres_server.start,
        "qdrant": vectors_server.start, "minio": minio_server.start, "redis": with_its_users,
        "celery-worker": worker.start, "intake-gateway": gateway.start,
    }  # fmt: skip
    with gateway, Prometheus(servers_folder / "prometheus", gateway.port) as prometheus:
        operator = Operator(servers_folder, gateway, services)
        yield Scene(gateway, prometheus, operator, dsn)
        operator.close()
        worker.stop()


def test_nothing_fires_while_all_is_well(scene: Scene) -> None:
    eventually(lambda: scene.operator.finds_it_over("FrostbyteQueueDown"), "the plane is not watched")
    others = {"FrostbyteStandInsInUse", "FrostbyteDiskFull"}  # of this machine, not of this test
    eventually(lambda: scene.prometheus.firing() <= others, "something fires")


def test_servers_that_die_are_seen_and_brought_back(
    scene: Scene,
    clamd_server: ClamdServer,
    embedder_server: EmbedderServer,
    vectors_server: VectorsServer,
    minio_server: MinioServer,
    redis_server: RedisServer,
) -> None:
    """Five at once: each alert is of its own server, and each runbook mends its own."""
    for server in (clamd_server, embedder_server, vectors_server, minio_server, redis_server):
        server.kill()
    down = [f"Frostbyte{name}Down" for name in ("Scanner", "Embedder", "VectorStore", "ObjectStore", "Queue")]
    scene.fires(*down)
    assert not {"FrostbyteDatabaseDown", "FrostbytePlaneDown"} & scene.prometheus.firing()
    for name in down:
        scene.operator.follows(name)
    assert scene.operator.restarted == ["clamav", "nomic-embed", "qdrant", "minio", "redis"]
    scene.ends(*down)


def test_a_server_that_hangs_is_down_as_well(scene: Scene, embedder_server: EmbedderServer) -> None:
    embedder_server.pause()
    scene.fires("FrostbyteEmbedderDown")
    embedder_server.resume()
    scene.ends("FrostbyteEmbedderDown")


def test_the_database_dies(scene: Scene, postgres_server: PostgresServer) -> None:
    postgres_server.kill()
    scene.fires("FrostbyteDatabaseDown", "FrostbyteWatchStale")
    scene.operator.follows("FrostbyteWatchStale")
    scene.operator.follows("FrostbyteDatabaseDown")
    scene.ends("FrostbyteDatabaseDown", "FrostbyteWatchStale")


def test_the_gateway_dies(scene: Scene) -> None:
    scene.gateway.kill()
    scene.fires("FrostbytePlaneDown")
    scene.operator.follows("FrostbytePlaneDown")
    scene.ends("FrostbytePlaneDown")


def test_the_sequencer_stands_still(scene: Scene) -> None:
    """Somebody holds the log's table: events are written and get no number."""
    with psycopg.connect(scene.dsn) as holder:
        holder.execute("LOCK TABLE audit_sequence IN EXCLUSIVE MODE")
        scene.sends("Words whose events wait.")
        eventually(lambda: "FrostbyteSequencerStuck" in scene.prometheus.firing(), "it does not fire")
        holder.rollback()
    scene.ends("FrostbyteSequencerStuck")


def test_jobs_that_nobody_does_and_that_nobody_can(scene: Scene) -> None:
    """No worker runs yet: one job is made dead, one is left by a worker that died, both long ago."""
    scene.sends("One document that nobody takes.")
    scene.sends("Another document, tried in vain.")
    old = str(new_id())
    old = f"{int(old[:8], 16) - 0x3000:08x}{old[8:]}"  # some hours ago: the id begins with the time
    scene.changes(
        "UPDATE jobs SET job_id = %s, leased_until = now() - interval '1 hour', worker = 'gone', attempt = 1 "
        "WHERE job_id = (SELECT job_id FROM jobs ORDER BY job_id LIMIT 1)",
        old,
    )
    scene.changes(
        "WITH newest AS (UPDATE jobs SET dead = true WHERE job_id = "
        "(SELECT job_id FROM jobs ORDER BY job_id::text DESC LIMIT 1) RETURNING doc_id) "
        "UPDATE documents SET state = 'failed', code = 'attempts_exhausted', finished_at = now() "
        "FROM newest WHERE documents.doc_id = newest.doc_id"
    )
    scene.fires("FrostbyteDeadLetters", "FrostbyteWorkerLost", "FrostbyteJobsTooOld")
    for name in ("FrostbyteJobsTooOld", "FrostbyteDeadLetters", "FrostbyteWorkerLost"):
        scene.operator.follows(name)
    scene.ends("FrostbyteWorkerLost", "FrostbyteJobsTooOld")
    listed = json.loads(scene.operator.types("frostbyte jobs list --dead --json").stdout)
    [job] = listed["jobs"]
    assert scene.operator.types(f"frostbyte jobs discard {job['job_id']} --reason 'a test'").returncode == 0
    scene.ends("FrostbyteDeadLetters")
