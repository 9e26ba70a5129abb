"""A control plane that is killed, whose PostgreSQL restarts, whose operators contradict each other and whose planes are
slow, silent or lie: in the end registry, edge and planes agree, and whoever is to blame is named.

The control plane is a process on a PostgreSQL server of its own; planes are in memory behind their real channels, so
that they outlive it. FROSTBYTE_SEED repeats a run.
"""

from __future__ import annotations

import random
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from msgspec.structs import replace

from acceptance.control_cluster import ControlProcess, eventually, operator_token
from channel.plane_cases import Ticking
from draws import SEED
from frostbyte.adapters.channel.memory import MemoryPlane
from frostbyte.adapters.secrets.token_keys import FileTokenKeys
from frostbyte.bootstrap.authorities import Authorities
from frostbyte.cli.serve_channel import channel_open
from frostbyte.kernel.clock import SystemClock
from frostbyte.kernel.records import PlaneState
from frostbyte.kernel.settings import Settings
from frostbyte.kernel.verifying_keys import PinnedKeys
from servers.postgres import PostgresServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
GATEWAY: Final = "http://127.0.0.1:18080"
ENDS: Final = {
    "ACTIVE": ("open", PlaneState.ACTIVE),
    "SUSPENDED": ("closed", PlaneState.SUSPENDED),
    "DEPROVISIONED": ("absent", PlaneState.CLOSED),
}
"""What edge and plane must come to, by what the registry says."""


