"""The wiring of the control plane's own backup, and of the way back: the place, the key, the database, the files."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import msgspec
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from frostbyte.adapters.registry.postgres import PostgresRegistry
from frostbyte.adapters.registry.sole import Sole
from frostbyte.adapters.registry.whole import PostgresDatabases, states
from frostbyte.adapters.secrets.files import FileSecrets, sync_folder
from frostbyte.adapters.secrets.kept import KeptFiles
from frostbyte.bootstrap import backup_target
from frostbyte.bootstrap.backup_target import BackupSettings
from frostbyte.bootstrap.database import Access, access
from frostbyte.control_plane.backup.control import ControlBackup, Restored, Trial, restore
from frostbyte.control_plane.backup.hearing import Heard
from frostbyte.control_plane.backup.keeper import Keeper
from frostbyte.control_plane.provisioning.adopting import Adopting
from frostbyte.control_plane.provisioning.adoption import Adoption, Told
from frostbyte.control_plane.settings import ControlSettings
from frostbyte.kernel.backup.repository import Repository, sealed_key
from frostbyte.kernel.clock import Clock, SystemClock
from frostbyte.kernel.errors import Conflict

FOLDER: Final = "control"
"""Of the control plane's own repository, at the place; tenants' are beside it."""
SECRET: Final = "backup"  # noqa: S105 - a name
"""Of what the repository's key is made of."""
UNFINISHED: Final = "restored.json"
"""In the data folder, from when a backup is put back until its operator was told what is younger than it: what there
is to tell, as far as it is known (`adoption.Told`)."""
_TRIAL: Final = "frostbyte_trial_"


def owner_of(environment: str) -> str:
    """Whose repository it is."""
    return f"control/{environment}"


def control_backup(
    settings: ControlSettings,
    told: BackupSettings,
    secrets: FileSecrets,
    found: Access,
    *,
    public_key: str,
    clock: Clock,
) -> ControlBackup:
    """What takes backups of a control plane. Nothing is asked of the place before one is taken."""

    def repository() -> Repository:
        return Repository.create(
            backup_target.target(told, folder=FOLDER),
            owner=owner_of(settings.environment),
            key_of=lambda repository: _key(secrets, repository),
            seal_key=lambda plain: backup_target.sealed_for(recipients(settings, told), plain),
            clock=clock,
        )

    return ControlBackup(
        repository=repository,
        states=states(found.writer, found.role()),
        files=KeptFiles(settings.data_dir, settings.keys_folder),
        environment=settings.environment,
        public_key=public_key,
        clock=clock,
        trial=_trial(found),
    )


def keeper(
    settings: ControlSettings,
    secrets: FileSecrets,
    found: Access,
    public_key: str,
    store: PostgresRegistry,
    clock: Clock,
) -> Keeper:
    """What takes them by itself, where a place was named."""
    told = backup_target.load()
    own = control_backup(settings, told, secrets, found, public_key=public_key, clock=clock)
    return Keeper(store.unit_of_work, clock, own.take if told.url else None)


def recipients(settings: ControlSettings, told: BackupSettings) -> tuple[str, ...]:
    """Who can open backups when everything else is lost: the operator, offline, first."""
    recovery = settings.provisioning.recovery
    return tuple(dict.fromkeys(((recovery,) if recovery else ()) + told.recipients))


def _key(secrets: FileSecrets, repository: UUID) -> bytes:
    return hmac.new(secrets.secret(SECRET), b"repository" + repository.bytes, hashlib.sha256).digest()


