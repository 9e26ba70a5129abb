"""The control plane's only wiring: which adapter stands behind which port, decided by the settings."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final

import structlog
from filelock import FileLock, Timeout

from frostbyte import __version__
from frostbyte.adapters.edge.asking import through_edge
from frostbyte.adapters.ledger.postgres import PostgresLedger
from frostbyte.adapters.postgres import EmbeddedServer, migrate
from frostbyte.adapters.postgres.schema import Schema, claim_control, packaged
from frostbyte.adapters.registry.postgres import PostgresRegistry
from frostbyte.adapters.registry.sole import Sole
from frostbyte.adapters.secrets.files import FileSecrets
from frostbyte.adapters.secrets.token_keys import FileTokenKeys
from frostbyte.bootstrap import database, posture
from frostbyte.bootstrap.authorities import Authorities
from frostbyte.bootstrap.base import base_doings
from frostbyte.bootstrap.beginning import begin_with
from frostbyte.bootstrap.channels import Channels
from frostbyte.bootstrap.control_backup import keeper, see_that_it_is_finished
from frostbyte.bootstrap.edge import Edge
from frostbyte.bootstrap.expiry import Expiry
from frostbyte.bootstrap.hosting import Hosting
from frostbyte.bootstrap.ledger import Ledger
from frostbyte.bootstrap.local_hosts import local_hosts
from frostbyte.bootstrap.oidc import oidc_sign_in
from frostbyte.bootstrap.people import People, people
from frostbyte.bootstrap.provisioning import Clouds, OwnKeys
from frostbyte.bootstrap.receipts import receipts
from frostbyte.bootstrap.support import support
from frostbyte.bootstrap.switching import Around, Switching, directives
from frostbyte.control_plane.backup.daily import Daily
from frostbyte.control_plane.backup.keeper import Keeper
from frostbyte.control_plane.edge.routes import Tls
from frostbyte.control_plane.history.telling import History
from frostbyte.control_plane.killswitch.hearing import checked
from frostbyte.control_plane.overview.costs import Costs
from frostbyte.control_plane.overview.roll import Roll
from frostbyte.control_plane.overview.watching import Watching
from frostbyte.control_plane.provisioning.asking import Asked
from frostbyte.control_plane.provisioning.receipts import Receipts
from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.control_plane.provisioning.sweeping import Sweeper
from frostbyte.control_plane.registry.changes import ITSELF
from frostbyte.control_plane.registry.idempotency import forget
from frostbyte.control_plane.registry.operations import Hook, Operations
from frostbyte.control_plane.registry.projects import Projects
from frostbyte.control_plane.registry.records import OperationKind, OperationRow
from frostbyte.control_plane.registry.tenants import Tenants
from frostbyte.control_plane.settings import ControlSettings
from frostbyte.control_plane.support.collecting import Support
from frostbyte.control_plane.upkeep.foreman import Foreman
from frostbyte.control_plane.upkeep.rounds import Rounds
from frostbyte.kernel.accounts.sessions import Sessions
from frostbyte.kernel.admission import Admission
from frostbyte.kernel.audit import logs
from frostbyte.kernel.audit.checkpoint import Cosigner, Signer
from frostbyte.kernel.audit.sequencer import Sequencer
from frostbyte.kernel.clock import Clock, SystemClock
from frostbyte.kernel.errors import Conflict, FrostbyteError, Unavailable
from frostbyte.kernel.oidc.sign_in import OidcSignIn
from frostbyte.kernel.rotation import Rotation
from frostbyte.kernel.settings import Mode, StandIn
from frostbyte.kernel.tokens import control_realm

CONNECTIONS: Final = 24
"""To the database, at most."""
LEDGER_CONNECTIONS: Final = 8
"""To the same database, of the ledger: a pull holds one while it stores."""
_MAINTENANCE_SECONDS: Final = 600.0

Loop = Callable[[threading.Event], None]
"""Runs in a thread of its own until the event is set."""


@dataclass(kw_only=True)
class ControlPlane:
    """A running control plane: its use cases for the faces, its loops, and how to start and stop it."""

    settings: ControlSettings
    clock: Clock
    store: PostgresRegistry
    server: EmbeddedServer | None
    secrets: FileSecrets
    signer: Signer
    admission: Admission
    people: People
    """Who signs in with a browser."""
    oidc: OidcSignIn | None = None
    """What signs operators in by an issuer's word; None where no issuer is named."""
    rotation: Rotation
    """Of the environment's keys, which sign tokens and what planes are told."""
    sequencer: Sequencer
    projects: Projects
    tenants: Tenants
    operations: Operations
    findings: list[posture.Finding]
    lock: FileLock
    backups: Keeper
    """What takes the control plane's own backups."""
    daily: Daily
    """What begins tenants' backups when they are due."""
    sole: Sole | None = None
    """The right to be the only one; None where the store is in this process."""
    replaced: threading.Event = field(default_factory=threading.Event)
    """Set when another control plane took over the database: this one has stopped its loops and answers no more."""
    edge: Edge | None = None
    """The files of the edge; None where a control plane is only looked at."""
    switching: Switching | None = None
    """What carries decisions out; None as above."""
    channels: Channels | None = None
    ledger: Ledger | None = None
    """What keeps every plane's audit; None as above."""
    provisioning: Asked | None = None
    """What makes tenants' hosts and takes them away; None as above."""
    foreman: Foreman | None = None
    """What makes a tenant's keys anew; None as above."""
    sweeper: Sweeper | None = None
    """What looks for things in the cloud that nobody owns; None as above."""
    hosting: Hosting | None = None
    """What they are made with."""
    hooks: dict[OperationKind, Hook] = field(default_factory=dict)
    """Who carries on which operations after a start."""
    loops: dict[str, Loop] = field(default_factory=dict)
    """By the name of the thread."""
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.hosting is not None and self.switching is not None:
            self.hosting.look = self.switching.watch.tenant

    @property
    def sessions(self) -> Sessions:
        """Of people who signed in."""
        return self.people.sessions

    @property
    def stand_ins(self) -> list[str]:
        """Development substitutes in use; every report says them."""
        return posture.stand_ins(self.settings, self.findings)

    @property
    def rounds(self) -> Rounds | None:
        """What delivers to all tenants, one by one; None where no hosts are made."""
        return self.hosting.rounds if self.hosting is not None else None

    @cached_property
    def costs(self) -> Costs:
        """What tenants cost; it remembers the prices of plans."""
        return Costs(self.store.unit_of_work, self.settings.environment)

    @property
    def roll(self) -> Roll:
        """Tenants as operators read them."""
        watch = self.switching.watch if self.switching is not None else None
        return Roll(self.store.unit_of_work, self.costs, watch.view if watch is not None else dict)

    @property
    def watching(self) -> Watching:
        """Operations as trees."""
        stages = self.foreman.stages if self.foreman is not None else lambda _: ()
        return Watching(self.store.unit_of_work, self.clock, stages)

    @property
    def receipts(self) -> Receipts:
        """Of tenants that were destroyed."""
        return receipts(self.store.unit_of_work, self.signer, self.ledger.store if self.ledger else None, self.clock)

    @property
    def history(self) -> History:
        """What happened to tenants, in sentences."""
        return History(self.store.unit_of_work, self.clock, self.ledger.newest if self.ledger else None)

    @property
    def support(self) -> Support:
        """What collects for whoever has to find out why something is not well."""
        return support(
            self.store.unit_of_work,
            self.clock,
            self.settings,
            stand_ins=self.stand_ins,
            loops=self._threads,
            view=self.switching.watch if self.switching else None,
            ledger=self.ledger,
            hosting=self.hosting,
        )

    def carry(self, operation: OperationRow) -> None:
        """Carry out an operation that has just begun. Returns when all is done that cannot wait; the rest goes on.

        It was decided and is written down, so nothing is raised: whoever asked would take it for a refusal.
        """
        hook = self.hooks.get(operation.kind)
        if hook is None:
            return
        try:
            hook(operation)
        except FrostbyteError as error:
            structlog.get_logger("frostbyte.control").warning("operation_waits", code=error.code)

    def health(self) -> dict[str, Any]:
        """Whether the process lives, and what a person should know about it."""
        production = self.settings.mode is not Mode.DEVELOPMENT
        return {
            "status": "ok",
            "environment": self.settings.environment,
            "mode": self.settings.mode.value,
            "version": __version__,
            "stand_ins": self.stand_ins,
            "warnings": ["NOT FOR PRODUCTION: stand-ins are in use."] if production and self.stand_ins else [],
        }

    def ready(self) -> dict[str, Any]:
        """How far the own log is.

        Raises:
            Unavailable: `database_unavailable`; `control_plane_replaced` once another works on the database.
        """
        if self.replaced.is_set():
            raise Unavailable(
                "control_plane_replaced",
                "Another control plane works on this database since its connection was lost.",
                "End this process; if it is the one to stay, end the other and start it again.",
            )
        with self.store.unit_of_work() as uow:
            checkpoint = uow.audit.latest_checkpoint()
        return {
            "status": "ready",
            "checkpoint_size": checkpoint.size if checkpoint else 0,
            "sequencer": self.sequencer.trouble.get("sequencer", "ok"),
        }

    def start(self) -> None:
        """Shut what must be shut, start the loops, and carry on what was left running when it last ended.

        Raises:
            Unavailable: `database_unavailable`, `edge_unwritable`: it does not start while it could not stop anybody.
            Conflict: `control_restore_unfinished`.
        """
        see_that_it_is_finished(self.settings.data_dir)
        if self.switching is not None:
            self.switching.watch.backups = self.daily.ages
        self.rotation.resume()
        if self.switching is not None:
            self.switching.begin()
        if self.edge is not None:
            self.edge.prepare()
        own: dict[str, Loop] = {
            "sequencer": self.sequencer.run,
            "maintenance": self._maintain,
            "backups": self.backups.run,
            "daily": self.daily.run,
        }
        if self.sole is not None:
            own["sole"] = partial(self._guard, self.sole)
        for name, loop in {**own, **self.loops}.items():
            thread = threading.Thread(target=loop, args=(self._stop,), name=name, daemon=True)
            thread.start()
            self._threads.append(thread)
        self.operations.resume(self.hooks)

    def _guard(self, sole: Sole, stop: threading.Event) -> None:
        sole.watch(stop)
        if self.replaced.is_set():
            structlog.get_logger("frostbyte.control").error("control_plane_replaced")
            self._stop.set()
            self.sequencer.wake()

    def _maintain(self, stop: threading.Event) -> None:
        log = structlog.get_logger("frostbyte.control")
        while not stop.wait(_MAINTENANCE_SECONDS):
            try:
                self.rotation.resume()
                forget(self.store.unit_of_work, self.clock)
            except FrostbyteError as error:  # tried again at the next turn
                log.warning("maintenance_waits", code=error.code)

    def close(self) -> None:
        """Stop the loops, sign a last checkpoint and let go of the database."""
        self._stop.set()
        self.sequencer.wake()
        for thread in self._threads:
            thread.join(10.0)
        try:
            while self.sequencer.run_once():
                pass
        except FrostbyteError as error:  # the next start signs it
            structlog.get_logger("frostbyte.control").warning("last_checkpoint_missing", code=error.code)
        if self.channels is not None:
            self.channels.close()
        if self.ledger is not None:
            self.ledger.close()
        if self.hosting is not None:
            self.hosting.clouds.close()
        self.store.close()
        if self.sole is not None:
            self.sole.release()
        if self.server is not None:
            self.server.stop()
        self.lock.release()


