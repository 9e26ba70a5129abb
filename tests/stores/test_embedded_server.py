"""The server in a data folder: started, adopted, recovered, and silent about content."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from frostbyte.adapters.postgres import EmbeddedServer, PostgresStore, migrate
from frostbyte.adapters.postgres.errors import translate
from frostbyte.kernel.errors import Conflict, FrostbyteError, Unavailable
from servers.lanes import need
from stores.store_rows import batch, document

pytestmark = pytest.mark.slow

CHILD = """
import sys, time
from pathlib import Path
from frostbyte.adapters.postgres import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1])).start()
print(server.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for a server, which is stopped afterwards whatever the test did to it."""
    path = tmp_path / "data folder's"
    yield path
    if (path / "cluster").exists():
        server = EmbeddedServer(path)
        server.start()
        server.stop()


def started_elsewhere(folder: Path) -> tuple[subprocess.Popen[str], int]:
    """Another process that started the server, and the server's id."""
    process = subprocess.Popen([sys.executable, "-c", CHILD, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def remember(server: EmbeddedServer) -> None:
    with psycopg.connect(server.owner_dsn) as connection:
        connection.execute("CREATE TABLE memory AS SELECT 42 AS answer")


def recall(server: EmbeddedServer) -> int:
    with psycopg.connect(server.owner_dsn) as connection:
        row = connection.execute("SELECT answer FROM memory").fetchone()
    assert row is not None
    return int(row[0])


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pid: int) -> bool:
    """Whether the process ends within a moment: it lets go of its folder first."""
    deadline = time.monotonic() + 5
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not alive(pid)


def test_starting_and_stopping_twice_is_once(folder: Path) -> None:
    server = EmbeddedServer(folder)
    with pytest.raises(FrostbyteError) as caught:
        _ = server.writer_dsn
    assert caught.value.code == "embedded_not_started"
    server.start()
    pid = server.pid
    assert server.start().pid == pid
    server.stop()
    server.stop()
    assert server.pid == 0
    assert gone(pid)


def test_the_server_of_a_killed_process_is_adopted(folder: Path) -> None:
    process, pid = started_elsewhere(folder)
    end(process)
    assert alive(pid)
    with EmbeddedServer(folder) as server:
        assert server.pid == pid
    assert gone(pid)


def test_after_everything_was_killed_what_was_committed_is_there(folder: Path) -> None:
    process, pid = started_elsewhere(folder)
    with EmbeddedServer(folder) as server:
        remember(server)
        os.kill(pid, signal.SIGKILL)
        end(process)
    with EmbeddedServer(folder) as server:
        assert server.pid != pid
        assert recall(server) == 42


def test_a_lock_file_that_names_a_stranger_is_passed_over(folder: Path) -> None:
    with EmbeddedServer(folder) as server:
        remember(server)
        lock = folder / "cluster" / "postmaster.pid"
        lines = lock.read_text().splitlines()
    lock.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    with EmbeddedServer(folder) as server:
        assert server.pid != os.getpid()
        assert recall(server) == 42


def test_an_empty_lock_file_is_passed_over(folder: Path) -> None:
    with EmbeddedServer(folder):
        pass
    (folder / "cluster" / "postmaster.pid").write_text("")
    with EmbeddedServer(folder) as server:
        assert server.pid > 0


def test_the_last_process_to_leave_stops_the_server(folder: Path) -> None:
    process, pid = started_elsewhere(folder)
    with EmbeddedServer(folder) as server:
        assert server.pid == pid
    assert alive(pid)
    end(process)


def test_half_a_cluster_is_made_anew(folder: Path) -> None:
    half = folder / "cluster.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18")
    with EmbeddedServer(folder) as server:
        assert server.pid > 0
    assert not half.exists()


def test_a_cluster_of_another_version_is_refused_with_both_numbers(tmp_path: Path) -> None:
    (tmp_path / "cluster").mkdir()
    (tmp_path / "cluster" / "PG_VERSION").write_text("16\n")
    with pytest.raises(FrostbyteError) as caught:
        EmbeddedServer(tmp_path).start()
    assert caught.value.code == "embedded_version"
    assert "16" in caught.value.message
    assert "18" in caught.value.message


def test_a_broken_cluster_says_what_the_server_said(folder: Path) -> None:
    with EmbeddedServer(folder):
        pass
    damaged = folder / "cluster" / "global" / "pg_control"
    whole = damaged.read_bytes()
    damaged.write_bytes(b"")
    with pytest.raises(FrostbyteError) as caught:
        EmbeddedServer(folder).start()
    damaged.write_bytes(whole)
    assert caught.value.code == "embedded_failed"
    assert "pg_control" in caught.value.message


def test_a_long_path_gets_its_socket_elsewhere(folder: Path) -> None:
    deep = folder / ("d" * 60) / ("e" * 60)
    with EmbeddedServer(deep) as server:
        remember(server)
        assert recall(server) == 42
        sockets = Path(psycopg.conninfo.conninfo_to_dict(server.writer_dsn)["host"])  # type: ignore[arg-type]
        assert sockets.stat().st_mode & 0o077 == 0
    sockets.rmdir()


def test_commits_are_durable_and_the_log_keeps_silent(folder: Path) -> None:
    with EmbeddedServer(folder) as server:
        migrate(server.owner_dsn)
        with psycopg.connect(server.writer_dsn, autocommit=True) as connection:
            for name, value in {"fsync": "on", "synchronous_commit": "on", "listen_addresses": ""}.items():
                row = connection.execute(b"SHOW " + name.encode()).fetchone()
                assert row == (value,)
            for statement, parameters in [
                (b"SELECT 'MARKER'::uuid", None),
                (b"SELECT %s::int", ["MARKER"]),
                (b"INSERT INTO configs VALUES (1, %s, now(), NULL)", ['"MARKER"']),
                (b"INSERT INTO revocations VALUES ('MARKER', now(), now(), 'a'), ('MARKER', now(), now(), 'a')", None),
                (b"MARKER", None),
            ]:
                with pytest.raises(psycopg.Error):
                    connection.execute(statement, parameters)
    log = (folder / "cluster" / "server.log").read_text()
    assert "ready to accept connections" in log
    assert "MARKER" not in log


def test_an_outage_is_unavailable_and_ends_by_itself(folder: Path) -> None:
    with EmbeddedServer(folder) as server:
        migrate(server.owner_dsn)
        row = document()
        with PostgresStore(server.writer_dsn) as store:

            def interrupted() -> None:
                with store.unit_of_work() as uow:
                    uow.documents.put(row)
                    pid = server.pid
                    os.kill(pid, signal.SIGQUIT)
                    assert gone(pid)
                    uow.commit()

            with pytest.raises(Unavailable) as caught:
                interrupted()
            assert caught.value.code == "database_unavailable"
            again = EmbeddedServer(folder).start()
            store.ping()
            with store.unit_of_work() as uow:
                assert uow.documents.get(row.doc_id) is None
                uow.documents.put(row)
                uow.commit()
        again.stop()


def test_errors_quote_no_values(server: EmbeddedServer, database: str) -> None:
    secret = "MARK" + "ER"  # a traceback shows lines of code
    with PostgresStore(server.dsn("frostbyte_writer", database)) as store:
        with store.unit_of_work() as uow:
            uow.batches.put(batch(idempotency_key=secret))
            uow.commit()
        with pytest.raises(Conflict) as conflict, store.unit_of_work() as uow:
            uow.batches.put(batch(idempotency_key=secret))
        assert secret not in "".join(traceback.format_exception(conflict.value))
        with pytest.raises(FrostbyteError) as caught, store.unit_of_work() as uow:
            uow.documents.put(document(message="MARKER\x00"))
        assert caught.value.code == "database_value_refused"
        assert "MARKER" not in caught.value.message


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (psycopg.errors.DiskFull(), "disk_full"),
        (psycopg.errors.AdminShutdown(), "database_unavailable"),
        (psycopg.errors.TooManyConnections(), "database_unavailable"),
        (psycopg.errors.CannotConnectNow(), "database_unavailable"),
        (psycopg.OperationalError("no route"), "database_unavailable"),
        (psycopg.errors.DeadlockDetected(), "database_busy"),
        (psycopg.errors.LockNotAvailable(), "database_busy"),
        (psycopg.errors.InsufficientPrivilege(), "database_forbidden"),
        (psycopg.errors.CheckViolation(), "database_value_refused"),
        (psycopg.errors.UndefinedTable(), "database_error"),
    ],
)
def test_each_trouble_has_its_code(error: Exception, code: str) -> None:
    assert translate(error).code == code
    assert translate(error).remedy