class Stage:
    """A control plane that dies and comes back, and planes that stay."""

    def __init__(self, folder: Path, undo: ExitStack, *tenants: str) -> None:
        self.postgres = PostgresServer(folder / "postgres")
        self.postgres.start()
        undo.callback(self.postgres.stop)
        self.control = ControlProcess(folder, FROSTBYTE_CONTROL_DATABASE_URL=self.postgres.database("control"))
        undo.callback(self.control.stop)
        self.control.start()
        self.ticks = {tenant: Ticking() for tenant in tenants}
        self.planes: dict[str, MemoryPlane] = {}
        self.urls: dict[str, str] = {}
        keys = PinnedKeys(
            tuple(FileTokenKeys(self.control.data / "secrets", SystemClock(), create=False).keys().accepted)
        )
        assert self.call("POST", "/projects", {"project_id": "north"}).status_code == 201
        for tenant in tenants:
            self.planes[tenant] = MemoryPlane(tenant, keys, ticks=self.ticks[tenant], log_seed=secrets.token_bytes(32))
            self.urls[tenant] = self._open(tenant, undo)
            made = self.call("POST", "/tenants", {"tenant_id": tenant, "project_id": "north"})
            assert made.status_code == 201, made.text

    def _open(self, tenant: str, undo: ExitStack) -> str:
        authority = Authorities(self.control.data / "authorities").of(tenant)
        authority.server("channel", ["127.0.0.1"])
        own = authority.ca_file.parent / "channel"
        settings = Settings(
            channel_listen=("127.0.0.1", 0),
            channel_certificate=str(own / "public.crt"),
            channel_key=str(own / "private.key"),
            channel_client_ca=str(authority.ca_file),
        )
        listener = undo.enter_context(socket.create_server(("127.0.0.1", 0)))
        undo.enter_context(channel_open(self.planes[tenant], settings, listener))
        return f"https://127.0.0.1:{listener.getsockname()[1]}"

    def call(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """A request of an operator that nobody limits: each comes from another one."""
        token = operator_token(self.control, f"operator-{secrets.token_hex(4)}")
        return httpx.request(
            method,
            f"{self.control.url}/api/v1/admin{path}",
            json=body,
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
            trust_env=False,
        )

    def command(self, tenant: str, command: str, **more: str) -> httpx.Response | None:
        """A command on a tenant; None where the control plane was not there to answer."""
        body: dict[str, str] = {"reason": "incident"} | more
        if command == "attach":
            log_key = self.planes[tenant].log_key
            body |= {"gateway_url": GATEWAY, "channel_url": self.urls[tenant], "log_key": log_key}
        if command == "deprovision":
            body |= {"confirm": tenant}
        try:
            return self.call("POST", f"/tenants/{tenant}/{command}", body)
        except httpx.TransportError:
            return None

    def state(self, tenant: str) -> str:
        """As the registry has it."""
        return str(self.call("GET", f"/tenants/{tenant}").json()["state"])

    def gate(self, tenant: str) -> str:
        """What the tenant's file of the edge does."""
        path = self.control.data / f"edge/routes/tenant-{tenant}.yml"
        try:
            return "open" if GATEWAY in path.read_text() else "closed"
        except FileNotFoundError:
            return "absent"

    def agreed(self, tenant: str) -> bool:
        """Whether edge and plane are as the registry says, with nothing under way."""
        expected = ENDS.get(self.state(tenant))
        running = self.call("GET", f"/operations?tenant_id={tenant}&running=true").json()["operations"]
        standing = self.planes[tenant].obeying.standing()
        return not running and expected == (self.gate(tenant), standing.state)

    def killed_under_load(self) -> None:
        """SIGKILL while operators go on, then a start."""
        self.control.kill()
        self.control.start()

    def killed(self) -> None:
        """SIGKILL to the control plane, then a start; nobody is led to a tenant that it may not be led to."""
        self.control.kill()
        self.control.start()
        for tenant in self.planes:
            assert self.gate(tenant) != "open" or self.state(tenant) == "ACTIVE", f"{tenant} (seed {SEED})"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("stage")
    folder.chmod(0o755)
    with ExitStack() as undo:
        made = Stage(folder, undo, "acme", "globex", "initech", "umbrella")
        for tenant in ("acme", "globex", "initech"):
            answer = made.command(tenant, "attach")
            assert answer is not None
            assert answer.status_code == 202, answer.text
        for tenant in ("acme", "globex", "initech"):
            eventually(lambda tenant=tenant: made.agreed(tenant), f"{tenant} is not attached", 60, 0.2)  # type: ignore[misc]
        yield made


def test_two_operators_kills_and_a_restart_of_postgresql(stage: Stage) -> None:
    """Nothing that was answered 202 is lost, and every tenant ends as the last decision had it."""
    rng = random.Random(SEED)
    tenants, taken = ("acme", "globex", "initech"), list[tuple[str, str]]()
    stop = threading.Event()

    def operator(seed: int) -> None:
        own = random.Random(seed)
        while not stop.is_set():
            tenant = own.choice(tenants)
            answer = stage.command(tenant, own.choice(("suspend", "resume")))
            if answer is not None and answer.status_code == 202:
                taken.append((tenant, answer.json()["operation_id"]))
            assert answer is None or answer.status_code in (202, 409, 500, 503), answer.text
            time.sleep(own.uniform(0, 0.15))

    operators = [threading.Thread(target=operator, args=(SEED + number,)) for number in range(2)]
    for each in operators:
        each.start()
    try:
        for turn in range(3):
            enough = len(taken) + 2  # on a busy machine the time alone would kill what nobody asked anything of
            eventually(lambda enough=enough: len(taken) >= enough, f"nothing is taken (seed {SEED})", 60, 0.02)  # type: ignore[misc]
            time.sleep(rng.uniform(0.1, 1.2))
            if turn == 1:
                stage.postgres.kill()
                stage.postgres.start()
            else:
                stage.killed_under_load()
    finally:
        stop.set()
        for each in operators:
            each.join(60)
    stage_agrees(stage, tenants)
    known = {
        row["operation_id"]
        for tenant in tenants
        for row in stage.call("GET", f"/operations?tenant_id={tenant}&limit=1000").json()["operations"]
    }
    assert {operation for _, operation in taken} <= known
    assert len(taken) > 5


def stage_agrees(stage: Stage, tenants: tuple[str, ...]) -> None:
    for tenant in tenants:
        eventually(lambda tenant=tenant: stage.agreed(tenant), f"{tenant} (seed {SEED})", 60, 0.3)  # type: ignore[misc]


def test_a_life_in_which_every_operation_is_killed(stage: Stage) -> None:
    rng = random.Random(SEED)
    for command, end in (
        ("attach", "ACTIVE"),
        ("suspend", "SUSPENDED"),
        ("resume", "ACTIVE"),
        ("deprovision", "DEPROVISIONED"),
    ):
        thread = threading.Thread(target=stage.command, args=("umbrella", command))
        thread.start()
        time.sleep(rng.uniform(0.01, 0.4))
        stage.killed()
        thread.join(40)
        if stage.state("umbrella") not in (end, "PROVISIONING", "DEPROVISIONING"):
            answer = stage.command("umbrella", command)  # it had not been decided when the process died
            assert answer is not None
            assert answer.status_code == 202, answer.text
        eventually(lambda: stage.agreed("umbrella"), f"{command} (seed {SEED})", 60, 0.2)
        assert stage.state("umbrella") == end


def test_a_slow_plane_delays_nobody_and_a_liar_is_named(stage: Stage) -> None:
    acme, globex = stage.planes["acme"].obeying, stage.planes["globex"].obeying
    for tenant in ("acme", "globex", "initech"):
        if stage.state(tenant) == "SUSPENDED":
            stage.command(tenant, "resume")
    stage_agrees(stage, ("acme", "globex", "initech"))
    real = {"acme": acme.standing, "globex": globex.standing}
    acme.standing = lambda: (time.sleep(4), real["acme"]())[1]  # type: ignore[method-assign]
    globex.standing = lambda: replace(real["globex"](), version=99)  # type: ignore[method-assign]
    try:
        for tenant in ("acme", "globex", "initech"):
            began = time.monotonic()
            answer = stage.command(tenant, "suspend")
            assert answer is not None
            assert stage.gate(tenant) == "closed", "the edge is shut when the command has returned"
            assert time.monotonic() - began < 3
        eventually(lambda: stage.agreed("initech"), f"the honest one waits for the others (seed {SEED})", 10, 0.1)
        named = "standing_ahead"
        eventually(
            lambda: stage.call("GET", "/health/globex").json().get("alerts") == [named], "the liar is named", 60, 1
        )
        assert stage.call("GET", "/health/initech").json()["alerts"] == []
    finally:
        acme.standing, globex.standing = real["acme"], real["globex"]  # type: ignore[method-assign]
    stage_agrees(stage, ("acme", "globex", "initech"))


def test_a_day_without_a_control_plane(stage: Stage) -> None:
    """The lease ends, so a plane begins no work; it goes on by itself when the control plane is back."""
    if stage.state("acme") == "SUSPENDED":
        stage.command("acme", "resume")
    stage_agrees(stage, ("acme",))
    standing = stage.planes["acme"].obeying.standing
    assert standing().lease_seconds_left
    stage.control.kill()
    stage.ticks["acme"].now += 86_400
    assert not standing().lease_seconds_left
    assert standing().state is PlaneState.ACTIVE, "it takes in and answers"
    stage.control.start()
    eventually(lambda: (standing().lease_seconds_left or 0) > 30, f"no lease (seed {SEED})", 60, 1)
    stage_agrees(stage, ("acme",))
