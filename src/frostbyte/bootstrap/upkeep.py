"""What works on a plane from beside it: closing it, and trying whether an updated one is whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from frostbyte.adapters.postgres import PostgresStore, migrate
from frostbyte.adapters.secrets.files import FileSecrets
from frostbyte.bootstrap import stores, trying, worker
from frostbyte.bootstrap.database import access
from frostbyte.data_plane.upkeep import UpkeepDesk
from frostbyte.kernel.audit import logs
from frostbyte.kernel.audit.checkpoint import Signer
from frostbyte.kernel.audit.sequencer import Sequencer
from frostbyte.kernel.clock import SystemClock
from frostbyte.kernel.errors import FrostbyteError, Invalid
from frostbyte.kernel.settings import Settings


@contextmanager
def desk(settings: Settings, *, alone: bool = False) -> Iterator[UpkeepDesk]:
    """What opens and closes the plane of these settings. Its database is on a server: others have to be at work on it.

    Args:
        alone: no process of the plane runs, so the log is brought to its end here, if its key is at hand.

    Raises:
        Invalid: `plane_embedded`.
        Unavailable: `plane_not_ready`, `database_unavailable`.
        Conflict: `plane_of_another_tenant`, `schema_newer`.
    """
    if not settings.database_url:
        raise Invalid(
            "plane_embedded",
            "This plane keeps its database in its own process, where nobody else works on it.",
            "Stop it to work on it. With a database server of its own (FROSTBYTE_DATABASE_URL) it can be closed.",
        )
    with stores.joined_database(settings) as store:
        sequence = _sequencer(settings, store) if alone else None
        yield UpkeepDesk(settings.tenant_id, store.unit_of_work, SystemClock(), sequence)


def _sequencer(settings: Settings, store: PostgresStore) -> Callable[[], int]:
    key = FileSecrets(settings.signing_folder, create=False).log_key()
    with store.unit_of_work() as uow:
        signer = Signer(key.private_bytes_raw(), logs.origin(settings.tenant_id, len(uow.audit.ended())))
    return Sequencer(store.unit_of_work, signer, SystemClock()).run_once


def migrated(settings: Settings) -> list[str]:
    """Bring the schema up to date, as the plane's own start does; the files that were applied now.

    Raises as `schema.migrate`.
    """
    found = access(settings.database_url, settings.database_owner_url, settings.ca_file, settings.data_dir / "postgres")
    try:
        return migrate(found.owner, writer=found.grantee)
    finally:
        if found.server is not None:
            found.server.stop()


def tried(settings: Settings) -> Iterator[tuple[str, FrostbyteError | None]]:
    """Use each part of a plane without changing anything: see trying.parts.

    For the settings of a worker, which has all of them.

    Raises as `worker.build`.
    """
    found = worker.build(settings)
    try:
        yield from trying.parts(found.ports, found.store, found.hints.ping)
    finally:
        found.close()
