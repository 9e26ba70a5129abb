"""A tenant's generated secrets as files that only their owner may read.

    {name}        one secret a file, mode 0600, which a `FROSTBYTE_{...}_FILE` setting names
    tenant.env    the settings of the tenant's plane, without any secret

A secret is durable before a server hears of it: whoever is killed in between finds the same one again.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from uuid import uuid4

from frostbyte.kernel.errors import Conflict, Invalid, NotFound

ENTROPY: Final = 32
"""Random bytes of a secret: 256 bits, 43 characters."""
_NAME: Final = re.compile(r"[a-z0-9_]{1,64}")
_GIVEN: Final = re.compile(r"[A-Za-z0-9_-]{32,256}")
_ENV: Final = "tenant.env"
_OWNER: Final = "tenant"
_FRESH: Final = ".new-"


class SecretFolder:
    """See kernel.ports.tenant_stores.Secrets.

    Args:
        folder: made with mode 0700 when the first secret is.
        tenant: whose secrets these are; a folder never changes its tenant.
        given: a folder with secrets that somebody else made: they take the place of those that are here. None for none.

    Raises:
        Invalid: `secret_permissions`: the folder is open to others, or belongs to someone else.
        Conflict: `secrets_of_another_tenant`.
    """

    def __init__(self, folder: Path, tenant: str, given: Path | None = None) -> None:
        self.folder = folder
        self._given = given
        self._tenant = tenant
        if folder.exists():
            self._check()

    def made(self, name: str) -> str:
        """The secret of this name: the one that was given, or one that is made at the first call."""
        try:
            kept = self.found(name)
            if (given := self._given_secret(name)) and given != kept:
                self.note(name, given)
                return given
            return kept
        except NotFound:
            self.note(name, self._given_secret(name) or secrets.token_urlsafe(ENTROPY))
            return self.found(name)

    def _given_secret(self, name: str) -> str:
        """'' where none was given. Raises Invalid("secret_given_invalid")."""
        path = self._given / name if self._given is not None else None
        if path is None or not path.exists():
            return ""
        try:
            text = path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            text = ""
        if not _GIVEN.fullmatch(text):
            raise Invalid(
                "secret_given_invalid",
                f"The secret {name} that was given cannot be read, or is shorter than 32 characters.",
                "Give it as one line of 32 or more of A-Z, a-z, 0-9, '-' and '_'.",
            )
        return text

    def found(self, name: str) -> str:
        """The secret of this name. Raises NotFound("tenant_secret_missing"), Invalid("secret_permissions")."""
        path = self.path(name)
        try:
            mode = path.stat().st_mode
            text = path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            raise NotFound(
                "tenant_secret_missing",
                f"The folder with the tenant's secrets has no file {name}.",
                "Name the folder that `frostbyte storage provision` wrote, or provision again.",
            ) from None
        if stat.S_IMODE(mode) & 0o077:
            raise _open_to_others(name)
        return text

    def note(self, name: str, value: str) -> None:
        """Keep a value durably under this name, replacing what was there."""
        self._make()
        self._write(self.path(name), value)

    def settings(self, values: Mapping[str, str]) -> Path:
        """Write tenant.env: the plane's settings; a name that ends in `_FILE` gets the path of its secret's file."""
        self._make()
        lines = [
            f"{name}={self.path(value).absolute() if name.endswith('_FILE') and _NAME.fullmatch(value) else value}"
            for name, value in values.items()
        ]
        path = self.folder / _ENV
        self._write(path, "\n".join(lines))
        return path

    def remove(self) -> list[str]:
        """Delete every file that was written here; their names. Idempotent."""
        if not (self.folder / _OWNER).exists():
            return []
        self._check()
        gone = []
        # The owner's mark goes last: what is left of a killed run is still known to be this tenant's.
        for path in sorted(self.folder.iterdir(), key=lambda item: item.name == _OWNER):
            if path.is_file() and (_NAME.fullmatch(path.name) or path.name == _ENV or path.name.startswith(_FRESH)):
                path.unlink()
                gone.append(path.name)
        _sync(self.folder)
        return gone

    def path(self, name: str) -> Path:
        """Where a secret's file is."""
        if not _NAME.fullmatch(name) or name == _OWNER:
            raise ValueError(f"no name of a secret: {name}")
        return self.folder / name

    def _make(self) -> None:
        if not self.folder.exists():
            self.folder.mkdir(mode=0o700, parents=True)
        owner = self.folder / _OWNER
        if not owner.exists():
            if any(not path.name.startswith(_FRESH) for path in self.folder.iterdir()):
                raise Conflict(
                    "secrets_folder_used",
                    "The folder for the tenant's secrets holds other files.",
                    "Name an empty folder or one that is not there yet.",
                )
            self._write(owner, self._tenant)
        self._check()

    def _check(self) -> None:
        state = self.folder.stat()
        if stat.S_IMODE(state.st_mode) & 0o077 or state.st_uid != os.geteuid():
            raise _open_to_others(self.folder.name)
        owner = self.folder / _OWNER
        if owner.exists() and owner.read_text(encoding="ascii").strip() != self._tenant:
            raise Conflict(
                "secrets_of_another_tenant",
                "This folder holds the secrets of another tenant.",
                "Name a folder of this tenant's own.",
            )

    def _write(self, path: Path, value: str) -> None:
        fresh = self.folder / f"{_FRESH}{uuid4().hex}"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, value.encode("ascii") + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        fresh.rename(path)
        _sync(self.folder)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _open_to_others(name: str) -> Invalid:
    return Invalid(
        "secret_permissions",
        f"{name} is not private to the present user.",
        "Find out who could read it; then give it to its owner alone (chmod go-rwx), or replace the secrets.",
    )