def findings(settings: ControlSettings, resolve: posture.Resolve = posture.addresses) -> list[posture.Finding]:
    """Everything in the settings that only development allows, one a stand-in."""
    servers = [
        server
        for name, url in (
            ("CONTROL_DATABASE_URL", settings.database_url),
            ("CONTROL_DATABASE_OWNER_URL", settings.database_owner_url),
        )
        if url
        for server in posture.databases(name, url)
    ]
    embedded = posture.Finding(
        stand_in=StandIn.DATABASE,
        what="the registry's database runs beside the control plane from a package",
        remedy="Set FROSTBYTE_CONTROL_DATABASE_URL to a PostgreSQL server.",
    )
    processes = posture.Finding(
        stand_in=StandIn.HOSTS,
        what="servers are processes of this machine",
        remedy="Leave FROSTBYTE_HOSTS_DIR out: hosts are reached over SSH.",
    )
    return posture.one_each(
        [
            *([] if settings.database_url else [embedded]),
            *([processes] if settings.provisioning.hosts_dir else []),
            *posture.wires(servers, settings.local_network, resolve),
            *posture.secrets(servers),
        ]
    )


def build(settings: ControlSettings) -> ControlPlane:
    """Everything a control plane needs, not started yet.

    Raises:
        Conflict: `data_dir_in_use`: another control plane holds the folder; `control_plane_running`;
            `control_of_another_environment`.
        Invalid: `stand_in_refused`, `secret_permissions`.
        FrostbyteError: whatever an adapter says that cannot start.
    """
    found = findings(settings)
    posture.refuse(settings, found)
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with ExitStack() as undo:  # what was begun is let go of when a later part cannot start
        plane = _build(settings, found, undo)
        undo.pop_all()
    return plane


