"""How an operation goes, in words."""

from __future__ import annotations

from typing import Final

from frostbyte.control_plane.history.operations import SUPERSEDED
from frostbyte.control_plane.registry.records import OperationRow, OperationStatus

_OUTCOMES: Final = {
    OperationStatus.RUNNING: "In progress",
    OperationStatus.SUCCEEDED: "Done",
    OperationStatus.FAILED: "Failed",
}


def outcome(row: OperationRow) -> str:
    """`In progress`, `Done`, `Failed`, or that a newer decision took its place."""
    return "Overtaken by a newer decision" if row.code == SUPERSEDED else _OUTCOMES[row.status]
