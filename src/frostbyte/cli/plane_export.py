"""`frostbyte plane export`: everything of a plane as one archive, and checking one."""

from __future__ import annotations

import os
import stat
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Final

import typer

from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.exits import Exit
from frostbyte.cli.options import AsJson
from frostbyte.cli.output import count_text, err, hint, out, print_json, size_text, table, text

if TYPE_CHECKING:
    from frostbyte.data_plane.lifecycle.export import Exported
    from frostbyte.kernel.archive.contents import Head, Tail
    from frostbyte.kernel.archive.file import Sealed

STREAM: Final = "-"
STALL_SECONDS: Final = 300.0
"""Who does not take a byte for so long is gone: the plane keeps nothing back for an export that nobody reads."""
_TELL_SECONDS: Final = 5.0
_BUFFER: Final = 256 << 10
"""Bytes that are written at once: headers are small, and a container's pipe pays for each write."""


def export(
    recipient: Annotated[
        str, typer.Option("--recipient", help="age public key (age1...) that the tenant's keys are sealed for.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The archive to write, `-` for stdout. Else named by tenant and time."),
    ] = None,
    actor: Annotated[str, typer.Option("--actor", help="Who takes it, for the audit and destruction receipts.")] = (
        "operator"
    ),
    as_json: AsJson = False,
) -> None:
    """Write everything of this plane into one archive: log, database, objects as they are sealed, keys for RECIPIENT.

    The plane goes on working. Who holds the identity of RECIPIENT and the archive can read all documents in it.
    """
    from frostbyte.bootstrap.exporting import exporting
    from frostbyte.bootstrap.exporting import recipient as read_recipient
    from frostbyte.kernel.settings import load

    settings, sealed_for = load(), read_recipient(recipient)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    path = output or Path(f"frostbyte-export-{settings.tenant_id}-{stamp}.tar")
    streamed = str(path) == STREAM
    with _outlet(path) as outlet, exporting(settings) as plane:
        done = plane.write(outlet, sealed_for, actor=actor, progress=outlet.told)
    if as_json and not streamed:
        print_json(_said(path, done))
    else:
        _show(path, done, streamed)
    if done.missing:
        raise typer.Exit(Exit.PROBLEMS)


