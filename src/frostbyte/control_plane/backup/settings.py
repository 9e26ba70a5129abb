"""Settings of backups that the control plane alone needs; bootstrap.backup_target has those that planes have too.

FROSTBYTE_BACKUP_LOCATION   where that place is, as the cloud calls it (hel1); '' to read it from the address
FROSTBYTE_BACKUP_HOURS      between two backups of a tenant: 24; 0 for none but those that are asked for
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from frostbyte.kernel.settings import Reader, invalid

_LOCATION: Final = re.compile(r"[a-z][a-z0-9-]{1,15}")
_HETZNER: Final = ".your-objectstorage.com"
"""Hetzner's object storage answers at {location}.your-objectstorage.com (its public documentation, S3 endpoints)."""
ACCOUNT: Final = "backup_account"
"""The file of a tenant's own account at the place: two lines, access key and secret key."""


@dataclass(frozen=True, kw_only=True)
class BackupPlan:
    """What was said of backups.

    Attributes:
        url: the place; '' for none.
        location: where it is; '' where nobody knows.
        hours: between two of a tenant; 0 for none by themselves.
        data_dir: the control plane's own.
    """

    url: str = ""
    location: str = ""
    hours: int = 24
    data_dir: Path = Path()

    @property
    def endpoint(self) -> str:
        """`host:port` that a plane has to reach; '' for a folder, or no place at all."""
        parts = urlsplit(self.url)
        if not parts.hostname:
            return ""
        return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"

    def of(self, tenant_id: str) -> str:
        """The place of a tenant's repository."""
        return f"{self.url}/tenants/{tenant_id}"


def load(given: Reader, data_dir: Path) -> BackupPlan:
    """The settings.

    Raises:
        Invalid: `settings_invalid`, naming the variable.
    """
    url = given.text("BACKUP_URL", "").rstrip("/")
    told = given.text("BACKUP_LOCATION", "")
    if told and not _LOCATION.fullmatch(told):
        raise invalid("BACKUP_LOCATION", "it is a location such as hel1, as the cloud calls it")
    read = _location(url)
    if told and read and told != read:
        raise invalid("BACKUP_LOCATION", f"the address of the place says that it is in {read}")
    return BackupPlan(
        url=url,
        location=told or read,
        hours=given.number("BACKUP_HOURS", 0, 24 * 31, BackupPlan.hours),
        data_dir=data_dir,
    )


def _location(url: str) -> str:
    host = urlsplit(url).hostname or ""
    name = host.removesuffix(_HETZNER).rpartition(".")[2]
    return name if host.endswith(_HETZNER) and _LOCATION.fullmatch(name) else ""
