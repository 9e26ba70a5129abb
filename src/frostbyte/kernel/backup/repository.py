"""Snapshots of something, in a store elsewhere: sealed, incremental, each whole by itself.

    repository/head           whose it is (plain JSON)
    repository/key.age        the repository's key, sealed with age for the recipients
    packs/aa/SHA256           see packs.py
    snapshots/TIME-ID         what a snapshot has, sealed; written last, so that what has none is no backup
    verdicts/TIME-ID          what a trial restore said of it, sealed
    mirror/...                what is kept in its latest state alone: see mirror.py

A snapshot is a list of *members*, files so to speak, and a table of the packs that it needs; it needs no other
snapshot. What a later one has in common with it, it names again instead of storing it.

    repository = Repository.open(target, owner="tenant/acme", key_of=...)
    writer = repository.begin(repository.latest())
    writer.member("database/tenants.copy", blocks)
    snapshot = writer.commit(taken_at="2026-01-01T00:00:00Z", facts={...})
    reader = repository.read(snapshot)
    b"".join(reader.blocks("database/tenants.copy"))
"""

from __future__ import annotations

import hashlib
import hmac
import re
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final, Self, TypeVar
from uuid import UUID

import msgspec

from frostbyte.kernel.backup import packs
from frostbyte.kernel.backup.reading import SnapshotReader
from frostbyte.kernel.backup.retention import Keep, Kept, kept
from frostbyte.kernel.backup.snapshot import Member, Snapshot
from frostbyte.kernel.backup.target import Target, damaged, foreign
from frostbyte.kernel.backup.writing import SnapshotWriter
from frostbyte.kernel.clock import Clock, iso
from frostbyte.kernel.errors import Conflict, Invalid, NotFound
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.sealing import SealBroken, seal, unseal

__all__ = ["Member", "Pruned", "Repository", "Snapshot", "SnapshotReader", "SnapshotWriter", "Verdict"]

FORMAT: Final = "frostbyte-backup/1"
HEAD: Final = "repository/head"
KEY: Final = "repository/key.age"
SNAPSHOTS: Final = "snapshots"
VERDICTS: Final = "verdicts"
GRACE_SECONDS: Final = 86_400.0
"""How long a pack stays that no snapshot needs: a run that was cut off goes on with it, and one that is under way
where its owner's lock does not reach has not named it yet."""
_PROOF: Final = b"frostbyte backup repository"
_NAME: Final = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")
_T = TypeVar("_T")


class _Head(msgspec.Struct, frozen=True, kw_only=True):
    format: str
    repository: UUID
    owner: str
    created_at: str
    proof: str
    """HMAC by the key (hex): tells a wrong key from a damaged pack."""


