"""What a backup keeps in its latest state alone: things that have to be gone when they are gone.

Keys of documents are such things: a snapshot of last week must not hold the key of what was erased yesterday. They lie
beside the snapshots, in *shards* (a key belongs to one by the hash of its name), and a head that lists the shards:

    mirror/head           sealed: number of shards, the SHA-256 of each, what is told of all of it
    mirror/SHA256         a shard: names and values, sealed

A change writes the shards that differ, then the head, then removes the shards that the new head does not name: at each
moment the mirror is as it was before or as it is after. The store must keep no versions (docs/backup-format.md).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from frostbyte.kernel.backup.packs import digest
from frostbyte.kernel.backup.target import Target, damaged
from frostbyte.kernel.errors import Conflict, Invalid, NotFound
from frostbyte.kernel.sealing import SealBroken, seal, unseal

FOLDER: Final = "mirror"
HEAD: Final = f"{FOLDER}/head"
SHARD: Final = 2048
"""Entries that a shard has on average, at most: 250 KB where they are wrapped keys."""


class _Shard(msgspec.Struct, frozen=True, array_like=True):
    """What the head knows of a shard: its object, and a hash of the names in it with their marks."""

    sha256: bytes
    listing: bytes


class _Head(msgspec.Struct, frozen=True, kw_only=True):
    shards: tuple[_Shard | None, ...]
    epoch: int
    written_at: str
    facts: dict[str, Any]
    whole: bytes = b""
    """A hash of all names with their marks, where the shards hold just that."""


class _Entry(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A value, and the mark that it had when it was fetched."""

    mark: str
    value: bytes


_Entries = dict[str, _Entry]


class Mirrored(msgspec.Struct, frozen=True, kw_only=True):
    """What bringing a mirror up to date came to.

    Attributes:
        entries: that it holds now.
        added: that were not there before, or not with this mark.
        removed: that are not there any more.
        spared: that nobody has any more but the mirror, and that stay.
        healed: shards that were lost or damaged, and are made anew. What was spared in them is lost.
        written: bytes.
    """

    entries: int
    added: int
    removed: int
    spared: int
    healed: int
    written: int


class Mirror:
    """The mirror of a repository.

    Every method raises `Unavailable` where the target says so.

    Args:
        target: the repository's.
        key: the repository's.
    """

    def __init__(self, target: Target, key: bytes) -> None:
        self._target, self._key = target, key

    def facts(self) -> tuple[str, dict[str, Any]]:
        """When it was brought up to date last ('' before the first time), and what was told with it."""
        head = self._head()
        return (head.written_at, head.facts) if head else ("", {})

    def entries(self) -> dict[str, bytes]:
        """All of it. Raises Invalid("backup_damaged")."""
        head = self._head()
        return {
            name: entry.value
            for shard in (head.shards if head else ())
            if shard is not None
            for name, entry in self._read(shard).items()
        }

    def replace(
        self,
        marks: Mapping[str, str],
        values: Callable[[Sequence[str]], Mapping[str, tuple[str, bytes]]],
        *,
        spare: Callable[[list[str]], Iterable[str]] = lambda names: (),
        epoch: int = 0,
        written_at: str,
        facts: dict[str, Any],
        distrust: bool = False,
    ) -> Mirrored:
        """Have the mirror hold these entries and no others; only shards in which something differs are touched.

        Args:
            marks: what there is: a mark by name, which is another where the value is.
            values: fetches values, each with the mark that it has by now; without those that are gone.
            spare: of names that are in the mirror and in `marks` no more, those that stay nevertheless.
            epoch: which of its owners' lives writes: one of an earlier life than the mirror's is refused.
            written_at: ISO 8601 UTC.
            facts: what is told with it.
            distrust: whether every shard is read, also where nothing differs.

        Raises:
            Conflict: `backup_overtaken`.
            Invalid: `backup_damaged`: its head.
        """
        before = self._head()
        if before is not None and before.epoch > epoch:
            raise Conflict(
                "backup_overtaken",
                "A plane that was restored from this backup writes into it now; this one is the plane before.",
                "Stop this plane's backups (FROSTBYTE_BACKUP_URL), or give it a place of its own.",
            )
        whole, there = _listing(sorted(marks), marks), set(self._names())
        if before is not None and not distrust and before.whole == whole and there.issuperset(_names_of(before.shards)):
            shards, done = (
                before.shards,
                Mirrored(entries=len(marks), added=0, removed=0, spared=0, healed=0, written=0),
            )
        else:
            work = _Change(self, before, marks, values, spare, there, distrust=distrust)
            shards, done = work.shards(), work.done()
            whole = whole if work.as_wanted else b""
            there = set(self._names())
        head = _Head(shards=shards, epoch=epoch, written_at=written_at, facts=facts, whole=whole)
        self._target.put_proven(HEAD, seal(self._key, HEAD, msgspec.msgpack.encode(head)))
        for name in sorted(there - _names_of(shards) - {HEAD}):
            self._target.delete(name)
        return done

    def _names(self) -> list[str]:
        return list(self._target.names(f"{FOLDER}/"))

    def _head(self) -> _Head | None:
        try:
            sealed = self._target.get(HEAD)
        except NotFound:
            return None
        try:
            return msgspec.msgpack.decode(unseal(self._key, HEAD, sealed), type=_Head)
        except (SealBroken, msgspec.MsgspecError):
            raise damaged("the list of the mirrored keys") from None

    def _read(self, shard: _Shard) -> _Entries:
        try:
            sealed = self._target.get(_name(shard.sha256))
            if digest(sealed) != shard.sha256:
                raise damaged("a part of the mirrored keys")
            return msgspec.msgpack.decode(unseal(self._key, FOLDER, sealed), type=_Entries)
        except (NotFound, SealBroken, msgspec.MsgspecError):
            raise damaged("a part of the mirrored keys") from None

    def _write(self, entries: _Entries) -> tuple[bytes, int]:
        sealed = seal(self._key, FOLDER, msgspec.msgpack.encode(entries))
        name = digest(sealed)
        self._target.put_proven(_name(name), sealed)
        return name, len(sealed)


