"""Hints on Redis, as messages that Celery's workers understand.

They are written here rather than by Celery: a gateway then needs none, and a hint costs a thirtieth of the processor
time. The form is Celery's message protocol 2 in the envelope of kombu's Redis transport; tests/worker runs real
workers on it.
"""

from __future__ import annotations

import base64
import contextlib
import os
import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final
from uuid import uuid4

import msgspec
import redis
import structlog

from frostbyte.adapters.redis.acl import key_prefix
from frostbyte.adapters.redis.wire import EXCHANGE, NETWORK_SECONDS, secured, task_name, time_limit
from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.records import JobRow, Stage

_MOST: Final = 10_000
"""Announcements that wait to be sent. Beyond it they are left to the relay."""
_AT_ONCE: Final = 200


def message(job: JobRow) -> bytes:
    """The message for a job: its task's name, which is its stage, and its id."""
    task_id, job_id = str(uuid4()), str(job.job_id)
    body = [[job_id], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
    return msgspec.json.encode(
        {
            "body": base64.b64encode(msgspec.json.encode(body)).decode(),
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": {
                "lang": "py",
                "task": task_name(job.stage),
                "id": task_id,
                "root_id": task_id,
                "parent_id": None,
                "group": None,
                "eta": None,
                "expires": None,
                "retries": 0,
                "timelimit": [time_limit(job.stage), None],
                "argsrepr": "",
                "kwargsrepr": "",
                "origin": "frostbyte",
                "ignore_result": True,
            },
            "properties": {
                "correlation_id": task_id,
                "reply_to": "",
                "delivery_mode": 2,
                "delivery_info": {"exchange": EXCHANGE, "routing_key": job.stage.value},
                "priority": 0,
                "body_encoding": "base64",
                "delivery_tag": str(uuid4()),
            },
        }
    )


class RedisHints:
    """See kernel.ports.hints.HintQueue. Safe to use from several threads, and after a fork.

    Args:
        url: `redis[s]://user:password@host:port/db`.
        tenant_id: whose keys are used.
        ca_file: certificates that the server is trusted by.
    """

    def __init__(self, url: str, tenant_id: str, *, ca_file: str = "") -> None:
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
        self._starting = threading.Lock()

    def announce(self, jobs: Sequence[JobRow]) -> None:
        """Have them sent by a thread; drop them where it is far behind."""
        if not jobs:
            return
        if self._pid != os.getpid():  # a thread does not come along into a process that was forked
            self._begin()
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
            while len(batch) < _AT_ONCE and not self._waiting.empty():
                batch.append(self._waiting.get())
            try:
                self.publish([job for job in batch if job is not None])
            except Unavailable as error:  # the relay will say it again
                self._log.warning("hints_not_sent", code=error.code, count=len(batch))
            if None in batch:
                return

    def publish(self, jobs: Sequence[JobRow]) -> None:
        """Put hints there, one message a job."""
        for start in range(0, len(jobs), _AT_ONCE):
            with _translated(), self._redis.pipeline(transaction=False) as pipe:
                for job in jobs[start : start + _AT_ONCE]:
                    pipe.lpush(f"{self._prefix}{job.stage.value}", message(job))
                pipe.execute()

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
        with contextlib.suppress(redis.RedisError, OSError):
            self._redis.close()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (redis.RedisError, OSError) as error:
        # The client's text may show the address with its password.
        raise Unavailable(
            "queue_unavailable",
            f"The queue on Redis does not answer ({type(error).__name__}).",
            "Start it, or correct FROSTBYTE_QUEUE_URL. Nothing is lost: jobs are kept in the database.",
        ) from None
