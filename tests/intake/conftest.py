"""Every test of intake has a door of its own."""

import pytest

from intake.door_bench import Bench, new_bench


@pytest.fixture
def bench() -> Bench:
    return new_bench()
