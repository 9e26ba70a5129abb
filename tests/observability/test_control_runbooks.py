"""The control plane's runbooks at work: each fault is set, its commands are typed, and its end is seen and not before.

The registry is in memory and planes answer what a test wants; all else is what operators have: the Admin API on a port,
its metrics, the command line, a shell.
"""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
import uvicorn
from msgspec.structs import replace
from structlog.testing import capture_logs

from control.killswitch.planes import MemoryEdge
from control.memory_plane import Admin, attachment, memory_plane
from frostbyte.bootstrap.switching import Around, Switching
from frostbyte.cli import app, output
from frostbyte.control_plane.ledger.records import Finding
from frostbyte.control_plane.ledger.verify import Problem
from frostbyte.control_plane.registry.records import EndpointsRow, StandingRow
from frostbyte.control_plane.watch.view import Lag
from frostbyte.kernel.channel import PlaneHealth
from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.limits import Limiter
from observability.runbooks import CONTROL_RULES, LEDGER_RULES, Section, alerts, section

RULES: Final[dict[str, Any]] = dict(alerts(CONTROL_RULES, LEDGER_RULES))
ALLOWED: Final = {0, 3, 6, 7}
"""Commands say with 3 that something is not well, and with 6 that a log does not hold, with 7 that nobody answers: they
are typed because of it."""
REFUSED: Final = {
    "frostbyte tenant rotate-keys": "provisioning_missing",
    "frostbyte tenant repair": "provisioning_missing",
}
"""What this control plane has no hosts for; it says so in words."""
DAY: Final = 86_400.0


def well() -> PlaneHealth:
    """How a plane is that is well."""
    return PlaneHealth(
        ready=True,
        jobs={},
        oldest_job_seconds=None,
        stored_bytes=10,
        quota_bytes=100,
        signatures_age_seconds=3600.0,
        model="m",
        certificate_not_after=None,
        log_size=1,
        version="1",
        stand_ins=(),
    )


