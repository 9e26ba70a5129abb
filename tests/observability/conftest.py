"""A plane whose metrics are looked at."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from frostbyte.api.data.app import create_app
from frostbyte.bootstrap.data import Plane, build
from frostbyte.kernel.settings import load

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # starlette announces another client library; it is not ours to choose here
    from starlette.testclient import TestClient


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    """Built, not started: tests run its jobs and its watch themselves."""
    folder = tmp_path_factory.mktemp("observed") / "plane"
    made = build(load({"FROSTBYTE_DATA_DIR": str(folder), "FROSTBYTE_WORKERS": "1"}))
    yield made
    made.close()


@pytest.fixture(scope="session")
def client(plane: Plane) -> Any:
    return TestClient(create_app(plane), raise_server_exceptions=False)


@pytest.fixture(scope="session")
def metrics(plane: Plane, client: Any) -> Callable[[], dict[str, float]]:
    """Looks once at every server, scrapes, and returns samples by name and labels."""

    def scrape() -> dict[str, float]:
        for name, probe in plane.watch.probes.items():
            plane.watch.ask(name, probe)
        plane.watch.count()
        lines = [line for line in client.get("/metrics").text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    return scrape
