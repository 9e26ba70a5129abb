"""`frostbyte bundle import`: an exported plane, put into an empty one."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.exits import Exit
from frostbyte.cli.options import AsJson
from frostbyte.cli.output import count_text, err, hint, out, print_json, size_text, text
from frostbyte.cli.proof import read_key, require_file

if TYPE_CHECKING:
    from frostbyte.data_plane.restore import Imported
    from frostbyte.kernel.archive.contents import ErasedSince, Head

_TELL_SECONDS: Final = 5.0


def import_(
    archive: Annotated[Path, typer.Argument(help="The archive, as `plane export` wrote it.", show_default=False)],
    identity: Annotated[
        Path, typer.Option("--identity", help="File with the age identity that the archive's keys were sealed for.")
    ],
    key: Annotated[
        str | None,
        typer.Option("--key", help="Verifier key of the exported plane's log, or a file with it, got by another way."),
    ] = None,
    erasures: Annotated[
        list[Path] | None,
        typer.Option("--erasures", help="File with what was erased since: ids, receipts, or audit_export.jsonl."),
    ] = None,
    actor: Annotated[str, typer.Option("--actor", help="Who does it, for the audit.")] = "operator",
    as_json: AsJson = False,
) -> None:
    """Put an exported plane into this one, which was installed and never started: all of it, or nothing.

    Documents keep their ids, passages theirs; answers and proofs are the same. The plane begins a log of its own, and
    proves what is older against the log that it came with. Killed at any moment, the same command goes on.
    """
    import msgspec

    from frostbyte.bootstrap.restoring import identity as read_identity
    from frostbyte.bootstrap.restoring import restoring
    from frostbyte.data_plane.sources import ArchiveSource
    from frostbyte.kernel.archive.index import Archive
    from frostbyte.kernel.errors import FrostbyteError
    from frostbyte.kernel.settings import load

    for path in (archive, *(erasures or [])):
        require_file(path)
    settings, unseal = load(), read_identity(identity)
    told = _telling()
    try:
        opened = Archive(archive, read_key(key), lambda done, total: told("reading", done, total))
    except OSError as error:
        raise CommandFailed(
            "archive_unreadable", f"{archive} cannot be read.", "Check the path and its disk.", exit_code=Exit.NOT_FOUND
        ) from error
    with opened, restoring(settings) as plane:
        erased = [item for path in erasures or [] for item in _erased(path, opened.head)]
        try:
            done = plane.run(ArchiveSource(opened, unseal), erased=erased, actor=actor, progress=told)
        except FrostbyteError as error:
            if error.code != "import_done":
                raise
            hint(f"{error.message} {error.remedy}")  # killed between the commit and the end: nothing is left to do
            return
    if as_json:
        print_json(msgspec.to_builtins(done))
    else:
        _show(done, pinned=key is not None)
    if done.missing:
        raise typer.Exit(Exit.PROBLEMS)


def _erased(path: Path, head: Head) -> list[ErasedSince]:
    from frostbyte.data_plane.lifecycle.erased_since import read_erasures

    return read_erasures(path.read_bytes(), head)


def _telling() -> Callable[[str, int, int], None]:
    """Says on stderr how far it is, now and then."""
    spoken = time.monotonic()

    def told(what: str, done: int, total: int) -> None:
        nonlocal spoken
        if time.monotonic() - spoken >= _TELL_SECONDS:
            spoken = time.monotonic()
            amount = f"{size_text(done)} of {size_text(total)}" if what == "reading" else f"{done:,} of {total:,}"
            err().print(text(f"{what}: {amount}", "dim"))

    return told


def _show(done: Imported, *, pinned: bool) -> None:
    out().print(text(f"Restored: {count_text(done.documents, 'document')}, {count_text(done.passages, 'passage')}."))
    if done.erased:
        out().print(text(f"Erased since the export, and not brought back: {count_text(done.erased, 'document')}."))
    out().print(text(f"The old log ended: {done.old_origin}, {done.old_size:,} events, proven by {done.old_key}"))
    out().print(text(f"The new log: {done.origin}. Its key is made when the plane starts, and printed then."))
    if not pinned:
        hint("No --key was given: that the archive was made by the plane it names was not checked.")
    if done.missing:
        out().print(
            text(f"{count_text(len(done.missing), 'object')} were missing on the exported plane already.", "red")
        )
    hint("Machines need new API keys; people need new tokens. Start the plane now.")