class _Outlet:
    """Takes the archive, says on stderr how far it is, and ends the process if nobody takes what it gives.

    Args:
        descriptor: of the file or the pipe.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._held = bytearray()
        self._size = 0
        self._done = ""
        self._spoken = time.monotonic()
        self._given = 0.0
        """When what is being written now was begun; 0 while nothing is."""
        self._over = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def write(self, data: bytes, /) -> None:
        """Raises OSError."""
        self._held += data
        if len(self._held) >= _BUFFER:
            self._give()
        if time.monotonic() - self._spoken >= _TELL_SECONDS:
            self._spoken = time.monotonic()
            err().print(text(f"{size_text(self._size)} written{self._done}", "dim"))

    def _give(self) -> None:
        self._given = time.monotonic()
        with memoryview(self._held) as held:
            at = 0
            while at < len(held):
                at += os.write(self._descriptor, held[at:])
        self._given = 0.0
        self._size += len(self._held)
        self._held.clear()

    def flush(self) -> None:
        """All of it is on the disk, or taken by who reads the stream. Raises OSError."""
        self._give()
        if stat.S_ISREG(os.fstat(self._descriptor).st_mode):
            os.fsync(self._descriptor)

    def told(self, done: int, total: int) -> None:
        """Documents done."""
        self._done = f", {done:,} of {count_text(total, 'document')}"

    def close(self) -> None:
        """Watch no longer."""
        self._over.set()

    def _watch(self) -> None:
        # A pipe that nobody empties would hold the snapshot for ever.
        while not self._over.wait(STALL_SECONDS / 10):
            if self._given and time.monotonic() - self._given > STALL_SECONDS:
                err().print(text(f"Nobody took anything for {STALL_SECONDS:.0f} seconds: the export ends here."))
                os._exit(Exit.UNAVAILABLE)


@contextmanager
def _outlet(path: Path) -> Iterator[_Outlet]:
    """A file under a name of its own until it is whole, readable by its owner alone; or stdout."""
    streamed = str(path) == STREAM
    if streamed and sys.stdout.isatty():
        raise CommandFailed(
            "export_to_terminal", "An archive is nothing for a terminal.", "Name a file, or send it on by a pipe."
        )
    if not streamed and path.exists():
        raise CommandFailed("export_exists", f"There is a {path.name} already.", "Name another file.")
    part = path.with_name(path.name + ".part")
    try:
        with _descriptor(None if streamed else part) as descriptor:
            outlet = _Outlet(descriptor)
            try:
                yield outlet
            finally:
                outlet.close()
        if not streamed:
            part.rename(path)
            _sync(path.absolute().parent)
    except OSError as error:
        raise CommandFailed(
            "export_unwritable",
            f"The archive cannot be written ({error.strerror}).",
            "Name a folder on a disk with room for it, or see what became of the program that reads it.",
        ) from None
    finally:
        if not streamed:
            part.unlink(missing_ok=True)


@contextmanager
def _descriptor(part: Path | None) -> Iterator[int]:
    """Of a fresh file; of stdout where there is none."""
    if part is None:
        yield sys.stdout.fileno()
        return
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _said(path: Path, done: Exported) -> dict[str, Any]:
    return {
        "file": str(path),
        "export_id": str(done.sealed.export_id),
        "seal_sha256": done.sealed.sha256,
        "bytes": done.sealed.size,
        "documents": done.documents,
        "objects": done.objects,
        "erased_meanwhile": done.erased,
        "missing": list(done.missing),
        "checkpoint": done.checkpoint,
    }


def _show(path: Path, done: Exported, streamed: bool) -> None:
    console = err() if streamed else out()
    where = "" if streamed else f" in {path}"
    console.print(
        text(
            f"Export {done.sealed.export_id} is whole{where}: {count_text(done.documents, 'document')}, "
            f"{count_text(done.objects, 'object')}, {size_text(done.sealed.size)}."
        )
    )
    if done.erased:
        hint(f"Erased meanwhile, and their keys left out: {count_text(done.erased, 'document')}")
    if done.missing:
        err().print(
            text(
                f"The store lacks {count_text(len(done.missing), 'object')} that documents need (end.json names them): "
                "look for them in an older export, or erase the documents.",
                "bold red",
            )
        )
    if not streamed:
        hint("Keep this checkpoint elsewhere: it shows later that nothing of the log was taken back.")
        console.print(text(done.checkpoint.rstrip("\n"), lines=True), soft_wrap=True)


def export_check(
    path: Annotated[Path, typer.Argument(help="The archive, `-` for stdin.", show_default=False)],
    key: Annotated[
        str | None, typer.Option("--key", help="The log's verifier key, or a file with it, got by another way.")
    ] = None,
    own: Annotated[bool, typer.Option("--own", help="Take the key of the plane that is set here.")] = False,
    as_json: AsJson = False,
) -> None:
    """Read an archive from front to back: is it whole, and sealed by the log's key? Without --own it needs no plane."""
    from frostbyte.cli.proof import read_key
    from frostbyte.kernel.errors import Invalid

    known = _own_key() if own else read_key(key)
    try:
        if str(path) == STREAM:
            head, tail, sealed = _read(sys.stdin.buffer, known)
        else:
            with path.open("rb") as file:
                head, tail, sealed = _read(file, known)
    except OSError as error:
        raise CommandFailed(
            "export_unreadable", f"It cannot be checked: {error.strerror}.", "Check the key, or export it again."
        ) from None
    except Invalid as error:
        raise CommandFailed(error.code, error.message, error.remedy, exit_code=Exit.VERIFICATION_FAILED) from None
    if as_json:
        print_json(
            {
                "export_id": str(sealed.export_id),
                "tenant_id": sealed.tenant_id,
                "created_at": head.created_at,
                "version": head.version,
                "schema": head.schema,
                "documents": head.documents,
                "objects": tail.objects,
                "missing": list(tail.missing),
                "bytes": sealed.size,
                "seal_sha256": sealed.sha256,
                "signature": "checked" if known else "against its own key",
                "checkpoint": head.checkpoint,
            }
        )
        return
    out().print(text(f"Export {sealed.export_id} of {sealed.tenant_id}, {head.created_at[:19]}Z, is whole."))
    out().print(
        text(
            f"{count_text(head.documents, 'document')}, {count_text(tail.objects, 'object')}, "
            f"{head.log_size:,} audit events, {size_text(sealed.size)}; its keys are for {head.recipient}"
        ),
        soft_wrap=True,
    )
    out().print(text(f"seal {sealed.sha256}"), soft_wrap=True)
    out().print(text(head.checkpoint.rstrip("\n"), lines=True), soft_wrap=True)
    if not known:
        hint("The seal was checked against the key in the archive itself: name the log's key (--key) to be sure of it.")


def _own_key() -> str:
    from frostbyte.bootstrap.exporting import database, signer
    from frostbyte.kernel.settings import load

    settings = load()
    with database(settings) as (_, _, store):
        return signer(settings, store).verifier_key


def export_list(
    erased: Annotated[
        bool, typer.Option("--erased", help="Only the ids of those that hold a document which was erased since.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the exports of this plane, newest first: when, by whom, and what an erasure since has to reach."""
    from frostbyte.bootstrap.exporting import database
    from frostbyte.data_plane.lifecycle.export import KIND
    from frostbyte.kernel.clock import iso
    from frostbyte.kernel.settings import load

    with database(load()) as (_, _, store), store.unit_of_work(reading=True) as uow:
        rows = [row for row in uow.erasures.handed_out(KIND) if row.erased or not erased]
    if as_json:
        print_json(
            [
                {
                    "export_id": str(row.export_id),
                    "created_at": iso(row.created_at),
                    "actor": row.actor,
                    "documents": row.documents,
                    "erased_since": row.erased,
                }
                for row in rows
            ]
        )
        return
    if erased:
        for row in rows:
            out().print(text(row.export_id))
        return
    shown = table("=export", "time", "actor", ">documents", ">erased since")
    for row in rows:
        shown.add_row(
            text(row.export_id), text(iso(row.created_at)[:19]), text(row.actor), text(row.documents), text(row.erased)
        )
    out().print(shown)


def _read(file: BinaryIO, key: str | None) -> tuple[Head, Tail, Sealed]:
    from frostbyte.kernel.archive.contents import TAIL, read_head, read_tail
    from frostbyte.kernel.archive.file import HEAD, ArchiveReader, broken

    reader = ArchiveReader(file)
    head, tail = None, None
    for member in reader:
        if member.name == HEAD:
            head = read_head(member)
        elif member.name == TAIL:
            tail = read_tail(member)
    if head is None or tail is None:
        raise broken("its head or its end is missing")
    sealed = reader.sealed(key or head.public_key)
    if (sealed.export_id, sealed.tenant_id) != (head.export_id, head.tenant_id):
        raise broken("its head is of another export")
    return head, tail, sealed
