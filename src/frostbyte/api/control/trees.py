"""An operation as a tree, as the API shows it."""

from __future__ import annotations

from typing import Any, Final

from frostbyte.api.control import shown
from frostbyte.api.control.examples import OPERATION_ROW
from frostbyte.control_plane.overview.tree import Made, Node, Tree
from frostbyte.kernel.clock import iso


def tree(of: Tree) -> dict[str, Any]:
    """The operation with its nodes."""
    return shown.operation(of.operation) | {
        "called": of.called,
        "done": of.done,
        "of": of.of,
        "seconds": round(of.seconds, 3),
        "edge_seconds": _round(of.edge_seconds),
        "plane_seconds": _round(of.plane_seconds),
        "nodes": [_node(each) for each in of.nodes],
    }


def _node(of: Node) -> dict[str, Any]:
    return {
        "key": of.key,
        "words": of.words,
        "state": of.state.value,
        "code": of.code or None,
        "at": iso(of.at) if of.at else None,
        "after_seconds": _round(of.after_seconds),
        "took_seconds": _round(of.took_seconds),
        "attempts": of.attempts,
        "made": [_made(each) for each in of.made],
        "nodes": [_node(each) for each in of.nodes],
    }


def _made(of: Made) -> dict[str, Any]:
    return {
        "did": of.did,
        "kind": of.kind,
        "name": of.name,
        "cloud_id": of.cloud_id,
        "facts": of.facts,
        "monthly": of.monthly or None,
    }


def _round(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


EXAMPLE: Final[dict[str, Any]] = OPERATION_ROW | {
    "called": "Suspending it",
    "done": 2,
    "of": 3,
    "seconds": 0.612,
    "edge_seconds": 0.402,
    "plane_seconds": None,
    "nodes": [
        {
            "key": "edge_closed",
            "words": "the edge refuses its requests",
            "state": "done",
            "code": None,
            "at": "2026-03-02T09:07:00.402000Z",
            "after_seconds": 0.402,
            "took_seconds": 0.311,
            "attempts": 0,
            "made": [],
            "nodes": [],
        }
    ],
}
"""For the API's description."""
