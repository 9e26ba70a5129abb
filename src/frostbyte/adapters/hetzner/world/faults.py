"""What can be made to go wrong, by name and by the n-th request. Faults are data: docs/simulator.md lists them.

A fault counts the requests that its `match` fits from the moment it was set, and acts on the `at`-th and the
`times - 1` that follow.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

import msgspec


class When(StrEnum):
    """At which moment of a request a fault acts."""

    BEFORE = "before"
    """Nothing is done; the fault is the answer."""
    COMMITTED = "committed"
    """Everything is done; the answer does not arrive."""
    ACTIONS = "actions"
    """Done, but the actions that it began fare differently."""
    WORLD = "world"
    """Done, but something else in the world fares differently."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One name.

    Attributes:
        status, code, message: the answer, where the fault is one; status 0 for a connection that breaks.
        only: requests that it can act on at all, as `Fault.match`.
    """

    when: When
    about: str
    status: int = 0
    code: str = ""
    message: str = ""
    only: str = ""


_CHANGES: Final = "(POST|PUT|DELETE) .*"
_CREATES: Final = r"POST /[a-z_]+(/[^/]+/rrsets)?"
KINDS: Final[Mapping[str, Kind]] = {
    "connection_reset": Kind(when=When.BEFORE, about="The connection breaks before anything is done."),
    "lost_reply": Kind(when=When.COMMITTED, about="The connection breaks after everything is done."),
    "slow_reply": Kind(when=When.WORLD, about="The answer comes `seconds` later."),
    "stalled": Kind(when=When.BEFORE, about="No answer for `seconds`, then the connection breaks; nothing is done."),
    "stalled_after": Kind(when=When.COMMITTED, about="As `stalled`, but everything is done."),
    "rate_limited": Kind(
        when=When.BEFORE, about="429.", status=429, code="rate_limit_exceeded", message="limit of requests exceeded"
    ),
    "server_error": Kind(
        when=When.BEFORE, about="500.", status=500, code="server_error", message="internal server error"
    ),
    "bad_gateway": Kind(when=When.BEFORE, about="502 with a page instead of JSON, as a proxy says it.", status=502),
    "unavailable": Kind(
        when=When.BEFORE, about="503.", status=503, code="unavailable", message="service is temporarily unavailable"
    ),
    "timeout": Kind(
        when=When.BEFORE, about="504.", status=504, code="timeout", message="the request took too long, please retry"
    ),
    "error_after": Kind(
        when=When.COMMITTED,
        about="500, although everything is done.",
        status=500,
        code="server_error",
        message="internal server error",
    ),
    "locked": Kind(
        when=When.BEFORE, about="423.", status=423, code="locked", message="resource is locked", only=_CHANGES
    ),
    "conflict": Kind(
        when=When.BEFORE,
        about="409: it changed during the request.",
        status=409,
        code="conflict",
        message="resource has changed during the request, please retry",
        only=_CHANGES,
    ),
    "stock_out": Kind(
        when=When.BEFORE,
        about="412 for servers of `type` and `location` (any without), whatever the catalogue says.",
        status=412,
        code="resource_unavailable",
        message="error during placement",
        only="POST /servers",
    ),
    "placement_error": Kind(
        when=When.BEFORE,
        about="422 for servers of `type` and `location`.",
        status=422,
        code="placement_error",
        message="error during placement",
        only="POST /servers",
    ),
    "name_taken": Kind(
        when=When.BEFORE,
        about="409: the name is used.",
        status=409,
        code="uniqueness_error",
        message="name is already used",
        only=_CREATES,
    ),
    "quota": Kind(
        when=When.BEFORE,
        about="403: the project may have no more.",
        status=403,
        code="resource_limit_exceeded",
        message="project limit exceeded",
        only=_CREATES,
    ),
    "forbidden": Kind(when=When.BEFORE, about="403.", status=403, code="forbidden", message="insufficient permissions"),
    "resource_in_use": Kind(
        when=When.BEFORE,
        about="422: it is still being taken off.",
        status=422,
        code="resource_in_use",
        message="firewall is still in use",
        only="DELETE /firewalls/.*",
    ),
    "slow_action": Kind(
        when=When.ACTIONS, about="The first action takes `seconds` longer (3600 without).", only=_CHANGES
    ),
    "failing_action": Kind(
        when=When.ACTIONS, about="The first action ends with an error, `code` (action_failed without).", only=_CHANGES
    ),
    "failing_follow_up": Kind(
        when=When.ACTIONS,
        about="The last of several actions ends with an error: a server is made and does not start.",
        only=_CHANGES,
    ),
    "never_boots": Kind(when=When.WORLD, about="The server runs and never answers.", only="POST /servers"),
    "firewall_released_late": Kind(
        when=When.WORLD,
        about="After a server's deletion its firewalls count as used for `seconds` (60 without) more.",
        only="DELETE /servers/.*",
    ),
}


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One failure that is asked for.

    Attributes:
        name: of `KINDS`.
        at: the n-th request that fits, counted from 1.
        match: a regular expression for the whole of `METHOD /path` (without `/v1`); '' fits every request that the
            kind can act on.
        times: on how many of those in a row; 0 for every one from `at`.
        options: as the kind says: `seconds`, `type`, `location`, `code`.
        project: '' for all.
    """

    name: str
    at: int = 1
    match: str = ""
    times: int = 1
    options: dict[str, Any] = {}
    project: str = ""
    seen: int = 0
    acted: int = 0

    def __post_init__(self) -> None:
        """Raises ValueError for what cannot be."""
        if self.name not in KINDS:
            raise ValueError(f"no such fault: {self.name}")
        if self.at < 1 or self.times < 0:
            raise ValueError("`at` counts from 1 and `times` from 0")
        try:
            re.compile(self.match)
        except re.error as error:
            raise ValueError("`match` is no regular expression") from error

    @property
    def kind(self) -> Kind:
        """What its name means."""
        return KINDS[self.name]

    @property
    def over(self) -> bool:
        """Whether it has acted as often as was asked."""
        return bool(self.times) and self.acted >= self.times

    def fits(self, project: str, request: str, body: Mapping[str, Any]) -> bool:
        """Whether a request counts for it."""
        if self.over or (self.project and self.project != project):
            return False
        if self.kind.only and not _pattern(self.kind.only).fullmatch(request):
            return False
        if self.match and not _pattern(self.match).fullmatch(request):
            return False
        wanted = {"type": "server_type", "location": "location"}
        return all(
            option not in self.options or body.get(field) == self.options[option] for option, field in wanted.items()
        )

    def number(self, name: str, otherwise: float) -> float:
        """An option that is a number."""
        return float(self.options.get(name, otherwise))


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


def acting(faults: Sequence[Fault], project: str, request: str, body: Mapping[str, Any]) -> list[Fault]:
    """Those that act on a request; each that it fits counts it."""
    found = []
    for fault in faults:
        if fault.fits(project, request, body):
            fault.seen += 1
            if fault.seen >= fault.at:
                fault.acted += 1
                found.append(fault)
    return found
