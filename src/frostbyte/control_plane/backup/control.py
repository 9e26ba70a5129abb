"""The control plane's own backup: its database as a snapshot, what it keeps secret in its latest state alone.

    snapshot   database/{table}.copy, files/{path}: registry, journal, ledger, audit; what versions run on hosts
    mirror     {path}: keys, the vault, authorities, tokens. An older state of these would bring back what was
               destroyed: the identity of a tenant that is gone opens whatever copies of its secrets there are

The log's key is in neither: who restores signs a log of its own, which names the one before (PLANE_RESTORED).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final
from uuid import UUID

import msgspec

from frostbyte import __version__
from frostbyte.control_plane.backup.ports import Databases, Files, States
from frostbyte.control_plane.backup.settling import settle
from frostbyte.control_plane.registry.changes import ITSELF
from frostbyte.kernel.archive.contents import TableHead
from frostbyte.kernel.audit import logs
from frostbyte.kernel.backup.mirror import Mirror
from frostbyte.kernel.backup.repository import Repository, Snapshot, Verdict
from frostbyte.kernel.backup.retention import Keep
from frostbyte.kernel.clock import Clock, iso
from frostbyte.kernel.errors import Conflict, FrostbyteError, Invalid

FORMAT: Final = "frostbyte-control/1"
DATABASE: Final = "database"
FILES: Final = "files"
PART: Final = 256 << 10
"""Bytes of rows that are kept as one piece: what was only added to since is found again, but for its last piece."""
ACTOR: Final = "restore"


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What a snapshot says of itself.

    Attributes:
        environment: whose control plane it was.
        version: of Frostbyte.
        migrations: applied, with the SHA-256 (hex) of each.
        tables: in an order in which rows can be put back.
        public_key: verifier key of its log.
    """

    environment: str
    version: str
    migrations: dict[str, str]
    tables: tuple[TableHead, ...]
    public_key: str
    format: str = FORMAT


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup came to.

    Attributes:
        snapshot: its name.
        written: bytes that were stored, of `size` that the snapshot has.
        private: files of the mirror.
        verdict: of its trial.
        forgotten: older snapshots that went.
    """

    snapshot: str
    taken_at: str
    written: int
    size: int
    private: int
    verdict: Verdict
    forgotten: int


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What was put back.

    Attributes:
        snapshot: its name.
        files: that were written.
        ended: operations that had been under way, and are not gone on with.
        again: it had been put back by an earlier call.
    """

    snapshot: str
    taken_at: str
    files: int
    ended: int
    again: bool


Trial = Callable[[], AbstractContextManager[Databases]]
"""A scratch database that is gone after the block."""


class ControlBackup:
    """Takes backups of one control plane, and tries each.

    Args:
        repository: opens it, or makes it.
        states: of the database.
        files: of the data folder.
        environment: whose.
        public_key: verifier key of its log.
        clock: for times that are told.
        trial: where a backup is put back to see that it can be; None where only reading it is possible.
    """

    def __init__(
        self,
        *,
        repository: Callable[[], Repository],
        states: States,
        files: Files,
        environment: str,
        public_key: str,
        clock: Clock,
        trial: Trial | None = None,
        keep: Keep = Keep(),
    ) -> None:
        self._repository, self._states, self._files = repository, states, files
        self._environment, self._public_key, self._clock = environment, public_key, clock
        self._trial, self._keep = trial, keep

    def take(self) -> Taken:
        """Take one, try it, and forget those that are not kept any longer.

        Raises:
            Unavailable: `backup_log_waits`, `database_unavailable`, and what the target says.
            Conflict: `backup_foreign`, `backup_place_taken`.
            Invalid: `backup_key`, `backup_damaged`.
        """
        repository = self._repository()
        with self._states() as state, repository.begin(_parent(repository)) as writer:
            head = Head(
                environment=self._environment,
                version=__version__,
                migrations=state.migrations,
                tables=state.tables,
                public_key=self._public_key,
            )
            for table in state.tables:
                writer.member(f"{DATABASE}/{table.name}.copy", state.rows(table, PART))
            for path, data in self._files.public().items():
                writer.member(f"{FILES}/{path}", (data,))
            snapshot = writer.commit(taken_at=state.taken_at, facts=msgspec.to_builtins(head))
        # After the snapshot, so that what it knows of has its keys; what is gone by now is gone from here too.
        private = self._files.private()
        marks = {path: hashlib.sha256(data).hexdigest() for path, data in private.items()}
        now = iso(self._clock.now())
        mirror = Mirror(repository.target, repository.key)
        mirror.replace(
            marks,
            lambda names: {name: (marks[name], private[name]) for name in names},
            written_at=now,
            facts={"environment": self._environment},
        )
        verdict = self.verify(repository, snapshot)
        pruned = repository.prune(self._keep)
        return Taken(
            snapshot=snapshot.name,
            taken_at=snapshot.taken_at,
            written=snapshot.written,
            size=snapshot.size,
            private=len(marks),
            verdict=verdict,
            forgotten=len(pruned.forgotten),
        )

    def verify(self, repository: Repository, snapshot: Snapshot) -> Verdict:
        """Put it back where nobody sees it, whole, and keep what came of that beside it."""
        began, code = time.monotonic(), ""
        facts: dict[str, Any] = {"trial": "loaded" if self._trial else "read"}
        try:
            facts |= self._tried(repository, snapshot)
        except FrostbyteError as error:
            code = error.code
        verdict = Verdict(
            at=iso(self._clock.now()), ok=not code, code=code, seconds=round(time.monotonic() - began, 3), facts=facts
        )
        repository.judge(snapshot.name, verdict)
        return verdict

    def _tried(self, repository: Repository, snapshot: Snapshot) -> dict[str, Any]:
        head, reader = head_of(snapshot), repository.read(snapshot)
        files = sum(len(reader.whole(name)) for name in reader.names(f"{FILES}/"))
        private = Mirror(repository.target, repository.key).entries()
        if self._trial is None:
            rows = sum(block.count(b"\n") for name in reader.names(f"{DATABASE}/") for block in reader.blocks(name))
            return {"rows": rows, "bytes": files, "private": len(private)}
        with self._trial() as databases, databases.begin() as loaded:
            loaded.load(head.migrations, _rows(repository, snapshot, head), version=head.version)
            begin_log(loaded.uow, head, snapshot, self._clock)
            tenants = sum(1 for _ in _all_tenants(loaded.uow))
            settle(loaded.uow, self._clock, ACTOR)
        return {"tenants": tenants, "bytes": files, "private": len(private)}


