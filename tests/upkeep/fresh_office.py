"""A control plane with tenants that stand on two hosts each, and sets to be brought to them."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from msgspec.structs import replace

from control.registry_rows import NOW, change_tenant, endpoints, prepared, tenant
from control.test_journal_contract import audited, entry_row, run_row, write
from frostbyte.adapters.memory.clock import ManualClock
from frostbyte.adapters.registry.memory import MemoryRegistry
from frostbyte.adapters.shelf import FolderShelf
from frostbyte.control_plane.provisioning.hosting import Project
from frostbyte.control_plane.provisioning.journal import EntryState, RunState
from frostbyte.control_plane.provisioning.ports import HostAddress, HostFile
from frostbyte.control_plane.provisioning.resources import HostRole, Owner
from frostbyte.control_plane.registry.operations import Operations
from frostbyte.control_plane.registry.records import OperationKind, OperationRow, TenantRow
from frostbyte.control_plane.registry.states import TenantState
from frostbyte.control_plane.upkeep.foreman import Foreman
from frostbyte.control_plane.upkeep.refreshing import Reach, Refreshing
from frostbyte.control_plane.upkeep.rounds import Rounds
from frostbyte.control_plane.upkeep.supplies import Image, Package, Piece, Supply
from frostbyte.kernel.channel import PlaneHealth
from frostbyte.kernel.errors import FrostbyteError

NEVER = threading.Event()
HOSTS = ("gateway", "worker-1")


class Killed(BaseException):
    """A process that ends here."""


class Paper:
    """Hosts on paper: what lies there, and what was run. What a script says decides; `strikes` may let a call fail.

    Attributes:
        struck: called before and after each call with its host and text; raises what happens then.
        installed: versions of packages, by host.
    """

    def __init__(self) -> None:
        self.files: dict[str, dict[str, bytes]] = {}
        self.said: list[str] = []
        self.installed: dict[str, dict[str, str]] = {}
        self.struck: Callable[[str, str, bool], None] = lambda host, text, done: None
        self.lives: dict[str, str] = {}
        """By host, the mark of the set that its scanner has read; '' for what was there before."""

    def put(self, host: HostAddress, files: Sequence[HostFile]) -> None:
        self._call(host, "put " + files[0].path)
        self.files.setdefault(host.name, {}).update({file.path: file.content for file in files})
        self.struck(host.name, "put " + files[0].path, True)

    def run(self, host: HostAddress, script: str, *, seconds: float) -> str:
        self._call(host, script)
        said = self._done(host.name, script)
        self.struck(host.name, script, True)
        return said

    def up(self, host: HostAddress, folder: str, services: Sequence[str] = (), *, seconds: float) -> None:
        self._call(host, "up")
        self.struck(host.name, "up", True)

    def _call(self, host: HostAddress, text: str) -> None:
        self.struck(host.name, text, False)
        self.said.append(f"{host.name} {text.splitlines()[0] if text.startswith(('put', 'up')) else _title(text)}")

    def _done(self, host: str, script: str) -> str:
        title, held = _title(script), self.installed.setdefault(host, {"docker.io": "24", "chrony": "4.5"})
        if title == "exchange":
            self.lives[host] = script.split("fresh-")[1].split('"')[0]
        elif title == "back":
            self.lives[host] = ""
        elif title == "versions":
            names = script.split("for name in ")[1].split(";")[0].split()
            return "".join(f"{name} {held[name]} amd64\n" for name in names if name in held)
        elif title == "install":
            for line in script.splitlines():
                if "--showformat '${Version}'" in line:
                    name = line.split("--showformat '${Version}' ")[1].split(":")[0]
                    held[name] = line.split("= '")[1].split("'")[0]
            return "reboot\n" if "linux" in script else ""
        return ""

    def images(self, host: HostAddress) -> frozenset[str]:
        return frozenset()


def _title(script: str) -> str:
    for title, word in (
        ("exchange", 'holds "$fresh"'), ("back", 'holds "$before"'), ("look", "harmless"), ("install", "apt-get"),
        ("versions", "dpkg-query"), ("give up", 'rm -rf "$before"'), ("prepare", "install -d"), ("remove", "rm -rf"),
    ):  # fmt: skip
        if word in script:
            return title
    return script


class Drawing:
    """Workers have a scanner."""

    def project(self, role: HostRole) -> Project:
        more = (
            {"scanner": "clamav", "signatures": "/opt/f/clamav", "signatures_owner": "0:0"}
            if role is HostRole.WORKER
            else {}
        )
        return Project(folder="/opt/f", services=(), stores=(), tasks=(), **more)


class Loading:
    """Which images were brought where."""

    def __init__(self) -> None:
        self.brought: list[tuple[str, str]] = []

    def bring(self, host: HostAddress, release: str, role: HostRole) -> list[str]:
        self.brought.append((host.name, release))
        return ["sha256:1"]


class Office:
    """Tenants `acme`, `beta` and `gamma`, as many as are asked for."""

    def __init__(self, folder: Path, tenants: Sequence[str] = ("acme",)) -> None:
        self.store, self.clock = MemoryRegistry(), ManualClock(NOW)
        self.hosts, self.loading, self.shelf = Paper(), Loading(), FolderShelf(folder / "supplies")
        self.folder, self.drawing = folder, Drawing()
        self.health: dict[str, PlaneHealth] = {}
        self.trouble: dict[str, str] = {}
        self.operations = Operations(self.store.unit_of_work, self.clock)
        self.owners = [Owner(environment="production", project_id="north", tenant_id=name) for name in tenants]
        for row in prepared(self.store, *(tenant(name, octet=7 + at) for at, name in enumerate(tenants))):
            self._stand(row)
        self.restart()

    def restart(self) -> None:
        """Another process of the control plane."""
        channels: Any = lambda endpoints: SimpleNamespace(health=lambda: self.tells(endpoints.tenant_id))  # noqa: E731
        reach: Any = Reach(self.hosts, self.drawing, self.loading)  # type: ignore[arg-type]
        regiving: Any = SimpleNamespace(standing=lambda: self.owners)
        self.refreshing = Refreshing(
            self.store.unit_of_work, lambda owner: reach, channels, regiving, self.shelf, self.clock
        )
        self.foreman = Foreman(self.store.unit_of_work, self.operations, self.clock, [self.refreshing], first_pause=0.0)
        self.rounds = Rounds(
            self.store.unit_of_work,
            self.foreman,
            lambda: [owner.tenant_id for owner in self.owners],
            lambda tenant: self.trouble.get(tenant, ""),
            self.clock,
        )

    def tells(self, tenant: str) -> PlaneHealth:
        """What a plane says; each question takes two seconds of the office's clock."""
        self.clock.advance(2.0)
        return self.health.get(tenant, HEALTHY)

    def taken(self, day: int = 1, **parts: Any) -> Supply:
        """A set of that day in March; signatures if nothing else is said."""
        pieces = parts.get("signatures", (self.piece("daily.cud", f"signatures of {day}".encode()),))
        supply = Supply(
            supply_id=f"set-{day}",
            created_at=f"2026-02-{day:02d}T04:00:00Z",
            signatures_made_at=f"2026-02-{day:02d}T03:00:00Z" if pieces else "",
            **{"signatures": pieces, **parts},
        )
        held = (*supply.signatures, *supply.packages, *supply.images)
        self.shelf.take(supply, {piece.sha256: self.folder / piece.sha256 for piece in held})
        return supply

    def piece(self, name: str, content: bytes) -> Piece:
        """A file of a set."""
        return Piece(**self._file(name, content))

    def package(self, package: str, version: str) -> Package:
        """A package of a set."""
        told = self._file(f"{package}-{version}.deb", f"{package} {version}".encode())
        return Package(**told, package=package, version=version, architecture="amd64")

    def image(self, key: str) -> Image:
        """An image of a set."""
        return Image(**self._file(f"{key}.tar", key.encode()), key=key, image_id=f"sha256:{'a' * 64}")

    def _file(self, name: str, content: bytes) -> dict[str, Any]:
        sha256 = hashlib.sha256(content).hexdigest()
        (self.folder / sha256).write_bytes(content)
        return {"name": name, "sha256": sha256, "size": len(content)}

    def begun(self, supply: Supply, tenant: str = "acme", **more: Any) -> OperationRow:
        asked = {"supply": supply.supply_id, **more}
        return self.foreman.begin(tenant, OperationKind.REFRESH, asked, actor="alice", reason="requested")

    def ended(self, operation: OperationRow) -> OperationRow:
        """Carried on until it has ended, by as many processes as it takes."""
        self.foreman.turn(NEVER)
        return self.operations.show(operation.operation_id)

    def steps(self, operation: OperationRow) -> list[str]:
        return [row.step for row in self.operations.steps(operation.operation_id)]

    def events(self) -> list[tuple[str, str]]:
        with self.store.unit_of_work() as uow:
            found = uow.audit.unsequenced(1000)
        return [(event.tenant_id, event.details.get("code", "")) for event in found if event.type == "TENANT_REFRESHED"]

    def _stand(self, row: TenantRow) -> None:
        tenant_id = row.tenant_id
        for state in (TenantState.PROVISIONING, TenantState.ACTIVE):
            with self.store.unit_of_work() as uow:
                row = change_tenant(uow, row, state=state)
                uow.commit()
        write(self.store, lambda uow: uow.endpoints.put(endpoints(tenant_id)))
        run = replace(run_row(fence=1), tenant_id=tenant_id)
        write(self.store, lambda uow: uow.journal.begin(run))
        for position, host in enumerate(HOSTS):
            role = host.partition("-")[0]
            spec = {"via": [], "host": host, "role": role}
            facts = {"name": f"fb-{tenant_id}-{host}", "address": "10.7.1.9", "host_key": "k"}
            for key, action, told in ((f"files.{host}", "files", {}), (f"settle.{host}", "settle", facts)):
                for state in (EntryState.INTENDED, EntryState.DONE):
                    row = entry_row(
                        run, key, action=action, kind="", spec=spec, position=position, facts=told, state=state,
                        resource_id="", name="",
                    )  # fmt: skip
                    write(self.store, lambda uow, row=row: audited(uow, row))
        ended = replace(run, state=RunState.SUCCEEDED, ended_at=NOW, holder="", leased_until=None)
        write(self.store, lambda uow: uow.journal.put_run(ended))


HEALTHY = PlaneHealth(
    ready=True,
    jobs={},
    oldest_job_seconds=None,
    stored_bytes=0,
    quota_bytes=0,
    signatures_age_seconds=60.0,
    model="none",
    certificate_not_after=None,
    log_size=0,
    version="0",
    stand_ins=(),
)


def days(count: float) -> float:
    return timedelta(days=count).total_seconds()


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def failing(match: str, error: FrostbyteError, host: str = "", times: int = 1) -> Callable[[str, str, bool], None]:
    """A call whose script has these words fails, so many times."""
    left = times

    def strike(at: str, text: str, done: bool) -> None:
        nonlocal left
        if not done and match in (_title(text), text) and host in at and left:
            left -= 1
            raise error

    return strike
