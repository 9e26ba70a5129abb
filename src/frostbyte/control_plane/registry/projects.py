"""What operators do with projects."""

from __future__ import annotations

import re
from typing import Final

from frostbyte.control_plane.registry.changes import ITSELF
from frostbyte.control_plane.registry.idempotency import Once, kept, recalled
from frostbyte.control_plane.registry.ports import RegistryFactory
from frostbyte.control_plane.registry.records import ProjectRow
from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import Conflict, Invalid, NotFound

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


class Projects:
    """Makes and shows projects.

    Args:
        unit_of_work: opens transactions.
        environment: whose control plane this is.
        clock: the control plane's.
    """

    def __init__(self, unit_of_work: RegistryFactory, environment: str, clock: Clock) -> None:
        self._unit_of_work = unit_of_work
        self._environment = environment
        self._clock = clock

    def create(self, project_id: str, *, actor: str, once: Once | None = None) -> ProjectRow:
        """A new project: room for 254 tenants.

        Raises:
            Invalid: `project_id_invalid`.
            Conflict: `project_exists`, `idempotency_conflict`.
        """
        if not _NAME.fullmatch(project_id):
            raise Invalid(
                "project_id_invalid", "The project's name is none.", "Write 1 to 40 of a-z, 0-9 and '-', no '-' first."
            )
        with self._unit_of_work() as uow:
            before = recalled(uow, once, ProjectRow)
            if before is not None:
                return before
            row = ProjectRow(project_id=project_id, environment=self._environment, created_at=self._clock.now())
            uow.projects.add(row)
            details = {"component": "registry", "status": "created"}
            uow.audit.append(
                make_event(ITSELF, EventType.PROJECT_CREATED, self._clock, actor, "project", project_id, details)
            )
            kept(uow, once, row, self._clock)
            uow.commit()
        return row

    def show(self, project_id: str) -> ProjectRow:
        """The project. Raises NotFound("project_not_found")."""
        with self._unit_of_work() as uow:
            row = uow.projects.get(project_id)
        if row is None:
            raise NotFound("project_not_found", "There is no such project.", "Check its name, or create it.")
        return row

    def page(self, *, after: str = "", limit: int = 100) -> list[ProjectRow]:
        """Ordered by name, those after `after`."""
        with self._unit_of_work() as uow:
            return uow.projects.page(after=after, limit=limit)


def free_octet(project_id: str, taken: frozenset[int], wanted: int | None) -> int:
    """The network for a new tenant: the wanted one, or the lowest that is free.

    Raises:
        Invalid: `octet_invalid`.
        Conflict: `octet_taken`, naming those that are free; `project_full`.
    """
    free = [octet for octet in range(1, 255) if octet not in taken]
    if not free:
        raise Conflict(
            "project_full",
            f"All 254 networks of project {project_id} are taken.",
            "Create another project, or deprovision a tenant of this one.",
        )
    if wanted is None:
        return free[0]
    if not 1 <= wanted <= 254:
        raise Invalid("octet_invalid", "A tenant's network is 10.N.0.0/16 with N from 1 to 254.", "Choose such a N.")
    if wanted in taken:
        raise Conflict(
            "octet_taken", f"Octet {wanted} of project {project_id} is taken.", f"Free are {spans(free)}; or name none."
        )
    return wanted


def spans(numbers: list[int]) -> str:
    """Ascending numbers as people write them: `1-6, 8, 10-254`."""
    found: list[list[int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in found)