def restore(
    repository: Repository, databases: Databases, files: Files, *, environment: str, clock: Clock, name: str = ""
) -> Restored:
    """Put a snapshot back, all of it or nothing; again, and what was done is found to be done.

    Args:
        name: of the snapshot; '' for the newest.

    Raises:
        NotFound: `backup_none`, `backup_unknown`.
        Conflict: `control_not_empty`, `backup_environment`, `archive_newer`, `migration_changed`,
            `log_beyond_checkpoint`.
        Invalid: `backup_damaged`, `archive_broken`, `backup_format`.
    """
    snapshot = repository.snapshot(name) if name else repository.latest()
    if snapshot is None:
        raise Invalid("backup_damaged", "The backup holds no snapshot.", "Take another target.")
    done = databases.restored_from()
    if done is not None and not name:
        snapshot = _of_id(repository, done) or snapshot
    head, reader = head_of(snapshot), repository.read(snapshot)
    if head.environment != environment:
        raise Conflict(
            "backup_environment",
            f"The backup is of the control plane of {head.environment}, and this is {environment}.",
            "Set FROSTBYTE_CONTROL_ENVIRONMENT, or name another backup.",
        )
    kept = {path.removeprefix(f"{FILES}/"): reader.whole(path) for path in reader.names(f"{FILES}/")}
    private = Mirror(repository.target, repository.key).entries()
    if done == snapshot.snapshot_id:
        return _restored(snapshot, files.put(kept | private, replace=False), 0, again=True)
    with databases.begin() as loaded:
        loaded.load(head.migrations, _rows(repository, snapshot, head), version=head.version)
        begin_log(loaded.uow, head, snapshot, clock)
        ended = settle(loaded.uow, clock, ACTOR)
        written = files.put(kept | private, replace=True)
        loaded.uow.commit()
    return _restored(snapshot, written, ended, again=False)


def head_of(snapshot: Snapshot) -> Head:
    """What a snapshot says of itself. Raises Invalid("backup_format")."""
    try:
        found = msgspec.convert(snapshot.facts, Head)
    except msgspec.ValidationError:
        found = None
    if found is None or found.format != FORMAT:
        raise Invalid(
            "backup_format",
            f"The snapshot is none of a control plane in the format {FORMAT}.",
            "Use the version of Frostbyte that wrote it, or a later one; a tenant's is for `frostbyte tenant restore`.",
        )
    return found


def begin_log(uow: Any, head: Head, snapshot: Snapshot, clock: Clock) -> UUID:
    """End the log that came along, and begin the next."""
    details: Mapping[str, Any] = {"export_id": str(snapshot.snapshot_id), "kind": "control"}
    event = logs.begin_next(
        uow, tenant_id=ITSELF, public_key=head.public_key, clock=clock, actor=ACTOR, details=details
    )
    return event.event_id


def _restored(snapshot: Snapshot, files: int, ended: int, *, again: bool) -> Restored:
    return Restored(snapshot=snapshot.name, taken_at=snapshot.taken_at, files=files, ended=ended, again=again)


def _rows(repository: Repository, snapshot: Snapshot, head: Head) -> Iterator[tuple[TableHead, Iterable[bytes]]]:
    reader = repository.read(snapshot)
    for table in head.tables:
        yield table, reader.blocks(f"{DATABASE}/{table.name}.copy")


def _of_id(repository: Repository, snapshot_id: UUID) -> Snapshot | None:
    """The snapshot that a database came from; None where it is not kept any longer."""
    for name in reversed(repository.snapshots()):
        found = repository.snapshot(name)
        if found.snapshot_id == snapshot_id:
            return found
    return None


def _parent(repository: Repository) -> Snapshot | None:
    """The newest that can be read: a damaged one is no reason to take none."""
    try:
        return repository.latest()
    except Invalid:
        return None


def _all_tenants(uow: Any) -> Iterator[Any]:
    after = ""
    while page := uow.tenants.page(after=after, limit=1000):
        yield from page
        after = page[-1].tenant_id