def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("frostbyte.adapters.postgres.pool.POOL_WAIT_SECONDS", 0.5)
    store = PostgresStore(f"host={tmp_path} user=nobody dbname=none")
    with pytest.raises(Unavailable) as caught:
        store.open()
    store.close()
    assert caught.value.code == "database_unavailable"
    with pytest.raises(Unavailable):
        migrate(f"host={tmp_path} user=nobody dbname=none")


def test_it_runs_for_an_ordinary_account_too() -> None:
    need("root")
    place = Path(tempfile.mkdtemp(prefix="frostbyte-test-"))
    nobody = 65534
    os.chown(place, nobody, nobody)
    prefix = ["setpriv", f"--reuid={nobody}", f"--regid={nobody}", "--clear-groups"]
    # The capability only lets this Python be found where it lies in root's home.
    capability = ["--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"]
    code = (
        "import os, sys; from pathlib import Path; from frostbyte.adapters.postgres import EmbeddedServer\n"
        "with EmbeddedServer(Path(sys.argv[1])) as server: print(os.geteuid(), server.pid > 0)"
    )
    try:
        done = subprocess.run(
            [*prefix, *capability, sys.executable, "-c", code, str(place / "db")],
            capture_output=True,
            text=True,
            cwd=place,
            check=False,
        )
        assert (done.stdout.split(), done.stderr) == (["65534", "True"], "")
        assert (place / "db" / "cluster").stat().st_uid == nobody
    finally:
        shutil.rmtree(place)
