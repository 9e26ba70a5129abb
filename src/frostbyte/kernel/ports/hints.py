"""Saying that there is work.

A hint is never needed and never believed: the lease in the relational store alone decides who does a job. A hint that
is lost, late, doubled or invented changes when a job is done, not whether or how often.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from frostbyte.kernel.records import JobRow, Stage


class Hints(Protocol):
    """Tells those who work."""

    def announce(self, jobs: Sequence[JobRow]) -> None:
        """Say that these committed jobs may be done now. Never raises and never waits for a server."""
        ...


class HintQueue(Hints, Protocol):
    """Hints that wait on a server until a worker takes them, one queue a stage."""

    def waiting(self) -> Mapping[Stage, int]:
        """Hints of each stage that nobody has taken. Raises Unavailable("queue_unavailable")."""
        ...

    def publish(self, jobs: Sequence[JobRow]) -> None:
        """Put hints for these jobs there. Raises Unavailable("queue_unavailable"); some may be there all the same."""
        ...

    def ping(self) -> None:
        """Ask the server for an answer. Raises Unavailable("queue_unavailable")."""
        ...

    def close(self) -> None:
        """Let go of connections; what was announced and is not sent yet may be lost."""
        ...
