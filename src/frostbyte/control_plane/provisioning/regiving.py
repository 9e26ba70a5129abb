"""Brings hosts of tenants that stand what was made anew: certificates before they end, and what was rotated.

Nothing here is a run: nothing is planned, made or taken away, so nothing can be turned back. What a host is given is
what its step in the journal says, from the vault and the authority as they are now; giving it twice changes nothing.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from typing import Final
from uuid import UUID

import structlog

from frostbyte.control_plane.provisioning.apply import Workshops
from frostbyte.control_plane.provisioning.journal import Direction, EntryRow, EntryState, RunState
from frostbyte.control_plane.provisioning.notes import outcome_of
from frostbyte.control_plane.provisioning.planned import step_of
from frostbyte.control_plane.provisioning.ports import Certificates, ProvisioningFactory
from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.control_plane.provisioning.steps import Action, Again, Outcome
from frostbyte.control_plane.registry.records import DUTIES
from frostbyte.kernel.errors import Conflict, FrostbyteError

LOOK_SECONDS: Final = 3600.0
"""Between two looks at all certificates: a third of their 90 days is left when they are due."""
_log = structlog.get_logger("frostbyte.provisioner")


class Standing:
    """What a step may know of a tenant that stands: see steps.Context. Its outcomes are those of the journal."""

    def __init__(self, owner: Owner, run_id: UUID, done: Mapping[str, Outcome], stop: threading.Event) -> None:
        self.owner, self.run_id = owner, run_id
        self._done, self._stop = done, stop

    def outcome(self, key: str) -> Outcome:
        """Of a step that is done. Raises KeyError."""
        return self._done[key]

    def stopped(self) -> bool:
        """Whether the process ends."""
        return self._stop.is_set()


class Regiving:
    """See the module.

    Args:
        environment: whose tenants.
        workshops: how hosts of a project are reached.
        certificates: the tenants' authorities.
    """

    def __init__(
        self, unit_of_work: ProvisioningFactory, environment: str, workshops: Workshops, certificates: Certificates
    ) -> None:
        self._unit_of_work, self._environment = unit_of_work, environment
        self._workshops, self._certificates = workshops, certificates

    def run(self, stop: threading.Event) -> None:
        """Look at all certificates again and again, until the event is set."""
        while True:
            self.turn(stop)
            if stop.wait(LOOK_SECONDS):
                return

    def turn(self, stop: threading.Event) -> list[Owner]:
        """Renew what is due and bring it to its hosts; whose hosts were given something.

        What fails is tried again at the next look: a certificate that is due has a third of its life left.
        """
        renewed = []
        for owner in self.standing():
            if stop.is_set():
                break
            try:
                if not self._worked_on(owner) and self.renew(owner, stop):
                    renewed.append(owner)
            except FrostbyteError as error:
                _log.warning("certificates_wait", tenant=owner.tenant_id, code=error.code)
        return renewed

    def _worked_on(self, owner: Owner) -> bool:
        """Whether a duty may be giving the tenant's hosts other files now: theirs come first."""
        with self._unit_of_work() as uow:
            return any(row.kind in DUTIES for row in uow.operations.running(owner.tenant_id))

    def standing(self) -> list[Owner]:
        """Tenants with hosts of ours, by name, for which nothing is being made or taken away."""
        try:
            with self._unit_of_work() as uow:
                owners = {row.owner for row in uow.journal.owned(self._environment) if row.tenant_id}
            standing = [owner for owner in owners if self._stands(owner)]
        except FrostbyteError as error:  # whoever asks looks again: the loops that do must not end with the registry
            _log.warning("certificates_wait", code=error.code)
            return []
        return sorted(standing, key=lambda owner: owner.tenant_id)

    def _stands(self, owner: Owner) -> bool:
        with self._unit_of_work() as uow:
            latest = next(iter(uow.journal.runs(owner)), None)
        # A change that was turned back left what was there before it.
        return latest is not None and latest.direction is not Direction.DOWN and latest.state is not RunState.RUNNING

    def renew(self, owner: Owner, stop: threading.Event) -> bool:
        """Renew what is due and see that the hosts have it; whether they were given anything.

        Raises:
            FrostbyteError: what steps raise; Conflict: `tenant_moves`.
        """
        mark = self._mark(owner)
        if mark == self._certificates.given(owner):
            return False
        self.give(owner, stop)
        self._certificates.note_given(owner, mark)
        _log.info("certificates_given", tenant=owner.tenant_id)
        return True

    def give(self, owner: Owner, stop: threading.Event) -> None:
        """Give every host of the tenant its files again, stores first.

        Raises:
            FrostbyteError: what steps raise; Conflict: `tenant_moves`.
        """
        entries = self._entries(owner)
        doings = self._workshops(owner).doings
        done = {row.key: outcome_of(row) for row in entries}
        files = [row for row in entries if row.action == Action.FILES]
        for row in sorted(files, key=lambda row: row.spec.get("role") != "db"):
            if stop.is_set():
                raise moving()
            doing = doings[Action.FILES]
            context = Standing(owner, row.run_id, done, stop)
            if isinstance(doing, Again):
                doing.again(step_of(row), context)
            else:
                doing.do(step_of(row), context)

    def again(self, owner: Owner, action: Action, stop: threading.Event) -> None:
        """Do the tenant's steps of an action once more, in the order of its plan: workers before the gateway.

        Raises:
            FrostbyteError: what steps raise; Conflict: `tenant_moves`.
        """
        entries = self._entries(owner)
        doing = self._workshops(owner).doings[action]
        done = {row.key: outcome_of(row) for row in entries}
        chosen = [row for row in entries if row.action == action]
        for row in sorted(chosen, key=lambda row: row.spec.get("role") == "gateway"):
            if stop.is_set():
                raise moving()
            doing.do(step_of(row), Standing(owner, row.run_id, done, stop))

    def _mark(self, owner: Owner) -> str:
        """Names the certificates that the tenant's hosts ought to have; those that are due are made in this call."""
        made = next((row for row in self._entries(owner) if row.action == Action.CERTIFICATES), None)
        if made is None:
            raise moving()
        shown = self._certificates.servers(owner, made.facts["servers"])
        whole = hashlib.sha256(self._certificates.authority(owner).encode())
        for name in sorted(shown):
            whole.update(f"\n{name}\n{shown[name].certificate}".encode())
        return whole.hexdigest()

    def _entries(self, owner: Owner) -> list[EntryRow]:
        if not self._stands(owner):
            raise moving()
        with self._unit_of_work() as uow:
            return [row for row in uow.journal.entries(owner) if row.state is EntryState.DONE]


def moving() -> Conflict:
    """The tenant has no hosts that stand still."""
    return Conflict(
        "tenant_moves",
        "The tenant has no hosts of ours, or something is being made or taken away for it.",
        "Wait until that has ended. A plane that was attached by hand is given its files by hand.",
    )