@dataclass
class Scene:
    """A control plane with one tenant, and everything that may go wrong with it."""

    admin: Admin
    url: str
    edge: dict[str, int]
    lags: dict[str, Lag]
    findings: dict[str, tuple[str, ...]]
    health: list[PlaneHealth | None]
    tenant: str = ""
    made: list[Any] = field(default_factory=list)

    @property
    def switching(self) -> Switching:
        found = self.admin.control.switching
        assert found is not None
        return found

    def begin(self, state: str = "ACTIVE") -> None:
        """Another tenant, and all is well with it."""
        for old in self.admin.call("GET", "/tenants", params={"limit": 1000}).json()["tenants"]:
            if old["state"] in ("ACTIVE", "SUSPENDED"):
                self.admin.made(f"/tenants/{old['tenant_id']}/deprovision", {"confirm": old["tenant_id"]})
        self.tenant = self.admin.tenant(state)
        self.edge[self.tenant] = 200 if state == "ACTIVE" else 503
        self.lags[self.tenant] = Lag(seconds=1.0, events=0)
        self.findings.clear()
        self.health[:] = [well()]
        self.stands()

    def stands(self, *, seconds: float = 1.0, code: str = "", behind: int = 0) -> None:
        """What the plane acknowledged, how long ago it answered, and with which trouble."""
        control = self.admin.control
        with control.store.unit_of_work() as uow:
            row = uow.tenants.get(self.tenant)
            assert row is not None
            moment = control.clock.now().timestamp() - seconds
            uow.standings.put(
                StandingRow(
                    tenant_id=self.tenant,
                    acknowledged_version=row.standing_version - behind,
                    acknowledged_at=type(row.created_at).fromtimestamp(moment, row.created_at.tzinfo),
                    code=code,
                )
            )
            uow.commit()

    def look(self) -> set[str]:
        """Look once; the codes of the tenant's reasons."""
        with ThreadPoolExecutor(1) as threads:
            self.switching.watch.look(threads)
        found = self.switching.watch.tenant(self.tenant)
        return {reason.code for reason in found.verdict.reasons} if found else set()

    def environment(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("FROSTBYTE_")}
        told = {"FROSTBYTE_CONTROL_URL": self.url, "FROSTBYTE_CONTROL_TOKEN": self.admin.everything}
        return kept | told | {"PATH": path, "COLUMNS": "200"}

    def types(self, line: str, folder: Path) -> subprocess.CompletedProcess[str]:
        """A line of a runbook, by a shell."""
        given: dict[str, Any] = {"env": self.environment(), "cwd": folder, "timeout": 60}
        command = ["sh", "-c", self.named(line, folder)]
        return subprocess.run(command, capture_output=True, text=True, check=False, **given)

    def named(self, line: str, folder: Path) -> str:
        """It with the names that it leaves open."""
        line = re.sub(r"\bTENANT\b", self.tenant, line)
        line = re.sub(r"\bDOCUMENT\b", "01990000-0000-7000-8000-0000000000aa", line)
        line = line.replace(" /tmp/", f" {folder}/")
        if "ALERT" in line:
            opened = self.admin.call("GET", "/audit/alerts", params={"open": "true"}).json()["alerts"]
            line = line.replace("ALERT", opened[0]["alert_id"] if opened else "0")
        return line

    def over(self, found: Section, folder: Path) -> bool:
        lines = [line for line in found.over if not line.startswith("frostbyte ")]
        return all(self.types(line, folder).returncode == 0 for line in lines)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    control = memory_plane(tmp_path_factory.mktemp("night"))
    edge, lags, findings = dict[str, int](), dict[str, Lag](), dict[str, tuple[str, ...]]()
    health: list[PlaneHealth | None] = [well()]

    class Channel:
        def health(self) -> PlaneHealth:
            if health[0] is None:
                raise Unavailable("plane_unreachable", "It does not answer.", "Look.")
            return health[0]

    def channels(endpoints: EndpointsRow) -> Any:
        return Channel()

    around = Around(
        edge=MemoryEdge(),
        channels=channels,
        sign=lambda *_: "",
        last_pull=lambda _: True,
        through_edge=lambda tenant_id: edge.get(tenant_id, 0),
        lags=lambda: lags,
        findings=lambda: findings,
    )
    control.switching = Switching(control.store.unit_of_work, control.operations, control.clock, around)
    admin = Admin(control, Limiter({"admin": 10**6}))
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(admin.app, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    with capture_logs():
        yield Scene(admin, f"http://127.0.0.1:{listener.getsockname()[1]}", edge, lags, findings, health)
    server.should_exit = True
    thread.join(10)


def ill(**values: Any) -> Callable[[Scene], None]:
    def change(scene: Scene) -> None:
        assert scene.health[0] is not None
        scene.health[0] = replace(scene.health[0], **values)

    return change


def edge(status: int) -> Callable[[Scene], None]:
    return lambda scene: scene.edge.update({scene.tenant: status})


def silent(scene: Scene) -> None:
    scene.health[0] = None
    scene.stands(seconds=300.0, code="plane_unreachable")


def failed(scene: Scene) -> None:
    scene.admin.hands.fails = "cloud_quota"
    scene.admin.made(f"/tenants/{scene.tenant}/deprovision", {"confirm": scene.tenant})


def alarmed(scene: Scene) -> None:
    scene.switching.alarms.ring(scene.tenant, "standing_ahead", expected="1", came="9")


FAULTS: Final[dict[str, tuple[str, Callable[[Scene], None]]]] = {
    "FrostbyteSuspendedTenantReached": ("edge_open", edge(200)),
    "FrostbytePlaneAnswersWrongly": ("alerts_open", alarmed),
    "FrostbytePlaneUnreached": ("lease_over", silent),
    "FrostbyteTenantUnreached": ("gateway_down", edge(502)),
    "FrostbytePlaneCannotWork": ("gateway_not_ready", ill(ready=False)),
    "FrostbyteTenantFailed": ("tenant_failed", failed),
    "FrostbyteTenantJobsOld": ("jobs_old", ill(oldest_job_seconds=4000.0)),
    "FrostbyteTenantLedgerBehind": (
        "ledger_behind",
        lambda scene: scene.lags.update({scene.tenant: Lag(seconds=500.0, events=9)}),
    ),
    "FrostbyteTenantStorageFull": ("storage_full", ill(stored_bytes=90)),
    "FrostbyteTenantSignaturesOld": ("signatures_old", ill(signatures_age_seconds=30 * DAY)),
    "FrostbyteTenantCertificateEnds": ("certificate_ends", ill(certificate_not_after="2026-01-01T00:00:00Z")),
}
"""For an alert about one tenant: the reason, and how it comes about."""
MENDED: Final[dict[str, Callable[[Scene], object]]] = {
    "alerts_open": lambda scene: scene.switching.alarms.settle(scene.tenant, {"standing_ahead"}),
    "tenant_failed": lambda scene: scene.admin.made(f"/tenants/{scene.tenant}/retry", {"reason": "retry"}),
}
"""What ends with no other answer of a plane or an edge."""


def mend(scene: Scene, code: str) -> None:
    MENDED.get(code, lambda _: None)(scene)
    scene.edge[scene.tenant] = 503 if code == "edge_open" else 200
    scene.lags[scene.tenant] = Lag(seconds=1.0, events=0)
    scene.health[:] = [well()]
    scene.stands()


def found(alert: str) -> Section:
    return section(RULES[alert]["annotations"]["runbook"])


@pytest.mark.parametrize("alert", FAULTS)
def test_the_end_is_seen_when_it_is_there_and_not_before(scene: Scene, alert: str, tmp_path: Path) -> None:
    code, fault = FAULTS[alert]
    scene.begin("SUSPENDED" if code == "edge_open" else "ACTIVE")
    assert code not in scene.look()
    assert scene.over(found(alert), tmp_path)
    fault(scene)
    assert code in scene.look()
    assert not scene.over(found(alert), tmp_path)
    mend(scene, code)
    assert code not in scene.look()
    assert scene.over(found(alert), tmp_path)


@pytest.mark.parametrize("alert", FAULTS)
def test_what_is_typed_at_night_does_what_it_says(
    scene: Scene, alert: str, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    code, fault = FAULTS[alert]
    scene.begin("SUSPENDED" if code == "edge_open" else "ACTIVE")
    fault(scene)
    scene.look()
    monkeypatch.chdir(tmp_path)
    for name, value in scene.environment().items():
        monkeypatch.setenv(name, value)
    said = ""
    for line in found(alert).commands:
        if not line.startswith("frostbyte "):
            scene.types(line, tmp_path)
            continue
        output.forget_consoles()
        ended = app.run(shlex.split(scene.named(line, tmp_path))[1:])
        streams = capsys.readouterr()
        refusal = next((words for start, words in REFUSED.items() if line.startswith(start)), "")
        assert ended in ALLOWED or (refusal and refusal in streams.err), f"{line}: {streams.out}{streams.err}"
        said += streams.out + streams.err
    output.forget_consoles()
    assert code in said, said  # whoever types this learns what it is
    for file in tmp_path.glob("*.txt"):
        assert code in file.read_text(), file.name
    mend(scene, code)


def test_what_is_seen_of_the_control_plane_itself(scene: Scene, tmp_path: Path, monkeypatch: Any) -> None:
    scene.begin()
    scene.look()
    for alert in (
        "FrostbyteControlDown",
        "FrostbyteEdgeNotWritten",
        "FrostbyteLeasesLate",
        "FrostbyteTenantHealthStale",
    ):
        assert scene.over(found(alert), tmp_path), alert
    with monkeypatch.context() as patched:
        patched.setitem(scene.switching.switch.edge_trouble, scene.tenant, "edge_unwritable")
        assert not scene.over(found("FrostbyteEdgeNotWritten"), tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(scene.switching.pusher, "late_seconds", 30.0)
        assert not scene.over(found("FrostbyteLeasesLate"), tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(scene.switching.watch, "_looked_at", time.monotonic() - 500)
        assert not scene.over(found("FrostbyteTenantHealthStale"), tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(scene, "url", "http://127.0.0.1:9")
        assert not scene.over(found("FrostbyteControlDown"), tmp_path)


@pytest.mark.parametrize(
    ("alert", "finding"),
    [
        ("FrostbyteLedgerFinding", Finding.FORK),
        ("FrostbyteLedgerChainBroken", Finding.CHAIN_BROKEN),
        ("FrostbyteLedgerSilence", Finding.SILENCE),
    ],
)
def test_a_finding_is_over_when_somebody_took_notice(
    scene: Scene, alert: str, finding: Finding, tmp_path: Path
) -> None:
    scene.begin()
    ledger = scene.admin.control.ledger
    assert ledger is not None
    with ledger.store.unit_of_work() as uow:
        log = uow.open_log(scene.tenant, attachment(scene.tenant)["log_key"], scene.admin.control.clock.now())
        uow.commit()
    ledger.keeping.raise_alert(log, 1, Problem(finding=finding, position=1, message="It is so.", evidence=b""))
    assert not scene.over(found(alert), tmp_path)
    [opened] = scene.admin.call("GET", "/audit/alerts", params={"open": "true"}).json()["alerts"]
    scene.admin.made(f"/audit/alerts/{opened['alert_id']}/acknowledge", {"reason": "looked_into"}, 200)
    assert scene.over(found(alert), tmp_path)
