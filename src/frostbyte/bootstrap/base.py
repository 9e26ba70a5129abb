"""A project's base, made from an operator's machine: the same engine, with a journal in that machine's data folder."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from frostbyte.adapters.secrets.files import FileSecrets
from frostbyte.bootstrap import backup_target
from frostbyte.control_plane.backup import settings as backup_settings
from frostbyte.control_plane.edge.routes import Tls
from frostbyte.control_plane.edge.settings import EdgeSettings
from frostbyte.control_plane.provisioning.apply import Engine
from frostbyte.control_plane.provisioning.building import ASKED
from frostbyte.control_plane.provisioning.doing import base
from frostbyte.control_plane.provisioning.doing.base import BaseWorld, Own
from frostbyte.control_plane.provisioning.doing.table import World
from frostbyte.control_plane.provisioning.journal import Direction, EntryRow, RunRow
from frostbyte.control_plane.provisioning.planned import checked
from frostbyte.control_plane.provisioning.resources import OWNER, Kind, Owner
from frostbyte.control_plane.provisioning.settings import ENDPOINT
from frostbyte.control_plane.provisioning.steps import Action, Doing, Plan
from frostbyte.control_plane.settings import ControlSettings
from frostbyte.deploy.hosts.base import BaseHosts
from frostbyte.kernel.errors import Conflict, Unavailable
from frostbyte.kernel.settings import Reader, invalid

if TYPE_CHECKING:
    from frostbyte.bootstrap.control import ControlPlane
    from frostbyte.bootstrap.hosting import Hosting

ACTOR: Final = "operator"
HOLDER: Final = "control-up"
"""Who works on a base or builds its snapshots: the data folder's lock sees to it that it is one process at a time."""
TOKEN_FILE: Final = "edge-token"  # noqa: S105 - a name
"""An operator's token of the control plane on the edge's host, in this machine's data folder."""
URL_FILE: Final = "edge-url"
KEYS: Final = ("ssh", "first-host-keys")
"""By which hosts know a control plane: the one on the edge's host must have the same."""


def base_doings(settings: ControlSettings, secrets: FileSecrets) -> Callable[[World, str], Mapping[Action, Doing]]:
    """How what only a base has is done, with a project's token."""

    def made(world: World, token: str) -> Mapping[Action, Doing]:
        return base.doings(
            BaseWorld(
                hosts=world.hosts,
                vault=world.vault,
                renderer=BaseHosts(),
                releases=world.releases,
                unit_of_work=world.unit_of_work,
                own=lambda: own(settings, secrets, token),
                keep=lambda url, token: _keep(settings.data_dir, url, token),
            )
        )

    return made


def own(settings: ControlSettings, secrets: FileSecrets, token: str) -> Own:
    """What the control plane on the edge's host is brought.

    Raises:
        Unavailable: `release_unknown`: nothing says what hosts run.
    """
    told = settings.provisioning
    releases = sorted(told.releases.glob("*.json")) if told.releases.is_dir() else []
    if not releases and told.hosts_dir is None:
        raise Unavailable(
            "release_unknown",
            "Nothing says which images hosts run.",
            "Build the snapshot of this version (`frostbyte hosts build`): it writes that down.",
        )
    files = {"hcloud-token": token.encode()}
    if told.dns_token:
        files["dns-token"] = told.dns_token.encode()
    if settings.ca_file:  # whom the cloud's API is trusted by, where it is another one's
        files["ca"] = Path(settings.ca_file).read_bytes()
    files |= _backup_files()
    begins = {f"secrets/{name}.key": secrets.secret(name) for name in KEYS}
    begins |= {f"releases/{path.name}": path.read_bytes() for path in releases}
    if told.operator_keys:
        begins["operators.pub"] = "".join(f"{key}\n" for key in told.operator_keys).encode()
    return Own(
        secrets=files, begins=begins, settings=_settings(settings) | _backups(settings), operators=told.operators
    )


def check_edge(told: EdgeSettings) -> None:
    """Refuse what cannot hold on the edge's host. Raises Invalid: `settings_invalid`."""
    if told.site.tls is Tls.FILES:
        raise invalid(
            "CONTROL_EDGE_TLS",
            "files that somebody renews on this machine do not reach the edge's host: its certificate comes from "
            "`acme`, or from an authority of its own (`own`)",
        )


def _settings(settings: ControlSettings) -> dict[str, str]:
    """What was told here and holds there too."""
    told, site = settings.provisioning, settings.edge.site
    found = {
        "FROSTBYTE_CONTROL_DOMAIN": settings.domain,
        "FROSTBYTE_CONTROL_ENVIRONMENT": settings.environment,
        "FROSTBYTE_DNS_PROVIDER": told.dns_provider,
        "FROSTBYTE_DNS_ZONE": told.dns_zone,
        "FROSTBYTE_OPERATORS": ",".join(told.operators),
        "FROSTBYTE_LOCATIONS": ",".join(told.locations),
        "FROSTBYTE_RECOVERY_RECIPIENT": told.recovery,
        "FROSTBYTE_HCLOUD_ENDPOINT": "" if told.endpoint == ENDPOINT else told.endpoint,
        "FROSTBYTE_CONTROL_EDGE_TLS": site.tls.value,
        "FROSTBYTE_CONTROL_EDGE_ACME_EMAIL": site.acme_email,
        "FROSTBYTE_CONTROL_EDGE_ACME_DNS": site.acme_dns,
        "FROSTBYTE_CONTROL_EDGE_ACME_SERVER": site.acme_server,
    }
    return {name: value for name, value in found.items() if value}


