"""Configurations are read once: no version is ever changed."""

from __future__ import annotations

from frostbyte.kernel.records import ConfigRow
from frostbyte.kernel.tenancy import TenantConfig, Versions
from stores.store_rows import NOW


class Counting:
    """Configs that remember which versions they were asked for."""

    def __init__(self) -> None:
        self.rows: dict[int, ConfigRow] = {}
        self.asked: list[int] = []

    def get(self, version: int) -> ConfigRow | None:
        self.asked.append(version)
        return self.rows.get(version)

    def latest(self) -> ConfigRow | None:
        raise NotImplementedError

    def add(self, row: ConfigRow) -> None:
        self.rows[row.version] = row


def test_a_version_is_asked_for_until_it_is_there_and_then_remembered() -> None:
    configs, versions = Counting(), Versions()
    assert versions.read(configs, 1) == TenantConfig()
    configs.add(ConfigRow(version=1, values={"top_k": 7}, created_at=NOW, actor="admin"))
    assert [versions.read(configs, 1).top_k for _ in range(3)] == [7, 7, 7]
    configs.add(ConfigRow(version=2, values={"top_k": 9}, created_at=NOW, actor="admin"))
    assert [versions.read(configs, version).top_k for version in (2, 1)] == [9, 7]
    assert configs.asked == [1, 1, 2]
