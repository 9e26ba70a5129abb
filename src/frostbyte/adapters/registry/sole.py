"""One control plane works on a database: a second one is refused, and one that was cut off finds out.

The right is an advisory lock of a session of its own. A session that ends gives it back at once, so a control plane
that is killed leaves nothing behind; when its host dies without a word, the server notices within a minute. Who loses
the session, as in a failover, takes the lock again or learns that another has it, and then has to stop.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

import psycopg

from frostbyte.adapters.postgres.errors import translated
from frostbyte.adapters.postgres.mapping import Connection
from frostbyte.kernel.errors import Conflict, Unavailable

LOOK_SECONDS: Final = 2.0
"""Between two looks at the session."""
TAKE_SECONDS: Final = 5.0
"""How long a start waits for a control plane that is about to end."""
_LOCK: Final = (0x0F208, 0)
# The server's own questions to a silent client: it lets go after 30 + 3 x 10 seconds instead of two hours.
_OPTIONS: Final = "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"


class Sole:
    """The right to be the control plane of a database.

    Args:
        dsn: of a role that may connect. A session must stay what it is: no pooler that shares sessions in between.
        lost: called once, from `watch`, when another control plane has the right.
    """

    def __init__(self, dsn: str, lost: Callable[[], None] = lambda: None) -> None:
        self._dsn = dsn
        self._lost = lost
        self._connection: Connection | None = None

    def take(self, seconds: float = TAKE_SECONDS) -> None:
        """Take the right, waiting a little for who is about to give it back.

        Raises:
            Conflict: `control_plane_running`.
            Unavailable: `database_unavailable`.
        """
        deadline = time.monotonic() + seconds
        while not self._try():
            if time.monotonic() > deadline:
                raise Conflict(
                    "control_plane_running",
                    "Another control plane works on this database.",
                    "Stop it first. If its host has died, the database lets go of it within a minute.",
                )
            time.sleep(0.2)

    def watch(self, stop: threading.Event) -> None:
        """Look after the session until `stop` is set or the right is lost."""
        while not stop.wait(LOOK_SECONDS):
            try:
                if not self._holds():
                    self._lost()
                    return
            except Unavailable:  # no database: nobody else works on it either
                continue

    def release(self) -> None:
        """Give the right back. Idempotent."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _holds(self) -> bool:
        """Whether the right is ours, in a fresh session if the last one broke."""
        if self._connection is not None:
            try:
                self._connection.execute("SELECT 1")
            except psycopg.Error:
                self.release()
            else:
                return True
        return self._try()

    def _try(self) -> bool:
        with translated():
            if self._connection is None:
                self._connection = psycopg.connect(self._dsn, autocommit=True, connect_timeout=5, options=_OPTIONS)
            row = self._connection.execute("SELECT pg_try_advisory_lock(%s::int, %s::int)", _LOCK).fetchone()
        return row is not None and bool(row[0])
