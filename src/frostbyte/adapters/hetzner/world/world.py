"""The world: projects, what is in them, and one way in: a request of the Cloud API."""

from __future__ import annotations

import itertools
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from frostbyte.adapters.hetzner.world import effects, faults, routes, shown, zones
from frostbyte.adapters.hetzner.world.bill import Bill, bill_of
from frostbyte.adapters.hetzner.world.call import Answer, Call
from frostbyte.adapters.hetzner.world.clock import RunningClock, WorldClock
from frostbyte.adapters.hetzner.world.driver import Driver
from frostbyte.adapters.hetzner.world.driving import Drives
from frostbyte.adapters.hetzner.world.engine import Engine
from frostbyte.adapters.hetzner.world.faults import Fault, When
from frostbyte.adapters.hetzner.world.latency import NONE, Latency
from frostbyte.adapters.hetzner.world.limits import QUOTAS, REQUESTS_PER_HOUR
from frostbyte.adapters.hetzner.world.offers import Offers
from frostbyte.adapters.hetzner.world.records import Action, Charge, Event, Grant, Image, Project, Record, Ref
from frostbyte.adapters.hetzner.world.refusals import Refused, limit, not_found

FIRST_ID: Final = 4_700_001
TOKEN_LENGTH: Final = 64
"""Clients look at it: the real ones have as many."""
_LOG: Final = 50_000
_SECONDS: Final = 3600.0


