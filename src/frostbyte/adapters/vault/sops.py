"""Secrets of tenants in files that plain `sops --decrypt` opens, with age identities that never leave this host.

    {vault}/{tenant}/                0700; of the base: base.{project}
      identity-1.txt                 0600, an age identity; after a rotation identity-2.txt ...: the highest seals
      secrets.sops.json              sealed for the newest identity and for the tenant's recovery identity
      recovery.txt                   the public half of the tenant's recovery identity
      recovery-identity.age          its secret half, sealed for the operator's offline recipient; nobody here opens it
      archive/identity-1.age         an identity that was rotated, sealed for the recovery identity of that moment
      archive/recovery-1.age         a recovery identity that was rotated, sealed for the operator's offline recipient

Each tenant has a recovery identity of its own, so that one tenant's can be destroyed while the operator's offline
identity goes on to serve the others: without `recovery-identity.age` it opens nothing of this tenant.
"""

from __future__ import annotations

import json
import re
import stat
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from uuid import uuid4

from frostbyte.adapters.secrets.files import check_private, shred, sync_folder, write_new
from frostbyte.adapters.vault import age
from frostbyte.adapters.vault.names import checked, folder_of
from frostbyte.adapters.vault.program import Sops
from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.kernel.errors import Conflict, FrostbyteError, Unavailable

SEALED: Final = "secrets.sops.json"
RECOVERY: Final = "recovery-identity.age"
_RECOVERY_PUBLIC: Final = "recovery.txt"
_ARCHIVE: Final = "archive"
_IDENTITY: Final = re.compile(r"identity-([1-9][0-9]{0,8})\.txt")
_TURN: Final = "# made by rotation: "
_FRESH: Final = ".new-"
_SEALED_VALUE: Final = "ENC[AES256_GCM,"


class SopsVault:
    """See control_plane.provisioning.ports.Vault. From any thread of one process.

    Args:
        folder: made with mode 0700.
        sops: the program.
        recovery: the operator's offline age recipient (`age1...`); '' for none.

    Raises:
        Invalid: `recovery_recipient_invalid`; `secret_permissions`: the folder is open to others.
    """

    def __init__(self, folder: Path, sops: Sops, recovery: str = "") -> None:
        self._folder = folder
        self._sops = sops
        self._recovery = age.checked(recovery) if recovery else ""
        self._locks: dict[Owner, threading.RLock] = {}
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_private(folder, stat.S_IFDIR)

    def recipients(self, owner: Owner) -> tuple[str, ...]:
        """Its newest identity's public key and its recovery identity's."""
        with self._lock(owner):
            place = self._place(owner)
            own = _public(_newest(place) or _add_identity(place))
            recovery = self._recovery_of(place)
        return (own, recovery) if recovery else (own,)

    def sealed(self, owner: Owner) -> bool:
        """Whether its file opens."""
        try:
            return self._file(owner).exists() and bool(self.open(owner))
        except FrostbyteError:
            return False

    def open(self, owner: Owner) -> dict[str, str]:
        """What is sealed, by the newest identity that opens it. Raises Unavailable: `sops_failed`, `vault_damaged`."""
        with self._lock(owner):
            return self._open(owner, self._file(owner))

    def keep(self, owner: Owner, values: Mapping[str, str]) -> dict[str, str]:
        """Seal those that are not there yet; everything that is sealed then."""
        with self._lock(owner):
            held = self.open(owner)
            if checked(values).keys() - held.keys():
                self.seal(owner, {**values, **held})
                held = self.open(owner)
            return held

    def seal(self, owner: Owner, values: Mapping[str, str]) -> None:
        """Replace what is sealed; the file in place is the one that was opened and compared."""
        wanted = checked(values)
        with self._lock(owner):
            recipients = self.recipients(owner)
            sealed = self._sops.encrypt(json.dumps(wanted, ensure_ascii=False).encode(), recipients)
            _all_sealed(sealed, wanted)
            place = self._place(owner)
            fresh = place / f"{_FRESH}{uuid4().hex}"
            try:
                write_new(fresh, sealed)
                if self._open(owner, fresh) != wanted:
                    raise _damaged()
                fresh.rename(self._file(owner))
                sync_folder(place)
            finally:
                fresh.unlink(missing_ok=True)

    def rotate(self, owner: Owner, turn: str) -> str:
        """See the port: a rotation that was cut off goes on from where it was."""
        with self._lock(owner):
            place = self._place(owner)
            self.recipients(owner)
            if _turn(_identities(place)[-1]) != turn:
                _add_identity(place, turn)
            newest = self.recipients(owner)[0]
            older = _identities(place)[:-1]
            if older:
                (place / _RECOVERY_PUBLIC).unlink(missing_ok=True)  # made anew for today's offline recipient
                self.seal(owner, self.open(owner))
                for identity in older:
                    self._archive(place, identity)
            return newest

    def holds(self, owner: Owner) -> tuple[str, ...]:
        """Identities by their public keys, then files by their names."""
        place = self._folder / folder_of(owner)
        with self._lock(owner):
            if not place.exists():
                return ()
            check_private(place, stat.S_IFDIR)
            identities = _identities(place)
            files = (path for path in sorted(place.rglob("*")) if path.is_file() and path not in identities)
            names = [str(path.relative_to(place)) for path in files if not path.name.startswith(_FRESH)]
            return (*(f"identity {_public(identity)}" for identity in identities), *names)

    def destroy(self, owner: Owner) -> tuple[str, ...]:
        """Overwrite and remove the identities first: whatever is left of a killed run can be opened by nobody here."""
        place = self._folder / folder_of(owner)
        with self._lock(owner):
            gone = self.holds(owner)
            if place.exists():
                for identity in _identities(place):
                    shred(identity)
                for path in sorted(place.rglob("*"), reverse=True):
                    if path.is_dir():
                        path.rmdir()
                    else:
                        shred(path)
                place.rmdir()
                sync_folder(self._folder)
        return gone

    def _open(self, owner: Owner, file: Path) -> dict[str, str]:
        place = self._place(owner)
        if not file.exists():
            return {}
        identities = _identities(place)
        if not identities:
            raise Conflict(
                "vault_identity_missing",
                "The tenant's secrets are sealed, and no identity that opens them lies beside them.",
                "Put its identity file back from your backup, or recover it (docs/secrets.md, Recovery).",
            )
        for identity in reversed(identities):
            try:
                return _values(self._sops.decrypt(file, identity))
            except FrostbyteError:
                if identity == identities[0]:
                    raise
        raise _damaged()

    def _recovery_of(self, place: Path) -> str:
        """The public key of the tenant's recovery identity, made at first; '' where no operator's recipient is set."""
        known = place / _RECOVERY_PUBLIC
        if known.exists():
            return known.read_text(encoding="ascii").strip()
        if not self._recovery:
            return ""
        if (place / RECOVERY).exists():  # older archives are sealed for that one
            archive = _archive_of(place)
            (place / RECOVERY).rename(archive / f"recovery-{len(list(archive.glob('recovery-*.age'))) + 1}.age")
            sync_folder(archive)
        # Its secret half is sealed and durable before anybody seals for it, and is nowhere else than in this frame.
        identity, recipient = age.fresh()
        _replace(place / RECOVERY, age.sealed(f"{identity}\n".encode(), self._recovery))
        _replace(known, f"{recipient}\n".encode())
        return recipient

    def _archive(self, place: Path, identity: Path) -> None:
        heir = self._recovery_of(place) or _public(_identities(place)[-1])
        sealed = age.sealed(identity.read_bytes(), heir)
        _replace(_archive_of(place) / f"{identity.stem}.age", sealed)
        shred(identity)

    def _place(self, owner: Owner) -> Path:
        place = self._folder / folder_of(owner)
        place.mkdir(mode=0o700, exist_ok=True)
        check_private(place, stat.S_IFDIR)
        return place

    def _file(self, owner: Owner) -> Path:
        return self._folder / folder_of(owner) / SEALED

    def _lock(self, owner: Owner) -> threading.RLock:
        return self._locks.setdefault(owner, threading.RLock())