class _Change:
    """One change of a mirror, shard by shard."""

    def __init__(
        self,
        mirror: Mirror,
        before: _Head | None,
        marks: Mapping[str, str],
        values: Callable[[Sequence[str]], Mapping[str, tuple[str, bytes]]],
        spare: Callable[[list[str]], Iterable[str]],
        there: set[str],
        *,
        distrust: bool,
    ) -> None:
        self._mirror, self._values, self._spare, self._marks = mirror, values, spare, marks
        old = before.shards if before else ()
        count = self._count = _shards_for(len(marks), len(old))
        self._wanted: list[list[str]] = [[] for _ in range(count)]
        for name in sorted(marks):
            self._wanted[_number(name, count)].append(name)
        self._entries = self._added = self._removed = self._spared = self._healed = self._written = 0
        self._there = there
        self.as_wanted = True
        """Whether every shard holds what is wanted and nothing else, as far as they were made."""
        self._distrust = distrust
        self._old = old if len(old) == count else (None,) * count
        self._moved = self._divided(old) if len(old) != count else None

    def shards(self) -> tuple[_Shard | None, ...]:
        """All of them as they are now, stored where they are others than before."""
        return tuple(self._shard(number) for number in range(self._count))

    def done(self) -> Mirrored:
        """What it came to."""
        return Mirrored(
            entries=self._entries,
            added=self._added,
            removed=self._removed,
            spared=self._spared,
            healed=self._healed,
            written=self._written,
        )

    def _divided(self, old: Iterable[_Shard | None]) -> list[_Entries]:
        """What there was, when it is to be divided into another number of shards."""
        divided: list[_Entries] = [{} for _ in range(self._count)]
        for shard in old:
            for name, entry in (self._held(shard) or {}).items():
                divided[_number(name, self._count)][name] = entry
        return divided

    def _held(self, shard: _Shard | None) -> _Entries | None:
        """What a shard holds; None where it is lost, so that it is made anew of what there is."""
        if shard is None:
            return {}
        try:
            return self._mirror._read(shard)
        except Invalid:
            self._healed += 1
            return None

    def _shard(self, number: int) -> _Shard | None:
        names, old = self._wanted[number], self._old[number]
        listing = _listing(names, self._marks)
        if old is not None and old.listing == listing and not self._distrust and _name(old.sha256) in self._there:
            self._entries += len(names)
            return old
        held = self._moved[number] if self._moved is not None else self._held(old)
        if old is not None and held is not None and old.listing == listing:  # it was only looked at
            self._entries += len(names)
            return old
        before = held or {}
        found = self._found(names, before)
        gone = sorted(set(before).difference(names))
        stay = set(self._spare(gone)) if gone else set()
        self._removed += len(gone) - len(stay)
        self._spared += len(stay)
        found |= {name: before[name] for name in stay}
        self._entries += len(found)
        if not found:
            self.as_wanted &= not names
            return None
        sha256, size = self._mirror._write(found)
        self._written += size
        # With something in it that is not wanted, or without something that is, the next change looks again.
        same = found.keys() == set(names) and all(entry.mark == self._marks[name] for name, entry in found.items())
        self.as_wanted &= same
        return _Shard(sha256, listing if same else b"")

    def _found(self, names: list[str], before: _Entries) -> _Entries:
        """What there is of these names, fetched where the mark is another than before."""
        fresh = [name for name in names if name not in before or before[name].mark != self._marks[name]]
        fetched = self._values(fresh) if fresh else {}
        self._added += len(fetched)
        kept = {name: before[name] for name in set(names).difference(fresh)}
        return kept | {name: _Entry(*told) for name, told in fetched.items()}


def _listing(names: Iterable[str], marks: Mapping[str, str]) -> bytes:
    return hashlib.sha256("\n".join([f"{name} {marks[name]}" for name in names]).encode()).digest()


def _names_of(shards: Iterable[_Shard | None]) -> set[str]:
    return {_name(shard.sha256) for shard in shards if shard}


def _shards_for(entries: int, now: int) -> int:
    """A power of two; it grows by need and does not shrink again."""
    count = 1
    while count * SHARD < entries:
        count *= 2
    return max(count, now)


def _number(name: str, count: int) -> int:
    return int.from_bytes(digest(name.encode())[:4], "big") % count


def _name(sha256: bytes) -> str:
    return f"{FOLDER}/{sha256.hex()}"
