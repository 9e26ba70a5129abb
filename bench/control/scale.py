"""10,000 tenants in 40 projects under one control plane: what each of its rounds costs, and so what is full first.

    python -m bench.control.scale

Everything is what runs in a control plane, on a fresh embedded server with durable commits; only the planes are played.
A round is what has to be done for all tenants again and again; its target is the time until the next one begins.

* `registry read whole`: all tenants, endpoints and standings, page by page, into the roster that leases are renewed by
  (every 15 s).
* `acknowledgements stored`: what 10,000 planes answered, into the registry (within the 15 s of a renewal).
* `directives signed`: one for each tenant (within 15 s).
* `leases renewed`: exchanges over HTTPS with certificates on both sides and kept connections, with 64 planes in a
  process of their own; the CPU seconds of our process for 10,000 of them, with one directive signed for each
  (within 15 s: one core).
* `edge written` and `edge compared`: all files for the first time, and seeing that they say what they should (every
  15 s).
* `ledger round`: 20 new events under a checkpoint from each of 10,000 planes, as a plane that takes four documents
  shows them: verified, stored and cosigned by 8 threads, without the network (within the 120 s after which a ledger
  counts as late).

Wall time unless said otherwise. Both cores are shared with PostgreSQL.
"""

from __future__ import annotations

import http.server
import json
import multiprocessing
import resource
import ssl
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from bench.control.registry import PROJECTS, TENANTS, opened, project_of, tenant_of, timed
from bench.plane.ledger import COSIGNER, made
from bench.table import Line, show
from frostbyte.adapters.channel.http import HttpPlane, context
from frostbyte.adapters.edge.files import EdgeFolder
from frostbyte.adapters.ledger.postgres import PostgresLedger
from frostbyte.adapters.postgres import EmbeddedServer
from frostbyte.adapters.registry.postgres import PostgresRegistry
from frostbyte.control_plane.edge.keeper import EdgeKeeper
from frostbyte.control_plane.edge.routes import Credentials, Gate, Site
from frostbyte.control_plane.killswitch.roster import Roster
from frostbyte.control_plane.killswitch.signing import DirectiveSigner
from frostbyte.control_plane.killswitch.stored import StoredStandings
from frostbyte.control_plane.ledger.keeping import Keeping
from frostbyte.control_plane.ledger.verify import Step, Verified, judge_checkpoints, judge_events
from frostbyte.control_plane.registry.changes import changed
from frostbyte.control_plane.registry.ports import RegistryUnitOfWork
from frostbyte.control_plane.registry.records import EndpointsRow, ProjectRow, StandingRow, TenantConfigRow, TenantRow
from frostbyte.control_plane.registry.states import Failed, TenantState
from frostbyte.deploy.authority import Authority, Client
from frostbyte.deploy.traefik.render import Traefik
from frostbyte.kernel.audit.checkpoint import Signer, public_key
from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.clock import SystemClock
from frostbyte.kernel.records import PlaneState
from frostbyte.kernel.signing import SigningKey

RENEWAL: Final = 15.0
LEDGER_LATE: Final = 120.0
PLANES: Final = 64
EXCHANGES: Final = 3_000
EVENTS_A_ROUND: Final = 20
_CLOCK: Final = SystemClock()


def stand(uow: RegistryUnitOfWork, number: int) -> None:
    """A tenant in service, with each of its changes audited, as the use cases would leave it."""
    tenant_id, now = tenant_of(number), _CLOCK.now()
    event = make_event(tenant_id, EventType.TENANT_CREATED, _CLOCK, "bench", "tenant", tenant_id, {"version": 1})
    row = TenantRow(
        tenant_id=tenant_id,
        project_id=project_of(number),
        octet=number // PROJECTS + 1,
        state=TenantState.PENDING,
        failed=Failed.NOTHING,
        version=1,
        config_version=1,
        standing_version=0,
        created_at=now,
        updated_at=now,
        last_event_id=event.event_id,
    )
    uow.audit.append(event)
    uow.tenants.add(row)
    uow.configs.add(TenantConfigRow(tenant_id=tenant_id, version=1, values={}, actor="bench", created_at=now))
    uow.endpoints.put(
        EndpointsRow(
            tenant_id=tenant_id,
            gateway_url=f"http://10.{number % 254 + 1}.1.2:8080",
            channel_url=f"https://10.{number % 254 + 1}.1.2:8443",
            ca_pem="",
            log_key=Signer(bytes(32), f"frostbyte/{tenant_id}/plane").verifier_key,
            registered_at=now,
        )
    )
    started = EventType.TENANT_PROVISION_STARTED
    row = changed(uow, _CLOCK, row, started, "bench", {}, state=TenantState.PROVISIONING, standing_version=1)
    changed(uow, _CLOCK, row, EventType.TENANT_PROVISIONED, "bench", {}, state=TenantState.ACTIVE)