def _values(plain: bytes) -> dict[str, str]:
    try:
        found = json.loads(plain)
    except ValueError:
        raise _damaged() from None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise _damaged()
    return found


def _all_sealed(sealed: bytes, wanted: Mapping[str, str]) -> None:
    """Refuse a file in which SOPS left a value as it was."""
    found = json.loads(sealed)
    if any(not str(found.get(name, "")).startswith(_SEALED_VALUE) for name in wanted):
        raise _damaged()


def _identities(place: Path) -> list[Path]:
    """Oldest first."""
    found = ((match, path) for path in place.iterdir() if (match := _IDENTITY.fullmatch(path.name)))
    return [path for _, path in sorted((int(match[1]), path) for match, path in found)]


def _newest(place: Path) -> Path | None:
    return next(reversed(_identities(place)), None)


def _turn(identity: Path) -> str:
    """The rotation that an identity came by; '' for the first one."""
    first = identity.read_text(encoding="ascii").partition("\n")[0]
    return first.removeprefix(_TURN) if first.startswith(_TURN) else ""


def _add_identity(place: Path, turn: str = "") -> Path:
    newest = _newest(place)
    archived = [int(path.stem.rpartition("-")[2]) for path in (place / _ARCHIVE).glob("identity-*.age")]
    number = max([int(newest.stem.rpartition("-")[2]) if newest else 0, *archived]) + 1
    identity, recipient = age.fresh()
    path = place / f"identity-{number}.txt"
    head = f"{_TURN}{turn}\n" if turn else ""
    write_new(path, f"{head}# public key: {recipient}\n{identity}\n".encode())
    return path


def _archive_of(place: Path) -> Path:
    folder = place / _ARCHIVE
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _public(identity: Path) -> str:
    check_private(identity, stat.S_IFREG)
    lines = identity.read_text(encoding="ascii").split("\n")
    try:
        return age.public(next(line for line in lines if line.startswith(age.SECRET)))
    except (StopIteration, ValueError):
        raise _damaged() from None


def _replace(path: Path, data: bytes) -> None:
    fresh = path.with_name(f"{_FRESH}{uuid4().hex}")
    write_new(fresh, data)
    fresh.rename(path)
    sync_folder(path.parent)


def _damaged() -> Unavailable:
    return Unavailable(
        "vault_damaged",
        "The tenant's sealed secrets or its identity are not what was written.",
        "Put the tenant's folder in the vault back from your backup.",
    )
