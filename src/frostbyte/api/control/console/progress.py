"""An operation's tree as its page says it, whether the server draws the page or a script goes on with it."""

from __future__ import annotations

from typing import Any, Final

from frostbyte.api.control.console.outcomes import outcome
from frostbyte.api.control.console.telling import Told, figure, kind
from frostbyte.console import words
from frostbyte.control_plane.overview.tree import HOST, Made, Node, State, Tree
from frostbyte.control_plane.registry.records import OperationKind, OperationStatus

STATES: Final = {
    State.EXPECTED: "to come",
    State.WAITING: "waiting",
    State.RUNNING: "in progress",
    State.DONE: "done",
    State.STOOD: "was so before",
    State.FAILED: "failed",
    State.TAKING: "being taken away",
    State.TAKEN: "taken away",
    State.KEPT: "kept, with its data",
    State.SKIPPED: "not done",
}
_EDGE: Final = {
    OperationKind.SUSPEND: ("Requests refused after", "Plane told after"),
    OperationKind.RESUME: ("Requests let through after", "Plane told after"),
}
_RUNS: Final = (State.RUNNING, State.WAITING, State.TAKING)


def shown(of: Tree) -> dict[str, Any]:
    """The tree in words."""
    row = of.operation
    running = row.status is OperationStatus.RUNNING
    return {
        "status": row.status.value,
        "outcome": outcome(row),
        "code": row.code,
        "done": of.done,
        "of": of.of,
        "steps": f"{of.done} of {words.count(of.of, 'step')}",
        "took": f"{'running for' if running else 'took'} {words.seconds(of.seconds)}",
        "now": _now(of.nodes) if running else "",
        "figures": _figures(of),
        "nodes": [_node(each) for each in of.nodes],
    }


def _figures(of: Tree) -> list[Told]:
    """How fast a tenant was stopped, or let go on."""
    labels = _EDGE.get(of.operation.kind)
    if labels is None:
        return []
    told = zip(labels, (of.edge_seconds, of.plane_seconds), strict=True)
    return [
        figure(label, "not yet" if seconds is None else f"{seconds:.2f} s", id=f"figure-{at}")
        for at, (label, seconds) in enumerate(told)
    ]


def _now(nodes: tuple[Node, ...]) -> str:
    """What is being done at this moment, the innermost of it."""
    for node in nodes:
        if node.state not in _RUNS:
            continue
        within = _now(node.nodes)
        if within:
            return f"{node.words}: {within}" if node.key.startswith(HOST) else within
        if not node.key.startswith(HOST):  # between two steps of a host nothing of it goes on
            return node.words
    return ""


def _node(of: Node) -> dict[str, Any]:
    about = []
    if of.took_seconds is not None and of.state not in _RUNS:
        about.append(words.seconds(of.took_seconds))
    if of.attempts > 1:
        about.append(f"{of.attempts} attempts")
    if of.code:
        about.append(of.code)
    return {
        "key": of.key,
        "words": of.words,
        "state": of.state.value,
        "said": STATES[of.state],
        "about": " · ".join(about),
        "made": [_made(each) for each in of.made],
        "nodes": [_node(each) for each in of.nodes],
    }


def _made(of: Made) -> str:
    thing = kind(of.kind)
    facts = dict(of.facts)
    size = f"{facts.pop('size_gb')} GB" if "size_gb" in facts else ""
    place = f"in {facts.pop('location')}" if "location" in facts else ""
    parts = [*(facts.pop("type", ""), size, place), *facts.values()]
    price = f"{of.monthly} a month" if of.monthly else ""
    about = ", ".join(part for part in (" ".join(each for each in parts if each), price) if part)
    ident = f" ({of.cloud_id})" if of.cloud_id and of.cloud_id != of.name else ""
    return f"{of.did}: {thing} {of.name}{ident}{' · ' + about if about else ''}"
