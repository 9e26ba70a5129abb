"""Versions of the configuration in PostgreSQL."""

from __future__ import annotations

from typing import Final

from frostbyte.adapters.postgres.mapping import Repository, Table
from frostbyte.kernel.errors import Conflict
from frostbyte.kernel.records import ConfigRow

CONFIGS: Final = Table("configs", ConfigRow, "version")


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