def fill(store: PostgresRegistry) -> None:
    """All projects and tenants, 500 to a commit."""
    with store.unit_of_work() as uow:
        for number in range(PROJECTS):
            row = ProjectRow(project_id=project_of(number), environment="production", created_at=_CLOCK.now())
            uow.projects.add(row)
        uow.commit()
    for first in range(0, TENANTS, 500):
        with store.unit_of_work() as uow:
            for number in range(first, first + 500):
                stand(uow, number)
            uow.commit()


def read_whole(store: PostgresRegistry) -> Roster:
    """As the kill-switch reads it."""
    roster, after = Roster(), ""
    while True:
        with store.unit_of_work() as uow:
            page = uow.tenants.page(after=after, limit=1000)
            ids = [row.tenant_id for row in page]
            endpoints, standings = uow.endpoints.get_many(ids), uow.standings.get_many(ids)
        for row in page:
            roster.learn(row, endpoints.get(row.tenant_id), standings.get(row.tenant_id))
        if len(page) < 1000:
            return roster
        after = ids[-1]


def registry_lines(store: PostgresRegistry) -> tuple[list[Line], Roster]:
    """What the registry and signing cost a round."""
    reading = [timed(partial(read_whole, store)) for _ in range(3)]
    roster = read_whole(store)
    rows = [
        StandingRow(tenant_id=entry.tenant.tenant_id, acknowledged_version=1, acknowledged_at=_CLOCK.now(), code="")
        for entry in roster.all()
    ]
    standings = StoredStandings(store.unit_of_work)
    storing = [
        timed(partial(standings.put, [replace(row, acknowledged_version=turn) for row in rows])) for turn in (1, 2, 3)
    ]
    signer = signing()
    tenants = [entry.tenant for entry in roster.all()]

    def sign() -> None:
        for tenant in tenants:
            signer(tenant, PlaneState.ACTIVE, "n" * 22)

    return [
        within("registry read whole", statistics.median(reading), RENEWAL),
        within("acknowledgements stored", statistics.median(storing), RENEWAL),
        within("directives signed", timed(sign), RENEWAL),
    ], roster


def signing() -> DirectiveSigner:
    """With a key of its own."""
    key = SigningKey(b"\x07" * 32)
    return DirectiveSigner(lambda: key, lambda: (str(key.public),), str(COSIGNER.public_key), _CLOCK)


def within(measure: str, seconds: float, limit: float, note: str = "", tenants: int = TENANTS) -> Line:
    """A round beside the time that it has."""
    room = f"as many as fit: {int(tenants * limit / seconds):,} tenants"
    return Line(
        measure=f"{tenants:,} tenants: {measure}",
        ours=seconds,
        unit="s",
        target=f"<= {limit:.0f} s a round",
        met=seconds <= limit,
        note=f"{room}; {note}" if note else room,
    )


def serve(certificate: str, key: str, ca: str, ready: Connection) -> None:
    """The process that plays planes: it takes any directive and answers as a plane does."""
    asked = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    asked.load_cert_chain(certificate, key)
    asked.load_verify_locations(ca)
    asked.verify_mode = ssl.CERT_REQUIRED
    told = {"tenant_id": "acme", "version": 1, "state": "active", "nonce": "n" * 22, "lease_seconds_left": 60.0}
    body = json.dumps(told | {"mode": "online", "log_key": "k" * 80, "in_flight": 0}).encode()

    class Plane(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Plane)
    server.request_queue_size = PLANES
    server.socket = asked.wrap_socket(server.socket, server_side=True)
    ready.send(server.server_address[1])
    server.serve_forever()


@contextmanager
def planes_apart(authority: Authority, folder: Path) -> Iterator[int]:
    """The planes' process; yields its port."""
    authority.server("channel", ["127.0.0.1"])
    held = folder / "channel"
    ours, theirs = multiprocessing.Pipe()
    arguments = (str(held / "public.crt"), str(held / "private.key"), str(authority.ca_file), theirs)
    process = multiprocessing.get_context("spawn").Process(target=serve, args=arguments)
    process.start()
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