class SealedKey(msgspec.Struct, frozen=True, kw_only=True):
    """What `repository/key.age` holds, once it was opened with the identity of a recipient."""

    repository: UUID
    owner: str
    key: bytes


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a trial restore said of a snapshot.

    Attributes:
        at: ISO 8601 UTC.
        ok: whether everything that was tried is as it should be.
        code: of the first error; '' where there is none.
        seconds: that the trial took.
        facts: what was tried, counted.
    """

    at: str
    ok: bool
    code: str = ""
    seconds: float = 0.0
    facts: dict[str, Any] = msgspec.field(default_factory=dict)


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """What pruning came to: names of snapshots, and how many packs went."""

    kept: tuple[str, ...]
    forgotten: tuple[str, ...]
    packs: int


class Repository:
    """One repository, opened.

    Every method raises `Unavailable` where the target says so (see target.Target).
    """

    def __init__(self, target: Target, head: _Head, key: bytes) -> None:
        self.target = target
        self.key = key
        self.id = head.repository
        self.owner = head.owner

    @classmethod
    def open(cls, target: Target, *, owner: str, key_of: Callable[[UUID], bytes]) -> Self:
        """The repository that is there.

        Args:
            owner: whose it has to be: `tenant/acme`, `control/production`.
            key_of: its key (32 bytes), by its id.

        Raises:
            NotFound: `backup_none`: nothing is there.
            Conflict: `backup_foreign`.
            Invalid: `backup_format`: a later version wrote it; `backup_key`: this is not its key; `backup_damaged`.
        """
        head = _read_head(target)
        if head.owner != owner:
            raise foreign(f"it belongs to {head.owner}, not to {owner}")
        key = key_of(head.repository)
        if not hmac.compare_digest(head.proof, _proof(key, head.repository)):
            raise Invalid(
                "backup_key",
                "The backup cannot be opened with this key: it was made with other keys.",
                "Restore the keys of the tenant (or of the control plane) that made it, or name its recipient's "
                "identity.",
            )
        return cls(target, head, key)

    @classmethod
    def create(
        cls, target: Target, *, owner: str, key_of: Callable[[UUID], bytes], seal_key: Callable[[bytes], bytes],
        clock: Clock,
    ) -> Self:  # fmt: skip
        """The repository that is there, or a new one in a place where there is none.

        Args:
            seal_key: seals bytes with age for those who may open the repository when everything else is lost.

        Raises:
            Conflict: `backup_foreign`; `backup_place_taken`: something else is there.
            Others as `open`.
        """
        try:
            found = cls.open(target, owner=owner, key_of=key_of)
        except NotFound:
            _see_that_it_is_free(target)
            repository = new_id()
            key = key_of(repository)
            head = _Head(
                format=FORMAT,
                repository=repository,
                owner=owner,
                created_at=iso(clock.now()),
                proof=_proof(key, repository),
            )
            found = cls(target, head, key)
            found.seal_for(seal_key)
            target.put_proven(HEAD, msgspec.json.encode(head))  # last: without it there is no repository
        return found

    def seal_for(self, seal_key: Callable[[bytes], bytes]) -> None:
        """Have these recipients be the ones who can open it with an identity, and nobody else from now on."""
        told = SealedKey(repository=self.id, owner=self.owner, key=self.key)
        self.target.put_proven(KEY, seal_key(msgspec.json.encode(told)))

    def snapshots(self) -> list[str]:
        """Names of the snapshots, oldest first: `20260101T020000Z-0a1b2c3d`."""
        found = (name.rpartition("/")[2] for name in self.target.names(f"{SNAPSHOTS}/"))
        return sorted(name for name in found if _NAME.fullmatch(name))

    def snapshot(self, name: str) -> Snapshot:
        """A snapshot by its name.

        Raises:
            NotFound: `backup_unknown`.
            Invalid: `backup_damaged`, `backup_format`.
        """
        if not _NAME.fullmatch(name):
            raise _unknown()
        try:
            sealed = self.target.get(f"{SNAPSHOTS}/{name}")
        except NotFound:
            raise _unknown() from None
        return self._opened(f"{SNAPSHOTS}/{name}", sealed, Snapshot, "a snapshot's list")

    def latest(self) -> Snapshot | None:
        """The newest snapshot; None before the first. Raises as `snapshot`."""
        names = self.snapshots()
        return self.snapshot(names[-1]) if names else None

    def begin(self, parent: Snapshot | None) -> SnapshotWriter:
        """Begin the next snapshot.

        Args:
            parent: what it has most in common with; what is lost of it by now is known after this (`writer.lost`).
        """
        newest = "".join(self.snapshots()[-1:])
        return SnapshotWriter(self.target, self.key, parent, newest, self._save)

    def read(self, snapshot: Snapshot) -> SnapshotReader:
        """What reads a snapshot."""
        return SnapshotReader(self.target, self.key, snapshot)

    def judge(self, snapshot: str, verdict: Verdict) -> None:
        """Keep what a trial restore said; a later verdict takes an earlier one's place."""
        name = f"{VERDICTS}/{snapshot}"
        self.target.put_proven(name, seal(self.key, name, msgspec.json.encode(verdict)))

    def verdict(self, snapshot: str) -> Verdict | None:
        """What the last trial restore said; None where there was none, or what it said is lost."""
        name = f"{VERDICTS}/{snapshot}"
        try:
            return msgspec.json.decode(unseal(self.key, name, self.target.get(name)), type=Verdict)
        except (NotFound, SealBroken, msgspec.MsgspecError):
            return None

    def prune(self, keep: Keep) -> Pruned:
        """Forget snapshots by a rule, then remove the packs that none of the others needs.

        Killed at any moment, it leaves every snapshot that is there whole.

        Raises:
            Invalid: `backup_damaged`: a snapshot that stays cannot be read, so nothing of it can be spared: nothing is
                removed.
        """
        names = self.snapshots()
        stay = kept([Kept(name, self._was_good(name)) for name in names], keep)
        needed = {pack for name in names if name in stay for pack in self.snapshot(name).packs}
        gone = [name for name in names if name not in stay]
        for name in gone:
            self.target.delete(f"{SNAPSHOTS}/{name}")
        for name in list(self.target.names(f"{VERDICTS}/")):
            if name.rpartition("/")[2] not in stay:
                self.target.delete(name)
        return Pruned(kept=tuple(sorted(stay)), forgotten=tuple(gone), packs=self._remove_packs(needed))

    def _was_good(self, name: str) -> bool:
        verdict = self.verdict(name)
        return verdict is not None and verdict.ok

    def _remove_packs(self, needed: set[bytes]) -> int:
        removed = 0
        for pack in list(packs.listed(self.target)):
            name = packs.name_of(pack)
            if pack not in needed and self.target.age_seconds(name) >= GRACE_SECONDS:
                self.target.delete(name)
                removed += 1
        return removed

    def _save(self, snapshot: Snapshot) -> None:
        name = f"{SNAPSHOTS}/{snapshot.name}"
        self.target.put_proven(name, seal(self.key, name, zlib.compress(msgspec.msgpack.encode(snapshot), 1)))

    def _opened(self, name: str, sealed: bytes, type: type[_T], what: str) -> _T:
        try:
            return msgspec.msgpack.decode(zlib.decompress(unseal(self.key, name, sealed)), type=type)
        except (SealBroken, zlib.error, msgspec.MsgspecError):
            raise damaged(what) from None


