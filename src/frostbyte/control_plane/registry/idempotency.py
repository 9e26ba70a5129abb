"""The same request twice is one request: its answer is kept in the transaction that did the work."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar

import msgspec

from frostbyte.control_plane.registry.ports import RegistryFactory, RegistryUnitOfWork
from frostbyte.control_plane.registry.records import IdempotencyRow
from frostbyte.kernel.canonical import canonical
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import Conflict
from frostbyte.kernel.records import Row

KEPT: Final = timedelta(days=7)
"""How long an answer is kept: longer than any client tries again, shorter than the table could grow large."""

R = TypeVar("R", bound=Row)


@dataclass(frozen=True)
class Once:
    """A request that may be sent again."""

    subject: str
    key: str
    digest: bytes
    """SHA-256 over what is asked for: another digest under the same key is another request."""


def once(subject: str, key: str, what: str, body: dict[str, Any]) -> Once | None:
    """A request of a subject with this key, or None where no key was given.

    Args:
        subject: who asks.
        key: the client's; '' for none.
        what: which request it is, as `POST /tenants`.
        body: what it asks for, as JSON values.
    """
    if not key:
        return None
    return Once(subject, key, hashlib.sha256(canonical({"what": what, "body": body})).digest())


def recalled(uow: RegistryUnitOfWork, request: Once | None, kind: type[R]) -> R | None:
    """What this request was answered before, or None.

    Raises:
        Conflict: `idempotency_conflict`: the key was used for another request.
    """
    row = uow.idempotency.recall(request.subject, request.key) if request else None
    if request is None or row is None:
        return None
    if row.digest != request.digest:
        raise Conflict(
            "idempotency_conflict",
            "This idempotency key was used for another request.",
            "Use a new key for a new request.",
        )
    return msgspec.convert(row.answer, kind)


def kept(uow: RegistryUnitOfWork, request: Once | None, answer: R, clock: Clock) -> R:
    """The answer, kept for the request's repetition."""
    if request is not None:
        uow.idempotency.remember(
            IdempotencyRow(
                subject=request.subject,
                key=request.key,
                digest=request.digest,
                answer=msgspec.to_builtins(answer),
                created_at=clock.now(),
            )
        )
    return answer


def forget(unit_of_work: RegistryFactory, clock: Clock) -> int:
    """Remove answers that are older than `KEPT`; returns how many."""
    with unit_of_work() as uow:
        count = uow.idempotency.forget(clock.now() - KEPT)
        uow.commit()
    return count
