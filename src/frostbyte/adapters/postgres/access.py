"""Revoked tokens and keys of machines in PostgreSQL: tables that a plane and the control plane have alike."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from frostbyte.adapters.postgres.mapping import Repository, Table
from frostbyte.kernel.records import ApiKeyRow, RevocationRow

REVOCATIONS: Final = Table("revocations", RevocationRow, "token_id")
API_KEYS: Final = Table("api_keys", ApiKeyRow, "key_id")


class PostgresAccess(Repository):
    """See kernel.ports.unit_of_work.Access."""

    def revoke(self, row: RevocationRow) -> bool:
        return self._run(REVOCATIONS.insert + " ON CONFLICT DO NOTHING", REVOCATIONS.encode(row)) == 1

    def revoked(self, token_id: str) -> bool:
        return self._one("SELECT 1 FROM revocations WHERE token_id = %s", [token_id]) is not None

    def add_key(self, row: ApiKeyRow) -> None:
        self._run(API_KEYS.insert, API_KEYS.encode(row))

    def key(self, key_id: str) -> ApiKeyRow | None:
        record = self._one(API_KEYS.select + "WHERE key_id = %s", [key_id])
        return API_KEYS.decode(record) if record else None

    def keys(self, *, after: str = "", limit: int = 100) -> list[ApiKeyRow]:
        records = self._all(API_KEYS.select + "WHERE key_id > %s ORDER BY key_id LIMIT %s", [after, limit])
        return [API_KEYS.decode(record) for record in records]

    def note_use(self, key_id: str, at: datetime, *, before: datetime) -> None:
        self._run(
            "UPDATE api_keys SET last_used_at = %s WHERE key_id = (SELECT key_id FROM api_keys WHERE key_id = %s "
            "AND (last_used_at IS NULL OR last_used_at < %s) FOR NO KEY UPDATE SKIP LOCKED)",
            [at, key_id, before],
        )

    def revoke_key(self, key_id: str, at: datetime, actor: str) -> bool:
        changed = self._run(
            "UPDATE api_keys SET revoked_at = %s, revoked_by = %s WHERE key_id = %s AND revoked_at IS NULL",
            [at, actor, key_id],
        )
        return changed == 1
