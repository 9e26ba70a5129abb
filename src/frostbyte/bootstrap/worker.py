"""A worker's wiring: what one of its processes needs to do stages.

It has no API, no log key and no token key: it can neither sign a checkpoint nor make a token. It shares the plane's
servers and the three keys of the vault, and nothing else.
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from frostbyte.adapters.collections import TwoCollections
from frostbyte.adapters.leasing import Leases
from frostbyte.adapters.postgres import PostgresStore
from frostbyte.adapters.redis.hints import RedisHints
from frostbyte.adapters.secrets.files import FileSecrets
from frostbyte.bootstrap import posture, stages, stores
from frostbyte.data_plane.flow import Flow, Ports
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.records import JobRow, Stage
from frostbyte.kernel.settings import Settings

FOLLOW_SECONDS: Final = 2.0
"""How old a process's knowledge of rebuilds may be in stages that do not write the index."""


def check(settings: Settings) -> None:
    """Refuse settings that no worker can work with.

    Raises:
        Invalid: `worker_needs_servers`, `stand_in_refused`.
    """
    needed = {
        "FROSTBYTE_QUEUE_URL": settings.queue_url,
        "FROSTBYTE_DATABASE_URL": settings.database_url,
        "FROSTBYTE_VECTORS_URL": settings.vectors_url,
    }
    missing = ", ".join(name for name, value in needed.items() if not value)
    if missing:
        raise Invalid(
            "worker_needs_servers",
            f"A worker needs {missing}: what lies inside the plane's own process it cannot reach.",
            "Set them to what the plane uses, and start again.",
        )
    posture.check(settings)


@dataclass(kw_only=True)
class Worker:
    """One process that does stages."""

    store: PostgresStore
    vectors: TwoCollections
    ports: Ports
    leases: Leases
    hints: RedisHints
    name: str

    def work(self, stage: Stage, job_id: UUID) -> JobRow | None:
        """Do the job that a hint names, or another of its stage; None if there was none to do."""
        return self.leases.work(self.name, [stage], named=job_id)

    def close(self) -> None:
        """Let go of everything."""
        self.hints.close()
        self.ports.reader.close()
        self.ports.judge.close()
        self.vectors.close()
        self.store.close()


class _Following:
    """Runs jobs on the collections that there are: the plane's own process begins and ends rebuilds.

    What lies in the wrong place is refused when the index stage commits; so the others need not look each time.
    """

    def __init__(self, store: PostgresStore, vectors: TwoCollections, flow: Flow) -> None:
        self._store, self._vectors, self._flow = store, vectors, flow
        self._looked = -FOLLOW_SECONDS

    def __call__(self, job: JobRow) -> None:
        if job.stage is Stage.INDEX or time.monotonic() - self._looked >= FOLLOW_SECONDS:
            with self._store.unit_of_work() as uow:
                names = uow.rebuilds.collections()
            self._vectors.follow(names)
            self._looked = time.monotonic()
        self._flow.run(job)


def build(settings: Settings) -> Worker:
    """One process's share of a worker.

    Raises:
        Unavailable: `plane_not_ready`: the plane has to be started first; or a server is away.
        Conflict: `plane_of_another_tenant`, `secret_missing`.
        Invalid: as `check`, or what an adapter says of its settings.
    """
    check(settings)
    with ExitStack() as undo:
        store = stores.joined_database(settings)
        undo.callback(store.close)
        keys = FileSecrets(settings.keys_folder, create=False).tenant_keys()
        vectors = stores.vectors(settings, store.unit_of_work)
        undo.callback(vectors.close)
        hints = RedisHints(settings.queue_url, settings.tenant_id, ca_file=settings.ca_file)
        undo.callback(hints.close)
        # One job at a time: one parser and one judge, each in a child that can be ended.
        ports = stages.ports(
            settings, keys=keys, unit_of_work=store.unit_of_work, vectors=vectors, hints=hints, children=1
        )
        worker = Worker(
            store=store,
            vectors=vectors,
            ports=ports,
            leases=Leases(
                unit_of_work=store.unit_of_work, run=_Following(store, vectors, Flow(ports)), clock=ports.clock
            ),
            hints=hints,
            name=f"{socket.gethostname()}:{os.getpid()}",
        )
        undo.pop_all()
    return worker
