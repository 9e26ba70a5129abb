"""Following an operation of the control plane: by its event stream, and by asking where the stream breaks."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

from frostbyte.cli.client import Client, segment
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.event_stream import server_events
from frostbyte.cli.exits import Exit
from frostbyte.cli.operation_tree import Progress
from frostbyte.kernel.errors import FrostbyteError, Kind

POLL_SECONDS: Final = 2.0
"""Between two questions where no stream comes through: a minute of them is half of a caller's limit."""
LOST_SECONDS: Final = 30.0
"""How long a control plane may be away before following gives up; the operation goes on without us."""


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


def wait(
    client: Client, operation: dict[str, Any], *, quiet: bool = False, expected: Sequence[str] = ()
) -> dict[str, Any]:
    """Follow an operation to its end and return it.

    Args:
        quiet: show nothing.
        expected: steps that are known to come, in order.

    Raises:
        CommandFailed: `operation_failed`: it ended in vain.
        KeyboardInterrupt: the user does not want to wait; it goes on.
    """
    ended = operation
    with Progress(operation, quiet=quiet, expected=expected) as progress:
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