class Saved(msgspec.Struct, kw_only=True):
    """A world as it is written down."""

    projects: dict[str, Project]
    grants: dict[str, Grant]
    next_id: int
    now: datetime
    sold_out: list[tuple[str, str]]
    faults: list[Fault]
    format: int = 1


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A request that was answered, for tests that count.

    Attributes:
        path: as asked, without `/v1` and without its query.
        status: 0 where the connection broke.
        faults: names of those that acted.
    """

    at: datetime
    project: str
    method: str
    path: str
    status: int
    faults: tuple[str, ...] = ()


class World:
    """Everything that is simulated. Safe for many threads.

    Args:
        latency: how long things take.
        driver: makes something real of it; nothing without one.
        requests_per_hour: of each project.
        address: what stands before the path in links.
        addresses: where public IPv4 addresses come from; the default network is for benchmarks and routed nowhere.
    """

    def __init__(
        self,
        *,
        clock: WorldClock | None = None,
        latency: Latency = NONE,
        driver: Driver | None = None,
        offers: Offers | None = None,
        requests_per_hour: int = REQUESTS_PER_HOUR,
        address: str = "https://api.hetzner.cloud/v1",
        addresses: str = "198.18.0.0/16",
    ) -> None:
        self.clock: WorldClock = clock or RunningClock()
        self.latency = latency
        self.offers = offers or Offers()
        self.requests_per_hour = requests_per_hour
        self.address = address
        self.addresses = addresses
        self.projects: dict[str, Project] = {}
        self.faults: list[Fault] = []
        self.requests: list[Seen] = []
        self.counts: Counter[str] = Counter()
        """Requests by `METHOD /path`, with ids left out."""
        self.changed: Callable[[], None] = lambda: None
        """Called with the lock held after each request that may have changed something."""
        self.drives = Drives(self, driver)
        table = effects.Effects(self)
        self.engine = Engine(self.clock, table.effects, table.begins, table.fails, self.drives.work)
        self._grants: dict[str, Grant] = {}
        self._ids = itertools.count(FIRST_ID)
        self._lock = threading.RLock()
        self._system = {
            one.id: Image(
                id=one.id,
                name=one.name,
                created=self.clock.now(),
                labels={},
                type="system",
                status="available",
                description=one.description,
                architecture=one.architecture,
                disk_size=one.disk_size,
                os_flavor=one.os_flavor,
                os_version=one.os_version,
                announced=one.announced,
                unavailable_after=one.unavailable_after,
            )
            for one in self.offers.prices.images
        }

    # -- projects and tokens ------------------------------------------------------------------------------------

    def project(self, name: str = "default") -> Project:
        """The project of that name; made at first."""
        with self._lock:
            return self.projects.setdefault(name, Project(name=name))

    def token(self, project: str = "default", *, readonly: bool = False, value: str = "") -> str:
        """A new token for a project.

        Args:
            value: the token itself; a random one without.
        """
        with self._lock:
            self.project(project)
            token = value or f"simulated{secrets.token_hex(28)}"[:TOKEN_LENGTH].ljust(TOKEN_LENGTH, "0")
            self._grants[token] = Grant(project=project, readonly=readonly)
            return token

    def tokens(self, project: str = "default") -> list[str]:
        """Those that may change a project."""
        return [token for token, grant in self._grants.items() if grant.project == project and not grant.readonly]

    # -- the way in ---------------------------------------------------------------------------------------------

    def call(
        self,
        token: str,
        method: str,
        path: str,
        query: Mapping[str, Sequence[str]] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """Answer one request.

        Args:
            token: what stands after `Bearer`.
            path: with or without `/v1`.
        """
        path = path.removeprefix("/v1").rstrip("/") or "/"
        with self._lock:
            self.engine.settle()
            grant = self._grants.get(token)
            if grant is None:
                refused = Refused(401, "unauthorized", "unable to authenticate")
                return self._seen("", method, path, Answer(401, refused.body()), [])
            project = self.projects[grant.project]
            call = Call(self, project, method, path, query or {}, body)
            acting = faults.acting(self.faults, project.name, f"{method} {path}", _peek(body))
            answer = self._faulty(call, grant, acting)
            self._count_down(project, answer)
            answer.headers["X-Correlation-Id"] = secrets.token_hex(8)
            if method != "GET":
                self.changed()
            self._seen(project.name, method, path, answer, acting)
        answer.wait += self.clock.wait(self.latency.reply) if self.latency.reply else 0.0
        return answer

    def _faulty(self, call: Call, grant: Grant, acting: Sequence[Fault]) -> Answer:
        """The answer, with what the faults make of it."""
        before = next((fault for fault in acting if fault.kind.when is When.BEFORE), None)
        if before is not None:
            return self._broken_by(before)
        if not self._refill(call.project):
            refused = Refused(429, "rate_limit_exceeded", "limit of requests per hour exceeded")
            return Answer(429, refused.body())
        call.acting = acting
        answer = self._answer(call, grant)
        for fault in acting:
            self._worsen(call, fault, answer)
        for fault in acting:
            if fault.kind.when is When.COMMITTED:
                return self._broken_by(fault)
        return answer

    def _answer(self, call: Call, grant: Grant) -> Answer:
        try:
            handler, call.names = routes.handler(call.method, call.path)
            if grant.readonly and call.method != "GET":
                raise Refused(403, "token_readonly", "the token is only allowed to perform GET requests")
            return handler(call)
        except Refused as refused:
            return Answer(refused.status, refused.body())

    def _broken_by(self, fault: Fault) -> Answer:
        kind = fault.kind
        if fault.name in ("stalled", "stalled_after"):
            return Answer(0, broken=True, wait=self.clock.wait(fault.number("seconds", 60)))
        if fault.name == "bad_gateway":
            return Answer(kind.status, page="<html><body><h1>502 Bad Gateway</h1></body></html>")
        if not kind.status:
            return Answer(0, broken=True)
        return Answer(kind.status, Refused(kind.status, kind.code, kind.message).body())

    def _worsen(self, call: Call, fault: Fault, answer: Answer) -> None:
        """Faults that let a request be done and spoil what comes of it."""
        if fault.name == "slow_reply":
            answer.wait += self.clock.wait(fault.number("seconds", 5))
        elif fault.name == "never_boots" and answer.status == 201 and answer.body:
            call.project.servers[answer.body["server"]["id"]].boots = False
        elif fault.name == "firewall_released_late" and answer.status == 200:
            call.begun[0].arguments["release"] = fault.number("seconds", 60)
        elif len(call.begun) > 1 and fault.name == "failing_follow_up":
            call.begun[-1].fails = str(fault.options.get("code", "action_failed"))

    def _refill(self, project: Project) -> bool:
        """Take one request from the project's hour; whether one was left."""
        now, most = self.clock.now(), float(self.requests_per_hour)
        if project.remaining < 0 or project.refilled is None:
            project.remaining, project.refilled = most, now
        passed = (now - project.refilled).total_seconds()
        project.remaining = min(most, project.remaining + passed * most / _SECONDS)
        project.refilled = now
        if project.remaining < 1:
            return False
        project.remaining -= 1
        return True

    def _count_down(self, project: Project, answer: Answer) -> None:
        """The headers that tell how many requests are left."""
        most, now = self.requests_per_hour, self.clock.now()
        left = most if project.remaining < 0 else int(project.remaining)
        whole = now + timedelta(seconds=(most - left) * _SECONDS / max(1, most))
        answer.headers |= {
            "RateLimit-Limit": str(most),
            "RateLimit-Remaining": str(left),
            "RateLimit-Reset": str(int(whole.timestamp())),
        }

    def _seen(self, project: str, method: str, path: str, answer: Answer, acting: Iterable[Fault]) -> Answer:
        names = tuple(fault.name for fault in acting)
        status = 0 if answer.broken else answer.status
        self.requests.append(
            Seen(at=self.clock.now(), project=project, method=method, path=path, status=status, faults=names)
        )
        if len(self.requests) > _LOG:
            del self.requests[: _LOG // 2]
        self.counts[f"{method} {routes.pattern_of(method, path)}"] += 1
        return answer

    # -- what handlers and effects need -------------------------------------------------------------------------

    def next_id(self) -> int:
        """An id that nothing else has."""
        return next(self._ids)

    def image(self, project: Project, which: int) -> Image | None:
        """A system image or one of the project's."""
        return self._system.get(which) or project.images.get(which)

    def images(self, project: Project) -> list[Image]:
        """All that a project sees."""
        return [*self._system.values(), *project.images.values()]

    def quota(self, project: Project, kind: str) -> None:
        """Raises Refused: `resource_limit_exceeded` where a project may have no more of a kind."""
        if len(getattr(project, kind)) >= project.quotas.get(kind, QUOTAS[kind]):
            raise limit(f"{kind.removesuffix('s')}_limit")

    def begin(
        self,
        call: Call,
        command: str,
        resources: Sequence[Ref],
        effect: str,
        arguments: Mapping[str, Any],
        *,
        takes: str,
        drives: str = "",
        locks: Sequence[Ref] = (),
        after: Action | None = None,
    ) -> Action:
        """Begin an action.

        Args:
            takes: name of a latency.
            after: the action that must have ended first.
        """
        action = Action(
            id=self.next_id(),
            command=command,
            resources=list(resources),
            status="running",
            started=self.clock.now(),
            effect=effect,
            arguments=dict(arguments),
            seconds=self.latency.named(takes),
            after=after.id if after else None,
            drives=drives,
            locks=list(locks),
        )
        for fault in () if call.begun else call.acting:
            if fault.name == "slow_action":
                action.seconds += fault.number("seconds", _SECONDS)
            elif fault.name == "failing_action":
                action.fails = str(fault.options.get("code", "action_failed"))
        call.begun.append(action)
        self.engine.begin(call.project, action)
        return action

    def later(
        self,
        project: Project,
        seconds: float,
        effect: str,
        arguments: Mapping[str, Any],
        since: datetime | None = None,
    ) -> None:
        """Let something happen by itself after a while. `since`: from when it counts; from now on without."""
        due = (since or self.clock.now()) + timedelta(seconds=seconds)
        self.engine.later(project, Event(due=due, effect=effect, arguments=dict(arguments)))

    def charge(self, project: Project, charge: Charge) -> None:
        """From now on something is there."""
        project.charges.append(charge)

    def relabel(self, project: Project, kind: str, one: Record) -> None:
        """The bill names things as they are called now."""
        for charge in project.charges:
            if charge.kind == kind and charge.id == str(one.id):
                charge.name, charge.labels = one.name, one.labels

    def reselect(self, project: Project) -> None:
        """Labels or selectors have changed: firewalls look at them later."""
        if any(wall.selectors for wall in project.firewalls.values()) or any(
            wall.applied for wall in project.firewalls.values()
        ):
            self.later(project, self.latency.select, "selected", {})

    def discharge(
        self, project: Project, kind: str, which: object, at: datetime | None = None, *, name: str | None = None
    ) -> None:
        """Something is gone. `name`: where ids of a kind are not its own, as those of records."""
        for charge in project.charges:
            same = charge.kind == kind and charge.id == str(which) and name in (None, charge.name)
            if same and charge.until is None:
                charge.until = at or self.clock.now()

    # -- for tests and for people -------------------------------------------------------------------------------

    def fault(self, fault: Fault) -> Fault:
        """Let something go wrong."""
        with self._lock:
            self.faults.append(fault)
            return fault

    def clear_faults(self) -> None:
        """Let nothing go wrong any more."""
        with self._lock:
            self.faults.clear()

    def stock(self, type_name: str, location: str, available: bool) -> None:
        """Let the catalogue say that a type is there or not. Raises KeyError for one that is not sold there."""
        sold = self.offers.type(type_name)
        if sold is None or location not in sold.locations:
            raise KeyError(type_name)
        with self._lock:
            (self.offers.sold_out.discard if available else self.offers.sold_out.add)((type_name, location))

    def bill(self, project: str = "default") -> Bill:
        """What exists in a project, and what it has cost so far."""
        with self._lock:
            self.engine.settle()
            return bill_of(self.project(project), self.offers.prices.currency, self.clock.now())

    def answers(self, name: str, type_name: str) -> list[str] | None:
        """What the name servers of the zones here answer for a full name; None for a name in no zone."""
        with self._lock:
            self.engine.settle()
            return zones.answers(self.projects.values(), name, type_name)

    def action(self, project: Project, which: int) -> dict[str, Any]:
        """An action as the API shows it. Raises Refused."""
        if which not in project.actions:
            raise not_found("action", which)
        return shown.action(self, project.actions[which])

    def settle(self) -> None:
        """Bring the world up to date."""
        with self._lock:
            self.engine.settle()

    def keep(self) -> None:
        """Write down what was changed beside the API."""
        with self._lock:
            self.changed()

    def close(self) -> None:
        """Wait for the driver."""
        self.engine.close()
        self.drives.close()

    # -- written down -------------------------------------------------------------------------------------------

    def save(self) -> bytes:
        """The whole world as JSON. It holds tokens and user data."""
        with self._lock:
            first = self.next_id()
            return msgspec.json.encode(
                Saved(
                    projects=self.projects,
                    grants=self._grants,
                    next_id=first,
                    now=self.clock.now(),
                    sold_out=sorted(self.offers.sold_out),
                    faults=self.faults,
                )
            )

    def restore(self, saved: Saved) -> None:
        """Take up a world that was written down; only at the beginning."""
        with self._lock:
            self.projects, self._grants = saved.projects, saved.grants
            self._ids = itertools.count(saved.next_id)
            self.offers.sold_out = set(saved.sold_out)
            self.faults = saved.faults
            self.engine.restore(self.projects.values())


def _peek(body: bytes) -> Mapping[str, Any]:
    """A body as far as faults look at it."""
    try:
        read = msgspec.json.decode(body) if body else {}
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return {}
    return read if isinstance(read, dict) else {}
