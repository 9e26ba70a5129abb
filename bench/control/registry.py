"""The registry with 10,000 tenants in 40 projects: what a page of them costs, and what a move of one.

    python -m bench.control.registry

On a fresh embedded server with durable commits, through the use cases, so each change is a transaction with its audit
event:

* `tenants listed, page of 100`: 300 pages from random places of the list, a third of them of all tenants, a third of
  one project, a third of one project and one state; read, made into rows and written as JSON, in this process. The
  p99 on the wall in ms, whole pages only. The reference is the same statement through bare psycopg, rows as tuples,
  not written as anything, in turn with ours.
* `tenants created` and `tenants suspended`: changes a second by one operator, one after the other, on the wall. The
  reference is one INSERT of a bare row with a durable commit, in turn with ours: what one would write without a
  register that refuses and audits.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
import psycopg

from bench.table import Line, percentile, show
from frostbyte.adapters.postgres import EmbeddedServer, migrate
from frostbyte.adapters.postgres.schema import Schema, packaged
from frostbyte.adapters.registry.postgres import PostgresRegistry
from frostbyte.control_plane.registry.operations import Operations
from frostbyte.control_plane.registry.projects import Projects
from frostbyte.control_plane.registry.states import Move, TenantState
from frostbyte.control_plane.registry.tenants import Tenants
from frostbyte.kernel.audit.checkpoint import Signer
from frostbyte.kernel.clock import SystemClock

TENANTS: Final = 10_000
PROJECTS: Final = 40
PAGE: Final = 100
PAGES: Final = 300
SUSPENDED: Final = 300
LIMIT_MS: Final = 20.0

_AUTHORITY: Final = "-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n"


class Register:
    """A registry and its use cases."""

    def __init__(self, store: PostgresRegistry) -> None:
        clock = SystemClock()
        self.store = store
        self.projects = Projects(store.unit_of_work, "production", clock)
        self.tenants = Tenants(store.unit_of_work, clock)
        self.operations = Operations(store.unit_of_work, clock)

    def activate(self, tenant_id: str) -> None:
        """Take a plane into service that nobody really asks."""
        operation = self.operations.attach(
            tenant_id,
            gateway_url=f"https://{tenant_id}.planes.example:8080",
            channel_url=f"https://{tenant_id}.planes.example:8443",
            ca_pem=_AUTHORITY,
            log_key=Signer(bytes(32), f"frostbyte/{tenant_id}/plane").verifier_key,
            actor="bench",
            reason="requested",
        )
        self.operations.end(operation.operation_id)


def project_of(number: int) -> str:
    """Where a tenant belongs: 250 to a project."""
    return f"p{number % PROJECTS:02}"


def tenant_of(number: int) -> str:
    """Ids that sort like numbers."""
    return f"t{number:05}"


def opened(folder: Path) -> tuple[EmbeddedServer, PostgresRegistry]:
    """A fresh registry on a server of its own."""
    server = EmbeddedServer(folder / "postgres").start()
    migrate(server.owner_dsn, packaged(Schema.CONTROL))
    return server, PostgresRegistry(server.writer_dsn).open()


def fill(register: Register, count: int = TENANTS) -> list[float]:
    """Create projects and tenants; seconds that each tenant took."""
    for number in range(PROJECTS):
        register.projects.create(project_of(number), actor="bench")
    return [
        timed(lambda number=number: register.tenants.create(tenant_of(number), project_of(number), actor="bench"))
        for number in range(count)
    ]


def timed(act: Callable[[], object]) -> float:
    """Seconds on the wall."""
    begin = time.perf_counter()
    act()
    return time.perf_counter() - begin


def pages(register: Register, dsn: str, rounds: int = PAGES) -> tuple[list[float], list[float]]:
    """Seconds for a page, ours and by bare psycopg, in turn."""
    chosen = random.Random(5)
    ours, bare = [], []
    with psycopg.connect(dsn) as connection:
        for turn in range(rounds):
            after = tenant_of(chosen.randrange(TENANTS // 3))
            project = project_of(chosen.randrange(PROJECTS)) if turn % 3 else None
            state = TenantState.PENDING if turn % 3 == 2 else None
            ours.append(timed(partial(_page, register, project, state, after)))
            bare.append(timed(partial(_bare, connection, project, state, after)))
    return ours, bare


def _page(register: Register, project: str | None, state: TenantState | None, after: str) -> None:
    rows = register.tenants.page(project_id=project, state=state, after=after, limit=PAGE)
    msgspec.json.encode(rows)
    if len(rows) != PAGE:
        raise SystemExit(f"a page of {len(rows)} tenants")


def _bare(connection: psycopg.Connection[Any], project: str | None, state: TenantState | None, after: str) -> None:
    query, values = "SELECT * FROM tenants WHERE tenant_id > %s", [after]
    for column, value in (("project_id", project), ("state", state)):
        if value is not None:
            query += f" AND {column} = %s"
            values.append(value)
    connection.execute(f"{query} ORDER BY tenant_id LIMIT {PAGE}", values).fetchall()
    connection.rollback()


def bare_inserts(server: EmbeddedServer, count: int) -> list[float]:
    """Seconds for a bare row with a durable commit."""
    with psycopg.connect(server.owner_dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE bare (id text PRIMARY KEY, state text, at timestamptz)")
        connection.execute("INSERT INTO bare VALUES ('warm', '', now())")
        insert = "INSERT INTO bare VALUES (%s, 'PENDING', now())"
        return [timed(lambda n=n: connection.execute(insert, [tenant_of(n)])) for n in range(count)]


def main() -> None:
    """Print the lines."""
    with tempfile.TemporaryDirectory(prefix="frostbyte-bench-", ignore_cleanup_errors=True) as folder:
        server, store = opened(Path(folder))
        try:
            register = Register(store)
            created = fill(register)
            bare = bare_inserts(server, SUSPENDED)
            for number in range(SUSPENDED):
                register.activate(tenant_of(TENANTS - 1 - number))
            suspended = [
                timed(
                    lambda n=n: register.operations.begin(
                        tenant_of(TENANTS - 1 - n), Move.SUSPEND, actor="bench", reason="incident"
                    )
                )
                for n in range(SUSPENDED)
            ]
            ours, reference = pages(register, server.writer_dsn)
        finally:
            store.close()
            server.stop()
    show(
        [
            Line(
                measure="tenants listed, page of 100, p99",
                ours=percentile(ours, 0.99) * 1000,
                reference=percentile(reference, 0.99) * 1000,
                unit="ms",
                target=f"<= {LIMIT_MS:.0f} ms among 10,000",
                met=percentile(ours, 0.99) * 1000 <= LIMIT_MS,
                note=f"median {statistics.median(ours) * 1000:.1f} ms, bare {statistics.median(reference) * 1000:.1f}",
            ),
            *(
                Line(
                    measure=f"tenants {what}, one operator",
                    ours=1 / statistics.median(seconds),
                    reference=1 / statistics.median(bare),
                    unit="changes/s",
                    target="",
                    met=None,
                    note=f"p99 {percentile(seconds, 0.99) * 1000:.1f} ms; the last 500 "
                    f"{statistics.median(seconds[-500:]) * 1000:.1f} ms each",
                )
                for what, seconds in (("created", created), ("suspended", suspended))
            ),
        ]
    )


if __name__ == "__main__":
    main()
