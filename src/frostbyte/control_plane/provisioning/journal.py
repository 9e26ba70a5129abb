"""What was intended, what came of it, and who may go on: the memory of every run.

A run brings an owner (a tenant, or the base of a project) up or takes it down. An entry is one step of one owner, kept
over runs: it says that a resource is ours from before the cloud was asked for it until it was seen to be gone. Nothing
that costs money exists without an entry, so the bill and the journal can be compared.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.kernel.records import Row


class Direction(StrEnum):
    """Where a run goes."""

    UP = "up"
    BACK = "back"
    """Up failed: what it made is taken away in reverse."""
    DOWN = "down"


class RunState(StrEnum):
    """How a run stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """It ended, and something may remain: entries that are not GONE say what."""


class EntryState(StrEnum):
    """How a step stands."""

    INTENDED = "intended"
    """Written before the call: whether it happened is not known."""
    DONE = "done"
    """Made and verified."""
    UNDOING = "undoing"
    GONE = "gone"


class RunRow(Row, frozen=True, kw_only=True):
    """One run. Of an owner at most one is RUNNING."""

    run_id: UUID
    """Of a tenant: its operation's id."""
    environment: str
    project_id: str
    tenant_id: str
    """'' for the base."""
    direction: Direction
    state: RunState
    request: dict[str, Any]
    """What was asked for: shape, workers, octet ..., as `desired` reads it. No secret."""
    plan: dict[str, Any]
    """The steps that were decided (planned.py), so that whoever goes on needs nothing but the journal; {} before."""
    fence: int
    """Raised by each provisioner that takes the run, and higher than that of any run before it; whoever has a lower
    one may write nothing."""
    holder: str
    """Who holds the lease; '' for nobody."""
    leased_until: datetime | None
    started_at: datetime
    ended_at: datetime | None
    code: str
    """Of the error that turned it back or ended it; '' for none."""

    @property
    def owner(self) -> Owner:
        """Whose it is."""
        return Owner(environment=self.environment, project_id=self.project_id, tenant_id=self.tenant_id)


def in_force(runs: Sequence[RunRow]) -> dict[str, Any] | None:
    """What an owner's plane was asked to be: by the newest run that succeeded, for one that was turned back led to what
    was there before; of an owner that was never up, by the newest that tried. None where nobody asked.

    Args:
        runs: the owner's, newest first.
    """
    up = [run for run in runs if run.direction is not Direction.DOWN]
    return next((run.request for run in [*(one for one in up if one.state is RunState.SUCCEEDED), *up]), None)


class EntryRow(Row, frozen=True, kw_only=True):
    """One step of one owner."""

    environment: str
    project_id: str
    tenant_id: str
    key: str
    """As in `Step.key`."""
    run_id: UUID
    """The run that intended it; resources carry it as a label."""
    action: str
    kind: str
    """Of the resource; '' for a step that makes none."""
    name: str
    spec_sha256: str
    """Of the canonical JSON of `spec`, hexadecimal."""
    spec: dict[str, Any]
    needs: list[str]
    position: int
    """In its plan: undone in reverse."""
    state: EntryState
    resource_id: str
    facts: dict[str, Any]
    attempts: int
    """Calls begun."""
    code: str
    """Of the last attempt's error."""
    fence: int
    changed_at: datetime

    @property
    def owner(self) -> Owner:
        """Whose it is."""
        return Owner(environment=self.environment, project_id=self.project_id, tenant_id=self.tenant_id)


class PricesRow(Row, frozen=True, kw_only=True):
    """What the plan of one run said that things cost: a plan, once it is decided, is never another."""

    run_id: UUID
    project_id: str
    tenant_id: str
    currency: str
    steps: dict[str, str]
    """By the key of a step, those that cost anything: a month, net, as a decimal number."""
    servers: list[dict[str, Any]]
    """As `facts` of the plan tells them: `host`, `type` and `location` for which a server's price holds."""


class Journal(Protocol):
    """Part of one transaction (`ProvisioningUnitOfWork.journal`)."""

    def begin(self, row: RunRow) -> None:
        """Raises Conflict: `run_running` where one of the same owner runs, `registry_refused` for a fence that is not
        above those of earlier runs."""
        ...

    def run(self, run_id: UUID) -> RunRow | None: ...
    def running(self, owner: Owner | None = None) -> list[RunRow]:
        """Of one owner or of all, oldest first."""
        ...

    def runs(self, owner: Owner) -> list[RunRow]:
        """All of an owner's, newest first."""
        ...

    def take(self, run_id: UUID, holder: str, now: datetime, until: datetime) -> RunRow | None:
        """Take the lease, with the next fence, if nobody else holds it at `now`; None if somebody does.

        A holder may take its own again: its name stands for one process at a time, so the one before is no more.
        """
        ...

    def beat(self, run_id: UUID, fence: int, until: datetime) -> bool:
        """Hold the lease longer; False if it was lost."""
        ...

    def put_run(self, row: RunRow) -> None:
        """Replace it. `row.fence` is the newest, or the next one, which ends the right of whoever holds the lease.

        Raises:
            Conflict: `fence_lost`; `registry_refused` for a way back that a run cannot go. One that SUCCEEDED up may
                be turned BACK, for it is seen later whether the plane answers.
        """
        ...

    def put(self, row: EntryRow) -> None:
        """Insert or replace an entry.

        Raises:
            Conflict: `fence_lost` if `row.fence` is not that of the owner's RUNNING run; `registry_refused` for a state
                that cannot follow, and for a resource made or gone without its audit event in this transaction.
        """
        ...

    def entries(self, owner: Owner) -> list[EntryRow]:
        """In plan order, GONE ones included."""
        ...

    def owned(self, environment: str) -> list[EntryRow]:
        """Every entry with a kind that is not GONE, of all owners: what may exist."""
        ...

    def prices(self, environment: str, known: Collection[UUID]) -> list[PricesRow]:
        """Of every run whose plan is decided, oldest first, but for those that are known already."""
        ...
