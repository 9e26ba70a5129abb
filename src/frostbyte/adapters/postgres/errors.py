"""PostgreSQL's errors in the family's words, without the values that they quote."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from frostbyte.kernel.errors import Conflict, FrostbyteError, Invalid, Unavailable
from frostbyte.kernel.ports.keeping import held
from frostbyte.kernel.ports.unit_of_work import frozen

APPEND_ONLY: Final = "FB001"
"""The SQLSTATE that migrations/001 raises on a change of an append-only table."""

REGISTRY: Final = "FB002"
"""The SQLSTATE that migrations/control/001 raises on a change of a tenant or an operation that its rules do not hold;
its sentences are fixed and name states alone."""

FENCE: Final = "FB003"
"""The SQLSTATE that migrations/control/008 raises on a write of a provisioner whose run another one has taken."""

FROZEN: Final = "FB004"
"""The SQLSTATE that migrations/011 raises on what would be written down while the plane is frozen."""

HELD: Final = "FB005"
"""The SQLSTATE that migrations/013 raises on an erasure that a legal hold forbids."""

_CONFLICTS: Final = {
    "projects_pkey": ("project_exists", "There is a project of this name.", "Choose another name."),
    "tenants_pkey": ("tenant_exists", "There is or was a tenant of this id.", "Choose another id; none is reused."),
    "tenants_network": ("octet_taken", "Another tenant of the project has this network.", "Choose another octet."),
    "tenant_configs_pkey": (
        "config_changed",
        "The configuration was changed by someone else.",
        "Read the configuration again and repeat the change.",
    ),
    "operations_running": ("operation_running", "Another operation runs for this tenant.", "Wait until it has ended."),
    "provision_runs_running": (
        "run_running",
        "Something is being made or taken away for it already.",
        "Wait until that has ended.",
    ),
    "batches_idempotency": (
        "idempotency_conflict",
        "This idempotency key was used for another upload.",
        "Use a new key for a new upload.",
    ),
    "audit_sequence_pkey": ("audit_sequence_conflict", "Another sequencer numbered events.", "Nothing to do."),
    "audit_sequence_event_id_key": (
        "audit_sequence_conflict",
        "An event has its place in the log already.",
        "Nothing to do.",
    ),
    "audit_events_pkey": ("audit_event_exists", "The audit event is recorded already.", "Nothing to do."),
    "audit_checkpoints_pkey": ("checkpoint_exists", "The log has a checkpoint of this size.", "Nothing to do."),
}

_BUSY: Final = ("40001", "40P01", "55P03", "57014")
"""Serialization failure, deadlock, lock timeout, cancelled statement: trying again can work."""

_OUTAGES: Final = ("08", "53", "57P", "58")
"""SQLSTATE prefixes of lost connections, short resources, a server that goes down, trouble of its machine."""


@contextmanager
def translated() -> Iterator[None]:
    """Turn psycopg's errors into ours. The original is cut off: its text can quote values (promise 10).

    Raises:
        Unavailable: `database_unavailable`, `database_busy`, `disk_full`, `plane_updating`.
        Conflict: `idempotency_conflict`, `audit_sequence_conflict`, `audit_event_exists`, `checkpoint_exists`,
            `project_exists`, `tenant_exists`, `octet_taken`, `config_changed`, `operation_running`,
            `registry_refused`, `run_running`, `fence_lost`, `document_held`, `row_exists`.
        Invalid: `database_value_refused`.
        FrostbyteError: `audit_append_only`, `database_forbidden`, `database_error`.
    """
    try:
        yield
    except (psycopg.Error, PoolTimeout, PoolClosed, TooManyRequests) as error:
        raise translate(error) from None


def translate(error: Exception) -> FrostbyteError:
    """Our error for one of psycopg's."""
    if not isinstance(error, psycopg.Error) or isinstance(error, PoolTimeout | PoolClosed | TooManyRequests):
        return unavailable()
    state = error.sqlstate or ""
    if isinstance(error, psycopg.errors.UniqueViolation):
        return _conflict(error.diag.constraint_name or "")
    if state == "53100":
        return Unavailable("disk_full", "The database's disk is full.", "Free or add disk space; work resumes then.")
    if state in _BUSY:
        return Unavailable("database_busy", "The database was busy with the same rows.", "Try again.")
    if state.startswith(_OUTAGES) or (isinstance(error, psycopg.OperationalError) and not state):
        return unavailable()
    if state == APPEND_ONLY:
        return FrostbyteError(
            "audit_append_only", "The audit is append-only; the change was refused.", "Nothing to do."
        )
    if state == REGISTRY:
        return Conflict(
            "registry_refused",
            f"The registry refuses this: {error.diag.message_primary}.",
            "Read the tenant again: it may have moved on.",
        )
    if state == FENCE:
        return Conflict(
            "fence_lost", "Another provisioner goes on with this run.", "Nothing to do: it has all that it needs."
        )
    if state == FROZEN:
        return frozen()
    if state == HELD:
        return held()
    if state == "42501":
        return FrostbyteError(
            "database_forbidden",
            "The database role may not do this.",
            "Connect as the role that the operation is meant for.",
        )
    if isinstance(error, psycopg.DataError | psycopg.IntegrityError):
        return Invalid(
            "database_value_refused", f"The database refused a value (SQLSTATE {state}).", "Check the input."
        )
    return FrostbyteError(
        "database_error",
        f"The database reported an error (SQLSTATE {state or 'unknown'}).",
        "Look into the database's log at this time.",
    )


def unavailable() -> Unavailable:
    """The error for a database that does not answer."""
    return Unavailable(
        "database_unavailable", "The database cannot be reached.", "Start the database; the work resumes by itself."
    )


def _conflict(constraint: str) -> Conflict:
    code, message, remedy = _CONFLICTS.get(
        constraint, ("row_exists", "The row exists already.", "Use the one that is there.")
    )
    return Conflict(code, message, remedy)
