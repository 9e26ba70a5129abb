"""The tasks: one a stage, each given a job's id and nothing else."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Final
from uuid import UUID

import structlog
from celery import Celery

from frostbyte.adapters.redis.broker import celery_app, task_options
from frostbyte.bootstrap.worker import Worker, build
from frostbyte.data_plane.flow import ORDER
from frostbyte.kernel.errors import FrostbyteError
from frostbyte.kernel.records import Stage
from frostbyte.kernel.settings import Settings

PAUSE_SECONDS: Final = 1.0
"""How long a process rests that cannot work, so that it does not rush through hints that are of use later."""


class Process:
    """What a process of the pool keeps between tasks. Made before the fork, filled after it."""

    def __init__(self, settings: Settings, make: Callable[[Settings], Worker] = build) -> None:
        self._settings = settings
        self._make = make
        self._worker: Worker | None = None
        self._pid = 0
        self._log = structlog.get_logger("frostbyte.worker")

    def perform(self, stage: Stage, named: object) -> None:
        """Do a job. Whatever cannot be done now is told again by the relay."""
        try:
            job_id = UUID(str(named))
        except ValueError:
            self._log.warning("hint_not_understood", stage=stage.value)
            return
        try:
            job = self.worker.work(stage, job_id)
        except FrostbyteError as error:
            self._log.warning("worker_waits", code=error.code, stage=stage.value)
            time.sleep(PAUSE_SECONDS)
            return
        self._log.info("hint_followed" if job else "hint_out_of_date", stage=stage.value, job_id=str(job_id))

    @property
    def worker(self) -> Worker:
        """This process's own, built when it is first needed. Raises what `build` raises."""
        if self._worker is None or self._pid != os.getpid():
            self._worker, self._pid = self._make(self._settings), os.getpid()
        return self._worker

    def close(self) -> None:
        """Let go of what this process holds."""
        if self._worker is not None and self._pid == os.getpid():
            self._worker.close()
            self._worker = None


def application(settings: Settings, process: Process) -> Celery:
    """The Celery application with its tasks."""
    app = celery_app(settings.queue_url, settings.tenant_id, ca_file=settings.ca_file, processes=settings.workers)

    def register(stage: Stage) -> None:
        def perform(job_id: str) -> None:
            process.perform(stage, job_id)

        app.task(perform, **task_options(stage))

    for stage in ORDER:
        register(stage)
    return app
