"""Two control planes never work on one database, whatever happens to their connections."""

from __future__ import annotations

import threading

import psycopg
import pytest

from frostbyte.adapters.postgres import EmbeddedServer
from frostbyte.adapters.registry import sole
from frostbyte.adapters.registry.sole import Sole
from frostbyte.kernel.errors import Conflict, Unavailable


def cut(server: EmbeddedServer, database: str) -> None:
    with psycopg.connect(server.admin_dsn, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [database]
        )


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sole, "LOOK_SECONDS", 0.02)


def test_a_second_one_is_refused_until_the_first_has_ended(server: EmbeddedServer, database: str) -> None:
    dsn = server.dsn("frostbyte_writer", database)
    first, second = Sole(dsn), Sole(dsn)
    first.take()
    with pytest.raises(Conflict) as caught:
        second.take(0.3)
    assert caught.value.code == "control_plane_running"
    threading.Timer(0.3, first.release).start()
    second.take()
    second.release()
    second.release()


def test_a_killed_session_is_taken_up_again(server: EmbeddedServer, database: str) -> None:
    dsn = server.dsn("frostbyte_writer", database)
    lost, stop = threading.Event(), threading.Event()
    first, second = Sole(dsn, lost.set), Sole(dsn)
    first.take()
    cut(server, database)
    watching = threading.Thread(target=first.watch, args=(stop,))
    watching.start()
    assert not lost.wait(0.5)
    with pytest.raises(Conflict):
        second.take(0.0)
    stop.set()
    watching.join(5)
    first.release()
    second.release()


def test_who_was_cut_off_while_another_came_learns_it(server: EmbeddedServer, database: str) -> None:
    dsn = server.dsn("frostbyte_writer", database)
    lost, stop = threading.Event(), threading.Event()
    first, second = Sole(dsn, lost.set), Sole(dsn)
    first.take()
    cut(server, database)
    second.take()
    watching = threading.Thread(target=first.watch, args=(stop,))
    watching.start()
    assert lost.wait(5)
    watching.join(5)
    assert not watching.is_alive()
    first.release()
    second.release()


def test_without_a_database_nothing_is_lost_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    lost, stop = threading.Event(), threading.Event()
    gone = Sole("host=/nonexistent/socket user=u dbname=d", lost.set)
    with pytest.raises(Unavailable):
        gone.take()
    watching = threading.Thread(target=gone.watch, args=(stop,))
    watching.start()
    assert not lost.wait(0.3)
    assert watching.is_alive()
    stop.set()
    watching.join(5)
