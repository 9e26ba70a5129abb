"""Brings a journal that came from a backup up to what is there: observe, compare, adopt.

Whatever carries our labels was intended by this environment's journal, for that is written before a cloud is asked; so
what the journal does not know is younger than the backup that it came from. Its owner stands on its labels. How it is
to be remembered says the plan for that owner, with what can be seen taken for what was asked; the plan's own steps look
for it and vouch for it. Nothing is made, changed or removed, and what cannot be known again is told to a person.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from ipaddress import ip_network
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec.structs import replace

from frostbyte.control_plane.provisioning import adoption
from frostbyte.control_plane.provisioning.adoption import Adoption
from frostbyte.control_plane.provisioning.apply import Workshops
from frostbyte.control_plane.provisioning.building import ASKED
from frostbyte.control_plane.provisioning.journal import Direction, EntryRow, EntryState, RunRow, RunState
from frostbyte.control_plane.provisioning.notes import run_event
from frostbyte.control_plane.provisioning.ports import ProvisioningFactory, ProvisioningUnitOfWork
from frostbyte.control_plane.provisioning.regiving import Standing
from frostbyte.control_plane.provisioning.resources import (
    ENVIRONMENT,
    FROSTBYTE,
    MANAGED_BY,
    OWNER,
    STEP,
    Found,
    Kind,
    Owner,
)
from frostbyte.control_plane.provisioning.steps import Action, Outcome, Step
from frostbyte.control_plane.provisioning.sweeping import Site
from frostbyte.control_plane.registry.changes import ITSELF, changed, event_of, word
from frostbyte.control_plane.registry.records import (
    OperationKind,
    OperationRow,
    OperationStatus,
    TenantConfigRow,
    TenantRow,
)
from frostbyte.control_plane.registry.states import Failed, Move, TenantState, moved
from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import FrostbyteError
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.settings import tenant_name
from frostbyte.kernel.tenancy import TenantConfig

ACTOR: Final = "restore"
REASON: Final = "control_restored"
_HOLDER: Final = "adopting"
_MOMENT: Final = timedelta(minutes=1)
_TENANT: Final = "tenant."
_BEFORE: Final = frozenset({TenantState.PENDING, TenantState.PROVISIONING})
_PAGE: Final = 1000


class Adopting:
    """See the module.

    Args:
        unit_of_work: of registry and journal.
        environment: whose things are looked at.
        site: opens a project. Raises FrostbyteError where it has no token.
        workshops: how an owner's steps look for what they have made.
    """

    def __init__(
        self,
        unit_of_work: ProvisioningFactory,
        environment: str,
        clock: Clock,
        site: Callable[[str], Site],
        workshops: Workshops,
    ) -> None:
        self._unit_of_work, self._environment, self._clock = unit_of_work, environment, clock
        self._site, self._workshops = site, workshops

    def adopt(self, done: Adoption | None = None) -> Adoption:
        """Look at every project and adopt; again, and what was adopted is known.

        Args:
            done: what calls that were cut off have told.
        """
        done = done or Adoption()
        seen: set[tuple[Kind, str]] = set()
        for project_id in self._projects():
            try:
                site = self._site(project_id)
                found = [one for one in (*site.cloud.observe(), *site.dns.observe()) if self._ours(one)]
            except FrostbyteError as error:
                done.found.append(adoption.blind(project_id, error))
                continue
            fresh = [one for one in found if (one.kind, _identity(one)) not in seen]  # projects may share a token
            seen |= {(one.kind, _identity(one)) for one in fresh}
            self._project(project_id, fresh, done)
        return done

    def _project(self, project_id: str, found: Sequence[Found], done: Adoption) -> None:
        by_owner: dict[str, list[Found]] = {}
        for one in found:
            by_owner.setdefault(one.labels.get(OWNER, ""), []).append(one)
        for label, mine in sorted(by_owner.items()):  # the base first: tenants are planned on its ground
            try:
                owner = self._owner(project_id, label, mine, done)
                if owner is not None:
                    self._own(owner, mine, done)
            except FrostbyteError as error:
                done.found.append(adoption.refused(label, error))
        for owner in self._owners(project_id):
            if owner.label not in by_owner:
                done.found += self._gone(owner)

    # -- whose it is -------------------------------------------------------------------------------------------------

    def _ours(self, one: Found) -> bool:
        return (one.labels.get(MANAGED_BY), one.labels.get(ENVIRONMENT)) == (FROSTBYTE, self._environment)

    def _projects(self) -> list[str]:
        with self._unit_of_work() as uow:
            rows, after = [], ""
            while page := uow.projects.page(after=after, limit=_PAGE):
                rows += page
                after = page[-1].project_id
        return [row.project_id for row in rows if row.environment == self._environment]

    def _owners(self, project_id: str) -> list[Owner]:
        """Tenants for which the journal has something that is there."""
        with self._unit_of_work() as uow:
            rows = uow.journal.owned(self._environment)
        owners = {row.owner for row in rows if row.project_id == project_id and row.tenant_id}
        return sorted(owners, key=lambda owner: owner.tenant_id)

    def _owner(self, project_id: str, label: str, found: Sequence[Found], done: Adoption) -> Owner | None:
        """Whose they are; a tenant that the register does not have is entered."""
        owner = Owner(environment=self._environment, project_id=project_id)
        if label == owner.label:
            return owner
        if not label.startswith(_TENANT):
            done.found.append(adoption.unreadable(label))
            return None
        owner = replace_tenant(owner, tenant_name(label.removeprefix(_TENANT)))
        with self._unit_of_work() as uow:
            row = uow.tenants.get(owner.tenant_id)
            known = {(entry.kind, entry.resource_id) for entry in uow.journal.entries(owner)}
        if row is not None and row.project_id != project_id:
            return None  # two projects with one token: the other one sees to it
        younger = any((one.kind.value, one.resource_id) not in known for one in found if one.kind is not Kind.RECORD)
        if row is None or (younger and _was_being_made(row)):
            self._enter(owner, row, found, done)
        elif row.state is TenantState.DEPROVISIONED:
            done.found.append(adoption.comes_back(owner.tenant_id))
            return None
        return owner

    def _enter(self, owner: Owner, row: TenantRow | None, found: Sequence[Found], done: Adoption) -> None:
        """As a tenant in service: so nobody makes it anew, or takes its volume away, by mistake."""
        person = adoption.keys_lost(owner.tenant_id) if row is None else adoption.unsure(owner.tenant_id)
        with self._unit_of_work() as uow:
            if row is None:
                row = self._created(uow, owner, _octet(found))
            row = uow.tenants.get(owner.tenant_id, lock=True) or row
            operation = OperationRow(
                operation_id=new_id(),
                tenant_id=owner.tenant_id,
                kind=OperationKind.PROVISION,
                status=OperationStatus.RUNNING,
                actor=ACTOR,
                reason=REASON,
                started_at=self._clock.now(),
                ended_at=None,
                code="",
            )
            uow.operations.add(operation)
            first = Move.RETRY if row.failed is Failed.PROVISION else Move.PROVISION
            for move in (first, Move.PROVISIONED):
                if move is first and row.state is TenantState.PROVISIONING:
                    continue
                state, failed = moved(row.state, row.failed, move)
                details = {
                    "reason": REASON,
                    "operation_id": operation.operation_id,
                    "from_state": word(row.state),
                    "to_state": word(state),
                    "status": "changed",
                }
                type = event_of(move, row.failed)
                row = changed(uow, self._clock, row, type, ACTOR, details, state=state, failed=failed)
            uow.operations.end(replace(operation, status=OperationStatus.SUCCEEDED, ended_at=self._clock.now()))
            done.tell(tenants=[owner.tenant_id], persons=[person])
            uow.commit()

    def _created(self, uow: ProvisioningUnitOfWork, owner: Owner, octet: int | None) -> TenantRow:
        details = {"component": "registry", "version": 1, "config_version": 1, "to_state": word(TenantState.PENDING)}
        event = make_event(
            owner.tenant_id, EventType.TENANT_CREATED, self._clock, ACTOR, "tenant", owner.tenant_id, details
        )
        if octet is None or octet in uow.tenants.octets(owner.project_id):
            octet = min(set(range(1, 255)) - uow.tenants.octets(owner.project_id))
        row = TenantRow(
            tenant_id=owner.tenant_id,
            project_id=owner.project_id,
            octet=octet,
            state=TenantState.PENDING,
            failed=Failed.NOTHING,
            version=1,
            config_version=1,
            standing_version=0,
            created_at=event.timestamp,
            updated_at=event.timestamp,
            last_event_id=event.event_id,
        )
        uow.audit.append(event)
        uow.tenants.add(row)
        uow.configs.add(
            TenantConfigRow(
                tenant_id=owner.tenant_id,
                version=1,
                values=msgspec.json.decode(msgspec.json.encode(TenantConfig())),
                actor=ACTOR,
                created_at=event.timestamp,
            )
        )
        return row

    # -- what it is --------------------------------------------------------------------------------------------------

    def _own(self, owner: Owner, found: Sequence[Found], done: Adoption) -> None:
        with self._unit_of_work() as uow:
            if uow.journal.running(owner):
                return  # goes on by itself, and looks for what it had asked for
            entries = {row.key: row for row in uow.journal.entries(owner)}
            runs = uow.journal.runs(owner)
        strange = [one for one in found if not _told(entries.values(), one)]
        grown = [row for row in entries.values() if (one := _same(row, found)) is not None and _differs(row, one)]
        if not strange and not grown:
            return
        last = next(
            (run.request for run in runs if run.direction is not Direction.DOWN and ASKED not in run.request), {}
        )
        request = adoption.asked(last, found) if owner.tenant_id else dict(last)
        seen = self._looked(owner, request, entries)
        written = [pair for pair in seen if _news(entries.get(pair[0].key), pair[1])]
        covered = {pair[1].resource_id for pair in written}
        written += [_bare(one, entries) for one in strange if one.resource_id not in covered]
        self._write(owner, request, entries, written, found, done)

    def _looked(
        self, owner: Owner, request: Mapping[str, Any], entries: Mapping[str, EntryRow]
    ) -> list[tuple[Step, Outcome]]:
        """Steps of the plan for what is asked, as far as what they make is there, each with what it came to."""
        try:
            workshop = self._workshops(owner)
            plan, doings = workshop.plan(owner, request), workshop.doings
        except FrostbyteError:
            return []  # what is there is remembered as it is seen
        known = {row.key: _outcome(row) for row in entries.values() if row.state is EntryState.DONE}
        found: list[tuple[Step, Outcome]] = []
        context = Standing(owner, UUID(int=0), known, threading.Event())
        for step in plan.steps:
            doing = doings.get(step.action)
            if doing is None or (step.kind is None and step.action not in _JOINTS):
                continue
            try:
                outcome = doing.find(step, context)
            except (FrostbyteError, KeyError):  # it differs, or what it hangs on is not there: drift tells
                outcome = None
            if outcome is not None:
                known[step.key] = outcome
                found.append((step, outcome))
        return found

    def _write(
        self,
        owner: Owner,
        request: Mapping[str, Any],
        entries: Mapping[str, EntryRow],
        written: Sequence[tuple[Step, Outcome]],
        found: Sequence[Found],
        done: Adoption,
    ) -> None:
        with self._unit_of_work() as uow:
            if not written:
                return
            run = self._begun(uow, owner, request)
            for number, (step, outcome) in enumerate(written):
                self._put(uow, run, entries.get(step.key), step, outcome, len(entries) + number)
            ended = replace(run, state=RunState.SUCCEEDED, holder="", leased_until=None, ended_at=self._clock.now())
            uow.journal.put_run(ended)
            run_event(uow, self._clock, ended, EventType.RUN_ENDED, ACTOR, outcome=ended.state)
            done.tell(
                adopted=list(adoption.known(owner, entries, written)),
                persons=adoption.strangers(owner, entries, written) if owner.tenant_id else (),
            )
            uow.commit()

    def _begun(self, uow: ProvisioningUnitOfWork, owner: Owner, request: Mapping[str, Any]) -> RunRow:
        """A run that begins and ends within one transaction: no provisioner ever sees it."""
        now = self._clock.now()
        run = RunRow(
            run_id=new_id(),
            environment=owner.environment,
            project_id=owner.project_id,
            tenant_id=owner.tenant_id,
            direction=Direction.UP,
            state=RunState.RUNNING,
            request=dict(request),
            plan={},
            fence=max((run.fence for run in uow.journal.runs(owner)), default=0) + 1,
            holder="",
            leased_until=None,
            started_at=now,
            ended_at=None,
            code="",
        )
        uow.journal.begin(run)
        run_event(uow, self._clock, run, EventType.RUN_BEGUN, ACTOR)
        taken = uow.journal.take(run.run_id, _HOLDER, now, now + _MOMENT)
        assert taken is not None  # it was begun here, and nobody else sees it
        return taken

    def _put(
        self,
        uow: ProvisioningUnitOfWork,
        run: RunRow,
        old: EntryRow | None,
        step: Step,
        outcome: Outcome,
        position: int,
    ) -> None:
        row = EntryRow(
            environment=run.environment,
            project_id=run.project_id,
            tenant_id=run.tenant_id,
            key=step.key,
            run_id=run.run_id,
            action=step.action.value,
            kind=step.kind.value if step.kind else "",
            name=step.name,
            spec_sha256=step.spec_sha256,
            spec=dict(step.spec),
            needs=list(step.needs),
            position=position if old is None else old.position,
            state=EntryState.INTENDED,
            resource_id=outcome.resource_id,
            facts=dict(outcome.facts),
            attempts=0,
            code="",
            fence=run.fence,
            changed_at=self._clock.now(),
        )
        uow.journal.put(row)
        if row.kind:
            details = {
                "component": "provisioning",
                "provision_id": run.run_id,
                "action": row.action,
                "spec_hash": row.spec_sha256,
                **({"cloud_id": _plain(row.resource_id)} if row.resource_id else {}),
            }
            uow.audit.append(
                make_event(
                    run.tenant_id or ITSELF, EventType.RESOURCE_ADOPTED, self._clock, ACTOR, row.kind, row.key, details
                )
            )
        uow.journal.put(replace(row, state=EntryState.DONE))

    def _gone(self, owner: Owner) -> Iterator[adoption.Person]:
        with self._unit_of_work() as uow:
            row = uow.tenants.get(owner.tenant_id)
            paid = [one for one in uow.journal.entries(owner) if one.kind and one.state is EntryState.DONE]
        if row is not None and paid and row.state in (TenantState.ACTIVE, TenantState.SUSPENDED):
            yield adoption.gone(owner.tenant_id)


_JOINTS: Final = frozenset({Action.JOIN, Action.ATTACH})
"""Steps without a resource that can be seen to be done."""


def replace_tenant(owner: Owner, tenant_id: str) -> Owner:
    """The tenant as owner, in the same project."""
    return Owner(environment=owner.environment, project_id=owner.project_id, tenant_id=tenant_id)


def _was_being_made(row: TenantRow) -> bool:
    return row.state in _BEFORE or (row.state is TenantState.FAILED and row.failed is Failed.PROVISION)


def _told(entries: Iterable[EntryRow], one: Found) -> bool:
    """Whether the journal knows this very one."""
    return any(row.state is not EntryState.GONE and _means(row, one) for row in entries)


def _means(row: EntryRow, one: Found) -> bool:
    return row.kind == one.kind and (
        row.name == _name(one) if one.kind is Kind.RECORD else row.resource_id == one.resource_id
    )


def _same(row: EntryRow, found: Sequence[Found]) -> Found | None:
    return next((one for one in found if row.state is EntryState.DONE and _means(row, one)), None)


_WATCHED: Final[Mapping[Kind, tuple[str, ...]]] = {Kind.SERVER: ("type", "location"), Kind.VOLUME: ("size_gb",)}


def _differs(row: EntryRow, one: Found) -> bool:
    """Whether it was changed in place since."""
    return any(name in row.facts and row.facts[name] != one.facts.get(name) for name in _WATCHED.get(one.kind, ()))


def _news(row: EntryRow | None, outcome: Outcome) -> bool:
    if row is None or row.state is not EntryState.DONE or row.resource_id != outcome.resource_id:
        return True
    return any(row.facts.get(name) != value for name, value in outcome.facts.items())


def _outcome(row: EntryRow) -> Outcome:
    return Outcome(resource_id=row.resource_id, facts=row.facts)


def _bare(one: Found, entries: Mapping[str, EntryRow]) -> tuple[Step, Outcome]:
    """What no plan asks for, as it is seen; what takes its place in the journal keeps the spec that it had."""
    key = one.labels.get(STEP) or f"adopted.{one.kind.value}.{one.resource_id}".lower()
    old = entries.get(key)
    alike = old is not None and old.kind == one.kind.value
    if old is not None and not alike:
        key = f"adopted.{key}"
    spec = old.spec if old is not None and alike else dict(one.facts)
    step = Step(key=key, action=Action(one.kind.value), name=_name(one), spec=spec)
    return step, Outcome(resource_id=one.resource_id, facts=dict(one.facts), adopted=True)


def _name(one: Found) -> str:
    """As a step is called."""
    if one.kind is not Kind.RECORD:
        return one.name
    return f"{one.name}.{one.facts['zone']}/{one.resource_id.rpartition('/')[2]}"


def _identity(one: Found) -> str:
    return _name(one) if one.kind is Kind.RECORD else one.resource_id


def _octet(found: Sequence[Found]) -> int | None:
    for one in found:
        if one.kind is Kind.NETWORK and one.facts.get("cidr"):
            return int(str(ip_network(one.facts["cidr"]).network_address).split(".")[1])
    return None


def _plain(text: str) -> str:
    return text.replace("@", "apex").replace("*", "any")
