"""Hints on Redis, as Celery's messages."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import redis
import structlog
from celery import Celery
from kombu.exceptions import OperationalError

from frostbyte.adapters.redis.acl import key_prefix
from frostbyte.adapters.redis.broker import NETWORK_SECONDS, celery_app, secured, task_name, task_options
from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.records import JobRow, Stage

_MOST: Final = 10_000
"""Announcements that wait to be sent. Beyond it they are left to the relay."""


class CeleryHints:
    """See kernel.ports.hints.HintQueue. Safe to use from several threads, and after a fork.

    Args:
        url: `redis[s]://user:password@host:port/db`.
        tenant_id: whose keys are used.
        ca_file: certificates that the server is trusted by.
    """

    def __init__(self, url: str, tenant_id: str, *, ca_file: str = "") -> None:
        self._app: Celery = celery_app(url, tenant_id, ca_file=ca_file)
        self._prefix = key_prefix(tenant_id)
        self._redis: Any = redis.Redis.from_url(
            url,
            socket_timeout=NETWORK_SECONDS,
            socket_connect_timeout=NETWORK_SECONDS,
            **secured(url, ca_file),
        )
        self._log = structlog.get_logger("frostbyte.hints")
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._waiting: queue.SimpleQueue[JobRow | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting, self._sending = threading.Lock(), threading.Lock()
        self._connection: Any = None
        self._producer: Any = None

    def announce(self, jobs: Sequence[JobRow]) -> None:
        """Have them sent by a thread; drop them where it is far behind."""
        if not jobs:
            return
        self._after_fork()
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._send, name="hints", daemon=True)
                self._thread.start()
        if self._waiting.qsize() < _MOST:
            for job in jobs:
                self._waiting.put(job)

    def _send(self) -> None:
        while True:
            batch = [self._waiting.get()]
            while len(batch) < 100 and not self._waiting.empty():
                batch.append(self._waiting.get())
            try:
                self.publish([job for job in batch if job is not None])
            except Unavailable as error:  # the relay will say it again
                self._log.warning("hints_not_sent", code=error.code, count=len(batch))
            if None in batch:
                return

    def publish(self, jobs: Sequence[JobRow]) -> None:
        """Put hints there, one message a job."""
        if not jobs:
            return
        self._after_fork()
        with self._sending, _translated():
            try:
                for job in jobs:
                    self._app.send_task(
                        task_name(job.stage),
                        args=(str(job.job_id),),
                        queue=job.stage.value,
                        producer=self._connected(),
                        time_limit=task_options(job.stage)["time_limit"],
                        ignore_result=True,
                        retry=False,
                    )
            except BaseException:
                self._disconnect()
                raise

    def _after_fork(self) -> None:
        """Begin anew in a process that was forked: threads do not come along, and connections are its parent's."""
        if self._pid != os.getpid():
            self._begin()

    def _connected(self) -> Any:
        """The producer, on a connection of its own: kombu's pools would share one whatever its certificates."""
        if self._producer is None:
            self._connection = self._app.connection_for_write()
            self._producer = self._app.amqp.Producer(self._connection)
        return self._producer

    def _disconnect(self) -> None:
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            with contextlib.suppress(redis.RedisError, OperationalError, OSError):
                connection.release()

    def waiting(self) -> Mapping[Stage, int]:
        """The lengths of the stages' lists."""
        with _translated(), self._redis.pipeline(transaction=False) as pipe:
            for stage in Stage:
                pipe.llen(f"{self._prefix}{stage.value}")
            return {stage: int(length) for stage, length in zip(Stage, pipe.execute(), strict=True)}

    def ping(self) -> None:
        """Ask Redis for an answer. Raises Unavailable("queue_unavailable")."""
        with _translated():
            self._redis.ping()

    def close(self) -> None:
        """Send what waits if that goes at once, and disconnect."""
        if self._thread is not None and self._pid == os.getpid():
            self._waiting.put(None)
            self._thread.join(NETWORK_SECONDS)
        self._disconnect()
        with contextlib.suppress(redis.RedisError, OSError):
            self._redis.close()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (redis.RedisError, OperationalError, OSError) as error:
        # The client's text may show the address with its password.
        raise Unavailable(
            "queue_unavailable",
            f"The queue on Redis does not answer ({type(error).__name__}).",
            "Start it, or correct FROSTBYTE_QUEUE_URL. Nothing is lost: jobs are kept in the database.",
        ) from None
