"""One at a time: a lock of the database, held for as long as a piece of work takes; it ends with its process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg

from frostbyte.adapters.postgres.errors import translated
from frostbyte.adapters.postgres.pool import CONNECT_SECONDS
from frostbyte.kernel.errors import Conflict

BACKUP_LOCK: Final = (0x0F205, 5)
"""Advisory lock (see audit.SEQUENCER_LOCK)."""


@contextmanager
def alone(dsn: str) -> Iterator[None]:
    """Hold the backup's lock until the end of the block.

    Raises:
        Conflict: `backup_running`: somebody else does.
        Unavailable: `database_unavailable`.
    """
    with (
        translated(),
        psycopg.connect(
            dsn, connect_timeout=CONNECT_SECONDS, autocommit=True, application_name="frostbyte-backup"
        ) as connection,
    ):
        found = connection.execute("SELECT pg_try_advisory_lock(%s::int, %s::int)", BACKUP_LOCK).fetchone()
        if found is None or not found[0]:
            raise Conflict(
                "backup_running",
                "Another backup of this plane is under way.",
                "Wait until it is through; `frostbyte plane backup list` shows what it has made.",
            )
        yield
