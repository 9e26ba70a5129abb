"""The ledger: events verified and stored, and an export of a million events checked.

    python -m bench.plane.ledger

* `ledger events`: 50 simulated planes, served by an HTTP process of their own on loopback (pages are made before the
  clock starts, so that it costs little), are pulled by the real puller through an HTTP client into a fresh embedded
  PostgreSQL with durable commits: checkpoints verified, lines decoded and re-encoded, leaves hashed, roots compared,
  events stored by COPY, checkpoints cosigned and the cosignatures handed back. Each plane has 4,000 events under a
  checkpoint every 200, as a plane that sees 200 events a second signs them. Wall time from the first request to the
  last cosignature. Both cores are shared with PostgreSQL and the process that serves.
* `ledger judging`: the part of it that verifies, alone: one thread, CPU time, no store and no network.
* `ledger storing`: the part that stores, alone: verified pages into PostgreSQL, wall time of one connection.
* `audit verify`: the very file that auditors get (`verifier.py`), on an export of 1,000,000 events in a folder, as a
  process of its own; wall time. Reference: the same with one process (`--jobs 1`).
"""

from __future__ import annotations

import hashlib
import http.client
import json
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from bench.table import Line, show
from frostbyte.adapters.ledger.postgres import PostgresLedger
from frostbyte.adapters.postgres import EmbeddedServer, migrate
from frostbyte.adapters.postgres.schema import Schema, packaged
from frostbyte.control_plane.ledger.keeping import Keeping
from frostbyte.control_plane.ledger.ports import Query
from frostbyte.control_plane.ledger.pull import Followed, Puller
from frostbyte.control_plane.ledger.tree import grown, root
from frostbyte.control_plane.ledger.verify import Step, Verified, judge_checkpoints, judge_events
from frostbyte.kernel.audit.checkpoint import Cosigner, Signer, public_key
from frostbyte.kernel.audit.export import EVENTS, FORMAT, LEAVES, MANIFEST
from frostbyte.kernel.canonical import canonical
from frostbyte.kernel.clock import SystemClock, iso

PLANES: Final = 50
EVENTS_A_PLANE: Final = 4_000
SIGNED_EVERY: Final = 200
ROUNDS: Final = 3
LEAST_RATE: Final = 10_000
EXPORTED: Final = 1_000_000
MOST_SECONDS: Final = 20.0
STEPS: Final = ("DOCUMENT_INGESTED", "DOCUMENT_SCANNED", "DOCUMENT_PARSED", "POLICY_GATE_PASSED", "INDEX_WRITTEN")
BEGAN: Final = datetime(2026, 3, 1, tzinfo=UTC)
COSIGNER: Final = Cosigner(b"\x05" * 32, "bench.example/witness")


def event(tenant_id: str, number: int) -> bytes:
    """As a plane's stages write them: five of a document, linked."""
    document, step = divmod(number, len(STEPS))
    details: dict[str, Any] = {
        "component": "parse",
        "output_hash": hashlib.sha256(b"%d/%d" % (document, step)).hexdigest(),
        "pipeline_version": "frostbyte-parse/2",
        "duration_ms": number % 97,
        "status": "ok",
    }
    if step:
        details["input_hash"] = hashlib.sha256(b"%d/%d" % (document, step - 1)).hexdigest()
    return canonical(
        {
            "event_id": str(UUID(int=(7 << 76) + number)),
            "tenant_id": tenant_id,
            "type": STEPS[step],
            "timestamp": iso(BEGAN + timedelta(milliseconds=5 * number)),
            "actor": "plane",
            "resource_type": "document",
            "resource_id": str(UUID(int=(8 << 76) + document)),
            "details": details,
            "previous_event_id": str(UUID(int=(7 << 76) + number - 1)) if step else None,
        }
    )


@dataclass
class Made:
    """A plane's log, ready to be served."""

    tenant_id: str
    key: str
    data: bytes
    starts: list[int]
    """Offsets of the lines, and the end."""
    notes: list[tuple[int, str]]


