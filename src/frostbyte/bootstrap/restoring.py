"""The wiring of an import: the stores of a plane that was never started, and nothing of it running."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from frostbyte.adapters.postgres.restoring import PostgresRestorations
from frostbyte.adapters.secrets.files import FileSecrets
from frostbyte.adapters.vault.age import opened
from frostbyte.bootstrap import stores
from frostbyte.bootstrap.data import hold
from frostbyte.bootstrap.database import access
from frostbyte.data_plane.restore import PlaneImport
from frostbyte.kernel.clock import SystemClock
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.settings import Settings


def identity(path: Path) -> Callable[[bytes], bytes]:
    """What opens the archive's keys, with the age identity in a file.

    Raises:
        Invalid: `export_identity`: the file cannot be read; or, when it is used, it is no identity, or another's.
    """
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        raise Invalid(
            "export_identity",
            "The file with the identity cannot be read.",
            "Give the file that age-keygen wrote for the recipient that the export was made for.",
        ) from None
    return lambda sealed: opened(sealed, text)


@contextmanager
def restoring(settings: Settings) -> Iterator[PlaneImport]:
    """What imports into the plane of these settings, which must not run meanwhile.

    Raises:
        Conflict: `data_dir_in_use`: it runs.
        Unavailable: a server is away.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with ExitStack() as undo:
        undo.callback(hold(settings.data_dir).release)
        found = access(
            settings.database_url, settings.database_owner_url, settings.ca_file, settings.data_dir / "postgres"
        )
        if found.server is not None:
            undo.callback(found.server.stop)
        yield PlaneImport(
            tenant_id=settings.tenant_id,
            restorations=PostgresRestorations(found.owner, found.grantee),
            blobs=stores.blobs(settings),
            keep_keys=lambda keys: FileSecrets(settings.keys_folder).take_over(keys),
            collections=lambda unit_of_work: stores.vectors(settings, unit_of_work),
            embedder=stores.embedder(settings),
            clock=SystemClock(),
        )
