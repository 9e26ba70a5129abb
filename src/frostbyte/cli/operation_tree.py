"""An operation as it runs: a live tree on a terminal, a line for each thing that happens in a log.

Steps of provisioning are called `server.worker-1`, and `undo.server.worker-1` when they are taken away: in the tree
each host is a branch, and what is taken away stands where it was made.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from frostbyte.cli.output import err, text
from frostbyte.control_plane.overview.words import SAID, UNDO, said

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text
    from rich.tree import Tree

_MARKS: Final = {
    "expected": ("·", "dim"),
    "running": ("…", "yellow"),
    "succeeded": ("✓", "green"),
    "failed": ("✗", "red"),
    "taken": ("↩", "dim"),
}


class Progress:
    """Shows an operation step by step.

    Args:
        operation: as the API shows it.
        quiet: show nothing.
        expected: steps that are known to come, in order; the tree shows them before they begin.
    """

    def __init__(self, operation: dict[str, Any], *, quiet: bool = False, expected: Sequence[str] = ()) -> None:
        self._title = f"{operation['kind']} {operation['tenant_id']}"
        self._steps: dict[str, dict[str, Any]] = {
            step: {"step": step, "status": "expected", "code": None} for step in expected
        }
        self._began: dict[str, str] = {}
        self._quiet = quiet
        self._live: Live | None = None

    def __enter__(self) -> Progress:
        if not self._quiet and err().is_terminal:
            from rich.live import Live

            self._live = Live(self._tree(), console=err(), refresh_per_second=8)
            self._live.__enter__()
        elif not self._quiet:
            err().print(text(self._title, "bold"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.__exit__(kind, value, trace)

    def see(self, step: dict[str, Any]) -> None:
        """Take in a step."""
        place = step["step"].removeprefix(UNDO)
        known = self._steps.get(place)
        self._steps[place] = step
        if step["status"] == "running":
            self._began[step["step"]] = step.get("at", "")
        if self._live:
            self._live.update(self._tree())
        elif not self._quiet and (known is None or _told(known) != _told(step)):
            err().print(text("  ") + self._line(step, said(step["step"])))

    def _tree(self) -> Tree:
        """What belongs to a host hangs on its branch; the branches come in the order in which they begin."""
        from rich.tree import Tree

        tree = Tree(text(self._title, "bold"))
        branches: dict[str, Tree] = {}
        for step in self._steps.values():
            name = step["step"]
            host = "" if name in SAID else name.removeprefix(UNDO).partition(".")[2]
            if not host:
                tree.add(self._line(step, said(name)))
                continue
            if host not in branches:
                branches[host] = tree.add(text(host, "bold"))
            branches[host].add(self._line(step, said(name).removeprefix(f"{host}: ")))
        return tree

    def _line(self, step: dict[str, Any], words: str) -> Text:
        status = step["status"]
        if status == "succeeded" and step["step"].startswith(UNDO):
            status = "taken"
        mark, style = _MARKS.get(status, ("?", ""))
        waits = "waiting until " if status == "running" and step["step"] in SAID else ""
        about = [step.get("code") or "", self._took(step)]
        why = "".join(f"  {part}" for part in about if part)
        return text(f"{mark} {waits}", style) + text(words, "dim" if status == "expected" else "") + text(why, "dim")

    def _took(self, step: dict[str, Any]) -> str:
        """How long it took, where it is known and worth a word."""
        began, ended = self._began.get(step["step"], ""), step.get("at", "")
        if step["status"] == "running" or not began or not ended:
            return ""
        try:
            seconds = (datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds()
        except ValueError:
            return ""
        return f"{seconds:.0f} s" if seconds >= 1 else ""


def _told(step: dict[str, Any]) -> tuple[Any, ...]:
    return step["step"], step["status"], step["code"]
