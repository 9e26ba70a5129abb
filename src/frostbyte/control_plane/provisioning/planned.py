"""A plan as the journal keeps it: whoever goes on with a run does what was decided, whatever a cloud sells by then."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from frostbyte.control_plane.provisioning.journal import EntryRow
from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.control_plane.provisioning.steps import Action, Plan, Step
from frostbyte.kernel.errors import Conflict


def as_json(plan: Plan) -> dict[str, Any]:
    """The plan as JSON values, without its problems: one that has any is not carried out."""
    values = {
        "steps": [
            {
                "key": step.key,
                "action": step.action,
                "name": step.name,
                "needs": step.needs,
                "spec": step.spec,
                "row": step.row,
                "seconds": step.seconds,
                "monthly": step.monthly,
            }
            for step in plan.steps
        ],
        "warnings": plan.warnings,
        "facts": plan.facts,
        "monthly": plan.monthly,
        "currency": plan.currency,
    }
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(values))
    return plain


def from_json(owner: Owner, values: dict[str, Any]) -> Plan:
    """The plan that a journal kept."""
    return Plan(
        owner=owner,
        steps=tuple(
            Step(
                **{
                    **step,
                    "action": Action(step["action"]),
                    "needs": tuple(step["needs"]),
                    "seconds": float(step["seconds"]),
                    "monthly": Decimal(step["monthly"]),
                }
            )
            for step in values["steps"]
        ),
        warnings=tuple(values["warnings"]),
        facts=values["facts"],
        monthly=Decimal(values["monthly"]),
        currency=values["currency"],
    )


def checked(plan: Plan) -> Plan:
    """The plan, if it can run.

    Raises:
        Conflict: the code of its first problem; `plan_broken` where a step comes twice or before what it needs.
    """
    plan.check()
    known: set[str] = set()
    for step in plan.steps:
        if step.key in known or not known.issuperset(step.needs):
            raise Conflict(
                "plan_broken",
                f"The plan cannot run: {step.key} comes twice, or before what it needs.",
                "This is a defect in Frostbyte; report it with the plan.",
            )
        known.add(step.key)
        _ = step.spec_sha256  # what cannot be hashed cannot be kept either
    return plan


def step_of(entry: EntryRow) -> Step:
    """The step that an entry remembers: to take something away nothing but the journal is needed."""
    return Step(key=entry.key, action=Action(entry.action), name=entry.name, needs=tuple(entry.needs), spec=entry.spec)
