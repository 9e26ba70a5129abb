"""Copies of a plane's database beside it. Nothing else is loaded: the plane stands still until the copy is made."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from frostbyte.adapters.postgres.embedded import EmbeddedServer
from frostbyte.adapters.postgres.schema import OWNER, WRITER
from frostbyte.adapters.postgres.snapshots import Names, PostgresSnapshots
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.settings import Reader, tenant_name


@contextmanager
def snapshots(tenant: str, mark: str, environment: Mapping[str, str] | None = None) -> Iterator[PostgresSnapshots]:
    """Copies of a tenant's database, by the administrator whom FROSTBYTE_STORAGE_DATABASE_URL names.

    Where none is named and the data folder has a database of its own, it is that one's: its server is started if the
    plane does not run.

    Raises:
        Invalid: `storage_not_named`, `snapshot_mark`, `settings_invalid`.
    """
    given = Reader(os.environ if environment is None else environment)
    url, own = given.secret("STORAGE_DATABASE_URL"), Path(given.text("DATA_DIR", ".frostbyte")) / "postgres"
    if url:
        ca = given.text("CA_FILE", "")
        yield PostgresSnapshots(url, tenant_name(tenant), mark, ca_file=Path(ca).absolute() if ca else None)
    elif own.is_dir():
        with EmbeddedServer(own) as server:
            names = Names(server.database, OWNER, WRITER)
            yield PostgresSnapshots(server.admin_dsn, tenant_name(tenant), mark, names=names)
    else:
        raise Invalid(
            "storage_not_named",
            "No database server was named whose administrator could copy a database.",
            "Set FROSTBYTE_STORAGE_DATABASE_URL or FROSTBYTE_STORAGE_DATABASE_URL_FILE.",
        )
