"""Every decision of a plan, as data."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from frostbyte.control_plane.provisioning.plan import plan
from frostbyte.control_plane.provisioning.resources import Found, Kind
from frostbyte.control_plane.provisioning.steps import Plan
from provisioning.planning import GROUND, NOW, RUN, carried_out, catalogue, changed, keys, wanted

CASES = tomllib.loads(Path(__file__).with_name("plan_cases.toml").read_text())["case"]
KNOWN = {
    *("name", "request", "out", "leaving", "gone", "images", "newer_image", "base", "before", "there", "config"),
    *("servers", "candidates", "standings", "problems", "warnings", "monthly", "steps", "surplus", "egress"),
}


def planned(case: dict[str, Any]) -> Plan:
    """What is decided in a case."""
    on = replace(GROUND, images=dict.fromkeys(case.get("images", ["x86"]), "1001"))
    if not case.get("base", True):
        on = replace(on, edge="", bastion="")
    sold = changed(catalogue(), out=case.get("out", ()), leaving=case.get("leaving"), gone=case.get("gone", ()))
    entries = []
    if "before" in case:
        earlier = case["before"]
        first = wanted(earlier.get("request"), on=on)
        made = plan(first, [], [], changed(catalogue(), out=earlier.get("out", ())), NOW)
        entries = carried_out(made, earlier.get("states"))
    if case.get("newer_image"):
        on = replace(on, images={"x86": "2002"})
    desired = wanted(case.get("request"), on=on, config=case.get("config"))
    there = [
        Found(kind=Kind(kind), resource_id="9", name=name, labels=desired.owner.labels(RUN, "step"))
        for kind, name in case.get("there", {}).items()
    ]
    return plan(desired, there, entries, sold, NOW)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"].replace(" ", "-"))
def test_a_decision(case: dict[str, Any]) -> None:
    assert case.keys() <= KNOWN
    made = planned(case)
    facts = made.facts
    if "egress" in case:
        assert facts["egress"] == case["egress"]
        files = [step.spec for step in made.steps if step.key.startswith("files.")]
        assert {tuple(spec["egress"]) for spec in files} == {tuple(case["egress"])}
    if "steps" in case:
        assert keys(made) == case["steps"]
    if "servers" in case:
        chosen = {one["host"]: f"{one['type']}@{one['location']}" for one in facts["servers"] if one["type"]}
        assert chosen == case["servers"]
    for host, listed in case.get("candidates", {}).items():
        spec = next(step.spec for step in made.steps if step.key == f"server.{host}")
        assert [f"{one['type']}@{one['location']}" for one in spec["candidates"]] == listed
    if "standings" in case:
        told = dict(case["standings"])
        rest = told.pop("all", None)
        expected: dict[str, str] = {}
        for step in made.steps:
            # A volume that grows is changed where it is: what needs it goes on.
            moving = [need for need in step.needs if (need, expected[need]) != ("volume", "changed")]
            moved = step.kind is None and any(expected[need] != "done" for need in moving)
            expected[step.key] = told.pop(step.key, "again" if rest == "done" and moved else rest)
        assert not told, "the case names steps that the plan does not have"
        assert facts["standings"] == expected
        assert {one["step"] for one in facts["changes"]} == {k for k, v in expected.items() if v == "changed"}
    if "surplus" in case:
        assert facts["surplus"] == case["surplus"]
    if "monthly" in case:
        assert made.monthly == Decimal(case["monthly"])
    assert [problem.code for problem in made.problems] == case.get("problems", [])
    if "warnings" in case or not case.keys() & {"out", "leaving", "gone"}:
        assert len(made.warnings) == len(case.get("warnings", [])), made.warnings
        for said, words in zip(made.warnings, case.get("warnings", []), strict=True):
            assert words in said
