"""The plane's keys in files that only its user may read.

    id.key, term.key            32 random bytes, never rotated
    wrapping-1.key, -2.key ...  32 random bytes; the highest version wraps
    log.key                     Ed25519 seed (RFC 8032): signs checkpoints
    accounts.key                32 random bytes: seals authenticators' secrets; see kernel/accounts/codes.py
    token.key, token-2.key ...  the same, sign access tokens; see token_keys.py

Each is made once, atomically: two processes that start together end with the same key. A key that others may read is
refused rather than mended, because it may be known already.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from frostbyte.kernel.errors import Conflict, FrostbyteError, Invalid, Unavailable
from frostbyte.kernel.vault import TenantKeys

LENGTH: Final = 32
"""Bytes of a key: AES-256 and HMAC-SHA256 keys, Ed25519 seeds."""
_WRAPPING: Final = re.compile(r"wrapping-([1-9][0-9]{0,8})\.key")


class FileSecrets:
    """Keys in a folder.

    Args:
        folder: created with mode 0700 if it is missing.
        create: whether missing keys are made. False for a plane whose documents are already sealed: a new key in
            place of a lost one would only hide the loss.

    Raises:
        Invalid: `secret_permissions`: the folder or a file is open to others, or belongs to someone else.
    """

    def __init__(self, folder: Path, *, create: bool = True) -> None:
        self._folder = folder
        self._create = create
        if create:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_private(folder, stat.S_IFDIR)

    def tenant_keys(self) -> TenantKeys:
        """The keys of the vault. Raises as `secret`."""
        versions = self.wrapping_versions() or [1]
        return TenantKeys(
            id_key=self.secret("id"),
            term_key=self.secret("term"),
            wrapping_keys={version: self.secret(f"wrapping-{version}") for version in versions},
        )

    def take_over(self, keys: TenantKeys) -> None:
        """Have the keys that a plane came with be this one's. Twice is once.

        Raises:
            Conflict: `plane_not_empty`: there are others already.
            Unavailable: `secret_unwritable`.
        """
        wrapping = {f"wrapping-{version}": key for version, key in keys.wrapping_keys.items()}
        others = {f"wrapping-{version}" for version in self.wrapping_versions()} - set(wrapping)
        for name, key in {"id": keys.id_key, "term": keys.term_key, **wrapping}.items():
            path = self._folder / f"{name}.key"
            if others or (not write_new(path, key) and read_private(path) != key):
                raise Conflict(
                    "plane_not_empty",
                    "This plane has keys of its own.",
                    "Import into a plane that was installed and never started (install.sh --restore does all of it).",
                )

    def wrapping_versions(self) -> list[int]:
        """Versions of the wrapping key that are there, ascending."""
        found = (_WRAPPING.fullmatch(path.name) for path in self._folder.iterdir())
        return sorted(int(match[1]) for match in found if match)

    def add_wrapping_key(self) -> int:
        """Make the next version of the wrapping key; returns it.

        The vault uses it from the next start on; `Vault.rewrap` moves each document's key to it.
        """
        version = (self.wrapping_versions() or [0])[-1] + 1
        write_new(self._folder / f"wrapping-{version}.key", os.urandom(LENGTH))
        return version

    def log_key(self) -> Ed25519PrivateKey:
        """Signs the log's checkpoints. Raises as `secret`."""
        return Ed25519PrivateKey.from_private_bytes(self.secret("log"))

    def secret(self, name: str) -> bytes:
        """The 32 bytes of `{name}.key`.

        Raises:
            Conflict: `secret_missing`: it is not there and may not be made.
            Invalid: `secret_permissions` or `secret_damaged`.
        """
        path = self._folder / f"{name}.key"
        if not path.exists():
            if not self._create:
                raise Conflict(
                    "secret_missing",
                    f"The key file {path.name} is missing.",
                    "Put it back from your backup: without it stored documents cannot be read.",
                )
            write_new(path, os.urandom(LENGTH))
        return read_private(path)


def read_private(path: Path) -> bytes:
    """The 32 bytes of a key file. Raises Invalid (`secret_permissions`, `secret_damaged`), or as `check_private`."""
    check_private(path, stat.S_IFREG)
    data = path.read_bytes()
    if len(data) != LENGTH:
        raise Invalid(
            "secret_damaged",
            f"The key file {path.name} has {len(data)} bytes instead of {LENGTH}.",
            "Put it back from your backup.",
        )
    return data


def write_new(path: Path, data: bytes) -> bool:
    """Durably make a file that only this user may read; whether it was made, or was there already.

    Raises:
        Unavailable: `secret_unwritable`.
    """
    temporary = path.with_name(f".{uuid4().hex}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        try:
            os.link(temporary, path)  # unlike a rename, this never replaces
        except FileExistsError:
            return False
        finally:
            temporary.unlink()
        sync_folder(path.parent)
    except OSError as error:
        raise _unwritable(path) from error
    return True


def shred(path: Path) -> None:
    """Overwrite a file, then remove it. What a copying file system or a flash drive keeps elsewhere stays there."""
    with path.open("r+b", buffering=0) as file:
        file.write(os.urandom(path.lstat().st_size))
        os.fsync(file.fileno())
    path.unlink()
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make what the folder lists durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unwritable(path: Path) -> FrostbyteError:
    return Unavailable(
        "secret_unwritable",
        f"The key file {path.name} cannot be written.",
        "Check that the secrets folder is on a writable disk with free space and supports hard links.",
    )


def check_private(path: Path, kind: int) -> None:
    """Refuse a link, a file of another user, and any permission for group or others.

    Args:
        path: a file or a folder.
        kind: what it has to be: `stat.S_IFREG` or `stat.S_IFDIR`.

    Raises:
        Conflict: `secret_missing`.
        Invalid: `secret_permissions`.
    """
    try:
        found = path.lstat()
    except FileNotFoundError as error:
        raise Conflict(
            "secret_missing", "The folder with the plane's keys is missing.", "Put it back from your backup."
        ) from error
    mode = stat.S_IMODE(found.st_mode)
    if stat.S_IFMT(found.st_mode) != kind or mode & 0o077 or found.st_uid != os.geteuid():
        wanted = "0700" if kind == stat.S_IFDIR else "0600"
        raise Invalid(
            "secret_permissions",
            f"{path.name} is not private to the plane's user (mode {mode:04o}).",
            f"Find out who could read it; then set its owner and mode {wanted}, or replace the keys.",
        )