def lease_line(folder: Path, tenant: TenantRow) -> Line:
    """Renewals over kept connections."""
    authority = Authority(folder, "acme")
    held, signer = authority.client(Client.CONTROL), signing()
    with planes_apart(authority, folder) as port:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        channels = [
            HttpPlane(
                "acme",
                f"https://127.0.0.1:{port}",
                context(authority.ca_file.read_text(), held.certificate, held.key),
            )
            for _ in range(PLANES)
        ]

        def renew(number: int) -> None:
            channels[number % PLANES].put(signer(tenant, PlaneState.ACTIVE, "n" * 22))

        with ThreadPoolExecutor(16) as threads:
            list(threads.map(renew, range(PLANES * 2)))  # connections are opened
            memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / PLANES
            spent, begun = time.process_time(), time.perf_counter()
            list(threads.map(renew, range(EXCHANGES)))
            spent, took = time.process_time() - spent, time.perf_counter() - begun
        for channel in channels:
            channel.close()
    note = (
        f"CPU of one core; {EXCHANGES / took:,.0f} exchanges/s on the wall; {memory:,.0f} KiB and an open file or two "
        "for each plane"
    )
    return within("leases renewed", spent * TENANTS / EXCHANGES, RENEWAL, note)


def edge_lines(folder: Path, roster: Roster) -> list[Line]:
    """All files, then the same again."""
    keeper = EdgeKeeper(Site(domain="pipeline.example"), EdgeFolder(folder), Traefik(), _none, lambda: None)
    entries = roster.all()

    def show_all() -> None:
        for entry in entries:
            keeper.show(entry.tenant, entry.endpoints, Gate.OPEN)

    first, again = timed(show_all), timed(show_all)
    one = roster.get(tenant_of(0))
    assert one is not None
    closing = timed(lambda: keeper.show(one.tenant, one.endpoints, Gate.CLOSED))
    size = sum(file.stat().st_size for file in folder.iterdir())
    return [
        Line(
            measure=f"{TENANTS:,} tenants: edge written",
            ours=first,
            unit="s",
            target="",
            met=None,
            note=f"once, at the first start; each file made durable; {size / 1e6:.0f} MB",
        ),
        within("edge compared", again, RENEWAL, f"closing one tenant's file takes {closing * 1000:.1f} ms"),
    ]


def _none(tenant_id: str) -> Credentials:
    """Gateways in plain text need none."""
    raise AssertionError(tenant_id)


def ledger_line(server: EmbeddedServer) -> Line:
    """A round of all logs."""
    shown = [made(tenant_of(number), number + 1, EVENTS_A_ROUND, EVENTS_A_ROUND) for number in range(TENANTS)]
    with PostgresLedger(server.writer_dsn) as store:
        keeping = Keeping(store, COSIGNER, _CLOCK)

        def keep(number: int) -> None:
            plane = shown[number]
            state = keeping.state(plane.tenant_id, plane.key)
            notes = [note for _, note in plane.notes]
            points = judge_checkpoints(public_key(plane.key), state.verified, notes, notes[-1])
            assert isinstance(points, list)
            step = judge_events(plane.tenant_id, Verified(), points, EVENTS_A_ROUND, plane.data)
            assert isinstance(step, Step)
            keeping.add(state.log, state.verified, step)

        begun = time.perf_counter()
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(keep, range(TENANTS)))
        took = time.perf_counter() - begun
    rate = TENANTS * EVENTS_A_ROUND / took
    return within("ledger round", took, LEDGER_LATE, f"{rate:,.0f} events/s in transactions of {EVENTS_A_ROUND}")


def main() -> None:
    """Print the lines."""
    with tempfile.TemporaryDirectory(prefix="frostbyte-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        server, store = opened(folder)
        try:
            fill(store)
            lines, roster = registry_lines(store)
            show(lines)
            one = roster.get(tenant_of(0))
            assert one is not None
            show([lease_line(folder / "authority", one.tenant)])
            show(edge_lines(folder / "routes", roster))
            show([ledger_line(server)])
        finally:
            store.close()
            server.stop()


if __name__ == "__main__":
    main()
