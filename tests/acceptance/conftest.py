"""A real plane in this process, on embedded servers, and files to send it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from draws import SOAK
from frostbyte.bootstrap.data import Plane, build
from frostbyte.kernel.settings import load

# Whole stories of some minutes each, with every process of theirs: an exhaustive run. In CI their decisions and what
# ends a try are tested without processes (tests/cli/test_try_hetzner.py, tests/provisioning/test_ending.py).
collect_ignore = [] if SOAK else ["test_stories.py"]
SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[Plane]:
    """A plane that is built but not started: tests run its jobs themselves."""
    made = build(load({"FROSTBYTE_DATA_DIR": str(tmp_path / "plane"), "FROSTBYTE_WORKERS": "1"}))
    yield made
    made.close()


@pytest.fixture
def send(plane: Plane) -> Callable[..., UUID]:
    """Takes a file in; returns its document's id."""

    def take(name: str, content: bytes, subject: str = "tester") -> UUID:
        session = plane.intake.open_batch(subject)
        sink = session.file(name)
        sink.write(content)
        outcome = sink.finish()
        session.close()
        assert outcome.doc_id is not None, outcome.code
        return outcome.doc_id

    return take


@pytest.fixture
def settle(plane: Plane) -> Callable[[], None]:
    """Runs jobs until none is due, and numbers their events."""

    def run() -> None:
        while plane.runner.run_one():
            pass
        while plane.sequencer.run_once():
            pass

    return run


def sample(name: str) -> bytes:
    """A sample document's bytes."""
    return (SAMPLES / name).read_bytes()


def state(plane: Plane, doc_id: UUID) -> Any:
    """The document's row."""
    return plane.documents.row(doc_id)


def eventually(check: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)
