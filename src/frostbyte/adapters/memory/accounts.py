"""People who sign in, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec.structs import replace

from frostbyte.adapters.memory.tables import Table, Transaction
from frostbyte.kernel.accounts.records import AccountRow, AttemptsRow, By, CredentialRow, SessionRow
from frostbyte.kernel.errors import Invalid


class MemoryAccounts:
    """See kernel.ports.accounts.Accounts."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._rows: Table[str, AccountRow] = Table(transaction, "accounts", lambda row: row.name)
        self._credentials: Table[str, CredentialRow] = Table(transaction, "credentials", lambda row: row.name)
        self._sessions: Table[UUID, SessionRow] = Table(transaction, "sessions", lambda row: row.session_id)
        self._attempts: Table[str, AttemptsRow] = Table(transaction, "attempts", lambda row: row.key)

    def lock(self) -> None:
        self._transaction.lock("accounts changing")

    def get(self, name: str) -> AccountRow | None:
        return self._rows.get(name)

    def find(self, account_id: UUID) -> AccountRow | None:
        return next((row for row in self._rows.rows() if row.account_id == account_id), None)

    def page(self, *, after: str = "", limit: int = 100) -> list[AccountRow]:
        return sorted((row for row in self._rows.rows() if row.name > after), key=lambda row: row.name)[:limit]

    def add(self, row: AccountRow) -> None:
        self._rows.insert(row)

    def change(self, row: AccountRow) -> None:
        old = self._rows.get(row.name, lock=True)
        if old is not None:
            self._rows.put(replace(old, role=row.role, changed_at=row.changed_at, disabled_at=row.disabled_at))

    def enabled(self, role: str) -> int:
        rows = (row for row in self._rows.rows() if row.role == role and row.disabled_at is None)
        credentials = (self._credentials.get(row.name) for row in rows)
        return sum(credential is not None and credential.password != "" for credential in credentials)

    def credential(self, name: str, *, lock: bool = False) -> CredentialRow | None:
        return self._credentials.get(name, lock=lock)

    def credentials(self, names: Sequence[str]) -> dict[str, CredentialRow]:
        rows = (self._credentials.get(name) for name in names)
        return {row.name: row for row in rows if row is not None}

    def by_link(self, link: bytes) -> CredentialRow | None:
        return next((row for row in self._credentials.rows() if row.link == link), None)

    def put_credential(self, row: CredentialRow) -> None:
        if self._rows.get(row.name) is None:
            raise Invalid("database_value_refused", "The credential's account does not exist.", "Check the input.")
        self._credentials.put(row)

    def begin(self, row: SessionRow) -> None:
        self._sessions.insert(row)

    def session(self, digest: bytes) -> SessionRow | None:
        return next((row for row in self._sessions.rows() if row.digest == digest), None)

    def sessions(self, *, subject: str | None = None, seen_since: datetime, limit: int = 100) -> list[SessionRow]:
        rows = (r for r in self._sessions.rows() if subject in (None, r.subject) and r.seen_at >= seen_since)
        return sorted(rows, key=lambda row: (row.seen_at, row.session_id), reverse=True)[:limit]

    def note_seen(self, session_id: UUID, at: datetime) -> None:
        row = self._sessions.get(session_id, lock=True)
        if row is not None:
            self._sessions.put(replace(row, seen_at=max(row.seen_at, at)))

    def end(self, session_id: UUID) -> SessionRow | None:
        row = self._sessions.get(session_id, lock=True)
        self._sessions.delete(session_id)
        return row

    def end_all(self, subject: str, by: By, *, but: UUID | None = None) -> list[UUID]:
        own = [row.session_id for row in self._sessions.rows() if row.subject == subject and row.by is by]
        ended = sorted(session_id for session_id in own if session_id != but)
        for session_id in ended:
            self._sessions.delete(session_id)
        return ended

    def forget(self, before: datetime) -> None:
        for session in self._sessions.rows():
            if session.ends_at < before:
                self._sessions.delete(session.session_id)
        for row in self._attempts.rows():
            if row.last_at is not None and row.last_at < before:
                self._attempts.delete(row.key)

    def attempts(self, key: str) -> AttemptsRow:
        self._transaction.lock("attempts", key)
        return self._attempts.get(key, lock=True) or AttemptsRow(key=key)

    def put_attempts(self, row: AttemptsRow) -> None:
        self._attempts.put(row)

    def clear_attempts(self, key: str) -> None:
        self._attempts.delete(key)
