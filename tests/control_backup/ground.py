"""A control plane over a simulated cloud, with hosts and planes in memory: what is lost with its disk, what is not."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from frostbyte.adapters.channel.memory import MemoryPlane
from frostbyte.adapters.hetzner.world.world import World
from frostbyte.adapters.hosts.memory import MemoryHosts
from frostbyte.adapters.secrets.token_keys import FileTokenKeys
from frostbyte.adapters.vault.age import fresh, opened
from frostbyte.api.hetzner.serving import Serving
from frostbyte.bootstrap import backup_target, channels, control
from frostbyte.bootstrap.base import Bench
from frostbyte.bootstrap.building import Yard
from frostbyte.bootstrap.control import ControlPlane, build
from frostbyte.bootstrap.control_backup import control_backup, restored
from frostbyte.bootstrap.database import access
from frostbyte.bootstrap.local_hosts import simulated
from frostbyte.control_plane.backup.control import Restored, Taken
from frostbyte.control_plane.provisioning.apply import Engine
from frostbyte.control_plane.provisioning.building import BuildRequest
from frostbyte.control_plane.provisioning.journal import EntryRow, RunState
from frostbyte.control_plane.provisioning.lease import Pace
from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.control_plane.registry.records import EndpointsRow
from frostbyte.control_plane.registry.states import Move
from frostbyte.control_plane.settings import ControlSettings, load
from frostbyte.kernel.clock import SystemClock
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.verifying_keys import read
from servers.lanes import built

ZONE = "frostbyte.test"
TOKEN = json.dumps({"token": "an-operators"})
BASE = Owner(environment="production", project_id="north")


class Ground:
    """What stays when a control plane's disk is lost: the cloud, hosts, planes, and the place of the backups."""

    def __init__(self, folder: Path, sky: Serving, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.sky = folder, sky
        self.planes: dict[str, MemoryPlane] = {}
        self.identity, recipient = fresh()
        (folder / "offline.txt").write_text(self.identity)
        (folder / "elsewhere").mkdir()
        self.environment = {
            "FROSTBYTE_CONTROL_DATA_DIR": str(folder / "control"),
            "FROSTBYTE_CONTROL_DOMAIN": f"pipeline.{ZONE}",
            "FROSTBYTE_HCLOUD_ENDPOINT": sky.endpoint,
            "FROSTBYTE_HCLOUD_TOKEN": sky.token,
            "FROSTBYTE_DNS_ZONE": ZONE,
            "FROSTBYTE_OPERATORS": "198.51.100.0/24",
            "FROSTBYTE_HOSTS_DIR": str(folder / "hosts"),
            "FROSTBYTE_RECOVERY_RECIPIENT": recipient,
            "FROSTBYTE_SOPS": built("sops") or "sops",
            "FROSTBYTE_BACKUP_URL": f"file://{folder / 'elsewhere'}",
        }
        for name, value in self.environment.items():
            patch.setenv(name, value)
        self.hosts = MemoryHosts(simulated(sky.endpoint), answers={"script": "sealed", "operator": TOKEN})
        patch.setattr(control, "local_hosts", lambda settings: self.hosts)
        patch.setattr(channels.Channels, "__call__", lambda _, endpoints: self._plane(endpoints))
        self.told = backup_target.load(self.environment)

    @property
    def settings(self) -> ControlSettings:
        return load(self.environment)

    def _plane(self, endpoints: EndpointsRow) -> MemoryPlane:
        return self.planes[endpoints.tenant_id]

    @contextmanager
    def control(self) -> Iterator[ControlPlane]:
        """A control plane that was built and not started."""
        plane = build(self.settings)
        try:
            yield plane
        finally:
            plane.close()

    def lose(self) -> None:
        """The disk."""
        shutil.rmtree(self.folder / "control")

    def base(self, plane: ControlPlane) -> None:
        """A snapshot, edge, bastion, firewalls."""
        self.sky.world.call(self.sky.token, "POST", "/zones", {}, b'{"name": "%s", "mode": "primary"}' % ZONE.encode())
        asked = BuildRequest(system="debian-13", archives=(), operators=("198.51.100.0/24",))
        assert Yard(plane=plane, owner=BASE).build(asked, lambda entry: None).code == ""
        done = Bench(plane=plane, owner=BASE).up({}, lambda entry: None)
        assert done.code == "", [(row.key, row.code) for row in plane.hosting.runs.entries(BASE) if row.code]  # type: ignore[union-attr]

    def provision(self, plane: ControlPlane, tenant_id: str, **request: Any) -> None:
        """Hosts of a tenant, as the provisioner makes them, and its plane."""
        assert plane.provisioning is not None
        assert plane.hosting is not None
        if not any(row.tenant_id == tenant_id for row in plane.tenants.page(limit=1000)):
            plane.tenants.create(tenant_id, "north", actor="alice")
        accepted = FileTokenKeys(self.settings.keys_folder, SystemClock()).keys().accepted
        self.planes.setdefault(tenant_id, MemoryPlane(tenant_id, read([str(key) for key in accepted])))
        operation = plane.provisioning.begin(tenant_id, Move.PROVISION, request, actor="alice", reason="requested")
        self.carry(plane, operation.operation_id)
        plane.operations.end(operation.operation_id)

    def carry(self, plane: ControlPlane, run_id: UUID) -> None:
        """A run to its end, which is a good one."""
        assert plane.hosting is not None
        workshop, pace = plane.hosting.clouds.workshop, Pace(threads=4, late_seconds=0.0)
        engine = Engine(plane.store.unit_of_work, plane.clock, workshop, holder="test", pace=pace)
        ended = engine.carry(run_id, threading.Event())
        assert ended is not None
        with plane.store.unit_of_work() as uow:
            failed = [(row.key, row.code) for row in uow.journal.entries(ended.owner) if row.code]
        assert (ended.state.value, failed) == ("succeeded", [])

    def grow(self, plane: ControlPlane, tenant_id: str, **request: Any) -> None:
        """More of a tenant that stands."""
        owner = Owner(environment="production", project_id="north", tenant_id=tenant_id)
        with plane.store.unit_of_work() as uow:
            last = uow.journal.runs(owner)[0]
            run = replace(
                last,
                run_id=new_id(),
                state=RunState.RUNNING,
                request={**last.request, **request},
                plan={},
                fence=last.fence + 1,
                started_at=plane.clock.now(),
                ended_at=None,
            )
            uow.journal.begin(run)
            uow.commit()
        self.carry(plane, run.run_id)

    def backup(self, plane: ControlPlane) -> Taken:
        """Take one."""
        plane.sequencer.run_once()
        assert plane.server is not None
        found = access("", "", "", plane.settings.data_dir / "postgres")
        try:
            return control_backup(
                plane.settings, self.told, plane.secrets, found, public_key=plane.signer.verifier_key, clock=plane.clock
            ).take()
        finally:
            assert found.server is not None
            found.server.stop()

    def restored(self, name: str = "") -> Restored:
        """Put it back, as the operator's identity can."""
        return restored(self.settings, self.told, lambda sealed: opened(sealed, self.identity), name)

    @staticmethod
    def owned(plane: ControlPlane) -> list[EntryRow]:
        """All that may exist at the cloud, as the journal says."""
        with plane.store.unit_of_work() as uow:
            return uow.journal.owned("production")

    @staticmethod
    def entries(plane: ControlPlane, tenant_id: str = "") -> list[EntryRow]:
        owner = Owner(environment="production", project_id="north", tenant_id=tenant_id)
        with plane.store.unit_of_work() as uow:
            return uow.journal.entries(owner)


@contextmanager
def sky() -> Iterator[Serving]:
    """A cloud."""
    with Serving(World()) as serving:
        yield serving


def listing(folder: Path) -> list[str]:
    """What lies below a folder."""
    return sorted(os.path.relpath(path, folder) for path in folder.rglob("*") if path.is_file())
