"""The tenant's configuration: versions that are added, never changed, each an event."""

from __future__ import annotations

from typing import Any

import msgspec

from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.clock import Clock, iso
from frostbyte.kernel.errors import Conflict
from frostbyte.kernel.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from frostbyte.kernel.records import ConfigRow
from frostbyte.kernel.tenancy import TenantConfig, config_from


class Configuration:
    """Reads and adds versions. Version 0 is the defaults."""

    def __init__(self, tenant_id: str, unit_of_work: UnitOfWorkFactory, clock: Clock) -> None:
        self._tenant_id = tenant_id
        self._unit_of_work = unit_of_work
        self._clock = clock

    def current(self) -> TenantConfig:
        """The configuration in force for what comes in now."""
        with self._unit_of_work(reading=True) as uow:
            row = uow.configs.latest()
        return config_from(row.values if row else {})

    def show(self) -> dict[str, Any]:
        """The version in force with its values."""
        with self._unit_of_work() as uow:
            row = uow.configs.latest()
        config = config_from(row.values if row else {})
        return {
            "version": row.version if row else 0,
            "created_at": iso(row.created_at) if row else None,
            "actor": row.actor if row else None,
            "values": msgspec.to_builtins(config),
        }

    def change(self, values: dict[str, object], *, expected: int, actor: str) -> dict[str, Any]:
        """Lay `values` over the version in force as a new version.

        Args:
            values: settings to change.
            expected: the version that the caller saw.
            actor: who changes it.

        Raises:
            Conflict: `config_changed`: another version is in force.
            Invalid: `config_invalid`.
        """
        with self._unit_of_work() as uow:
            row = uow.configs.latest()
            version = row.version if row else 0
            if version != expected:
                raise Conflict(
                    "config_changed",
                    f"Version {version} is in force, not {expected}.",
                    "Read the configuration again and repeat the change.",
                )
            config = config_from(values, config_from(row.values if row else {}))
            self._add(uow, row, config, actor, sorted(values))
            uow.commit()
        return self.show()

    def begin(self, config: TenantConfig, *, actor: str) -> None:
        """Have this configuration as version 1; nothing happens where there has been a version.

        It is written down whole, also where it is the defaults: another release may have others.
        """
        with self._unit_of_work() as uow:
            if uow.configs.latest() is not None:
                return
            before = TenantConfig()
            changed = [name for name in config.__struct_fields__ if getattr(config, name) != getattr(before, name)]
            self._add(uow, None, config, actor, sorted(changed))
            uow.commit()

    def adopt(self, uow: UnitOfWork, config: TenantConfig, *, actor: str) -> None:
        """Have this configuration in force, in the caller's transaction; nothing happens where it is already."""
        row = uow.configs.latest()
        before = config_from(row.values if row else {})
        changed = [name for name in config.__struct_fields__ if getattr(config, name) != getattr(before, name)]
        if changed:
            self._add(uow, row, config, actor, sorted(changed))

    def _add(
        self, uow: UnitOfWork, before: ConfigRow | None, config: TenantConfig, actor: str, changed: list[str]
    ) -> None:
        new = ConfigRow(
            version=before.version + 1 if before else 1,
            values=msgspec.to_builtins(config),
            created_at=self._clock.now(),
            actor=actor,
        )
        uow.configs.add(new)
        uow.audit.append(
            make_event(
                self._tenant_id,
                EventType.TENANT_CONFIG_UPDATED,
                self._clock,
                actor,
                "config",
                str(new.version),
                {"component": "config", "version": new.version, "changed": changed, "status": "changed"},
            )
        )
