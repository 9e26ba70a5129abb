"""A process that does a plane's stages over a vector server. Run as a program by test_vectors_of_several_processes.py.

    index_worker.py MODEL

Settings come from the environment, as a worker's do; MODEL is which of two small embedders this process has. It works
until it is killed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from zlib import crc32

from frostbyte.adapters.leasing import Leases
from frostbyte.adapters.postgres import PostgresStore
from frostbyte.adapters.runner import Bell
from frostbyte.adapters.secrets.files import FileSecrets
from frostbyte.bootstrap import stages, stores
from frostbyte.data_plane.flow import ORDER, Flow
from frostbyte.kernel.ports.vectors import CollectionSpec
from frostbyte.kernel.records import JobRow
from frostbyte.kernel.settings import load


class Small:
    """A direction for each word; two models differ in dimensions and directions."""

    remote = False

    def __init__(self, model: str) -> None:
        self.label = model
        self.spec = CollectionSpec(model=model, version="1", dimensions={"first": 16, "second": 24}[model], window=64)

    def documents(self, texts: Sequence[str]) -> list[list[float]]:
        return [self.query(text) for text in texts]

    def query(self, text: str) -> list[float]:
        counts = [0.01] * self.spec.dimensions
        for word in text.lower().split():
            counts[crc32(f"{self.label} {word}".encode()) % len(counts)] += 1.0
        norm = sum(value * value for value in counts) ** 0.5
        return [value / norm for value in counts]


def main(model: str) -> None:
    stores.embedder = lambda settings: Small(model)  # type: ignore[assignment, return-value]
    settings = load()
    store = PostgresStore(settings.database_url).open()
    keys = FileSecrets(settings.keys_folder, create=False).tenant_keys()
    vectors = stores.vectors(settings, store.unit_of_work)
    ports = stages.ports(
        settings, keys=keys, unit_of_work=store.unit_of_work, vectors=vectors, hints=Bell(), children=1
    )
    flow = Flow(replace(ports, retry_scale=0.05))

    def run(job: JobRow) -> None:
        with store.unit_of_work() as uow:
            names = uow.rebuilds.collections()
        vectors.follow(names)
        flow.run(job)

    leases = Leases(unit_of_work=store.unit_of_work, run=run, clock=ports.clock, lease_seconds=2.0)
    print("works", flush=True)
    while True:
        if leases.work(f"worker-{model}", list(ORDER)) is None:
            time.sleep(0.05)


if __name__ == "__main__":
    main(sys.argv[1])
