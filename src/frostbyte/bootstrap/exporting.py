"""The wiring of an export: a process beside the plane's own, with the same stores and keys, that starts none of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from frostbyte import __version__
from frostbyte.adapters.postgres import EmbeddedServer, PostgresStore, check_plane
from frostbyte.adapters.postgres.schema import WRITER
from frostbyte.adapters.postgres.snapshot import PostgresSnapshots
from frostbyte.adapters.secrets.files import FileSecrets
from frostbyte.adapters.vault.age import recipient as age_recipient
from frostbyte.adapters.vault.age import sealed
from frostbyte.bootstrap import stores
from frostbyte.bootstrap.database import trusting
from frostbyte.data_plane.lifecycle.export import PlaneExport, Recipient
from frostbyte.kernel.audit import logs
from frostbyte.kernel.audit.checkpoint import Signer
from frostbyte.kernel.clock import SystemClock
from frostbyte.kernel.settings import Settings


def recipient(text: str) -> Recipient:
    """Who may open the tenant's keys. Raises Invalid("export_recipient")."""
    name = age_recipient(text)
    return Recipient(name=name, seal=lambda plain: sealed(plain, name))


@contextmanager
def database(settings: Settings) -> Iterator[tuple[str, str, PostgresStore]]:
    """The plane's database, whether the plane runs or not: its address, the role to become, and its store.

    Raises:
        Unavailable: `plane_not_ready`: no plane of this version has prepared the database; or a server is away.
        Conflict: `plane_of_another_tenant`.
    """
    with ExitStack() as undo:
        if settings.database_url:
            dsn = trusting(settings.database_url, settings.ca_file)
        else:
            server = EmbeddedServer(settings.data_dir / "postgres").start()
            undo.callback(server.stop)
            dsn = server.writer_dsn
        role = WRITER if check_plane(dsn, settings.tenant_id) else ""
        yield dsn, role, undo.enter_context(PostgresStore(dsn, max_connections=4, role=role))


def signer(settings: Settings, store: PostgresStore) -> Signer:
    """Who signs the plane's log. Raises Conflict("secret_missing")."""
    with store.unit_of_work(reading=True) as uow:
        origin = logs.origin(settings.tenant_id, len(uow.audit.ended()))
    return Signer(FileSecrets(settings.signing_folder, create=False).log_key().private_bytes_raw(), origin)


@contextmanager
def exporting(settings: Settings) -> Iterator[PlaneExport]:
    """What exports the plane of these settings. Raises as `database`, and as `signer`."""
    with database(settings) as (dsn, role, store):
        yield PlaneExport(
            tenant_id=settings.tenant_id,
            version=__version__,
            unit_of_work=store.unit_of_work,
            snapshots=PostgresSnapshots(dsn, role=role),
            blobs=stores.blobs(settings),
            keys=FileSecrets(settings.keys_folder, create=False).tenant_keys(),
            signer=signer(settings, store),
            clock=SystemClock(),
            rules=_rules(settings.policy_dir),
        )


def _rules(folder: str) -> dict[str, bytes]:
    if not folder:
        return {}
    return {path.name: path.read_bytes() for path in sorted(Path(folder).expanduser().glob("*.toml"))}
