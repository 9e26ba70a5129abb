"""Workers on real servers: whatever ends in the middle, each document ends once, in one state."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
import redis

from frostbyte.adapters.redis.acl import key_prefix
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.records import JobRow, Stage
from servers.lanes import need
from servers.postgres import PostgresServer
from servers.redis import RedisServer
from servers.vectors import VectorsServer
from worker.cluster import Cluster, cluster, eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]


@pytest.fixture(scope="module")
def vectors(servers_folder: Path) -> Iterator[VectorsServer]:
    with VectorsServer(servers_folder / "vectors") as server:
        yield server


@pytest.fixture
def running(
    tmp_path: Path, postgres_server: PostgresServer, redis_server: RedisServer, vectors: VectorsServer
) -> Iterator[Cluster]:
    need("redis")
    with cluster(tmp_path, postgres_server, redis_server, vectors) as made:
        yield made


def notes(count: int, word: str = "harbour") -> list[str]:
    return [f"Note {number} of the {word}: berth {number * 7} was dredged in spring." for number in range(count)]


def test_workers_do_what_the_gateway_takes_in_with_the_tenants_rights_alone(running: Cluster) -> None:
    admin = redis.Redis.from_url(running.redis.url)
    with running.worker() as worker:
        admin.acl_log_reset()
        ids = running.send(*notes(12))
        assert running.ended(ids) == ["indexed"] * 12
        assert running.indexed_once(ids)
        health = worker.health().json()
        assert (health["status"], health["processes"], health["queue"]) == ("ok", 2, "ok")
        assert running.plane.ready()["queue"] == "ok"
        assert all(name.decode().startswith(key_prefix("demo")) for name in admin.keys("*"))
        assert {entry["object"] for entry in admin.acl_log()} <= {"client|setinfo"}
        assert not any(word in worker.log for word in ("harbour", "tester", "Traceback"))
        worker.stop()
        assert worker._process is not None
        assert worker._process.returncode == 0
    assert not (running.folder / "data" / "worker").exists()


def test_a_process_that_is_killed_in_the_middle_costs_one_attempt_and_no_document(running: Cluster) -> None:
    with running.worker(doom="die:parse:once") as worker:
        ids = running.send(*notes(6))
        assert running.ended(ids) == ["indexed"] * 6
        assert running.indexed_once(ids)
        assert worker.health().json()["processes"] == 2, "another process took its place"
    assert (running.folder / "doomed").exists()


def test_killed_after_it_wrote_the_index_nothing_is_there_twice(running: Cluster) -> None:
    with running.worker(doom="die:index:once"):
        ids = running.send(*notes(3))
        assert running.ended(ids) == ["indexed"] * 3
        assert running.indexed_once(ids)


def test_a_worker_that_is_killed_is_replaced_by_another(running: Cluster) -> None:
    with running.worker("first", doom="die:judge:never") as first, running.worker("second", doom="die:judge:never"):
        ids = running.send(*notes(40))
        eventually(lambda: any(running.row(doc_id).state.terminal for doc_id in ids))
        first.kill()
        assert running.ended(ids) == ["indexed"] * 40
        assert running.indexed_once(ids)


def test_losing_redis_with_all_its_data_loses_nothing(running: Cluster) -> None:
    with running.worker():
        ids = running.send(*notes(20))
        eventually(lambda: any(running.row(doc_id).stage is not Stage.SCAN for doc_id in ids))
        redis.Redis.from_url(running.redis.url).flushall()
        users = redis.Redis.from_url(running.redis.url).acl_list()
        running.redis.kill()
        start = time.monotonic()
        ids += running.send(*notes(5, "quay"))  # an accepted upload does not wait for a dead queue
        assert time.monotonic() - start < 5.0
        running.redis.start()
        restore(running.redis, users)
        assert running.ended(ids) == ["indexed"] * 25
        assert running.indexed_once(ids)


def restore(server: RedisServer, users: list[str]) -> None:
    """Give a fresh Redis the users that the lost one had."""
    admin = redis.Redis.from_url(server.url)
    for line in users:
        _, name, *words = line.split()
        if name not in ("admin", "default"):
            admin.execute_command("ACL", "SETUSER", name, "reset", *words)


def test_a_redis_that_stands_still_holds_no_upload_and_work_goes_on_after(running: Cluster) -> None:
    with running.worker():
        running.redis.pause()
        try:
            start = time.monotonic()
            ids = running.send(*notes(8))
            assert time.monotonic() - start < 3.0
            time.sleep(8)
        finally:
            running.redis.resume()
        assert running.ended(ids) == ["indexed"] * 8
        assert running.indexed_once(ids)


def test_hints_that_are_late_doubled_or_invented_change_nothing(running: Cluster) -> None:
    queue = running.plane.queue
    assert queue is not None
    ids = running.send(*notes(6))
    with running.plane.store.unit_of_work() as uow:
        jobs = uow.jobs.page()
    nobody = [JobRow(job_id=new_id(), doc_id=new_id(), incarnation=0, stage=stage, not_before=jobs[0].not_before)
              for stage in Stage]  # fmt: skip
    queue.publish([*jobs, *jobs, *nobody])
    client = redis.Redis.from_url(running.settings["FROSTBYTE_QUEUE_URL"])
    for rubbish in (b"no json", b"{}", b'{"body": "eA==", "headers": {"task": "os.system"}, "properties": {}}'):
        client.lpush(f"{key_prefix('demo')}parse", rubbish)
    with running.worker("one"), running.worker("two"):
        assert running.ended(ids) == ["indexed"] * 6
        queue.publish([*jobs, *nobody])  # as a redelivery does, long after
        eventually(lambda: not any(queue.waiting().values()))
        more = running.send("One more note.")
        assert running.ended(more) == ["indexed"]
        assert running.indexed_once(ids + more)


def test_a_document_that_kills_its_worker_each_time_ends_as_a_dead_letter_and_harms_no_other(
    running: Cluster,
) -> None:
    with running.worker(doom="die:parse:POISON"):
        poison, *others = running.send("This is POISON.", *notes(10))
        assert running.ended(others) == ["indexed"] * 10
        assert running.ended([poison], 90) == ["failed"]
    row = running.row(poison)
    assert row.code == "attempts_exhausted"
    (letter,) = running.plane.jobs.page(dead=True)["jobs"]
    assert letter["doc_id"] == str(poison)
    with running.worker():  # one that it does not kill
        running.plane.jobs.retry(UUID(letter["job_id"]), actor="operator")
        assert running.ended([poison]) == ["indexed"]
    assert running.plane.jobs.page()["jobs"] == []


def test_a_stage_that_hangs_is_ended_at_its_limit(running: Cluster) -> None:
    with running.worker(doom="hang:parse:once", DOOM_LIMIT="2") as worker:
        ids = running.send(*notes(3))
        assert running.ended(ids) == ["indexed"] * 3
        assert running.indexed_once(ids)
        eventually(lambda: worker.health().json()["processes"] == 2)
        assert "stage_over_limit" in worker.log


def test_a_worker_without_servers_or_plane_says_so(running: Cluster, tmp_path: Path) -> None:
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "frostbyte", "serve", "worker"],
        env={"PATH": "/usr/bin:/bin", "FROSTBYTE_QUEUE_URL": running.settings["FROSTBYTE_QUEUE_URL"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "FROSTBYTE_DATABASE_URL, FROSTBYTE_VECTORS_URL" in done.stderr