def sealed_key(target: Target, unseal_key: Callable[[bytes], bytes]) -> SealedKey:
    """The key of a repository, for who has a recipient's identity and nothing else.

    Args:
        unseal_key: opens an age file; raises Invalid where the identity is another's.

    Raises:
        NotFound: `backup_none`.
        Invalid: `backup_damaged`, and what `unseal_key` raises.
    """
    head = _read_head(target)
    try:
        told = msgspec.json.decode(unseal_key(target.get(KEY)), type=SealedKey)
    except (NotFound, msgspec.MsgspecError):
        raise damaged("the repository's sealed key") from None
    if (told.repository, told.owner) != (head.repository, head.owner):
        raise damaged("the repository's sealed key")
    return told


def _read_head(target: Target) -> _Head:
    try:
        data = target.get(HEAD)
    except NotFound:
        raise NotFound(
            "backup_none", "There is no backup at this target.", "Check FROSTBYTE_BACKUP_URL, or take the first backup."
        ) from None
    try:
        told: Mapping[str, Any] = msgspec.json.decode(data, type=dict[str, Any])
        if told.get("format") == FORMAT:
            return msgspec.json.decode(data, type=_Head)
    except msgspec.MsgspecError:
        raise damaged("the repository's head") from None
    raise Invalid(
        "backup_format",
        f"The backup is of another format than {FORMAT}.",
        "Use the version of Frostbyte that wrote it, or a later one.",
    )


def _proof(key: bytes, repository: UUID) -> str:
    return hmac.new(key, _PROOF + repository.bytes, hashlib.sha256).hexdigest()


def _see_that_it_is_free(target: Target) -> None:
    for folder in (SNAPSHOTS, packs.FOLDER):
        if next(iter(target.names(f"{folder}/")), None) is not None:
            raise Conflict(
                "backup_place_taken",
                "The target holds packs or snapshots, and no head that says whose they are.",
                "Put repository/head back from a copy, or name an empty place (FROSTBYTE_BACKUP_URL).",
            )


def _unknown() -> NotFound:
    return NotFound(
        "backup_unknown", "There is no snapshot of this name.", "`frostbyte plane backup list` names those there are."
    )