def made(tenant_id: str, seed: int, count: int, every: int) -> Made:
    """A log with a checkpoint every so many events."""
    signer = Signer(seed.to_bytes(32, "big"), f"{tenant_id}.example/audit")
    events = [event(tenant_id, number) for number in range(count)]
    leaves = [hashlib.sha256(b"\x00" + item).digest() for item in events]
    lines = [b'{"event":%b,"sequence":%d}\n' % (item, number) for number, item in enumerate(events)]
    starts, notes, edge = [0], list[tuple[int, str]](), list[bytes]()
    for line in lines:
        starts.append(starts[-1] + len(line))
    for size in range(every, count + 1, every):
        edge = grown(size - every, edge, leaves[size - every : size])
        notes.append((size, signer.sign(size, root(edge))))
    return Made(tenant_id, signer.verifier_key, b"".join(lines), starts, notes)


@dataclass(frozen=True)
class Shown:
    checkpoints: tuple[str, ...]
    latest: str | None


def serve(count: int, per_plane: int, ready: Connection) -> None:
    """The process that plays all planes."""
    planes = [made(f"t{number}", number, per_plane, SIGNED_EVERY) for number in range(1, count + 1)]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            plane = planes[int(url.path.split("/")[1])]
            asked = {name: int(values[0]) for name, values in parse_qs(url.query).items()}
            if url.path.endswith("events"):
                first = asked["after"] + 1
                end = min(first + asked["limit"], len(plane.starts) - 1)
                body = plane.data[plane.starts[first] : plane.starts[end]]
            else:
                found = [note for size, note in plane.notes if size > asked["after_size"]][:1000]
                body = json.dumps({"checkpoints": found, "latest": plane.notes[-1][1]}).encode()
            self.answer(200, body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(204, b"")

        def answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    ready.send((server.server_address[1], [(plane.tenant_id, plane.key) for plane in planes]))
    server.serve_forever()


class Remote:
    """A plane over HTTP. See control_plane.ledger.pull.Source."""

    def __init__(self, port: int, number: int) -> None:
        self._client, self._number = http.client.HTTPConnection("127.0.0.1", port, timeout=60), number

    def _ask(self, method: str, rest: str, body: bytes | None = None) -> bytes:
        self._client.request(method, f"/{self._number}/{rest}", body)
        return self._client.getresponse().read()

    def events(self, after: int, limit: int) -> bytes:
        return self._ask("GET", f"events?after={after}&limit={limit}")

    def checkpoints(self, after_size: int) -> Shown:
        found = json.loads(self._ask("GET", f"checkpoints?after_size={after_size}"))
        return Shown(tuple(found["checkpoints"]), found["latest"])

    def cosign(self, size: int, line: str) -> None:
        self._ask("POST", "cosignatures", json.dumps({"size": size, "line": line}).encode())


@contextmanager
def planes_apart() -> Iterator[tuple[int, list[tuple[str, str]]]]:
    """The planes' process; yields its port, and tenants with their keys."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=serve, args=(PLANES, EVENTS_A_PLANE, theirs))
    process.start()
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


def pulled(store: PostgresLedger, port: int, tenants: list[tuple[str, str]]) -> float:
    """Events a second of pulling all planes into the store, which holds none of them yet."""
    puller = Puller(Keeping(store, COSIGNER, SystemClock()))

    def one(number: int) -> None:
        plane = Followed(tenant_id=tenants[number][0], log_key=tenants[number][1], active=True)
        source = Remote(port, number)
        while (result := puller.pull(plane, source)).more:
            pass
        assert (result.size, result.finding, result.code) == (EVENTS_A_PLANE, None, ""), result

    start = time.perf_counter()
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(one, range(PLANES)))
    return PLANES * EVENTS_A_PLANE / (time.perf_counter() - start)


def judging() -> float:
    """Events a second of CPU time of one thread, verification alone."""
    plane = made("acme", 1, 10_000, SIGNED_EVERY)
    notes = [note for _, note in plane.notes]
    rates = []
    for _ in range(5):
        start = time.process_time()
        points = judge_checkpoints(public_key(plane.key), Verified(), notes, notes[-1])
        assert isinstance(points, list)
        assert isinstance(judge_events("acme", Verified(), points, 10_000, plane.data), Step)
        rates.append(10_000 / (time.process_time() - start))
    return statistics.median(rates)


def storing(store: PostgresLedger) -> float:
    """Events a second of one connection that stores verified pages of 4,000."""
    keeping, rates = Keeping(store, COSIGNER, SystemClock()), []
    for number in range(5):
        plane = made(f"s{number}", 1000 + number, 4_000, SIGNED_EVERY)
        notes = [note for _, note in plane.notes]
        points = judge_checkpoints(public_key(plane.key), Verified(), notes, notes[-1])
        assert isinstance(points, list)
        step = judge_events(plane.tenant_id, Verified(), points, 4_000, plane.data)
        assert isinstance(step, Step)
        log = keeping.state(plane.tenant_id, plane.key).log
        start = time.perf_counter()
        keeping.add(log, Verified(), step)
        rates.append(4_000 / (time.perf_counter() - start))
    return statistics.median(rates)


def export(folder: Path) -> str:
    """An export of a million events, written as a plane writes it; its key."""
    signer = Signer(b"\x07" * 32, "acme.example/audit")
    edge, notes, digest = list[bytes](), list[str](), hashlib.sha256()
    with (folder / EVENTS).open("wb") as events, (folder / LEAVES).open("wb") as leaves:
        for first in range(0, EXPORTED, 1000):
            items = [event("acme", number) for number in range(first, first + 1000)]
            hashes = [hashlib.sha256(b"\x00" + item).digest() for item in items]
            lines = b"".join(b'{"event":%b,"sequence":%d}\n' % (item, first + at) for at, item in enumerate(items))
            events.write(lines)
            leaves.write(b"".join(hashes))
            digest.update(lines)
            edge = grown(first, edge, hashes)
            notes.append(signer.sign(first + 1000, root(edge)))
    manifest = {
        "format": FORMAT,
        "tenant_id": "acme",
        "public_key": signer.verifier_key,
        "count": EXPORTED,
        "sha256": digest.hexdigest(),
        "range": {"first": 0, "last": EXPORTED - 1},
        "tree": {"size": EXPORTED, "root": root(edge).hex()},
        "prefix": [],
        "checkpoints": notes,
    }
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return signer.verifier_key


def verifying() -> tuple[float, float]:
    """Seconds of `verifier.py export` over the million, with all cores and with one."""
    from frostbyte.cli import verifier

    with tempfile.TemporaryDirectory() as name:
        key = export(Path(name))

        def took(*more: str) -> float:
            start = time.perf_counter()
            done = subprocess.run(
                [sys.executable, verifier.__file__, "export", name, "--key", key, *more], capture_output=True, text=True
            )
            assert done.returncode == 0, done.stdout + done.stderr
            return time.perf_counter() - start

        return took(), took("--jobs", "1")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, planes_apart() as (port, tenants):
        server = EmbeddedServer(Path(folder) / "postgres", database="template")
        server.start()
        try:
            migrate(server.owner_dsn, packaged(Schema.CONTROL))
            rates = []
            for number in range(ROUNDS):
                server.create_database(f"round{number}", template="template")
                with PostgresLedger(server.dsn("frostbyte_writer", f"round{number}")) as store:
                    rates.append(pulled(store, port, tenants))
                    with store.unit_of_work() as uow:
                        assert len(uow.events(Query(), limit=10**6)) == PLANES * EVENTS_A_PLANE
            with PostgresLedger(server.dsn("frostbyte_writer", "round0")) as store:
                stored = storing(store)
        finally:
            server.stop()
    rate, judged = statistics.median(rates), judging()
    show(
        [
            Line(
                measure="ledger events",
                ours=rate,
                unit="events/s",
                target=f">= {LEAST_RATE} verified events/s from 50 planes",
                met=rate >= LEAST_RATE,
                note="50 simulated planes in an HTTP process of their own; verified, stored, cosigned",
            ),
            Line(measure="ledger judging", ours=judged, unit="events/CPU-s", target="", met=None, note="one thread"),
            Line(measure="ledger storing", ours=stored, unit="events/s", target="", met=None, note="one connection"),
        ]
    )
    seconds, alone = verifying()
    show(
        [
            Line(
                measure="audit verify, 1,000,000 events",
                ours=seconds,
                reference=alone,
                unit="s",
                target=f"<= {MOST_SECONDS:.0f} s",
                met=seconds <= MOST_SECONDS,
                note="reference: the same with one process",
            )
        ]
    )


if __name__ == "__main__":
    main()
