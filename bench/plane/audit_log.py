"""What the audit costs: writers beside bare INSERTs, and how fast the log is numbered and signed.

    python bench/plane/audit_log.py

One run, on a fresh embedded server with durable commits, prints JSON lines:

* `bare_insert`: a single connection inserts batches of events, one transaction each, into a table with the same columns
  and no index, trigger or log: what one would write without an audit.
* `bare_copy`: the same rows into the same table through COPY.
* `audited_writers`: the same batches through `append_many` into the real audit, while a sequencer in a process of its
  own numbers and signs what arrives.
* `sequencing`: numbering a backlog in batches of 1,000 with a signed checkpoint after each, nothing else running.

Rates are events per second; each is the median of the rounds, which alternate, so that both sides meet the same
machine. The promises are a ratio of at least 0.5 and at least 5,000 numbered events per second; the exit code is 1
where one is missed.
"""

from __future__ import annotations

import json
import multiprocessing
import statistics
import sys
import tempfile
import threading
import time
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql

from frostbyte.adapters.postgres import EmbeddedServer, PostgresStore, migrate
from frostbyte.adapters.postgres.audit import EVENT_KINDS, EVENTS
from frostbyte.kernel.audit.checkpoint import Signer
from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.audit.sequencer import Sequencer
from frostbyte.kernel.clock import SystemClock
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.records import EventRow

ROUNDS: Final = 5
EVENTS_A_ROUND: Final = 25_000
BATCH: Final = 500
BACKLOG: Final = 50_000
LEAST_RATIO: Final = 0.5
LEAST_RATE: Final = 5_000


def events(count: int) -> list[EventRow]:
    """Events as a document's stages write them."""
    details = {
        "component": "parse",
        "input_hash": "1f" * 32,
        "output_hash": "e2" * 32,
        "pipeline_version": "0.1.0",
        "duration_ms": 41,
        "status": "ok",
    }
    clock = SystemClock()
    return [
        make_event(
            tenant_id="bench",
            type=EventType.DOCUMENT_PARSED,
            clock=clock,
            actor="worker",
            resource_type="document",
            resource_id=str(new_id()),
            details=details,
        )
        for _ in range(count)
    ]


def bare(dsn: str, rows: list[EventRow]) -> float:
    """Seconds to insert the rows into the plain table; encoding them beforehand is not counted."""
    insert = sql.SQL(EVENTS.insert.replace('"audit_events"', "bare_events"))
    encoded = [EVENTS.encode(row) for row in rows]
    with psycopg.connect(dsn) as connection:
        start = time.perf_counter()
        for first in range(0, len(encoded), BATCH):
            with connection.cursor() as cursor:
                cursor.executemany(insert, encoded[first : first + BATCH])
            connection.commit()
        return time.perf_counter() - start


def bare_copy(dsn: str, rows: list[EventRow]) -> float:
    """The same through COPY, the fastest way in: shown beside, because `append_many` uses it too."""
    statement = sql.SQL(EVENTS.copy.replace('"audit_events"', "bare_events", 1))
    encoded = [EVENTS.encode(row) for row in rows]
    with psycopg.connect(dsn) as connection:
        start = time.perf_counter()
        for first in range(0, len(encoded), BATCH):
            with connection.cursor() as cursor, cursor.copy(statement) as copy:
                copy.set_types(EVENT_KINDS)
                for row in encoded[first : first + BATCH]:
                    copy.write_row(row)
            connection.commit()
        return time.perf_counter() - start


def audited(store: PostgresStore, rows: list[EventRow]) -> float:
    """Seconds to append the rows to the audit."""
    start = time.perf_counter()
    for first in range(0, len(rows), BATCH):
        with store.unit_of_work() as uow:
            uow.audit.append_many(rows[first : first + BATCH])
            uow.commit()
    return time.perf_counter() - start


def sequencer(store: PostgresStore) -> Sequencer:
    return Sequencer(store.unit_of_work, Signer(b"\x07" * 32, "bench.example/log"), SystemClock())


def run_sequencer(dsn: str, stop: Event, ready: Event) -> None:
    """The body of the sequencer's process."""
    with PostgresStore(dsn) as store:
        worker = sequencer(store)
        ready.set()
        done = threading.Event()
        loop = threading.Thread(target=worker.run, args=(done, 0.05))
        loop.start()
        stop.wait()
        done.set()
        worker.wake()
        loop.join()


def log_size(store: PostgresStore) -> int:
    with store.unit_of_work() as uow:
        return uow.audit.log_size()


def drained(store: PostgresStore) -> int:
    """Number what is left; how many events that were."""
    worker, total = sequencer(store), 0
    while count := worker.run_once():
        total += count
    return total


def writers_and_sequencer(server: EmbeddedServer, store: PostgresStore) -> dict[str, Any]:
    context = multiprocessing.get_context("spawn")
    bare_rates, copy_rates, audited_rates, numbered_rates = [], [], [], []
    audited(store, events(BATCH * 4))  # warm up
    bare(server.owner_dsn, events(BATCH * 4))
    for _ in range(ROUNDS):
        rows = events(EVENTS_A_ROUND)
        bare_rates.append(len(rows) / bare(server.owner_dsn, rows))
        copy_rates.append(len(rows) / bare_copy(server.owner_dsn, rows))
        drained(store)
        stop, ready = context.Event(), context.Event()
        process = context.Process(target=run_sequencer, args=(server.writer_dsn, stop, ready))
        process.start()
        ready.wait(20)
        rows, before = events(EVENTS_A_ROUND), log_size(store)
        seconds = audited(store, rows)
        numbered_rates.append((log_size(store) - before) / seconds)
        audited_rates.append(len(rows) / seconds)
        stop.set()
        process.join()
    report("bare_insert", bare_rates)
    report("bare_copy", copy_rates)
    report("audited_writers", audited_rates)
    report("numbered_meanwhile", numbered_rates)
    ratios = [a / b for a, b in zip(audited_rates, bare_rates, strict=True)]
    return {"measure": "ratio", "median": round(statistics.median(ratios), 3), "least": LEAST_RATIO}


def sequencing(store: PostgresStore) -> dict[str, Any]:
    rates = []
    for _ in range(3):
        drained(store)
        audited(store, events(BACKLOG // 3))
        start = time.perf_counter()
        rates.append(drained(store) / (time.perf_counter() - start))
    report("sequencing", rates)
    return {"measure": "sequencing_rate", "median": round(statistics.median(rates)), "least": LEAST_RATE}


def report(measure: str, rates: list[float]) -> None:
    print(
        json.dumps(
            {
                "measure": measure,
                "unit": "events/s",
                "median": round(statistics.median(rates)),
                "rounds": [round(rate) for rate in rates],
            }
        ),
        flush=True,
    )


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, EmbeddedServer(Path(folder) / "postgres") as server:
        migrate(server.owner_dsn)
        with psycopg.connect(server.owner_dsn) as connection:
            connection.execute("CREATE TABLE bare_events (LIKE audit_events INCLUDING DEFAULTS)")
        with PostgresStore(server.writer_dsn) as store:
            verdicts = [writers_and_sequencer(server, store), sequencing(store)]
            size = log_size(store)
            with store.unit_of_work() as uow:
                latest = uow.audit.latest_checkpoint()
            assert latest is not None
            assert latest.size == size, "the last checkpoint must cover the whole log"
    for verdict in verdicts:
        print(json.dumps(verdict | {"kept": verdict["median"] >= verdict["least"]}))
    return 0 if all(verdict["median"] >= verdict["least"] for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
