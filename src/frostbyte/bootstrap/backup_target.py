"""Where backups go, by the settings: the same for a plane and for the control plane.

    FROSTBYTE_BACKUP_URL          https://host[:port]/bucket[/folder...] of any S3, or file:///folder
    FROSTBYTE_BACKUP_ACCESS_KEY   and _SECRET_KEY, each or as a file (..._FILE)
    FROSTBYTE_BACKUP_REGION       what requests are signed for; us-east-1
    FROSTBYTE_BACKUP_CA_FILE      certificates that the server's must be signed by; else the system's
    FROSTBYTE_BACKUP_RECIPIENTS   public keys of age (age1...), by commas: who can open it when all else is lost

The folder is the repository's alone: of one tenant, or of one control plane.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from frostbyte.adapters.objects.local import LocalBlobs
from frostbyte.adapters.objects.prefixed import PrefixedBlobs
from frostbyte.adapters.objects.s3 import S3Blobs
from frostbyte.adapters.objects.signing import S3Account
from frostbyte.adapters.vault import age
from frostbyte.kernel.backup.target import Target
from frostbyte.kernel.errors import Invalid, Unavailable
from frostbyte.kernel.settings import Reader, invalid

_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_FOLDERS: Final = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*)?")


@dataclass(frozen=True, kw_only=True)
class BackupSettings:
    """Where backups go, and who can open them."""

    url: str = ""
    """'' for none: nothing is backed up."""
    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    region: str = S3Account.region
    ca_file: str = ""
    recipients: tuple[str, ...] = ()
    proxy: str = ""
    """`http://host:port` that leads out (FROSTBYTE_EGRESS_PROXY), or ''."""


def load(environment: Mapping[str, str] | None = None) -> BackupSettings:
    """Settings from the environment.

    Raises:
        Invalid: `settings_invalid`, naming the variable.
    """
    given = Reader(os.environ if environment is None else environment)
    url = given.text("BACKUP_URL", "").rstrip("/")
    if url:
        _parts(url)
    told = [_recipient(text) for text in given.text("BACKUP_RECIPIENTS", "").replace(",", " ").split()]
    return BackupSettings(
        url=url,
        access_key=given.secret("BACKUP_ACCESS_KEY"),
        secret_key=given.secret("BACKUP_SECRET_KEY"),
        region=given.text("BACKUP_REGION", S3Account.region),
        ca_file=given.file("BACKUP_CA_FILE"),
        recipients=tuple(dict.fromkeys(told)),
        proxy=given.text("EGRESS_PROXY", ""),
    )


def target(settings: BackupSettings, *, folder: str = "") -> Target:
    """The place, which answers.

    Args:
        folder: below the one of the settings, for who keeps several repositories there.

    Raises:
        Invalid: `backup_not_set`: there are no settings; `backup_target_versions`: it keeps what is removed from it.
        Unavailable: `backup_target_away`, `backup_target_refused`, `backup_target_missing`.
    """
    if not settings.url:
        raise Invalid(
            "backup_not_set",
            "No place for backups was named.",
            "Set FROSTBYTE_BACKUP_URL to https://host/bucket/folder, or to file:///folder on another disk.",
        )
    base, bucket, within = _parts(settings.url)
    below = "/".join(part for part in (within, folder) if part)
    if not bucket:
        place = Path(base)
        if not place.is_dir():  # made here, it would lie on the wrong disk whenever the right one is not mounted
            raise Unavailable(
                "backup_target_missing",
                "The folder for backups is not there.",
                "Mount its disk, or make the folder that FROSTBYTE_BACKUP_URL names.",
            )
        return Target(Target.guarded(lambda: LocalBlobs(place / below)))
    account = S3Account(settings.access_key, settings.secret_key, settings.region)
    ca_file = Path(settings.ca_file) if settings.ca_file else None
    s3 = S3Blobs(base, bucket, account, ca_file=ca_file, proxy=settings.proxy)
    Target.guarded(s3.check)
    if Target.guarded(s3.keeps_versions):
        raise Invalid(
            "backup_target_versions",
            "The backup's bucket keeps versions of what is removed, or locks objects: a key that is destroyed here "
            "would stay there.",
            "Use a bucket without versioning and without object lock; copies against ransom belong elsewhere.",
        )
    return Target(PrefixedBlobs(s3, below) if below else s3)


def sealed_for(recipients: tuple[str, ...], plain: bytes) -> bytes:
    """Sealed with age for all of them, as text (armoured).

    Raises:
        Invalid: `backup_recipients`: there is none.
    """
    if not recipients:
        raise Invalid(
            "backup_recipients",
            "A backup needs at least one public key of age for whom its key is sealed.",
            "Run `age-keygen` on another machine, keep the identity there, and name its public key in "
            "FROSTBYTE_BACKUP_RECIPIENTS.",
        )
    return age.sealed_for(plain, recipients)


def _recipient(text: str) -> str:
    try:
        return age.checked(text)
    except Invalid:
        raise invalid("BACKUP_RECIPIENTS", "it is a list of public keys of age (age1...)") from None


def _parts(url: str) -> tuple[str, str, str]:
    """Server and bucket, or a folder and no bucket; and the folders below."""
    parts = urlsplit(url)
    if (
        parts.scheme == "file"
        and not parts.netloc
        and parts.path.startswith("/")
        and not (parts.query + parts.fragment)
    ):
        return unquote(parts.path), "", ""
    bucket, _, folders = parts.path.lstrip("/").partition("/")
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or parts.username
        or parts.query
        or not _BUCKET.fullmatch(bucket)
        or not _FOLDERS.fullmatch(folders)
    ):
        raise invalid("BACKUP_URL", "it is https://host/bucket/folder, or file:///folder")
    return f"{parts.scheme}://{parts.netloc}", bucket, folders
