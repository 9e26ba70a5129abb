"""A worker from its settings to its clean stop."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from socket import gethostname, socket
from typing import Any

from celery import signals

from frostbyte import __version__
from frostbyte.adapters.redis.acknowledging import let_go
from frostbyte.adapters.redis.hints import RedisHints
from frostbyte.bootstrap import posture, sighting
from frostbyte.bootstrap.worker import check
from frostbyte.kernel.errors import FrostbyteError
from frostbyte.kernel.settings import Mode, Settings
from frostbyte.worker.health import Health
from frostbyte.worker.tasks import Process, application


def run(settings: Settings, listener: socket, started: Callable[[], None]) -> int:
    """Work until SIGTERM or SIGINT: the stages under way are finished, what was only taken goes back to the queue.

    A second signal ends the processes at once; their leases run out.

    Args:
        settings: the worker's.
        listener: where health is told.
        started: called once hints are taken.

    Returns:
        the exit code.

    Raises:
        Invalid: as `bootstrap.worker.check`.
    """
    check(settings)
    let_go()
    process = Process(settings)
    app = application(settings, process)
    report = _Report(settings)
    health = Health(listener, report)
    telling, stop = sighting.of_worker(settings), threading.Event()

    def ready(sender: Any, **_: Any) -> None:
        report.pool = sender.pool
        health.start()
        if telling is not None:
            threading.Thread(target=telling.run, args=(stop,), name="sighting", daemon=True).start()
        started()

    def ended(**_: Any) -> None:
        process.close()

    signals.setup_logging.connect(_keep_logging, weak=False)
    signals.worker_ready.connect(ready, weak=False)
    signals.worker_process_shutdown.connect(ended, weak=False)
    worker = app.Worker(
        hostname=f"frostbyte@{gethostname()}",
        loglevel="WARNING",
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    import frostbyte.adapters.qdrant.server  # noqa: F401  # loaded once, shared by all processes that are forked

    gc.collect()
    gc.freeze()  # the collector would write to, and so copy, every shared page
    try:
        worker.start()
    finally:
        stop.set()
        health.stop()
        report.close()
    return int(worker.exitcode or 0)


def _keep_logging(**_: Any) -> None:
    """Celery leaves logging alone where somebody listens to its signal."""


class _Report:
    """What the health page says."""

    def __init__(self, settings: Settings) -> None:
        self.pool: Any = None
        self._settings = settings
        self._stand_ins = posture.stand_ins(settings, posture.findings(settings))
        self._queue = RedisHints(settings.queue_url, settings.tenant_id, ca_file=settings.ca_file)

    def __call__(self) -> dict[str, Any]:
        alive = len(self.pool.info.get("processes", ())) if self.pool is not None else 0
        try:
            self._queue.ping()
            queue = "ok"
        except FrostbyteError as error:  # it connects again by itself
            queue = error.code
        production = self._settings.mode is not Mode.DEVELOPMENT
        return {
            "status": "ok" if alive else "no_processes",
            "tenant": self._settings.tenant_id,
            "mode": self._settings.mode.value,
            "version": __version__,
            "processes": alive,
            "queue": queue,
            "stand_ins": self._stand_ins,
            "warnings": ["NOT FOR PRODUCTION: stand-ins are in use."] if production and self._stand_ins else [],
        }

    def close(self) -> None:
        self._queue.close()
