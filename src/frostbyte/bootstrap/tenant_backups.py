"""The wiring of tenants' backups: where each tenant's are kept, what its hosts are told of that, and how they end."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from frostbyte.adapters.secrets.files import check_private
from frostbyte.bootstrap import backup_target
from frostbyte.bootstrap.backup_target import BackupSettings
from frostbyte.control_plane.backup import settings as backup_settings
from frostbyte.control_plane.backup.duties import BackingUp, Preparing, Restoring
from frostbyte.control_plane.backup.planes import KeptPlane
from frostbyte.control_plane.backup.settings import BackupPlan
from frostbyte.control_plane.channel import PlaneChannel
from frostbyte.control_plane.provisioning.doing.table import World
from frostbyte.control_plane.provisioning.hosting import Keeping
from frostbyte.control_plane.provisioning.ports import Vault
from frostbyte.control_plane.provisioning.regiving import Regiving
from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.control_plane.registry.records import EndpointsRow
from frostbyte.control_plane.settings import ControlSettings
from frostbyte.control_plane.upkeep.duty import Duty
from frostbyte.kernel.errors import Invalid, NotFound
from frostbyte.kernel.settings import Reader, tenant_name

ACCOUNTS: Final = "backups"
"""Folder of the data folder: `{tenant}/account` has a tenant's own access key and secret key, a line each."""
_FOLDERS: Final = ("mirror/", "verdicts/", "snapshots/", "packs/", "repository/")
"""Of a repository, keys first: whoever is killed leaves what nobody opens."""


class TenantBackups:
    """What is known of tenants' backups, by the settings.

    Args:
        settings: the control plane's.
        vault: opened when it is asked for; raises where nothing can be sealed.
    """

    def __init__(self, settings: ControlSettings, vault: Callable[[], Vault]) -> None:
        self._settings, self._vault = settings, vault
        self.plan: BackupPlan = backup_settings.load(Reader(os.environ), settings.data_dir)
        self._told: BackupSettings = backup_target.load()

    def kept(self, owner: Owner) -> Keeping | None:
        """Where a tenant's are kept; None for a base, and where no place was named.

        Raises:
            Invalid: `backup_account`: its own account's file cannot be used.
        """
        if not self.plan.url or not owner.tenant_id:
            return None
        told = self._account(owner.tenant_id)
        self._make(owner.tenant_id)
        ca_file = self._told.ca_file
        return Keeping(
            url=self.plan.of(owner.tenant_id),
            endpoint=self.plan.endpoint,
            region=told.region if told.region != BackupSettings.region else "",
            recipients=tuple(dict.fromkeys((*self._vault().recipients(owner), *told.recipients))),
            authority=Path(ca_file).read_text(encoding="ascii") if ca_file else "",
            access_key=told.access_key,
            secret_key=told.secret_key,
        )

    def forget(self, owner: Owner) -> tuple[str, ...]:
        """Remove a tenant's repository, its keys first, and see that nothing is left; what was removed, by name.

        Raises:
            Unavailable: what the place says; it is asked again.
        """
        if not self.plan.url or not owner.tenant_id:
            return ()
        told = replace(self._account(owner.tenant_id), proxy="")
        place = backup_target.target(told, folder=f"tenants/{owner.tenant_id}")
        count = 0
        for folder in _FOLDERS:
            for name in list(place.names(folder)):
                place.delete(name)
                count += 1
        left = [name for folder in _FOLDERS for name in place.names(folder)]
        if left:
            raise Invalid("backup_remains", "The place still shows what was removed from it.", "Look at the place.")
        return (f"backups: {count} objects", "backups: seen to be empty")

    def duties(
        self,
        world: Callable[[str], World],
        channels: Callable[[EndpointsRow], PlaneChannel],
        regiving: Regiving,
    ) -> Iterator[Duty]:
        """Backing up and putting back."""
        preparing = Preparing(
            self.kept,
            self.plan.location,
            across=self._settings.provisioning.hosts_dir is None,
            vault=self._vault(),
            regiving=regiving,
            planes=lambda owner, stop: KeptPlane(world(owner.project_id), owner, channels, stop),
        )
        yield BackingUp(preparing)
        yield Restoring(preparing)

    def _make(self, tenant_id: str) -> None:
        """Where hosts are processes of this machine and the place is a folder of it: make the tenant's own below.

        A plane makes none: it could not know that the disk below is the right one.
        """
        parts = urlsplit(self.plan.url)
        place = Path(unquote(parts.path))
        if self._settings.provisioning.hosts_dir is not None and parts.scheme == "file" and place.is_dir():
            (place / "tenants" / tenant_name(tenant_id)).mkdir(parents=True, exist_ok=True, mode=0o700)

    def _account(self, tenant_id: str) -> BackupSettings:
        path = self._settings.data_dir / ACCOUNTS / tenant_name(tenant_id) / "account"
        if not path.exists():
            return self._told
        try:
            check_private(path, stat.S_IFREG)
            access, secret = path.read_text(encoding="ascii").split()
        except (ValueError, OSError, NotFound):
            raise Invalid(
                "backup_account",
                f"The account of {tenant_id} at the place for backups cannot be read.",
                "Its file has two lines, access key and secret key, and mode 0600.",
            ) from None
        return replace(self._told, access_key=access, secret_key=secret)
