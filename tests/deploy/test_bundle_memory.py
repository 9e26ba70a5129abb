"""What a bundle says that a host must have of memory: from what was seen, and what its files will take."""

from __future__ import annotations

from pathlib import Path

import msgspec

from deploy import bundles
from frostbyte.deploy import compose
from frostbyte.deploy.bundle.lock import Lock
from frostbyte.deploy.bundle.texts import LANE_MB, LANES, SEEN_MB, memory_mb, options


def with_sizes(lock: Lock, *, weights: int = 0, signatures: int = 0) -> Lock:
    """The same lock with files of so many megabytes."""
    sizes = {"nomic-embed-text-v1.5": weights << 20, "clamav": signatures << 20}
    models = tuple(msgspec.structs.replace(model, size=sizes[model.name]) for model in lock.models)
    return msgspec.structs.replace(lock, models=models)


def test_every_service_was_seen_and_takes_less_than_it_is_held_to(tmp_path: Path) -> None:
    lock = bundles.lock(bundles.engine(), bundles.sources(tmp_path))
    services = compose.plane(options(lock, "acme")).services
    limits = {one.name: one.limits.memory_mb for one in services if one.role is not compose.Role.TASK}
    assert SEEN_MB.keys() == limits.keys()
    assert all(SEEN_MB[name] < limits[name] for name in limits)
    embedder = next(one for one in services if one.name == "nomic-embed")
    assert embedder.limits.cpus == LANES
    assert SEEN_MB["nomic-embed"] + LANES * LANE_MB * 768 + 274 < embedder.limits.memory_mb, "as 16-bit weights too"


def test_it_is_what_was_seen_the_files_and_one_service_at_its_worst(tmp_path: Path) -> None:
    lock = bundles.lock(bundles.engine(), bundles.sources(tmp_path))
    small = memory_mb(with_sizes(lock), "acme")
    computing = 2 * 330
    assert small == sum(SEEN_MB.values()) + computing - SEEN_MB["celery-worker"] + 8192
    assert memory_mb(with_sizes(lock, weights=100), "acme") == small + 100
    assert memory_mb(with_sizes(lock, signatures=230), "acme") == small + 2530
    assert memory_mb(with_sizes(lock, signatures=9000), "acme") == small + 4096 - SEEN_MB["clamav"], (
        "no more than its limit"
    )
