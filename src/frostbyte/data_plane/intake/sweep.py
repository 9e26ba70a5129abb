"""Removes objects that a killed upload left behind: no row knows them."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from frostbyte.kernel.ports.blobs import BlobStore
from frostbyte.kernel.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from frostbyte.kernel.records import State

MIN_AGE_SECONDS: Final = 3600.0
"""Far longer than the moment between an object's becoming visible and the commit that names it."""


def sweep_orphans(
    unit_of_work: UnitOfWorkFactory, blobs: BlobStore, *, older_than_seconds: float = MIN_AGE_SECONDS
) -> int:
    """Remove objects below `raw/` and `keys/` that nothing refers to; returns how many.

    Raises NotFound never: an object that someone else removes meanwhile is no orphan any more.
    """
    removed = 0
    for folder, wanted in (("raw/", _raw_is_wanted), ("keys/", _key_is_wanted)):
        for name in list(blobs.names(folder)):
            # Asked for existence first, because age_seconds raises for what was removed since the listing.
            if not blobs.exists(name) or blobs.age_seconds(name) < older_than_seconds:
                continue
            with unit_of_work() as uow:
                if not wanted(uow, name):
                    blobs.delete(name)  # inside the transaction: the content's lock is held
                    removed += 1
    return removed


def _raw_is_wanted(uow: UnitOfWork, name: str) -> bool:
    receipt_id = _uuid(name.removeprefix("raw/").partition(".")[0])
    if receipt_id is None:
        return True  # not of our making: nothing to decide here
    receipt = uow.batches.receipt(receipt_id)
    if receipt is None or receipt.doc_id is None:
        return False
    return _is_of_document(uow, receipt.doc_id, name)


def _key_is_wanted(uow: UnitOfWork, name: str) -> bool:
    owner = name.removeprefix("keys/").partition(".")[0]
    if owner.startswith("batch-"):
        batch_id = _uuid(owner.removeprefix("batch-"))
        if batch_id is None:
            return True
        uow.lock_content(batch_id)
        batch = uow.batches.get(batch_id)
        return batch is not None and batch.key_object == name
    doc_id = _uuid(owner)
    return doc_id is None or _is_of_document(uow, doc_id, name)


def _is_of_document(uow: UnitOfWork, doc_id: UUID, name: str) -> bool:
    uow.lock_content(doc_id)
    row = uow.documents.get(doc_id)
    return row is not None and row.state is not State.ERASED and name in (row.raw_object, row.key_object)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
