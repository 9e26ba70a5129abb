"""The wiring of a plane's backup and of its restore: processes beside the plane's own, that start none of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from uuid import UUID

from frostbyte import __version__
from frostbyte.adapters.memory.blobs import MemoryBlobs
from frostbyte.adapters.objects.beside import HeadsBeside
from frostbyte.adapters.objects.local import LocalBlobs
from frostbyte.adapters.postgres.alone import alone
from frostbyte.adapters.postgres.restoring import PostgresRestorations
from frostbyte.adapters.postgres.snapshot import PostgresSnapshots
from frostbyte.adapters.secrets.files import FileSecrets
from frostbyte.bootstrap import backup_target, exporting, stores
from frostbyte.bootstrap.backup_target import BackupSettings
from frostbyte.bootstrap.database import access
from frostbyte.data_plane.lifecycle.backed import BackedPlane
from frostbyte.data_plane.lifecycle.backup import PlaneBackup
from frostbyte.data_plane.lifecycle.mirroring import KeyMirror
from frostbyte.data_plane.rehearsal import Rehearsal
from frostbyte.kernel.backup.repository import Repository, Snapshot, sealed_key
from frostbyte.kernel.clock import SystemClock
from frostbyte.kernel.errors import Conflict, NotFound
from frostbyte.kernel.sealing import derive
from frostbyte.kernel.settings import Settings
from frostbyte.kernel.vault import TenantKeys


@dataclass(frozen=True, kw_only=True)
class Vaulting:
    """What backs one plane up, and tries what it has made."""

    backup: PlaneBackup
    repository: Repository
    rehearsal: Rehearsal


def repository_key(keys: TenantKeys) -> Callable[[UUID], bytes]:
    """The key of a tenant's repository, by its id: it follows from the tenant's keys, so no further secret is kept."""
    return lambda repository: derive(keys.id_key, "backup repository", repository.bytes)


def owner(settings: Settings) -> str:
    """Whose a plane's repository is."""
    return f"tenant/{settings.tenant_id}"


@contextmanager
def vaulting(settings: Settings, backups: BackupSettings) -> Iterator[Vaulting]:
    """What backs up the plane of these settings, alone.

    Raises:
        Invalid: `backup_not_set`, `backup_recipients`, `backup_target_versions`, `backup_key`.
        Conflict: `backup_running`, `backup_foreign`, `backup_place_taken`, `secret_missing`.
        Unavailable: `plane_not_ready`; a server or the target is away.
    """
    clock = SystemClock()
    keys = FileSecrets(settings.keys_folder, create=False).tenant_keys()

    def seal(plain: bytes) -> bytes:
        return backup_target.sealed_for(backups.recipients, plain)

    seal(b"")  # whoever cannot open it is told before anything is stored
    with ExitStack() as undo:
        dsn, role, store = undo.enter_context(exporting.database(settings))
        undo.enter_context(alone(dsn))
        target = backup_target.target(backups)
        repository = Repository.create(
            target, owner=owner(settings), key_of=repository_key(keys), seal_key=seal, clock=clock
        )
        blobs = stores.blobs(settings)
        found = access(
            settings.database_url, settings.database_owner_url, settings.ca_file, settings.data_dir / "postgres"
        )
        if found.server is not None:
            undo.callback(found.server.stop)
        yield Vaulting(
            backup=PlaneBackup(
                tenant_id=settings.tenant_id,
                version=__version__,
                unit_of_work=store.unit_of_work,
                snapshots=PostgresSnapshots(dsn, role=role),
                blobs=blobs,
                heads=undo.enter_context(HeadsBeside(blobs)) if isinstance(blobs, LocalBlobs) else None,
                mirror=KeyMirror(
                    tenant_id=settings.tenant_id,
                    unit_of_work=store.unit_of_work,
                    blobs=blobs,
                    keys=keys,
                    seal=seal,
                    recipients=backups.recipients,
                    clock=clock,
                ),
                signer=exporting.signer(settings, store),
                clock=clock,
            ),
            repository=repository,
            rehearsal=Rehearsal(
                tenant_id=settings.tenant_id,
                restorations=PostgresRestorations(found.owner, found.grantee),
                scratch=MemoryBlobs,
                keys=keys,
                clock=clock,
            ),
        )


def opened(
    settings: Settings, backups: BackupSettings, unseal: Callable[[bytes], bytes] | None
) -> tuple[Repository, TenantKeys | None]:
    """The repository of a tenant whose plane need not be there, and the tenant's keys where they are.

    Args:
        unseal: opens what was sealed for a recipient, with that one's identity; None where the keys are here.

    Raises as `vaulting`, and Invalid("export_identity").
    """
    target = backup_target.target(backups)
    if unseal is not None:
        told = sealed_key(target, unseal)
        return Repository.open(target, owner=owner(settings), key_of=lambda _: told.key), None
    keys = FileSecrets(settings.keys_folder, create=False).tenant_keys()
    return Repository.open(target, owner=owner(settings), key_of=repository_key(keys)), keys


def chosen(repository: Repository, name: str) -> Snapshot:
    """A snapshot by its name; with '' the newest one that was verified, or the newest where none was.

    Raises:
        NotFound: `backup_none`, `backup_unknown`.
        Invalid: `backup_damaged`.
    """
    if name:
        return repository.snapshot(name)
    names = repository.snapshots()
    if not names:
        raise NotFound(
            "backup_none", "There is no backup at this target.", "Check FROSTBYTE_BACKUP_URL, or take the first backup."
        )
    good = [item for item in names if (said := repository.verdict(item)) is not None and said.ok]
    return repository.snapshot((good or names)[-1])


def source(
    settings: Settings,
    backups: BackupSettings,
    name: str,
    unseal: Callable[[bytes], bytes] | None,
    *,
    accept_loss: bool = False,
) -> BackedPlane:
    """A snapshot to restore from. Raises as `opened`, `chosen` and `BackedPlane`; Conflict: `backup_foreign`."""
    repository, keys = opened(settings, backups, unseal)
    found = BackedPlane(repository, chosen(repository, name), keys=keys, unseal=unseal, accept_loss=accept_loss)
    if found.head.tenant_id != settings.tenant_id:
        raise Conflict(
            "archive_foreign_tenant",
            "The archive is of another tenant than this plane.",
            "Import it into a plane that was made for its tenant; a plane never changes its tenant.",
        )
    return found
