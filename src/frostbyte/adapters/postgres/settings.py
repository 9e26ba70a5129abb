"""Versions of the configuration, erasures and exports in PostgreSQL."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from frostbyte.adapters.postgres.mapping import Repository, Table
from frostbyte.kernel.errors import Conflict
from frostbyte.kernel.records import ConfigRow, ErasureRow, HandoutRow

CONFIGS: Final = Table("configs", ConfigRow, "version")
ERASURES: Final = Table("erasures", ErasureRow, "erasure_id")
HANDOUTS: Final = Table("handouts", HandoutRow, "export_id")


class PostgresConfigs(Repository):
    """See kernel.ports.unit_of_work.Configs."""

    def latest(self) -> ConfigRow | None:
        record = self._one(CONFIGS.select + "ORDER BY version DESC LIMIT 1")
        return CONFIGS.decode(record) if record else None

    def get(self, version: int) -> ConfigRow | None:
        record = self._one(CONFIGS.select + "WHERE version = %s", [version])
        return CONFIGS.decode(record) if record else None

    def add(self, row: ConfigRow) -> None:
        # DO NOTHING instead of an error: the transaction stays usable for a caller that takes the next number.
        if not self._run(CONFIGS.insert + " ON CONFLICT DO NOTHING", CONFIGS.encode(row)):
            raise Conflict(
                "config_version_exists",
                "The configuration was changed by someone else.",
                "Read the newest version and apply the change to it.",
            )


class PostgresErasures(Repository):
    """See kernel.ports.unit_of_work.Erasures."""

    def put(self, row: ErasureRow) -> None:
        self._run(ERASURES.upsert, ERASURES.encode(row))

    def of_document(self, doc_id: UUID) -> list[ErasureRow]:
        records = self._all(ERASURES.select + "WHERE doc_id = %s ORDER BY requested_at, erasure_id", [doc_id])
        return [ERASURES.decode(record) for record in records]

    def get(self, erasure_id: UUID) -> ErasureRow | None:
        record = self._one(ERASURES.select + "WHERE erasure_id = %s", [erasure_id])
        return ERASURES.decode(record) if record else None

    def unfinished(self) -> list[ErasureRow]:
        records = self._all(ERASURES.select + "WHERE vectors_gone_at IS NULL ORDER BY requested_at, erasure_id")
        return [ERASURES.decode(record) for record in records]

    def add_handout(self, row: HandoutRow) -> None:
        self._run(HANDOUTS.insert, HANDOUTS.encode(row))

    def handouts_of(self, doc_id: UUID) -> list[HandoutRow]:
        records = self._all(HANDOUTS.select + "WHERE doc_ids @> ARRAY[%s]::uuid[] ORDER BY created_at", [doc_id])
        return [HANDOUTS.decode(record) for record in records]
