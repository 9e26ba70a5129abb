"""A plan as the journal keeps it: whoever goes on with a run does what was decided, whatever a cloud sells by then."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

import msgspec

from frostbyte.control_plane.provisioning.journal import EntryRow, EntryState
from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.control_plane.provisioning.steps import Action, Plan, Step
from frostbyte.kernel.errors import Conflict

STOOD: Final = "stood"
"""Beside a plan: the steps that were done when it was made, as they were."""


def as_json(plan: Plan, before: Iterable[EntryRow] = ()) -> dict[str, Any]:
    """The plan as JSON values, without its problems: one that has any is not carried out.

    Args:
        before: the owner's journal when it was made: what is done there is what a way back leads to.
    """
    values = {
        "steps": [_step(step) for step in plan.steps],
        "warnings": plan.warnings,
        "facts": plan.facts,
        "monthly": plan.monthly,
        "currency": plan.currency,
        STOOD: [_step(step_of(row)) for row in before if _lasts(row)],
    }
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(values))
    return plain


def _lasts(row: EntryRow) -> bool:
    """Whether it is done, and would be done again on a way back: that a host was drained for good would not."""
    return row.state is EntryState.DONE and row.action != Action.DRAIN


def _step(step: Step) -> dict[str, Any]:
    return {
        "key": step.key,
        "action": step.action,
        "name": step.name,
        "needs": step.needs,
        "spec": step.spec,
        "row": step.row,
        "seconds": step.seconds,
        "monthly": step.monthly,
    }


def from_json(owner: Owner, values: dict[str, Any]) -> Plan:
    """The plan that a journal kept."""
    return Plan(
        owner=owner,
        steps=_steps(values["steps"]),
        warnings=tuple(values["warnings"]),
        facts=values["facts"],
        monthly=Decimal(values["monthly"]),
        currency=values["currency"],
    )


def stood(owner: Owner, values: dict[str, Any]) -> Plan:
    """What was there when a plan was made, as a plan; without steps where nothing was."""
    return Plan(owner=owner, steps=_steps(values.get(STOOD, ())))


def _steps(values: Iterable[dict[str, Any]]) -> tuple[Step, ...]:
    return tuple(
        Step(
            **{
                **step,
                "action": Action(step["action"]),
                "needs": tuple(step["needs"]),
                "seconds": float(step["seconds"]),
                "monthly": Decimal(step["monthly"]),
            }
        )
        for step in values
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
