"""The data plane's only wiring: which adapter stands behind which port, decided by the settings."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import structlog
from filelock import FileLock, Timeout

from frostbyte import __version__
from frostbyte.adapters.leasing import Leases
from frostbyte.adapters.parsing import ParserPool
from frostbyte.adapters.postgres import EmbeddedServer, PostgresStore
from frostbyte.adapters.runner import Bell, Runner
from frostbyte.adapters.secrets.apart import move_signing_keys
from frostbyte.adapters.secrets.files import FileSecrets
from frostbyte.adapters.secrets.token_keys import FileTokenKeys
from frostbyte.adapters.witness import HttpWitness
from frostbyte.bootstrap import answering, lifecycle, posture, stages, stores
from frostbyte.bootstrap.channel import standing
from frostbyte.bootstrap.oidc import oidc_sign_in
from frostbyte.bootstrap.people import People, people
from frostbyte.bootstrap.sighting import Sighting
from frostbyte.bootstrap.watch import Watch, watch
from frostbyte.bootstrap.webhooks import WebhookParts, webhooks
from frostbyte.data_plane.flow import ORDER, Flow, Ports
from frostbyte.data_plane.freshness import WORDS, Freshness
from frostbyte.data_plane.gate import Gate
from frostbyte.data_plane.intake import Intake
from frostbyte.data_plane.jobs import JobDesk
from frostbyte.data_plane.lifecycle.configuration import Configuration
from frostbyte.data_plane.lifecycle.erasure import Erasure
from frostbyte.data_plane.lifecycle.holds import Holds
from frostbyte.data_plane.lifecycle.retention import Retention
from frostbyte.data_plane.lifecycle.trusted_time import doubted
from frostbyte.data_plane.obeying import Following, Obeying, keep_turning
from frostbyte.data_plane.rebuild import Rebuild
from frostbyte.data_plane.relay import Relay
from frostbyte.data_plane.replay import Replay
from frostbyte.data_plane.review import Review
from frostbyte.data_plane.serve.answers import Answers
from frostbyte.data_plane.serve.batches import Batches
from frostbyte.data_plane.serve.custody import CustodyRecord
from frostbyte.data_plane.serve.documents import Documents
from frostbyte.data_plane.serve.export import Export
from frostbyte.data_plane.serve.lists import Lists
from frostbyte.data_plane.serve.overview import Overview
from frostbyte.data_plane.serve.pictures import Pictures
from frostbyte.data_plane.serve.proofs import Proofs
from frostbyte.data_plane.serve.record import AuditRecord
from frostbyte.data_plane.trial import Trial
from frostbyte.kernel.accounts.sessions import Sessions
from frostbyte.kernel.admission import Admission
from frostbyte.kernel.audit import logs
from frostbyte.kernel.audit.checkpoint import Signer, public_key
from frostbyte.kernel.audit.export import Exporter
from frostbyte.kernel.audit.sequencer import Sequencer
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import Conflict, FrostbyteError
from frostbyte.kernel.oidc.sign_in import OidcSignIn
from frostbyte.kernel.ports.hints import HintQueue
from frostbyte.kernel.ports.witness import Witness
from frostbyte.kernel.records import PlaneState, Upkeep
from frostbyte.kernel.rotation import Rotation
from frostbyte.kernel.settings import Mode, Roles, Settings, invalid
from frostbyte.kernel.tenancy import TenantConfig, read_config
from frostbyte.kernel.tokens import TokenSigner, plane_realm
from frostbyte.kernel.vault import Vault

_DRAWN_AT_ONCE: Final = 2
"""Pages: a picture takes a tenth of a second of one core."""
_MAINTENANCE_SECONDS: Final = 60.0
_REBUILD_SECONDS: Final = 0.25
_REBUILD_IDLE_SECONDS: Final = 5.0
_FOLLOW_SECONDS: Final = 1.0
_READY: Final = {Upkeep.OPEN: "ready", Upkeep.READING: "updating", Upkeep.FROZEN: "updating"}
"""What /ready says of an active plane."""


@dataclass(kw_only=True)
class Plane:
    """A running data plane: its use cases for the faces, its loops, and how to start and stop it."""

    settings: Settings
    clock: Clock
    store: PostgresStore
    server: EmbeddedServer | None
    vault: Vault
    signer: Signer
    admission: Admission
    people: People
    """Who signs in with a browser."""
    oidc: OidcSignIn | None = None
    """What signs people in by an issuer's word; None where no issuer is named."""
    rotation: Rotation
    """Of the keys that sign tokens."""
    ports: Ports
    flow: Flow
    runner: Runner
    queue: HintQueue | None
    """Where workers find hints; None where the stages run in this process."""
    relay: Relay | None
    jobs: JobDesk
    sequencer: Sequencer
    intake: Intake
    batches: Batches
    documents: Documents
    lists: Lists
    overview: Overview
    drawer: ParserPool
    """Draws pages for readers: not the stages' own, so that nobody waits for a picture behind a thousand pages."""
    pictures: Pictures
    proofs: Proofs
    export: Export
    answers: Answers
    review: Review
    rebuild: Rebuild
    replay: Replay
    trial: Trial
    configuration: Configuration
    freshness: Freshness
    erasure: Erasure
    holds: Holds
    retention: Retention
    record: AuditRecord
    custody: CustodyRecord
    exporter: Exporter
    webhooks: WebhookParts
    findings: list[posture.Finding]
    lock: FileLock
    gate: Gate
    """How the plane stands with its control plane, as this process knows it."""
    obeying: Obeying | None
    """What acts on the control plane's directives; None in a process without its channel."""
    watch: Watch = field(init=False)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.watch = watch(self)

    @property
    def tokens(self) -> TokenSigner:
        """Signs the plane's own tokens."""
        return self.admission.tokens

    @property
    def sessions(self) -> Sessions:
        """Of people who signed in."""
        return self.people.sessions

    @property
    def stand_ins(self) -> list[str]:
        """Development substitutes in use; every report says them."""
        return posture.stand_ins(self.settings, self.findings)

    def health(self) -> dict[str, Any]:
        """Whether the process lives, and what a person should know about it."""
        production = self.settings.mode is not Mode.DEVELOPMENT
        warnings = []
        try:
            if self.ports.vectors.spec not in (None, self.ports.embedder.spec):
                warnings.append(
                    "The index was made by another model: `frostbyte index status` says how far the new one is."
                )
        except FrostbyteError as error:
            warnings.append(f"{error.message} Search waits for it, and documents wait before they are indexed.")
        if self.ports.scanner.stand_in and self.queue is None:  # else workers scan, and have a scanner of their own
            warnings.append("Documents are not scanned for malware: they are marked unscanned.")
        if doubt := self.retention.time.doubt:
            warnings.append(f"{(said := doubted(doubt)).message} {said.remedy}")
        if self.watch.tallies is not None and (trouble := self.watch.tallies.signatures.trouble):
            warnings.append(WORDS[trouble][0])
        if self.watch.tallies is not None and self.watch.tallies.webhooks_dead:
            warnings.append("Messages to webhooks were given up: `frostbyte webhook list` says how many, and whose.")
        if self.gate.waits is not None:
            warnings.append(self.gate.waits.message)
        if production and self.stand_ins:
            warnings.append("NOT FOR PRODUCTION: stand-ins are in use.")
        return {
            "status": "ok",
            "tenant": self.settings.tenant_id,
            "mode": self.settings.mode.value,
            "standing": self.gate.state.value,
            "upkeep": self.gate.upkeep.value,
            "dispatch": self.gate.dispatch,
            "version": __version__,
            "stand_ins": self.stand_ins,
            "embedding": self.ports.embedder.label,
            "warnings": warnings,
        }

    def ready(self) -> dict[str, Any]:
        """What waits. Raises Unavailable if the database does not answer."""
        self.store.ping()
        with self.store.unit_of_work() as uow:
            jobs = uow.jobs.counts()
            checkpoint = uow.audit.latest_checkpoint()
        return {
            "status": "suspended" if self.gate.state is not PlaneState.ACTIVE else _READY[self.gate.upkeep],
            "writing": self.gate.writing,
            "dispatch": self.gate.dispatch,
            "jobs": jobs,
            "checkpoint_size": checkpoint.size if checkpoint else 0,
            "witnesses": dict(self.sequencer.trouble),
            "queue": "none" if self.relay is None else self.relay.trouble or "ok",
        }

    def start(self) -> None:
        """Start the loops: sequencer, maintenance, rebuild, and the runner or the relay; serving only follows."""
        self.watch.start(self._stop)
        if self.settings.roles is not Roles.INTAKE:  # which passes on who asks for a page
            self.drawer.warm()
        loops = {"follow": self._follow, "standing": self._stand}
        if self.settings.roles is not Roles.SERVING:
            self.runner.start()
            loops = self._gateway_loops()
        for name, target in loops.items():
            thread = threading.Thread(target=target, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def _gateway_loops(self) -> dict[str, Callable[[], None]]:
        loops = {
            "sequencer": self._sequence,
            "maintenance": self._maintain,
            "rebuild": self._rebuild,
            "standing": self._stand,
            "webhooks": lambda: self.webhooks.dispatch.run(self._stop),
        }
        if self.relay is not None:
            loops["relay"] = self._relay
        if not self.ports.scanner.stand_in:
            sighting = Sighting(self.ports.scanner, self.store.unit_of_work, self.clock, "gateway")
            loops["sighting"] = lambda: sighting.run(self._stop)
        return loops

    def _sequence(self) -> None:
        self.sequencer.run(self._stop)

    def _follow(self) -> None:
        """Answer from the collection that the gateway's process switched to."""
        log = structlog.get_logger("frostbyte.serving")
        while not self._stop.wait(_FOLLOW_SECONDS):
            try:
                with self.store.unit_of_work() as uow:
                    names = uow.rebuilds.collections()
                self.ports.vectors.follow(names)
            except FrostbyteError as error:  # asked again
                log.warning("following_waits", code=error.code)

    def _relay(self) -> None:
        assert self.relay is not None
        self.relay.run(self._stop)

    def _stand(self) -> None:
        following = Following(self.store.unit_of_work, self.clock, self.gate)
        keep_turning(following.turn if self.obeying is None else self.obeying.turn, self._stop)

    def _maintain(self) -> None:
        log = structlog.get_logger("frostbyte.maintenance")
        while not self._stop.wait(_MAINTENANCE_SECONDS):
            try:
                self.maintain()
            except FrostbyteError as error:  # tried again in a minute
                log.warning("maintenance_waits", code=error.code)

    def _rebuild(self) -> None:
        log = structlog.get_logger("frostbyte.rebuild")
        wait = 0.0
        while not self._stop.wait(wait):
            try:
                # A rebuild puts documents into the queue: while that is frozen, it would only fill it.
                going_on = self.gate.waits is None and self.rebuild.step()
                wait = _REBUILD_SECONDS if going_on else _REBUILD_IDLE_SECONDS
            except FrostbyteError as error:  # nothing is lost: asked again
                log.warning("rebuild_waits", code=error.code)
                wait = _REBUILD_IDLE_SECONDS

    def maintain(self) -> None:
        """Finish erasures, apply retention, remove what nothing refers to."""
        lifecycle.maintain(self)

    @property
    def stopping(self) -> bool:
        """Whether its loops are to end."""
        return self._stop.is_set()

    def close(self) -> None:
        """Stop the loops, sign a last checkpoint and let go of every store."""
        self._stop.set()
        self.runner.stop()
        self.sequencer.wake()
        for thread in self._threads:
            thread.join(10.0)
        while self.settings.roles is not Roles.SERVING and self.sequencer.run_once():
            pass
        if self.queue is not None:
            self.queue.close()
        self.ports.reader.close()
        self.drawer.close()
        self.ports.judge.close()
        self.ports.vectors.close()
        stores.close_database(self.server, self.store)
        self.lock.release()


def build(settings: Settings) -> Plane:
    """Everything a data plane needs, not started yet.

    Raises:
        Conflict: `data_dir_in_use`: another plane holds the folder.
        Invalid: `stand_in_refused`, `scanner_limits`, `secret_permissions`.
        FrostbyteError: whatever an adapter says that cannot start.
    """
    posture.check(settings, gateway=settings.roles is not Roles.SERVING, scans=not settings.queue_url)
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with ExitStack() as undo:  # what was begun is let go of when a later part cannot start
        plane = _build(settings, undo)
        undo.pop_all()
    return plane


def _build(settings: Settings, undo: ExitStack) -> Plane:
    lock = hold(settings.data_dir)
    undo.callback(lock.release)
    secrets = FileSecrets(settings.keys_folder)
    if settings.roles is not Roles.SERVING:  # it only reads them
        move_signing_keys(settings.keys_folder, settings.signing_folder)
    log_key = FileSecrets(settings.signing_folder).log_key().private_bytes_raw()
    if settings.roles is Roles.SERVING:  # the gateway's process prepares the database
        server, store = None, stores.joined_database(settings, settings.workers * 2 + 16)
    else:
        server, store = stores.database(settings, logs.origin(settings.tenant_id, 0))
    undo.callback(stores.close_database, server, store)
    with store.unit_of_work() as uow:
        signer = Signer(log_key, logs.origin(settings.tenant_id, len(uow.audit.ended())))
    keys = secrets.tenant_keys()
    vectors = stores.vectors(settings, store.unit_of_work)
    undo.callback(vectors.close)
    bell = Bell()
    queue = stores.queue(settings)
    if queue is not None:
        undo.callback(queue.close)
    ports = stages.ports(
        settings,
        keys=keys,
        unit_of_work=store.unit_of_work,
        vectors=vectors,
        hints=bell if queue is None else queue,
        children=settings.workers,
    )
    found = posture.findings(settings, gateway=settings.roles is not Roles.SERVING, scans=not settings.queue_url)
    return _assemble(settings, found, lock, ports, bell, queue, store, server, signer)


def _assemble(
    settings: Settings,
    findings: list[posture.Finding],
    lock: FileLock,
    ports: Ports,
    bell: Bell,
    queue: HintQueue | None,
    store: PostgresStore,
    server: EmbeddedServer | None,
    signer: Signer,
) -> Plane:
    tenant, clock, vault, unit_of_work = settings.tenant_id, ports.clock, ports.vault, store.unit_of_work
    flow = Flow(ports)
    rebuild = Rebuild(ports, flow)
    if settings.roles is not Roles.SERVING:
        rebuild.resume()
    gate, obeying = standing(settings, store, clock, signer)
    documents = Documents(
        tenant_id=tenant, unit_of_work=unit_of_work, vault=vault, clock=clock, waits=lambda: gate.waits
    )
    batches = Batches(unit_of_work, vault, tenant, lambda: gate.waits)
    configuration = Configuration(tenant, unit_of_work, clock)
    freshness = Freshness(unit_of_work, clock, configuration.current, strict=not ports.allow_unscanned)
    if settings.tenant_config and settings.roles is not Roles.SERVING:
        configuration.begin(_first_config(Path(settings.tenant_config)), actor="installation")
    if not ports.scanner.stand_in:
        ports.scanner.check(configuration.current().max_file_size_mb << 20)
    keys, realm = FileTokenKeys(settings.signing_folder, clock), plane_realm(tenant)
    return Plane(
        settings=settings,
        clock=clock,
        store=store,
        server=server,
        vault=vault,
        signer=signer,
        admission=Admission(keys.keys, realm, unit_of_work, clock, tenant),
        people=people(realm, keys.keys, unit_of_work, clock, owner=tenant, folder=settings.signing_folder),
        oidc=oidc_sign_in(
            settings.oidc, keys.keys, realm, unit_of_work, clock, owner=tenant, proxy=settings.egress_proxy
        ),
        rotation=_rotation(settings, keys, store, clock, gate),
        ports=ports,
        flow=flow,
        runner=_runner(settings, ports, flow, bell, queue),
        queue=queue,
        relay=Relay(unit_of_work, queue, clock) if queue is not None else None,
        jobs=JobDesk(ports, lambda: gate.waits),
        sequencer=Sequencer(unit_of_work, signer, clock, _witnesses(settings)),
        intake=_intake(ports, freshness),
        batches=batches,
        documents=documents,
        lists=Lists(
            unit_of_work=unit_of_work, batches=batches, documents=documents, clock=clock, waits=lambda: gate.waits
        ),
        overview=Overview(
            unit_of_work=unit_of_work, clock=clock, config=configuration.current, waits=lambda: gate.waits
        ),
        drawer=(drawer := stages.parsers(settings, _DRAWN_AT_ONCE)),
        pictures=Pictures(documents, vault, drawer.picture),
        proofs=answering.proofs(ports, signer, documents),
        export=Export(unit_of_work, documents, clock),
        answers=answering.answers(ports, documents, configuration),
        review=Review(ports),
        rebuild=rebuild,
        replay=Replay(ports, flow),
        trial=Trial(ports, lambda rules: stages.judge(settings, lambda: rules, ports.names, 1)),
        configuration=configuration,
        erasure=lifecycle.erasure(ports),
        holds=Holds(tenant, unit_of_work, clock),
        retention=lifecycle.retention(ports, configuration, obeying),
        freshness=freshness,
        record=AuditRecord(unit_of_work),
        custody=CustodyRecord(unit_of_work, documents),
        exporter=Exporter(unit_of_work, signer, tenant, clock),
        webhooks=webhooks(settings, vault, unit_of_work, clock, configuration, gate),
        findings=findings,
        lock=lock,
        gate=gate,
        obeying=obeying,
    )


def _first_config(file: Path) -> TenantConfig:
    try:
        return read_config(file.read_bytes())
    except OSError as error:
        raise invalid("TENANT_CONFIG", f"the file cannot be read ({type(error).__name__})") from None


def _rotation(settings: Settings, keys: FileTokenKeys, store: PostgresStore, clock: Clock, gate: Gate) -> Rotation:
    rotation = Rotation(keys, store.unit_of_work, clock, settings.tenant_id)
    # The gateway's process changes keys; in a plane that is updated, maintenance does so once it is open again.
    if settings.roles is not Roles.SERVING and gate.upkeep is Upkeep.OPEN:
        rotation.resume()
    return rotation


def _runner(settings: Settings, ports: Ports, flow: Flow, bell: Bell, queue: HintQueue | None) -> Runner:
    leases = Leases(unit_of_work=ports.unit_of_work, run=flow.run, clock=ports.clock)
    return Runner(leases, ORDER, bell=bell, threads=settings.workers if queue is None else 0)


def _intake(ports: Ports, freshness: Freshness) -> Intake:
    return Intake(
        tenant_id=ports.tenant_id,
        unit_of_work=ports.unit_of_work,
        vault=ports.vault,
        clock=ports.clock,
        first_stage=ORDER[0],
        hints=ports.hints,
        refuses=freshness.refusal,
    )


def hold(folder: Path) -> FileLock:
    """See that no other process works on the plane of this folder. Raises Conflict("data_dir_in_use")."""
    lock = FileLock(str(folder / "plane.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Conflict(
            "data_dir_in_use",
            "Another plane is running on this data folder.",
            "Stop it first, or set FROSTBYTE_DATA_DIR to another folder.",
        ) from None
    return lock


def _witnesses(settings: Settings) -> tuple[Witness, ...]:
    if not settings.witness_url:
        return ()
    return (HttpWitness(settings.witness_url, public_key(settings.witness_key), proxy=settings.egress_proxy),)
