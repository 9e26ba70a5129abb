"""Gives a tenant that stands other hosts: more workers or fewer, other types, a larger volume, servers of their own.

What it is to have is decided when it is asked for; one run of provisioning makes it so (provisioning.runs), and leads
back to what stood before where that fails. What is asked for is then in force, and every later plan begins from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from frostbyte.control_plane.provisioning.desired import Request, laid_over, ways_out
from frostbyte.control_plane.provisioning.journal import EntryRow, EntryState, RunState, in_force
from frostbyte.control_plane.provisioning.placement import Shape, roles
from frostbyte.control_plane.provisioning.ports import ProvisioningUnitOfWork
from frostbyte.control_plane.provisioning.regiving import moving
from frostbyte.control_plane.provisioning.resources import Kind, Owner
from frostbyte.control_plane.provisioning.runs import Provisioning
from frostbyte.control_plane.provisioning.steps import Action
from frostbyte.control_plane.registry.records import OperationKind, OperationRow, TenantRow
from frostbyte.control_plane.upkeep.duty import GivenUp, Stage, Task
from frostbyte.kernel.audit.events import EventType
from frostbyte.kernel.errors import Conflict, Invalid
from frostbyte.kernel.tenancy import config_from

LOOK_SECONDS: Final = 0.2
"""Between two looks at how far the run is; the provisioner itself is woken."""
HOSTS: Final = "hosts_changed"
LEFT: Final = "surplus_gone"
WHAT: Final = ("shape", "workers", "types", "volume_gb")
"""What can be scaled of a Request."""


class Scaling:
    """See the module, and `duty.Duty`."""

    kinds = frozenset({OperationKind.SCALE})
    event: EventType | None = EventType.TENANT_SCALED

    def __init__(self, runs: Provisioning) -> None:
        self._runs = runs

    def asked(
        self, uow: ProvisioningUnitOfWork, tenant: TenantRow, kind: OperationKind, request: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The whole request that is to be in force.

        Raises:
            Invalid: `provision_request_invalid`, `scale_unfit`.
            Conflict: `tenant_moves` where it has no hosts of ours that stand still; `shape_kept`, `volume_kept_large`,
                `scale_changes_nothing`.
        """
        project = uow.projects.get(tenant.project_id)
        assert project is not None  # never removed
        owner = Owner(environment=project.environment, project_id=tenant.project_id, tenant_id=tenant.tenant_id)
        runs = uow.journal.runs(owner)
        live = [row for row in uow.journal.entries(owner) if row.state is not EntryState.GONE]
        last = in_force(runs)
        if last is None or not any(row.kind == Kind.SERVER for row in live) or runs[0].state is RunState.RUNNING:
            raise moving()
        before, after = laid_over(last, {}), laid_over(last, request)
        _fits(before, after, request, live)
        if before == after and not _ways_changed(uow, tenant, after, live):
            raise Conflict(
                "scale_changes_nothing",
                "The tenant has what is asked for already.",
                "Say what is to be otherwise; `tenant plan` shows what it has.",
            )
        return after.values()

    def stages(self, operation: OperationRow) -> Sequence[Stage]:
        """One run; then what it could not take away is told."""
        return (Stage(name=HOSTS, do=self._changed, final=True), Stage(name=LEFT, do=self._left))

    def details(self, task: Task) -> Mapping[str, Any]:
        """Nothing more: the run tells each resource that it makes, changes or removes."""
        return {}

    def _changed(self, task: Task) -> Mapping[str, Any]:
        """The run leads back by itself where it fails, so there is nothing to undo."""
        while (run := self._runs.change(task.operation, task.request)).state is RunState.RUNNING:
            task.pause(LOOK_SECONDS)
        if run.state is RunState.FAILED:
            raise GivenUp(
                run.code or "operation_interrupted",
                "The hosts could not be changed, and what stood before was led back.",
                "Look at the steps; `tenant drift` says whether everything is as it was.",
            )
        return {"left": run.code} if run.code else {}

    def _left(self, task: Task) -> None:
        if task.facts(HOSTS).get("left"):
            raise Conflict(
                "surplus_remains",
                "The tenant has what was asked for, and something that it had before could not be taken away.",
                "`tenant plan` names it. It goes with the next change that succeeds.",
            )


def _ways_changed(uow: ProvisioningUnitOfWork, tenant: TenantRow, asked: Request, live: Sequence[EntryRow]) -> bool:
    """Whether hosts have another list of ways out than the tenant's configuration asks for by now."""
    config = uow.configs.get(tenant.tenant_id, tenant.config_version)
    assert config is not None  # added with the tenant's row, never removed
    wanted = ways_out(asked, config_from(dict(config.values)))
    return any(tuple(row.spec["egress"]) != wanted for row in live if row.action == Action.FILES)


def _fits(before: Request, after: Request, asked: Mapping[str, Any], live: Sequence[EntryRow]) -> None:
    if before.shape is Shape.STANDARD and after.shape is Shape.SMALL:
        raise Conflict(
            "shape_kept",
            "A tenant with servers of its own is not put onto one again.",
            "Ask for fewer workers or other types; both are taken back to the smallest.",
        )
    fitting = {role.value for role in roles(after.shape)}
    if after.shape is Shape.SMALL and "workers" in asked:
        raise _unfit("a tenant on one server has no workers of its own")
    if strange := sorted(set(asked.get("types", {})) - fitting):
        raise _unfit(f"a tenant of the shape {after.shape.value} has no {strange[0]}")
    size = max((int(row.spec["size_gb"]) for row in live if row.kind == Kind.VOLUME), default=0)
    if 0 < int(asked.get("volume_gb") or 0) < size:
        raise Conflict(
            "volume_kept_large",
            f"The volume has {size} GB, and none is ever made smaller.",
            "Ask for a larger one, or leave it as it is.",
        )


def _unfit(why: str) -> Invalid:
    return Invalid(
        "scale_unfit",
        f"The tenant cannot be scaled like this: {why}.",
        "Say --shape standard too, or name what the tenant has; `tenant plan` shows it.",
    )