def _build(settings: ControlSettings, found: list[posture.Finding], undo: ExitStack) -> ControlPlane:
    lock = hold(settings.data_dir)
    undo.callback(lock.release)
    begin_with(settings)
    secrets = FileSecrets(settings.keys_folder)
    access = database.access(
        settings.database_url, settings.database_owner_url, settings.ca_file, settings.data_dir / "postgres"
    )
    if access.server is not None:
        undo.callback(access.server.stop)
    migrate(access.owner, packaged(Schema.CONTROL), writer=access.grantee, make=access.steps_down)
    claim_control(access.owner, settings.environment, settings.log_origin)
    replaced = threading.Event()
    sole = Sole(access.writer, replaced.set)
    sole.take()
    undo.callback(sole.release)
    clock, role = SystemClock(), access.role()
    store = PostgresRegistry(access.writer, max_connections=CONNECTIONS, role=role).open()
    undo.callback(store.close)
    realm, signer = control_realm(settings.environment), _signer(settings, secrets, store)
    ledger_store = PostgresLedger(access.writer, max_connections=LEDGER_CONNECTIONS, role=role).open()
    undo.callback(ledger_store.close)
    authorities = Authorities(settings.data_dir / "authorities")
    channels = Channels(authorities)
    own_ca, own = settings.data_dir / "edge-ca", settings.edge.site.tls is Tls.OWN
    edge = Edge(settings.edge, settings.edge_folder, authorities, own_ca)
    keys = FileTokenKeys(settings.keys_folder, clock)
    clouds = _clouds(settings, store, clock, OwnKeys(secrets, keys, authorities), channels)
    receipt = receipts(store.unit_of_work, signer, ledger_store, clock).issue
    hosting = Hosting(store.unit_of_work, clock, clouds, environment=settings.environment, receipt=receipt)
    ledger = Ledger(ledger_store, store.unit_of_work, channels, _cosigner(settings, secrets), clock)
    switching = Switching(
        store.unit_of_work,
        hosting.operations,
        clock,
        Around(
            edge=edge.keeper,
            channels=channels,
            sign=directives(keys, ledger.witness_key, clock),
            last_pull=ledger.last_pull,
            hosts=hosting.runs,
            through_edge=through_edge(settings.edge.site, own_ca / "ca.pem" if own else None),
            lags=ledger.lags,
            findings=ledger.findings,
            ends=authorities.ends_at,
        ),
    )
    expiry = _expiry(settings, store, clock, hosting)
    return ControlPlane(
        settings=settings,
        clock=clock,
        store=store,
        server=access.server,
        secrets=secrets,
        signer=signer,
        admission=Admission(keys.keys, realm, store.unit_of_work, clock, ITSELF),
        people=people(realm, keys.keys, store.unit_of_work, clock, owner=ITSELF, folder=settings.keys_folder),
        oidc=oidc_sign_in(settings.oidc, keys.keys, realm, store.unit_of_work, clock, owner=ITSELF),
        rotation=Rotation(keys, store.unit_of_work, clock, ITSELF, checked(store.unit_of_work)),
        sequencer=Sequencer(store.unit_of_work, signer, clock),
        projects=Projects(store.unit_of_work, settings.environment, clock),
        tenants=Tenants(store.unit_of_work, clock),
        operations=hosting.operations,
        findings=found,
        lock=lock,
        backups=keeper(settings, secrets, access, signer.verifier_key, store, clock),
        daily=hosting.daily(clock),
        sole=sole,
        replaced=replaced,
        edge=edge,
        channels=channels,
        switching=switching,
        ledger=ledger,
        provisioning=hosting.desk,
        foreman=hosting.foreman,
        sweeper=hosting.sweeper,
        hosting=hosting,
        hooks={**switching.hooks, **hosting.hooks},
        loops={"edge": edge.run} | switching.loops | ledger.loops | hosting.loops | expiry,
    )


