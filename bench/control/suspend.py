"""How long a tenant that is suspended is still reached: from the command to the first 503 through a real Traefik.

    python -m bench.control.suspend [--trials 200] [--typed 20] [--tenants 254]

One control plane (`frostbyte serve control`, its PostgreSQL embedded) and one Traefik run as processes of their own,
with all tenants configured and open. Behind every tenant stands the same gateway, a small server that answers 200 at
once. No plane answers on its control channel: the edge alone stops the tenant, as the promise has it for one whose host
is dead, and the control plane goes on trying to reach all of them meanwhile.

Each trial takes a tenant that no trial took before. A client on a kept TLS connection asks for it through the edge, a
millisecond after each answer; the time runs from just before the command is given to the end of the first answer that
is 503. `API` gives the command over HTTP, as an operator of its own (one may do 60 things a minute); `typed` is the
whole process `frostbyte tenant suspend --no-wait` with Python's start, and so is its reference, `frostbyte tenant
--help`. Control plane, edge, gateway and client share the machine's cores.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import httpx

from bench.table import Line, percentile, show

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from acceptance.control_cluster import DOMAIN, ControlProcess, EdgeProcess, operator_token
from frostbyte.adapters.postgres import EmbeddedServer, migrate
from frostbyte.adapters.postgres.schema import Schema, packaged
from frostbyte.adapters.registry.postgres import PostgresRegistry
from frostbyte.control_plane.registry.operations import Operations
from frostbyte.control_plane.registry.projects import Projects
from frostbyte.control_plane.registry.records import StandingRow
from frostbyte.control_plane.registry.tenants import Tenants
from frostbyte.kernel.audit.checkpoint import Signer
from frostbyte.kernel.clock import SystemClock
from servers.process import free_port, listens

TARGET_SECONDS: Final = 1.0
_LONGEST: Final = 10.0


class Gateway:
    """Answers 200 to everything on connections that stay open, in a thread of its own."""

    def __init__(self) -> None:
        self.port = free_port()
        threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True).start()
        while not listens(self.port):
            time.sleep(0.01)

    async def _run(self) -> None:
        async with await asyncio.start_server(self._serve, "127.0.0.1", self.port) as server:
            await server.serve_forever()

    @staticmethod
    async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


def enter(data: Path, names: list[str], gateway: str) -> None:
    """A registry in which all tenants are ACTIVE, by the registry's own use cases; their planes acknowledged it."""
    with EmbeddedServer(data / "postgres") as server:
        migrate(server.owner_dsn, packaged(Schema.CONTROL))
        with PostgresRegistry(server.writer_dsn) as store:
            clock = SystemClock()
            operations = Operations(store.unit_of_work, clock)
            Projects(store.unit_of_work, "production", clock).create("north", actor="bench")
            for name in names:
                Tenants(store.unit_of_work, clock).create(name, "north", actor="bench")
                key = Signer(bytes(32), f"frostbyte/{name}/plane").verifier_key
                begun = operations.attach(
                    name,
                    gateway_url=gateway,
                    channel_url="https://127.0.0.1:9",
                    ca_pem="",
                    log_key=key,
                    actor="bench",
                    reason="requested",
                )
                operations.end(begun.operation_id)
                with store.unit_of_work() as uow:
                    told = StandingRow(tenant_id=name, acknowledged_version=1, acknowledged_at=clock.now(), code="")
                    uow.standings.put(told)
                    uow.commit()


class Client:
    """One connection to the edge, as a user's browser keeps it."""

    def __init__(self, edge: EdgeProcess, tenant: str) -> None:
        self._edge, self._host = edge, f"{tenant}.{DOMAIN}"
        self._connection: Any = None

    def status(self) -> int:
        """Of one request; a connection that the edge closed is opened anew. 0 where there is no answer."""
        for _ in range(2):
            try:
                if self._connection is None:
                    self._connection = self._edge.connection(self._host, self._edge.ca)
                self._connection.request("GET", "/", headers={"Host": self._host})
                answer = self._connection.getresponse()
                answer.read()
                return int(answer.status)
            except (OSError, http.client.HTTPException):
                self._connection = None
        return 0

    def until(self, status: int) -> float:
        """The moment at which the first such answer was whole."""
        deadline = time.perf_counter() + _LONGEST
        while (seen := self.status()) != status:
            if time.perf_counter() > deadline:
                raise SystemExit(f"no {status} within {_LONGEST:.0f} s, but {seen}")
            time.sleep(0.001)
        return time.perf_counter()


