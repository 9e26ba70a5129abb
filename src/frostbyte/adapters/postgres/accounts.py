"""People who sign in, in PostgreSQL: tables that a plane and the control plane have alike."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from frostbyte.adapters.postgres.mapping import Repository, Table
from frostbyte.kernel.accounts.records import AccountRow, AttemptsRow, By, CredentialRow, SessionRow

_ACCOUNTS: Final = Table("accounts", AccountRow, "name")
_CREDENTIALS: Final = Table("account_credentials", CredentialRow, "name")
_SESSIONS: Final = Table("sessions", SessionRow, "session_id")
_ATTEMPTS: Final = Table("sign_in_attempts", AttemptsRow, "key")
_LOCK: Final = (0x0F205, 4)
"""Advisory lock (see audit.SEQUENCER_LOCK)."""


class PostgresAccounts(Repository):
    """See kernel.ports.accounts.Accounts."""

    def lock(self) -> None:
        self._run("SELECT pg_advisory_xact_lock(%s::int, %s::int)", _LOCK)

    def get(self, name: str) -> AccountRow | None:
        record = self._one(_ACCOUNTS.select + "WHERE name = %s", [name])
        return _ACCOUNTS.decode(record) if record else None

    def find(self, account_id: UUID) -> AccountRow | None:
        record = self._one(_ACCOUNTS.select + "WHERE account_id = %s", [account_id])
        return _ACCOUNTS.decode(record) if record else None

    def page(self, *, after: str = "", limit: int = 100) -> list[AccountRow]:
        query = _ACCOUNTS.select + 'WHERE name COLLATE "C" > %s ORDER BY name COLLATE "C" LIMIT %s'
        return [_ACCOUNTS.decode(record) for record in self._all(query, [after, limit])]

    def add(self, row: AccountRow) -> None:
        self._run(_ACCOUNTS.insert, _ACCOUNTS.encode(row))

    def change(self, row: AccountRow) -> None:
        self._run(
            "UPDATE accounts SET role = %s, changed_at = %s, disabled_at = %s WHERE name = %s",
            [row.role, row.changed_at, row.disabled_at, row.name],
        )

    def enabled(self, role: str) -> int:
        found = self._one(
            "SELECT count(*) FROM accounts JOIN account_credentials USING (name) "
            "WHERE role = %s AND disabled_at IS NULL AND password <> ''",
            [role],
        )
        return int(found[0]) if found else 0

    def credential(self, name: str, *, lock: bool = False) -> CredentialRow | None:
        query = _CREDENTIALS.select + "WHERE name = %s" + (" FOR UPDATE" if lock else "")
        record = self._one(query, [name])
        return _CREDENTIALS.decode(record) if record else None

    def credentials(self, names: Sequence[str]) -> dict[str, CredentialRow]:
        records = self._all(_CREDENTIALS.select + "WHERE name = ANY(%s)", [list(names)])
        return {row.name: row for row in map(_CREDENTIALS.decode, records)}

    def by_link(self, link: bytes) -> CredentialRow | None:
        record = self._one(_CREDENTIALS.select + "WHERE link = %s", [link])
        return _CREDENTIALS.decode(record) if record else None

    def put_credential(self, row: CredentialRow) -> None:
        self._run(_CREDENTIALS.upsert, _CREDENTIALS.encode(row))

    def begin(self, row: SessionRow) -> None:
        self._run(_SESSIONS.insert, _SESSIONS.encode(row))

    def session(self, digest: bytes) -> SessionRow | None:
        record = self._one(_SESSIONS.select + "WHERE digest = %s", [digest])
        return _SESSIONS.decode(record) if record else None

    def sessions(self, *, subject: str | None = None, seen_since: datetime, limit: int = 100) -> list[SessionRow]:
        where, values = "WHERE seen_at >= %s ", list[Any]([seen_since])
        if subject is not None:
            where, values = where + "AND subject = %s ", [*values, subject]
        query = _SESSIONS.select + where + "ORDER BY seen_at DESC, session_id DESC LIMIT %s"
        return [_SESSIONS.decode(record) for record in self._all(query, [*values, limit])]

    def note_seen(self, session_id: UUID, at: datetime) -> None:
        self._run("UPDATE sessions SET seen_at = greatest(seen_at, %s) WHERE session_id = %s", [at, session_id])

    def end(self, session_id: UUID) -> SessionRow | None:
        record = self._one(_SESSIONS.select + "WHERE session_id = %s FOR UPDATE", [session_id])
        self._run("DELETE FROM sessions WHERE session_id = %s", [session_id])
        return _SESSIONS.decode(record) if record else None

    def end_all(self, subject: str, by: By, *, but: UUID | None = None) -> list[UUID]:
        records = self._all(
            'DELETE FROM sessions WHERE subject = %s AND "by" = %s AND session_id IS DISTINCT FROM %s::uuid '
            "RETURNING session_id",
            [subject, by.value, but],
        )
        return sorted(record[0] for record in records)

    def forget(self, before: datetime) -> None:
        self._run("DELETE FROM sessions WHERE ends_at < %s", [before])
        self._run("DELETE FROM sign_in_attempts WHERE last_at < %s", [before])

    def attempts(self, key: str) -> AttemptsRow:
        row = AttemptsRow(key=key)
        self._run(_ATTEMPTS.insert + " ON CONFLICT DO NOTHING", _ATTEMPTS.encode(row))
        record = self._one(_ATTEMPTS.select + "WHERE key = %s FOR UPDATE", [key])
        return _ATTEMPTS.decode(record) if record else row

    def put_attempts(self, row: AttemptsRow) -> None:
        self._run(_ATTEMPTS.upsert, _ATTEMPTS.encode(row))

    def clear_attempts(self, key: str) -> None:
        self._run("DELETE FROM sign_in_attempts WHERE key = %s", [key])
