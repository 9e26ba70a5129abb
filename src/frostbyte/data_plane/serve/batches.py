"""What became of an upload: live status, receipts and the acceptance report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any
from uuid import UUID

from frostbyte.kernel.clock import iso
from frostbyte.kernel.errors import FrostbyteError, NotFound
from frostbyte.kernel.errors import Kind as ErrorKind
from frostbyte.kernel.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from frostbyte.kernel.records import BatchRow, DocumentRow, Outcome, ReceiptRow, State
from frostbyte.kernel.vault import Vault

Waits = Callable[[], FrostbyteError | None]
Pairs = list[tuple[ReceiptRow, DocumentRow | None]]
UNITS = ("pages", "characters", "cells", "images")


def no_such(what: str) -> NotFound:
    """The same answer for what is missing and for what the caller may not know of."""
    return NotFound(f"{what}_not_found", f"There is no such {what} for this token.", "Check the id and the token.")


class Batches:
    """Reads uploads; `subject` narrows to that sender's own, None sees all.

    Args:
        waits: why no document goes on now; None while they do.
    """

    def __init__(
        self, unit_of_work: UnitOfWorkFactory, vault: Vault, tenant_id: str, waits: Waits = lambda: None
    ) -> None:
        self._waits = waits
        self._unit_of_work = unit_of_work
        self._vault = vault
        self._tenant_id = tenant_id

    def status(self, batch_id: UUID, subject: str | None) -> dict[str, Any]:
        """Every file of the batch and where it stands.

        Raises:
            NotFound: `batch_not_found`.
        """
        with self._unit_of_work() as uow:
            batch = self.own(uow, batch_id, subject)
            pairs = self._pairs(uow, batch_id)
        items = [self._item(receipt, row) for receipt, row in pairs if receipt.outcome is not Outcome.REJECTED]
        return {
            "batch_id": str(batch_id),
            "created_at": iso(batch.created_at),
            "completed_at": iso(batch.completed_at) if batch.completed_at else None,
            "documents": items,
            "rejected": [self._rejection(batch, r) for r, _ in pairs if r.outcome is Outcome.REJECTED],
            "counts": dict(Counter(item["state"] for item in items)),
        }

    def receipt(self, receipt_id: UUID, subject: str | None) -> dict[str, Any]:
        """One receipt.

        Raises:
            NotFound: `receipt_not_found`.
        """
        with self._unit_of_work() as uow:
            receipt = uow.batches.receipt(receipt_id)
            batch = uow.batches.get(receipt.batch_id) if receipt else None
            if receipt is None or batch is None or subject not in (None, batch.subject):
                raise no_such("receipt")
            row = uow.documents.get(receipt.doc_id) if receipt.doc_id else None
            latest = uow.audit.latest_checkpoint()
        shown = self._rejection(batch, receipt) if receipt.outcome is Outcome.REJECTED else self._item(receipt, row)
        return shown | {
            "batch_id": str(receipt.batch_id),
            "created_at": iso(receipt.created_at),
            "checkpoint": latest.note if latest else None,
        }

    def report(self, batch_id: UUID, subject: str | None) -> dict[str, Any]:
        """The acceptance report: received, parsed, dropped, withheld, quarantined, indexed, and every remedy."""
        with self._unit_of_work() as uow:
            batch = self.own(uow, batch_id, subject)
            pairs = self._pairs(uow, batch_id)
        documents = [self._item(r, row) | _judged(row) for r, row in pairs if r.outcome is not Outcome.REJECTED]
        rejected = [self._rejection(batch, r) for r, _ in pairs if r.outcome is Outcome.REJECTED]
        distinct = {row.doc_id: row for _, row in pairs if row is not None}.values()
        account = total_account([row.account for row in distinct if row.account])
        outcomes, states = Counter(r.outcome for r, _ in pairs), Counter(row.state for row in distinct)
        return self._summed(batch, outcomes, states, account) | {
            "documents": documents,
            "rejected": rejected,
            "problems": [_problem(item) for item in (*documents, *rejected) if item["code"]],
        }

    def sums(self, batch_id: UUID, subject: str | None) -> dict[str, Any]:
        """The acceptance report without its files: totals, the account, summed where the rows are, and who sent it.

        Raises:
            NotFound: `batch_not_found`.
        """
        with self._unit_of_work(reading=True) as uow:
            batch = self.own(uow, batch_id, subject)
            found = uow.listing.account(batch_id)
        account = {unit: {**numbers, "dropped": found.dropped[unit]} for unit, numbers in found.numbers.items()}
        return self._summed(batch, Counter(found.outcomes), found.states, account) | {"sender": batch.subject}

    def _summed(
        self, batch: BatchRow, outcomes: Counter[Outcome], stored: dict[State, int], account: dict[str, Any]
    ) -> dict[str, Any]:
        held = self._waits() is not None
        states = Counter[State]()
        for state, number in stored.items():
            states[State.WAITING if held and not state.terminal else state] += number
        return {
            "batch_id": str(batch.batch_id),
            "tenant": self._tenant_id,
            "created_at": iso(batch.created_at),
            "completed_at": iso(batch.completed_at) if batch.completed_at else None,
            "totals": {
                "received": outcomes.total(),
                "rejected": outcomes[Outcome.REJECTED],
                "duplicates": outcomes[Outcome.DUPLICATE],
                "processing": states[State.RECEIVED],
                **{state.value: states[state] for state in State if state is not State.RECEIVED},
            },
            "account": account,
        }

    @staticmethod
    def own(uow: UnitOfWork, batch_id: UUID, subject: str | None) -> BatchRow:
        """The upload, if the subject may see it. Raises NotFound("batch_not_found")."""
        batch = uow.batches.get(batch_id)
        if batch is None or subject not in (None, batch.subject):
            raise no_such("batch")
        return batch

    @staticmethod
    def _pairs(uow: UnitOfWork, batch_id: UUID) -> Pairs:
        receipts = uow.batches.receipts(batch_id)
        rows = uow.documents.get_many([r.doc_id for r in receipts if r.doc_id])
        return [(receipt, rows.get(receipt.doc_id) if receipt.doc_id else None) for receipt in receipts]

    def shown(self, batch: BatchRow, receipt: ReceiptRow, row: DocumentRow | None) -> dict[str, Any]:
        """One file of the upload: where its document stands, or why it was rejected."""
        if receipt.outcome is Outcome.REJECTED:
            return self._rejection(batch, receipt)
        return self._item(receipt, row)

    def _item(self, receipt: ReceiptRow, row: DocumentRow | None) -> dict[str, Any]:
        if row is None:
            raise no_such("document")
        return {
            "doc_id": str(row.doc_id),
            "receipt_id": str(receipt.receipt_id),
            "file_id": receipt.file_id,
            "filename": self._name(row.key_object, receipt.sealed_name),
            "outcome": receipt.outcome.value,
            "mime": row.mime,
            "size": row.size,
            **standing_of(row, self._waits()),
            "pages": row.pages,
            "chunks": row.chunks,
            "withheld": row.withheld,
            "classification": row.classification,
            "needs_review": row.needs_review,
        }

    def _rejection(self, batch: BatchRow, receipt: ReceiptRow) -> dict[str, Any]:
        return {
            "receipt_id": str(receipt.receipt_id),
            "file_id": receipt.file_id,
            "filename": self._name(batch.key_object, receipt.sealed_name),
            "outcome": receipt.outcome.value,
            "size": receipt.size,
            "code": receipt.code,
            "message": receipt.message,
            "remedy": receipt.remedy,
        }

    def _name(self, key_object: str, sealed: bytes) -> str:
        return display_name(self._vault, key_object, sealed)


def standing_of(row: DocumentRow, waits: FrostbyteError | None) -> dict[str, Any]:
    """Where a document stands and why. While the plane begins no work, every open one waits for the same thing.

    It is said when it is asked for, and not written to each document: there may be many, and it ends all at once.
    """
    reason = waits if waits is not None and not row.state.terminal else None
    return {
        "state": row.state.value if reason is None else State.WAITING.value,
        "stage": row.stage.value if row.stage else None,
        "code": row.code if reason is None else reason.code,
        "message": row.message if reason is None else reason.message,
        "remedy": row.remedy if reason is None else reason.remedy,
    }


def display_name(vault: Vault, key_object: str, sealed: bytes) -> str:
    """The file's name, or '(erased)' once its key is gone."""
    if not sealed or not key_object:
        return ""
    try:
        return vault.load_key(key_object).open_name(sealed)
    except FrostbyteError as error:
        if error.kind is ErrorKind.GONE:
            return "(erased)"
        raise


def _judged(row: DocumentRow | None) -> dict[str, Any]:
    if row is None:
        return {}
    return {
        "account": row.account,
        "scan_verdict": row.scan_verdict,
        "class_confidence": round(row.class_confidence, 3),
        "notes": list(row.notes),
        "embedding": row.embedding,
        "config_version": row.config_version,
        "generation": row.active_generation,
    }


def _problem(item: dict[str, Any]) -> dict[str, Any]:
    return {field: item[field] for field in ("filename", "code", "message", "remedy")}


def total_account(accounts: list[dict[str, Any]]) -> dict[str, Any]:
    """The sum of documents' accounts, unit by unit, reason by reason."""
    total: dict[str, Any] = {}
    for unit in UNITS:
        tally: dict[str, Any] = {"found": 0, "indexed": 0, "redacted": 0, "withheld": 0}
        dropped: Counter[str] = Counter()
        for account in accounts:
            for field in tally:
                tally[field] += account[unit][field]
            dropped.update(account[unit]["dropped"])
        total[unit] = tally | {"dropped": dict(sorted(dropped.items()))}
    return total
