"""Following an operation of the control plane: by its event stream, and by asking where the stream breaks."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from frostbyte.cli.client import Client, segment
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.event_stream import server_events
from frostbyte.cli.exits import Exit
from frostbyte.cli.output import err, text
from frostbyte.kernel.errors import FrostbyteError, Kind

if TYPE_CHECKING:
    from rich.live import Live
    from rich.tree import Tree

POLL_SECONDS: Final = 2.0
"""Between two questions where no stream comes through: a minute of them is half of a caller's limit."""
LOST_SECONDS: Final = 30.0
"""How long a control plane may be away before following gives up; the operation goes on without us."""
SAID: Final = {
    "registry_committed": "decided and written down",
    "edge_closed": "the edge refuses its requests",
    "edge_prepared": "the edge knows it",
    "edge_opened": "the edge lets its requests through",
    "plane_answered": "its plane answers",
    "plane_recognised": "it is the plane that was named",
    "plane_acknowledged": "its plane has acknowledged",
    "plane_closed": "its plane is closed",
    "ledger_pulled": "its log is in the ledger to the end",
    "age_rotated": "its secrets are sealed for another identity, the one before is archived",
    "certificates_made": "its certificates are made anew",
    "certificates_given": "its hosts show them",
}
"""Steps for people; one that is not here is shown by its name."""
_MARKS: Final = {"running": ("…", "yellow"), "succeeded": ("✓", "green"), "failed": ("✗", "red")}


def follow(client: Client, operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Steps as they happen, then the operation itself, with `operation_id`.

    Raises:
        FrostbyteError: the control plane stayed away for `LOST_SECONDS`, or says that this may not be seen.
    """
    path = f"/operations/{segment(operation['operation_id'])}"
    last, lost_since = 0, None
    while True:
        try:
            for event in _streamed(client, path, last):
                yield event
                if "operation_id" in event:
                    return
                last = event["number"]
        except FrostbyteError as error:
            # A stream is a convenience: a proxy may not carry it. Asking always works.
            if error.kind in (Kind.UNAUTHENTICATED, Kind.FORBIDDEN, Kind.NOT_FOUND):
                raise
        try:
            found = client.json("GET", path)
        except FrostbyteError as error:
            lost_since = lost_since or time.monotonic()
            if error.kind not in (Kind.UNAVAILABLE, Kind.RATE_LIMITED) or time.monotonic() - lost_since > LOST_SECONDS:
                raise
        else:
            lost_since = None
            steps = found.pop("steps")
            yield from (step for step in steps if step["number"] > last)
            last = max([last, *(step["number"] for step in steps)])
            if found["status"] != "running":
                yield found
                return
        time.sleep(POLL_SECONDS)


def _streamed(client: Client, path: str, last: int) -> Iterator[dict[str, Any]]:
    headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": str(last)} if last else {})
    with client.stream("GET", f"{path}/events", headers=headers) as response:
        for event in server_events(response.iter_lines()):
            if event.name in ("step", "done"):
                try:
                    yield json.loads(event.data)
                except ValueError:
                    return  # something in between garbled it: asking tells


class Progress:
    """Shows an operation step by step: a live tree on a terminal, a line per step in a log."""

    def __init__(self, operation: dict[str, Any], *, quiet: bool = False) -> None:
        self._title = f"{operation['kind']} {operation['tenant_id']}"
        self._steps: dict[str, dict[str, Any]] = {}
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
        known = self._steps.get(step["step"])
        self._steps[step["step"]] = step
        if self._live:
            self._live.update(self._tree())
        elif not self._quiet and (known is None or (known["status"], known["code"]) != (step["status"], step["code"])):
            err().print(text("  ") + _line(step))

    def _tree(self) -> Tree:
        from rich.tree import Tree

        tree = Tree(text(self._title, "bold"))
        for step in self._steps.values():
            tree.add(_line(step))
        return tree


def _line(step: dict[str, Any]) -> Any:
    mark, style = _MARKS.get(step["status"], ("?", ""))
    waits = "waiting until " if step["status"] == "running" else ""
    why = f"  {step['code']}" if step.get("code") else ""
    line = text(f"{mark} {waits}", style) + text(SAID.get(step["step"], step["step"].replace("_", " ")))
    return line + text(why, "dim")


def wait(client: Client, operation: dict[str, Any], *, quiet: bool = False) -> dict[str, Any]:
    """Follow an operation to its end and return it.

    Raises:
        CommandFailed: `operation_failed`: it ended in vain.
        KeyboardInterrupt: the user does not want to wait; it goes on.
    """
    ended = operation
    with Progress(operation, quiet=quiet) as progress:
        for event in follow(client, operation):
            if "operation_id" in event:
                ended = event
            else:
                progress.see(event)
    if ended["status"] == "failed":
        tenant = ended["tenant_id"]
        raise CommandFailed(
            "operation_failed",
            f"The operation '{ended['kind']}' of {tenant} failed: {ended['code']}.",
            f"docs/errors.md says what {ended['code']} means; frostbyte tenant show {tenant} says what can be done.",
            exit_code=Exit.PROBLEMS,
        )
    return ended