def _signer(settings: ControlSettings, secrets: FileSecrets, store: PostgresRegistry) -> Signer:
    """Of the log that grows: one that was restored has a name of its own."""
    with store.unit_of_work() as uow:
        name = logs.next_name(settings.log_origin, uow.audit.ended())
    return Signer(secrets.log_key().private_bytes_raw(), name)


def _cosigner(settings: ControlSettings, secrets: FileSecrets) -> Cosigner:
    return Cosigner(secrets.secret("witness"), f"{settings.log_origin}/ledger")


def _clouds(
    settings: ControlSettings, store: PostgresRegistry, clock: Clock, own: OwnKeys, channels: Channels
) -> Clouds:
    """What is opened of each project."""
    return Clouds(
        *(settings, store.unit_of_work, clock, own, channels),
        hosts=local_hosts(settings),
        base=base_doings(settings, own.secrets),
    )


def _expiry(settings: ControlSettings, store: PostgresRegistry, clock: Clock, hosting: Hosting) -> dict[str, Loop]:
    """What ends a try; nothing where there is no end."""
    if settings.expires_at is None:
        return {}

    def owners() -> list[Owner]:
        with store.unit_of_work() as uow:
            projects = uow.projects.page(limit=1000)
        return [Owner(environment=settings.environment, project_id=row.project_id) for row in projects]

    ends_at, clouds = settings.expires_at, hosting.clouds
    return {"expiry": Expiry(ends_at, clock, store.unit_of_work, owners, clouds.cloud, clouds.dns, hosting.halt).run}


def hold(folder: Path) -> FileLock:
    """The folder's lock, held. Raises Conflict("data_dir_in_use")."""
    lock = FileLock(str(folder / "control.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Conflict(
            "data_dir_in_use",
            "Another control plane is running on this data folder.",
            "Stop it first, or set FROSTBYTE_CONTROL_DATA_DIR to another folder.",
        ) from None
    return lock
