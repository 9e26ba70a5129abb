"""What a repair does about each kind of difference, as data; and that none is left without a word."""

from __future__ import annotations

import itertools
import tomllib
from pathlib import Path
from typing import Any

import pytest

from frostbyte.control_plane.provisioning.drift import Difference, What
from frostbyte.control_plane.provisioning.resources import Kind
from frostbyte.control_plane.upkeep.mending import MENDED, weighed

CASES = tomllib.loads(Path(__file__).with_name("mending_cases.toml").read_text())["case"]


def difference(case: dict[str, Any]) -> Difference:
    return Difference(
        what=What(case["what"]),
        kind=Kind(case["kind"]),
        name="fb-acme-db",
        step=case.get("step", ""),
        field=case.get("field", ""),
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"].replace(" ", "-"))
def test_a_judgement(case: dict[str, Any]) -> None:
    (found,) = weighed([difference(case)])
    assert (found.mended, case["says"] in found.words) == (case["mended"], True), found.words


def test_every_difference_has_words() -> None:
    every = [Difference(what=what, kind=kind, name="x", step="x") for what, kind in itertools.product(What, Kind)]
    assert all(one.words for one in weighed(every))


def test_what_is_mended_has_a_case() -> None:
    told = {(What(case["what"]), Kind(case["kind"]), case.get("field", "")) for case in CASES if case["mended"]}
    assert told == set(MENDED)
