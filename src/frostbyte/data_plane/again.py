"""Sending a failed or quarantined document through the stages again, which only a person decides."""

from __future__ import annotations

from msgspec.structs import replace

from frostbyte.data_plane.flow import ORDER, Ports
from frostbyte.kernel.audit.events import EventType, chain
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.ports.unit_of_work import UnitOfWork
from frostbyte.kernel.records import DocumentRow, JobRow, State


def send_again(
    uow: UnitOfWork, row: DocumentRow, ports: Ports, *, actor: str, component: str
) -> tuple[DocumentRow, JobRow]:
    """Put such a document's next incarnation and its first job, in place of whatever job it has.

    It is judged by the configuration in force: a policy that was changed since is often why somebody tries again.

    Args:
        uow: the caller's transaction, in which the document's content is locked.
        row: the document, `failed` or `quarantined`.
        ports: of the plane.
        actor: who decided, for the audit.
        component: where it was decided.
    """
    details = {"component": component, "trigger": "retry", "incarnation": row.incarnation + 1}
    event, row = chain(
        row,
        tenant_id=ports.tenant_id,
        type=EventType.DOCUMENT_INGESTED,
        clock=ports.clock,
        actor=actor,
        details=details,
    )
    uow.audit.append(event)
    config = uow.configs.latest()
    row = replace(
        row,
        config_version=config.version if config else 0,
        incarnation=row.incarnation + 1,
        state=State.RECEIVED,
        stage=ORDER[0],
        code="",
        message="",
        remedy="",
        generation="",
        finished_at=None,
    )
    job = JobRow(
        job_id=new_id(),
        doc_id=row.doc_id,
        incarnation=row.incarnation,
        stage=ORDER[0],
        not_before=ports.clock.now(),
    )
    uow.documents.put(row)
    uow.jobs.put(job)
    return row, job
