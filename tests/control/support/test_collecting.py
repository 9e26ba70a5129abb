"""What is collected for support says what helps, holds nothing that was planted, and is audited."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from control.registry_rows import change_tenant, endpoints, operation, prepared, step
from control.support.answers import CANARY, HOST, HOSTILE, IMAGE, LOG
from control.test_journal_contract import OWNER, audited, entry_row, run_row, write
from frostbyte.adapters.memory.clock import ManualClock
from frostbyte.adapters.registry.memory import MemoryRegistry
from frostbyte.bootstrap.support import _process
from frostbyte.control_plane.provisioning.hosting import Project, Release
from frostbyte.control_plane.provisioning.journal import EntryState
from frostbyte.control_plane.provisioning.ports import HostAddress
from frostbyte.control_plane.provisioning.resources import HostRole
from frostbyte.control_plane.registry.records import AlarmRow, OperationKind, OperationStatus
from frostbyte.control_plane.registry.states import TenantState
from frostbyte.control_plane.settings import load
from frostbyte.control_plane.support.collecting import Sources, Support
from frostbyte.control_plane.support.hosts import Looking
from frostbyte.control_plane.support.rows import Section
from frostbyte.kernel.audit.events import EventType
from frostbyte.kernel.errors import NotFound, Unavailable
from frostbyte.kernel.ids import new_id


@dataclass
class Machines:
    """Hosts that answer what a test wants, and what was asked of them."""

    answers: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    def look(self, host: HostAddress, folder: str, *, seconds: float) -> str:
        self.asked.append((host.name, folder, ""))
        if host.name not in self.answers:
            raise Unavailable("host_unreachable", "It does not answer.", "Look.")
        return self.answers[host.name]

    def log(self, host: HostAddress, service: str, image: str, *, lines: int, seconds: float) -> str:
        self.asked.append((host.name, service, image))
        return LOG


class Office:
    """A control plane that looks at one tenant on two hosts, and the world of its project."""

    def __init__(self) -> None:
        self.store, self.clock, self.hosts = MemoryRegistry(), ManualClock(), Machines()
        self.unit_of_work = self.store.unit_of_work
        self.renderer = self
        self.recent: list[str] = []
        looking = Looking(self.unit_of_work, lambda project: self)  # type: ignore[arg-type, return-value]
        process = lambda: list(_process(load({"FROSTBYTE_CONTROL_DATA_DIR": "/tmp"}), [], [threading.main_thread()]))  # noqa: E731
        sources = Sources(process=process, view=None, logs=list, recent=lambda: self.recent, hosts=looking)
        self.support = Support(self.unit_of_work, self.clock, OWNER.environment, sources)
        (self.tenant,) = prepared(self.store)
        self.owner = OWNER

    def project(self, role: HostRole) -> Project:
        return Project(folder="/opt/frostbyte", services=(), stores=(), tasks=())

    def images(self, role: HostRole) -> tuple[str, ...]:
        return ("clamav", "worker") if role is HostRole.WORKER else ("api", "nomic-embed")

    def releases(self, version: str) -> Release:
        return Release(images={"api": IMAGE, "worker": f"sha256:{'7' * 64}", "clamav": f"sha256:{'8' * 64}"})

    def stand(self) -> None:
        run = run_row(fence=1)
        write(self.store, lambda uow: uow.journal.begin(run))
        spec = {"via": [], "release": "1.0"}
        for position, host in enumerate(("gateway", "worker-1")):
            role = host.partition("-")[0]
            facts = {"name": f"fb-acme-{host}", "address": "10.7.1.9", "host_key": CANARY}
            for key, action, what, told in (
                (f"settle.{host}", "settle", {}, facts),
                (f"files.{host}", "files", {**spec, "host": host, "role": role}, {}),
            ):
                for state in (EntryState.INTENDED, EntryState.DONE):
                    entry = entry_row(
                        run, key, action=action, kind="", spec=what, facts=told, state=state, position=position, name=""
                    )
                    write(self.store, lambda uow: audited(uow, entry))  # noqa: B023  # called at once

    def events(self) -> list[tuple[str, str, str]]:
        with self.store.unit_of_work() as uow:
            rows = uow.audit.newest("acme") + uow.audit.newest("control")
        return [(row.type, row.tenant_id, row.actor) for row in rows if row.type == EventType.SUPPORT_COLLECTED]


@pytest.fixture
def office() -> Office:
    return Office()


def text(sections: list[Section]) -> str:
    return "\n".join(f"{one.title}\n" + "\n".join(one.lines) for one in sections)


def of(sections: list[Section], title: str) -> tuple[str, ...]:
    return next(one.lines for one in sections if one.title.startswith(title))


def test_a_tenants_hosts_and_logs_are_told_in_the_order_of_the_plan(office: Office) -> None:
    office.stand()
    office.hosts.answers = {"fb-acme-gateway": HOST, "fb-acme-worker-1": HOST}
    found = office.support.tenant("acme", "ann")
    titles = [one.title for one in found]
    assert titles[:4] == ["Tenant acme", "Health", "The newest 50 operations", "What was made for it"]
    assert titles[4:] == [
        "Host gateway",
        "Log of celery-worker on gateway, the newest 2000 lines",
        "Log of postgres on gateway, the newest 2000 lines",
        "Host worker-1",
        "Log of celery-worker on worker-1, the newest 2000 lines",
        "Log of postgres on worker-1, the newest 2000 lines",
    ]
    assert ("fb-acme-gateway", "postgres", IMAGE) in office.hosts.asked
    # A worker has an image of its own that holds the command, and the scanner's holds none.
    assert ("fb-acme-worker-1", "postgres", f"sha256:{'7' * 64}") in office.hosts.asked
    assert of(found, "Log of postgres on gateway")[-1] == "not_shown 2"
    assert office.events() == [("SUPPORT_COLLECTED", "acme", "ann")]


def test_one_that_does_not_answer_is_told_and_the_others_all_the_same(office: Office) -> None:
    office.stand()
    office.hosts.answers = {"fb-acme-worker-1": HOST}
    found = office.support.tenant("acme", "ann")
    assert of(found, "Host gateway") == ("not asked host_unreachable",)
    assert "docker version 20.10.24+dfsg1" in of(found, "Host worker-1")


def test_a_tenant_without_hosts_of_ours_is_told_as_far_as_it_is_known(office: Office) -> None:
    assert of(office.support.tenant("acme", "ann"), "Hosts") == ("none of ours",)


def test_nobody_is_collected_and_nothing_is_audited(office: Office) -> None:
    with pytest.raises(NotFound):
        office.support.tenant("nobody", "ann")
    assert office.events() == []


def planted(office: Office) -> None:
    """Canaries wherever somebody may write what they like."""
    office.stand()
    office.hosts.answers = {"fb-acme-gateway": HOSTILE, "fb-acme-worker-1": HOST + HOSTILE}
    failed = operation(
        kind=OperationKind.SCALE,
        actor="Kanari",
        reason="kanari",
        request={"types": CANARY},
        status=OperationStatus.RUNNING,
    )
    with office.store.unit_of_work() as uow:
        uow.endpoints.put(endpoints("acme", gateway_url=f"https://{CANARY}", ca_pem=CANARY, log_key=CANARY))
        change_tenant(uow, office.tenant, state=TenantState.PROVISIONING)
        uow.operations.add(failed)
        uow.operations.add_step(
            step(failed, 1, step=CANARY, status=OperationStatus.FAILED, code=CANARY, facts={"path": CANARY})
        )
        uow.alarms.ring(
            AlarmRow(
                alarm_id=new_id(), tenant_id="acme", code="plane_answer_wrong", expected=CANARY, came=CANARY,
                rung_at=office.clock.now(),
            )
        )  # fmt: skip
        uow.commit()
    office.recent = [f'{{"event": "x", "filename": "{CANARY}"}}', f"Traceback: {CANARY}"]


def test_nothing_that_was_planted_is_in_it(office: Office, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FROSTBYTE_HCLOUD_TOKEN", CANARY)
    planted(office)
    both = text([*office.support.tenant("acme", "ann"), *office.support.control("ann")])
    for word in ("Kanari", "kanari", "Vogel", "10.7.1.9"):
        assert word not in both, word
    for wanted in ("alarm plane_answer_wrong since", "acme scale running", "not_shown", "files.gateway files done"):
        assert wanted in both, wanted


def test_the_control_planes_own_part_says_how_its_process_is(office: Office) -> None:
    found = office.support.control("ann")
    about = of(found, "Control plane")
    assert any(line.startswith("frostbyte ") for line in about)
    assert any(line.startswith("loop MainThread runs") for line in about)
    assert any(line.startswith("disk size_mb ") for line in about)
    assert of(found, "Tenants by project")[0] == "north PENDING 1"
    assert office.events() == [("SUPPORT_COLLECTED", "control", "ann")]


def test_what_cannot_be_audited_is_not_collected(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> Any:
        raise Unavailable("database_unavailable", "It is away.", "Wait.")

    monkeypatch.setattr(office.support, "_unit_of_work", away)
    with pytest.raises(Unavailable):
        office.support.control("ann")
    assert office.hosts.asked == []