def _backups(settings: ControlSettings) -> dict[str, str]:
    """Where backups go: without these the control plane there backs nothing up, itself included."""
    given = Reader(os.environ)
    plan, told = backup_settings.load(given, settings.data_dir), backup_target.load()
    if not plan.url:
        return {}
    found = {
        "FROSTBYTE_BACKUP_URL": plan.url,
        "FROSTBYTE_BACKUP_LOCATION": plan.location,
        "FROSTBYTE_BACKUP_HOURS": str(plan.hours),
        "FROSTBYTE_BACKUP_REGION": told.region,
        "FROSTBYTE_BACKUP_RECIPIENTS": ",".join(told.recipients),
    }
    return {name: value for name, value in found.items() if value}


def _backup_files() -> dict[str, bytes]:
    """What opens the place, by the names of its secret files; whom to believe there."""
    told = backup_target.load()
    found = {"backup-access-key": told.access_key.encode(), "backup-secret-key": told.secret_key.encode()}
    if told.ca_file:
        found["backup-ca"] = Path(told.ca_file).read_bytes()
    return {name: content for name, content in found.items() if content and told.url}


def _keep(folder: Path, url: str, token: str) -> None:
    for name, text in ((URL_FILE, url), (TOKEN_FILE, token)):
        part = folder / f".{name}.part"
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as sink:
            sink.write(f"{text}\n")
        part.replace(folder / name)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What a base is planned and made with.

    Attributes:
        plane: built and not started: its store, its clouds, its runs.
    """

    plane: ControlPlane
    owner: Owner

    def plan(self, request: Mapping[str, Any]) -> Plan:
        """What would be done; nothing is touched. Raises as Workshop.plan, and Invalid: see `check_edge`."""
        if ASKED not in request:
            check_edge(self.plane.settings.edge)
        return self.hosting.clouds.workshop(self.owner).plan(self.owner, request)

    def running(self) -> RunRow | None:
        """A run that was interrupted."""
        with self.plane.store.unit_of_work() as uow:
            found = uow.journal.running(self.owner)
        return found[0] if found else None

    def asked(self) -> dict[str, Any]:
        """What its base was last asked for: an end that it was given stays when it is changed."""
        runs = [run for run in self.hosting.runs.runs(self.owner) if run.direction is Direction.UP]
        return next((run.request for run in runs if ASKED not in run.request), {})

    def stands(self) -> bool:
        """Whether any server of it may exist."""
        return any(row.kind == Kind.SERVER for row in self.remains())

    def up(self, request: Mapping[str, Any], seen: Callable[[EntryRow], None]) -> RunRow:
        """Make it, or go on with making it.

        Raises:
            Conflict: the plan's first problem; `base_goes_down`: it is being taken away.
        """
        run = self.running()
        if run is not None and run.direction is Direction.DOWN:
            raise Conflict(
                "base_goes_down", "This base is being taken away.", "Run `frostbyte control down` to its end first."
            )
        return self.carried(run or self.begun(request), seen)

    def begun(self, request: Mapping[str, Any]) -> RunRow:
        """A run up, of a project that is entered if it is new. Raises Conflict: the plan's first problem."""
        if self.owner.project_id not in {row.project_id for row in self.plane.projects.page(limit=1000)}:
            self.plane.projects.create(self.owner.project_id, actor=ACTOR)
        checked(self.plan(request))
        return self.hosting.runs.begin_base(self.owner.project_id, Direction.UP, request, actor=ACTOR)

    def down(self, seen: Callable[[EntryRow], None]) -> RunRow:
        """Take it away, or go on with that. What was only half made is made or taken back first.

        Raises:
            Conflict: `base_in_use`: tenants' resources are still there.
        """
        self._unused()
        run = self.running()
        if run is not None and run.direction is not Direction.DOWN:
            self.carried(run, seen)
            run = None
        if run is None:
            run = self.hosting.runs.begin_base(
                self.owner.project_id, Direction.DOWN, {"destroy_data": True}, actor=ACTOR
            )
        return self.carried(run, seen)

    def entries(self) -> list[EntryRow]:
        """Everything that the journal says of it."""
        return self.hosting.runs.entries(self.owner)

    def remains(self) -> list[EntryRow]:
        """What of it may exist and cost something."""
        return self.hosting.runs.remaining(self.owner)

    def _unused(self) -> None:
        """No tenant of the project has anything left: their hosts would stand without an edge, and cost money."""
        found = self.hosting.clouds.cloud(self.owner.project_id).observe()
        tenants = sorted({one.labels.get(OWNER, "") for one in found} - {self.owner.label, ""})
        if tenants:
            names = ", ".join(name.removeprefix("tenant.") for name in tenants[:5])
            raise Conflict(
                "base_in_use",
                f"{len(tenants)} tenants of this project still have something at the cloud: {names}.",
                "Deprovision them first; `frostbyte sweep` shows what nobody owns.",
            )

    def carried(self, run: RunRow, seen: Callable[[EntryRow], None]) -> RunRow:
        """A run to its end. Raises Conflict: `run_interrupted`."""
        plane = self.plane
        engine = Engine(plane.store.unit_of_work, plane.clock, self.hosting.clouds.workshop, holder=HOLDER, seen=seen)
        done = engine.carry(run.run_id, threading.Event())
        if done is None:
            raise Conflict("run_interrupted", "The run goes on another time.", "Type the same command once more.")
        return done

    @property
    def hosting(self) -> Hosting:
        """What makes hosts."""
        hosting = self.plane.hosting
        assert hosting is not None
        return hosting