def _trial(found: Access) -> Trial:
    """Scratch databases on the same server, as far as it lets us make any."""

    @contextmanager
    def scratch() -> Iterator[PostgresDatabases]:
        name = f"{_TRIAL}{uuid4().hex[:12]}"
        administrator = found.server.admin_dsn if found.server is not None else found.owner
        with ExitStack() as undo:
            connection = undo.enter_context(psycopg.connect(administrator, autocommit=True, connect_timeout=5))
            if found.server is not None:
                found.server.create_database(name)
            else:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            undo.callback(
                connection.execute, sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )
            yield PostgresDatabases(make_conninfo(found.owner, dbname=name), found.grantee)

    return scratch


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a restore came to."""

    restored: Restored
    adopted: Adoption


def restored(settings: ControlSettings, told: BackupSettings, unseal: Callable[[bytes], bytes], name: str) -> Restored:
    """Put the control plane's backup back into this machine's empty folder and database; it must not run meanwhile.

    Args:
        unseal: opens what was sealed for a recipient.
        name: of the snapshot; '' for the newest.

    Raises:
        Conflict: `data_dir_in_use`, `control_plane_running`, `backup_foreign`; as `backup.control.restore`.
        NotFound, Invalid, Unavailable: the same; what the place and `unseal` say.
    """
    from frostbyte.bootstrap.control import hold

    target = backup_target.target(told, folder=FOLDER)
    key = sealed_key(target, unseal).key
    repository = Repository.open(target, owner=owner_of(settings.environment), key_of=lambda _: key)
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with ExitStack() as undo:
        undo.callback(hold(settings.data_dir).release)
        found = access(
            settings.database_url, settings.database_owner_url, settings.ca_file, settings.data_dir / "postgres"
        )
        if found.server is not None:
            undo.callback(found.server.stop)
        sole = Sole(found.writer)
        sole.take()
        undo.callback(sole.release)
        _mark(settings.data_dir, _told(settings.data_dir))
        try:
            return restore(
                repository,
                PostgresDatabases(found.owner, found.grantee),
                KeptFiles(settings.data_dir, settings.keys_folder),
                environment=settings.environment,
                clock=SystemClock(),
                name=name,
            )
        except Conflict as error:
            if error.code == "control_not_empty":  # nothing was put back: what is there is nobody's restore
                finished(settings.data_dir)
            raise


def brought_up(settings: ControlSettings, done: Restored) -> Report:
    """Look for what is younger than the backup, at the clouds and at planes. Nothing runs meanwhile.

    What a call that was cut off found is in the report as well. The caller says `finished` once it has been read.
    """
    from frostbyte.bootstrap.control import build

    plane = build(settings)
    try:
        hosting, channels = plane.hosting, plane.channels
        assert hosting is not None
        assert channels is not None
        adopted = Adoption(told=_told(settings.data_dir), keep=lambda told: _mark(settings.data_dir, told))
        Adopting(
            plane.store.unit_of_work, settings.environment, plane.clock, hosting.clouds.site, hosting.clouds.workshop
        ).adopt(adopted)
        Heard(plane.store.unit_of_work, channels, plane.clock).ask(adopted)
    finally:
        plane.close()
    return Report(restored=done, adopted=adopted)


def see_that_it_is_finished(data_dir: Path) -> None:
    """Refuse to begin on what was put back and not brought up yet. Raises Conflict("control_restore_unfinished")."""
    if (data_dir / UNFINISHED).exists():
        raise Conflict(
            "control_restore_unfinished",
            "A backup was put back here, and what is younger than it was not looked for yet.",
            "Run `frostbyte control restore` again, with the same options: it goes on where it was.",
        )


def finished(data_dir: Path) -> None:
    """What was put back is complete, and whoever put it back has read what came of it."""
    (data_dir / UNFINISHED).unlink(missing_ok=True)
    sync_folder(data_dir)


def _mark(data_dir: Path, told: Told) -> None:
    """Durably say that it is not finished, and what it has come to so far."""
    fresh = data_dir / f".{UNFINISHED}"
    with fresh.open("wb") as file:
        file.write(msgspec.json.encode(told))
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, data_dir / UNFINISHED)
    sync_folder(data_dir)


def _told(data_dir: Path) -> Told:
    """By calls that were cut off; nothing where there were none, or an earlier version's."""
    try:
        return msgspec.json.decode((data_dir / UNFINISHED).read_bytes(), type=Told)
    except (FileNotFoundError, msgspec.DecodeError):
        return Told()
