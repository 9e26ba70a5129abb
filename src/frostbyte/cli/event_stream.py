"""Reading server-sent events (WHATWG HTML, section 9.2.6)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class ServerEvent(NamedTuple):
    """One event; a comment comes as the event `comment`."""

    name: str
    data: str
    last_id: str
    """The newest id that the stream has named: what `Last-Event-ID` says when it is opened again."""


def server_events(lines: Iterator[str]) -> Iterator[ServerEvent]:
    """The events of a text/event-stream. One that was cut off is not among them."""
    name, last_id = "message", ""
    data: list[str] = []
    for line in lines:
        if not line:
            if data:
                yield ServerEvent(name, "\n".join(data), last_id)
            name, data = "message", []
        elif line.startswith(":"):
            yield ServerEvent("comment", line[1:], last_id)
        else:
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "event":
                name = value
            elif field == "data":
                data.append(value)
            elif field == "id" and "\0" not in value:
                last_id = value
