"""The words of a plan: steps, what they need, and what came of them.

A step is data. How it is done, found again, verified and undone is a `Doing` of its action; the engine (apply.py) knows
none of them by name. What a step needs of another one it reads from that one's facts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable
from uuid import UUID

from frostbyte.control_plane.provisioning.resources import Kind, Owner
from frostbyte.kernel.canonical import canonical
from frostbyte.kernel.errors import Conflict


class Action(StrEnum):
    """What a step does. The comment names the row of the owner's runbook (docs/spec.md, 2.2)."""

    SSH_KEY = "ssh_key"  # base
    NETWORK = "network"  # 2
    FIREWALL = "firewall"  # 3: shared by role, the base's; a tenant's step only sees that it is there
    FIREWALL_SEEN = "firewall_seen"  # 3 and 8
    PRIMARY_IP = "primary_ip"  # base
    SERVER = "server"  # 4, 5, 6: made switched off
    JOIN = "join"  # 4, 5, 6: its address in the network
    VOLUME = "volume"  # 7
    ATTACH = "attach"  # 7
    START = "start"  # 4, 5, 6: `running`
    SETTLE = "settle"  # booted, configured, its own host key pinned
    UNLOCK = "unlock"  # 7: an encrypted volume is open and mounted
    SECRETS = "secrets"  # 10
    CERTIFICATES = "certificates"  # 10
    FILES = "files"  # 12: what a host is given
    STORAGE = "storage"  # 9: stores start, the tenant's parts of them are made and verified
    DEPLOY = "deploy"  # 12: `docker compose up`
    SIGNING = "signing"  # 12: what signs lies a second time on the tenant's volume
    RECORD = "record"  # 11
    ENDPOINTS = "endpoints"  # 13: how the plane is reached, registered
    INSTALL = "install"  # hosts build
    SEAL = "seal"  # hosts build: nothing of the builder itself is left, and it is off
    SNAPSHOT = "snapshot"  # hosts build
    DRAIN = "drain"  # of a host that leaves: what it works on is ended, and what it alone has is carried on
    GROW = "grow"  # 7: the file system is as large as its volume
    HANDOVER = "handover"  # base: the control plane on its own host is given journal and keys


PAID: frozenset[Action] = frozenset(
    {
        Action.SSH_KEY,
        Action.NETWORK,
        Action.FIREWALL,
        Action.PRIMARY_IP,
        Action.SERVER,
        Action.VOLUME,
        Action.RECORD,
        Action.SNAPSHOT,
    }
)
"""Actions that make a resource: something that a sweeper can find without an owner."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing to do.

    Attributes:
        key: unique in its plan and stable between plans: `network`, `server.worker-1`, `files.db`.
        name: of the resource, deterministic; '' where there is none.
        needs: keys of the steps that come before.
        spec: what it is to be, as JSON values (specs.py). Its hash is journalled: another spec under the same key is a
            change.
        row: of the owner's runbook; 0 for a step that it does not name.
        seconds: what it usually takes, for estimates.
        monthly: what it costs a month, net.
    """

    key: str
    action: Action
    name: str = ""
    needs: tuple[str, ...] = ()
    spec: Mapping[str, Any] = field(default_factory=dict)
    row: int = 0
    seconds: float = 1.0
    monthly: Decimal = Decimal(0)

    @property
    def kind(self) -> Kind | None:
        """The kind of resource that it makes; None where it makes none."""
        return Kind(self.action.value) if self.action in PAID else None

    @property
    def spec_sha256(self) -> str:
        """Of the canonical JSON of its spec, hexadecimal."""
        return hashlib.sha256(canonical(dict(self.spec))).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a step.

    Attributes:
        resource_id: the cloud's id; '' where nothing was made.
        facts: what other steps and people need of it, as JSON values. Never a secret: it is stored and shown.
        adopted: it was there already, with our labels.
    """

    resource_id: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    adopted: bool = False


class Context(Protocol):
    """What a step may know while it is done."""

    @property
    def owner(self) -> Owner: ...
    @property
    def run_id(self) -> UUID: ...
    def outcome(self, key: str) -> Outcome:
        """Of a step that is done. Raises KeyError."""
        ...

    def stopped(self) -> bool:
        """Whether to stop as soon as that is safe: another provisioner holds the lease, or the process ends."""
        ...


class Doing(Protocol):
    """How one action is done. Each method may be called again after a crash at any moment in it.

    All raise FrostbyteError alone. A code in `retry.AGAIN` is tried again with growing pauses; any other ends the run.
    """

    def find(self, step: Step, context: Context) -> Outcome | None:
        """What an earlier attempt has made, by name, if its labels are ours; None if there is nothing.

        Raises:
            Conflict: `resource_not_ours`: the name is taken by something that is not ours. It is left alone.
        """
        ...

    def do(self, step: Step, context: Context) -> Outcome:
        """Do it, and return when the cloud says that it is done.

        One that may be done in several ways (types, places) tries the next by itself where one is out of stock:
        `cloud_out_of_stock` means that none is left, and ends the run.
        """
        ...

    def verify(self, step: Step, outcome: Outcome, context: Context) -> None:
        """See for oneself that it is so, as the runbook's table says. Raises FrostbyteError."""
        ...

    def undo(self, step: Step, outcome: Outcome | None, context: Context) -> None:
        """Take it away and see that it is gone. `outcome` is None where it is not known whether anything was made."""
        ...


@runtime_checkable
class Lasting(Protocol):
    """A doing that can say at once whether what it made is still there, without waiting for it."""

    def lasts(self, step: Step, outcome: Outcome, context: Context) -> bool:
        """Asks once. Raises FrostbyteError where nobody can say."""
        ...


@runtime_checkable
class Changing(Protocol):
    """A doing that can also change what was made with another spec. Without it a resource is taken away and made anew;
    a step that makes none is done again."""

    def change(self, step: Step, outcome: Outcome, context: Context) -> Outcome | None:
        """Bring it to the step's spec in place; None where that cannot be: it is made anew. May be called again."""
        ...


@runtime_checkable
class Again(Protocol):
    """A doing that can give once more what changed since, while everything that it was given to goes on running."""

    def again(self, step: Step, context: Context) -> None:
        """May be called again after a crash at any moment in it. Raises FrostbyteError."""
        ...


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Why a plan cannot be carried out: an error's code, sentence and remedy."""

    code: str
    message: str
    remedy: str


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be done, in an order that can run.

    Attributes:
        steps: in order; each comes after what it needs. Steps that do not need each other may run at once.
        warnings: sentences for people: a type that goes away, a place that is out of stock.
        problems: why it cannot run as it is; a plan that has any is only shown.
        facts: addresses, chosen types and places, for people and for `--json`.
        monthly: net sum, in `currency`.
    """

    owner: Owner
    steps: tuple[Step, ...]
    warnings: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    monthly: Decimal = Decimal(0)
    currency: str = "EUR"

    def check(self) -> Plan:
        """Itself, if it can run.

        Raises:
            Conflict: with the code of its first problem.
        """
        for problem in self.problems:
            raise Conflict(problem.code, problem.message, problem.remedy)
        return self