def trial(edge: EdgeProcess, tenant: str, command: Callable[[str], None]) -> tuple[float, float]:
    """Seconds from the command to the first 503, and to the command's own end."""
    client = Client(edge, tenant)
    client.until(200)
    ended: list[float] = []

    def give() -> None:
        command(tenant)
        ended.append(time.perf_counter())

    thread = threading.Thread(target=give)
    began = time.perf_counter()
    thread.start()
    shut = client.until(503)
    thread.join()
    return shut - began, ended[0] - began


def by_api(control: ControlProcess) -> Callable[[str], None]:
    """Over HTTP, each time as another operator."""

    def give(tenant: str) -> None:
        headers = {"Authorization": f"Bearer {operator_token(control, f'operator-{tenant}')}"}
        url = f"{control.url}/api/v1/admin/tenants/{tenant}/suspend"
        httpx.post(url, json={"reason": "incident"}, headers=headers, timeout=30, trust_env=False).raise_for_status()

    return give


def by_typing(control: ControlProcess) -> Callable[[str], None]:
    """As a whole process."""
    command = [sys.executable, "-m", "frostbyte", "tenant", "suspend"]
    environment = os.environ | {"FROSTBYTE_CONTROL_DATA_DIR": str(control.data)}

    def give(tenant: str) -> None:
        words = [*command, tenant, "--reason", "incident", "--no-wait"]
        subprocess.run(words, env=environment, check=True, capture_output=True, timeout=60)

    return give


def starting() -> float:
    """Seconds that the command line takes for nothing."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "frostbyte", "tenant", "--help"], check=True, capture_output=True, timeout=60)
    return time.perf_counter() - began


def lines(how: str, took: list[tuple[float, float]], tenants: int, reference: float | None = None) -> Iterator[Line]:
    """Median and tail of what was measured one way."""
    shut = [seconds for seconds, _ in took]
    answered = statistics.median(seconds for _, seconds in took)
    note = (
        f"{len(shut)} trials, {tenants} tenants configured, every plane dead; the command itself took {answered:.2f} s"
    )
    for name, value in (("p50", percentile(shut, 0.5)), ("p99", percentile(shut, 0.99))):
        yield Line(
            measure=f"suspend to first 503, {how}, {name}",
            ours=value,
            reference=reference,
            unit="s",
            target="< 1 s" if name == "p99" else "none promised",
            met=value < TARGET_SECONDS if name == "p99" else None,
            note=note + f"; slowest {max(shut):.2f} s" if name == "p99" else "",
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--typed", type=int, default=20)
    parser.add_argument("--tenants", type=int, default=254)
    options = parser.parse_args()
    assert options.trials + options.typed <= options.tenants
    with tempfile.TemporaryDirectory(prefix="frostbyte-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        names = [f"t{number:03}" for number in range(options.tenants)]
        control = ControlProcess(folder, FROSTBYTE_LOG_LEVEL="error")
        control.data.mkdir(mode=0o700)
        enter(control.data, names, f"http://127.0.0.1:{Gateway().port}")
        with control, EdgeProcess(folder, control) as edge:
            Client(edge, names[-1]).until(200)
            api = [trial(edge, tenant, by_api(control)) for tenant in names[: options.trials]]
            idle = statistics.median(starting() for _ in range(5))
            rest = names[options.trials : options.trials + options.typed]
            typed = [trial(edge, tenant, by_typing(control)) for tenant in rest]
    show([*lines("API", api, options.tenants), *lines("typed", typed, options.tenants, idle)])


if __name__ == "__main__":
    main()
