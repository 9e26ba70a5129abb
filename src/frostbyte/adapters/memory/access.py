"""Revoked tokens and keys of machines, in memory."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from frostbyte.adapters.memory.tables import Table, Transaction
from frostbyte.kernel.records import ApiKeyRow, RevocationRow


class MemoryAccess:
    """See kernel.ports.unit_of_work.Access."""

    def __init__(self, transaction: Transaction) -> None:
        self._revocations: Table[str, RevocationRow] = Table(transaction, "revocations", lambda row: row.token_id)
        self._keys: Table[str, ApiKeyRow] = Table(transaction, "api_keys", lambda row: row.key_id)

    def revoke(self, row: RevocationRow) -> bool:
        if self._revocations.get(row.token_id, lock=True) is not None:
            return False
        self._revocations.put(row)
        return True

    def revoked(self, token_id: str) -> bool:
        return self._revocations.get(token_id) is not None

    def add_key(self, row: ApiKeyRow) -> None:
        self._keys.insert(row)

    def key(self, key_id: str) -> ApiKeyRow | None:
        return self._keys.get(key_id)

    def keys(self, *, after: str = "", limit: int = 100) -> list[ApiKeyRow]:
        return sorted((row for row in self._keys.rows() if row.key_id > after), key=lambda row: row.key_id)[:limit]

    def note_use(self, key_id: str, at: datetime, *, before: datetime) -> None:
        row = self._keys.get(key_id, lock=True)
        if row is not None and (row.last_used_at is None or row.last_used_at < before):
            self._keys.put(replace(row, last_used_at=at))

    def revoke_key(self, key_id: str, at: datetime, actor: str) -> bool:
        row = self._keys.get(key_id, lock=True)
        if row is None or row.revoked_at is not None:
            return False
        self._keys.put(replace(row, revoked_at=at, revoked_by=actor))
        return True
