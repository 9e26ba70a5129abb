"""Puts right what of a tenant's hosts is not as it was made, and says what a person has to.

What is wrong is seen at the cloud (provisioning.drift) and by visiting each host. A server that is gone is replaced:
one run of provisioning makes another of the same role at the same address, attaches the volume, gives it its files and
brings its containers up, as it did when the tenant was made. A server that is there and does not answer is switched
off and on; it is replaced only if somebody names it, for nobody can see from outside what it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from frostbyte.control_plane.provisioning.doing.servers import OFF, RUNNING, SHUT_SECONDS
from frostbyte.control_plane.provisioning.drift import Difference
from frostbyte.control_plane.provisioning.journal import EntryRow, EntryState, RunState, in_force
from frostbyte.control_plane.provisioning.making import volume_lost
from frostbyte.control_plane.provisioning.ports import Cloud, Hosts, ProvisioningFactory, ProvisioningUnitOfWork
from frostbyte.control_plane.provisioning.reaching import Reaching
from frostbyte.control_plane.provisioning.regiving import Regiving, moving
from frostbyte.control_plane.provisioning.resources import Found, Kind, Owner
from frostbyte.control_plane.provisioning.runs import Provisioning
from frostbyte.control_plane.provisioning.steps import Action
from frostbyte.control_plane.registry.records import OperationKind, OperationRow, TenantRow
from frostbyte.control_plane.upkeep.duty import GivenUp, Stage, Task
from frostbyte.control_plane.upkeep.mending import LOST, Weighed, weighed
from frostbyte.kernel.audit.events import EventType
from frostbyte.kernel.errors import Conflict, FrostbyteError, Invalid, Unavailable

LOOK_SECONDS: Final = 0.2
"""Between two looks at how far the run is; the provisioner itself is woken."""
VISIT_SECONDS: Final = 20.0
WAKE_TRIES: Final = 60
WAKE_PAUSE: Final = 5.0
"""Together five minutes and more for a server that was switched off and on to answer SSH."""
SEEN, WOKEN, CLEARED, MADE, UP, COMPARED = "looked", "woken", "cleared", "hosts_mended", "services_up", "compared"
_SILENT: Final = frozenset({"host_unreachable", "host_slow"})
_STRANGE: Final = frozenset({"host_key_wrong", "host_refused"})


@dataclass(frozen=True, kw_only=True)
class Means:
    """What a repair acts on, of one project."""

    cloud: Cloud
    hosts: Hosts


class Repairing:
    """See the module, and `duty.Duty`.

    Args:
        drift: how what is there of a tenant differs from its journal.
        runs: begins and shows runs.
        regiving: does steps of a tenant that stands once more.
        means: what is acted on. Raises FrostbyteError where a project cannot be worked in.
    """

    kinds = frozenset({OperationKind.REPAIR})
    event: EventType | None = EventType.TENANT_REPAIRED

    def __init__(
        self,
        unit_of_work: ProvisioningFactory,
        drift: Callable[[str], Sequence[Difference]],
        runs: Provisioning,
        regiving: Regiving,
        means: Callable[[Owner], Means],
    ) -> None:
        self._drift, self._runs, self._regiving, self._means = drift, runs, regiving, means
        self._reaching = Reaching(unit_of_work)

    def asked(
        self, uow: ProvisioningUnitOfWork, tenant: TenantRow, kind: OperationKind, request: Mapping[str, Any]
    ) -> dict[str, Any]:
        """`replace`: hosts that are replaced though they are there; and what the tenant's hosts are to be, as it is.

        Raises:
            Invalid: `repair_unfit`: it has no host that is called so.
            Conflict: `tenant_moves` where it has no hosts of ours that stand still.
        """
        project = uow.projects.get(tenant.project_id)
        assert project is not None  # never removed
        owner = Owner(environment=project.environment, project_id=tenant.project_id, tenant_id=tenant.tenant_id)
        runs = uow.journal.runs(owner)
        hosts = {_host(row) for row in uow.journal.entries(owner) if _stands(row)}
        last = in_force(runs)
        if last is None or not hosts or runs[0].state is RunState.RUNNING:
            raise moving()
        replace = sorted(set(request.get("replace", ())))
        if strange := sorted(set(replace) - hosts):
            raise Invalid(
                "repair_unfit",
                f"The tenant has no host that is called {strange[0]}.",
                f"Name one of {', '.join(sorted(hosts))}.",
            )
        return {"replace": replace, "request": last}

    def stages(self, operation: OperationRow) -> Sequence[Stage]:
        """Nothing is taken back: what was mended stays so, and a repair that is begun anew goes on from there."""
        return (
            Stage(name=SEEN, do=self._look),
            Stage(name=WOKEN, do=self._wake),
            Stage(name=CLEARED, do=self._clear),
            Stage(name=MADE, do=self._make, final=True),
            Stage(name=UP, do=self._up),
            Stage(name=COMPARED, do=self._compare),
        )

    def details(self, task: Task) -> Mapping[str, Any]:
        """How much was mended, and how much is left to a person."""
        try:
            seen = task.facts(SEEN)
        except KeyError:
            return {}
        count = len(seen["mended"]) + len(seen["silent"]) + len(task.request["replace"])
        return {"count": count, "remaining": len(seen["left"])}

    # -- what is wrong -----------------------------------------------------------------------------------------------

    def _look(self, task: Task) -> Mapping[str, Any]:
        found = weighed(self._drift(task.owner.tenant_id))
        if any((one.difference.what, one.difference.kind) == LOST for one in found):
            raise volume_lost()
        absent = {one.difference.step.partition(".")[2] for one in found if one.mended} | set(task.request["replace"])
        silent, strange = self._visited(task, absent)
        left = [one for one in found if not one.mended]
        return {
            "mended": [*(_line(one) for one in found if one.mended), *self._unfinished(task.owner)],
            "silent": silent,
            "left": [*map(_line, left), *(f"host {name}: shows another key or lets nobody in" for name in strange)],
        }

    def _unfinished(self, owner: Owner) -> list[str]:
        """Steps that a run which failed has left half done."""
        live = (row for row in self._reaching.live(owner) if row.state is not EntryState.DONE)
        return [f"{row.key}: an earlier run began it and did not end it" for row in live]

    def _visited(self, task: Task, absent: set[str]) -> tuple[list[str], list[str]]:
        """Hosts that do not answer though they run, and those that are not who they were.

        Others are reached through the public one: where that is silent, nobody knows how they are.
        """
        hosts = self._means(task.owner).hosts
        silent: list[str] = []
        strange: list[str] = []
        rows = self._reaching.done(task.owner, Action.SETTLE)
        for row in sorted(rows, key=lambda row: len(row.spec["via"])):
            name, host = row.spec["host"], self._reaching.way(task.owner, row, task.stop)
            if name in absent:
                if len(host.via) == 1:
                    break
                continue
            try:
                hosts.run(host.via[0], ":\n", seconds=VISIT_SECONDS)
            except FrostbyteError as error:
                raise Unavailable(
                    "bastion_silent",
                    f"The bastion cannot be passed ({error.code}), so nobody can see how the tenant's hosts are.",
                    "Look at the base: frostbyte control plan; then repair the tenant.",
                ) from error
            try:
                hosts.run(host, ":\n", seconds=VISIT_SECONDS)
            except FrostbyteError as error:
                if error.code not in _SILENT | _STRANGE:
                    raise
                (silent if error.code in _SILENT else strange).append(name)
                if len(host.via) == 1:
                    break
        return silent, strange

    # -- servers that are there --------------------------------------------------------------------------------------

    def _wake(self, task: Task) -> None:
        """Switch what does not answer off and on. Raises Conflict("host_dead")."""
        means = self._means(task.owner)
        rows = {row.spec["host"]: row for row in self._reaching.done(task.owner, Action.SETTLE)}
        for name in task.facts(SEEN)["silent"]:
            if self._answers(task, rows[name]):
                continue
            server = self._server(task.owner, name)
            if server.facts.get("status") != OFF:
                means.cloud.stop(server.resource_id)
            means.cloud.start(server.resource_id)
            for _ in range(WAKE_TRIES):
                if self._answers(task, rows[name]):
                    break
                task.pause(WAKE_PAUSE)
            else:
                raise Conflict(
                    "host_dead",
                    f"The host {name} does not answer, after it was switched off and on as well.",
                    f"Look at its console; then replace it: frostbyte tenant repair --replace {name}.",
                )

    def _answers(self, task: Task, row: EntryRow) -> bool:
        try:
            host = self._reaching.way(task.owner, row, task.stop)
            self._means(task.owner).hosts.run(host, ":\n", seconds=VISIT_SECONDS)
        except FrostbyteError as error:
            if error.code not in _SILENT:
                raise
            return False
        return True

    def _clear(self, task: Task) -> None:
        """Take away the servers that are to be replaced, and what they hold on disks of their own."""
        cloud = self._means(task.owner).cloud
        for name in task.request["replace"]:
            server = self._server(task.owner, name, there=False)
            if server is None:
                continue
            if server.facts.get("status") == RUNNING:
                cloud.shut_down(server.resource_id, seconds=SHUT_SECONDS)
            for volume in server.facts.get("volumes", ()):
                cloud.detach(str(volume))
            cloud.delete(Kind.SERVER, server.resource_id)

    def _server(self, owner: Owner, name: str, *, there: bool = True) -> Any:
        row = next(row for row in self._reaching.done(owner, Action.SERVER) if _host(row) == name)
        found: Found | None = self._means(owner).cloud.show(Kind.SERVER, row.resource_id)
        if found is not None and not owner.owns(found.labels):
            raise Conflict(
                "resource_not_ours",
                f"{row.name} carries other labels than the tenant's.",
                "Somebody took it from the tenant; it was left as it is.",
            )
        if found is None and there:
            raise Unavailable("resource_missing", f"{row.name} is gone.", "Begin the repair anew.")
        return found

    # -- making --------------------------------------------------------------------------------------------------------

    def _make(self, task: Task) -> Mapping[str, Any]:
        if not task.facts(SEEN)["mended"] and not task.request["replace"]:
            return {"run": False}
        while (run := self._runs.change(task.operation, task.request["request"])).state is RunState.RUNNING:
            task.pause(LOOK_SECONDS)
        if run.state is RunState.FAILED:
            raise GivenUp(
                run.code or "operation_interrupted",
                "The hosts could not be mended.",
                "Look at the steps; put right what they name, then repair again.",
            )
        return {"run": True}

    def _up(self, task: Task) -> None:
        """Volumes are open, stores and services run and are well, on every host."""
        for action in (Action.UNLOCK, Action.STORAGE, Action.DEPLOY):
            self._regiving.again(task.owner, action, task.stop)

    def _compare(self, task: Task) -> Mapping[str, Any]:
        found = weighed(self._drift(task.owner.tenant_id))
        again = [_line(one) for one in found if one.mended]
        if again:
            raise Conflict(
                "repair_incomplete",
                f"Something is still not as it was made: {again[0]}.",
                "Somebody may be changing it meanwhile; look at `tenant drift`, then repair again.",
            )
        return {"left": [_line(one) for one in found]}


def _line(one: Weighed) -> str:
    seen = one.difference
    field = f" ({seen.field})" if seen.field else ""
    return f"{seen.kind.value} {seen.name}: {seen.what.value}{field}: {one.words}"


def _host(row: EntryRow) -> str:
    return row.key.removeprefix("server.")


def _stands(row: EntryRow) -> bool:
    return row.kind == Kind.SERVER and row.state is EntryState.DONE
