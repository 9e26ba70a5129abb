"""`frostbyte plane backup take|mirror|list|verify|prune|restore`: a plane's backup, from beside the plane."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from frostbyte.cli.exits import Exit
from frostbyte.cli.options import AsJson, group
from frostbyte.cli.output import count_text, err, hint, out, print_json, size_text, table, text
from frostbyte.cli.proof import require_file

if TYPE_CHECKING:
    from frostbyte.data_plane.lifecycle.backup import Taken
    from frostbyte.kernel.backup.repository import Repository, Verdict

app = group("Backups of this plane, sealed, at the place that FROSTBYTE_BACKUP_URL names.")
_TELL_SECONDS: Final = 5.0
Actor = Annotated[str, typer.Option("--actor", help="Who does it, for the audit.")]
Snapshot = Annotated[str, typer.Argument(help="Of `list`; the newest verified one if left out.", show_default=False)]
Identity = Annotated[
    Path | None,
    typer.Option("--identity", help="File with the age identity of a recipient, where the tenant's keys are lost."),
]
Daily = Annotated[int, typer.Option("--daily", min=0, help="For how many days with a backup one stays.")]
Weekly = Annotated[int, typer.Option("--weekly", min=0, help="The same for weeks.")]
Monthly = Annotated[int, typer.Option("--monthly", min=0, help="The same for months.")]


@app.command("take")
def take(
    actor: Actor = "operator",
    verify: Annotated[bool, typer.Option("--verify/--no-verify", help="Try to restore it afterwards.")] = True,
    prune: Annotated[bool, typer.Option("--prune/--no-prune", help="Then forget old ones.")] = True,
    daily: Daily = 7,
    weekly: Weekly = 4,
    monthly: Monthly = 12,
    as_json: AsJson = False,
) -> None:
    """Store what is new of this plane, mirror its keys, try to restore it, and forget old backups.

    The plane goes on working. Killed at any moment, earlier backups are whole, and the next run goes on with this one.
    Ends with 3 if what was stored is not whole, or the target has lost something.
    """
    import msgspec

    from frostbyte.bootstrap import backup_target
    from frostbyte.bootstrap.vaulting import vaulting
    from frostbyte.kernel.backup.retention import Keep
    from frostbyte.kernel.settings import load

    told = _telling()
    verdict = pruned = None
    with vaulting(load(), backup_target.load()) as work:
        taken = work.backup.take(work.repository, actor=actor, progress=told)
        if verify:
            snapshot = work.repository.snapshot(taken.snapshot)
            verdict = work.rehearsal.run(work.repository, snapshot, progress=told)
            if verdict.ok:
                work.backup.verified(taken.snapshot)
        if prune and (verdict is None or verdict.ok):
            pruned = work.repository.prune(Keep(daily=daily, weekly=weekly, monthly=monthly))
    if as_json:
        print_json(msgspec.to_builtins({"taken": taken, "verified": verdict, "pruned": pruned}))
        _warn(taken)
        _warn_of(verdict)
    else:
        _show_taken(taken, verdict)
        _warn(taken)
        if pruned is not None and pruned.forgotten:
            hint(f"Forgotten: {count_text(len(pruned.forgotten), 'old backup')}; {len(pruned.kept)} stay.")
    if taken.missing or taken.lost_packs or taken.vanished or (verdict is not None and not verdict.ok):
        raise typer.Exit(Exit.PROBLEMS)


@app.command("mirror")
def mirror(actor: Actor = "operator", as_json: AsJson = False) -> None:
    """Have the keys in the backup be as they are here now: what was erased opens nowhere from then on."""
    import msgspec

    from frostbyte.bootstrap import backup_target
    from frostbyte.bootstrap.vaulting import vaulting
    from frostbyte.kernel.settings import load

    with vaulting(load(), backup_target.load()) as work:
        done = work.backup.mirror(work.repository, actor=actor)
    if as_json:
        print_json(msgspec.to_builtins(done))
        return
    out().print(
        text(f"Mirrored: {count_text(done.entries, 'entry', 'entries')}, {done.added} new, {done.removed} gone.")
    )


@app.command("list")
def list_(identity: Identity = None, as_json: AsJson = False) -> None:
    """List the backups, oldest first: when, how much, and what the trial restore said."""
    repository = _opened(identity)
    rows = [_row(repository, name) for name in repository.snapshots()]
    if as_json:
        print_json(rows)
        return
    shown = table("=snapshot", "time", ">documents", ">size", ">stored then", "trial restore")
    for row in rows:
        shown.add_row(
            text(row["snapshot"]),
            text(str(row["taken_at"])[:19]),
            text(row["documents"]),
            text(size_text(row["bytes"])),
            text(size_text(row["written"])),
            _said(row["verified"]),
        )
    out().print(shown)


@app.command("verify")
def verify(
    snapshot: Snapshot = "",
    whole: Annotated[bool, typer.Option("--whole", help="Read every pack and open every document.")] = False,
    as_json: AsJson = False,
) -> None:
    """Try to restore a backup into a scratch place, and throw that away. Ends with 3 if it is not whole."""
    import msgspec

    from frostbyte.bootstrap import backup_target, vaulting
    from frostbyte.kernel.settings import load

    with vaulting.vaulting(load(), backup_target.load()) as work:
        found = vaulting.chosen(work.repository, snapshot)
        verdict = work.rehearsal.run(work.repository, found, whole=whole, progress=_telling())
        if verdict.ok:
            work.backup.verified(found.name)
    if as_json:
        print_json({"snapshot": found.name, **msgspec.to_builtins(verdict)})
        _warn_of(verdict)
    else:
        out().print(text(f"{found.name}: ") + _said(msgspec.to_builtins(verdict)))
    if not verdict.ok:
        raise typer.Exit(Exit.PROBLEMS)


@app.command("prune")
def prune(daily: Daily = 7, weekly: Weekly = 4, monthly: Monthly = 12, as_json: AsJson = False) -> None:
    """Forget old backups. What one that stays needs is never removed; a bad one never takes the place of a good one."""
    import msgspec

    from frostbyte.bootstrap import backup_target
    from frostbyte.bootstrap.vaulting import vaulting
    from frostbyte.kernel.backup.retention import Keep
    from frostbyte.kernel.settings import load

    with vaulting(load(), backup_target.load()) as work:
        done = work.repository.prune(Keep(daily=daily, weekly=weekly, monthly=monthly))
    if as_json:
        print_json(msgspec.to_builtins(done))
        return
    out().print(text(f"{len(done.kept)} stay, {len(done.forgotten)} are forgotten, {done.packs} packs were removed."))


@app.command("restore")
def restore(
    snapshot: Snapshot = "",
    identity: Identity = None,
    erasures: Annotated[
        list[Path] | None,
        typer.Option("--erasures", help="File with what was erased since: ids, receipts, or audit_export.jsonl."),
    ] = None,
    accept_loss: Annotated[
        bool, typer.Option("--accept-loss", help="Give up documents whose keys are lost, and restore the others.")
    ] = False,
    actor: Actor = "operator",
    as_json: AsJson = False,
) -> None:
    """Put a backup into this plane, which was installed and never started: all of it, or nothing.

    What was erased since is erased before anything is served: the backup knows of it up to its last run, and --erasures
    adds what came later. The plane begins a log of its own. Killed at any moment, the same command goes on.
    """
    import msgspec

    from frostbyte.bootstrap import backup_target, vaulting
    from frostbyte.bootstrap.restoring import identity as read_identity
    from frostbyte.bootstrap.restoring import restoring
    from frostbyte.data_plane.lifecycle.erased_since import read_erasures
    from frostbyte.kernel.errors import FrostbyteError
    from frostbyte.kernel.settings import load

    for path in (*([identity] if identity else []), *(erasures or [])):
        require_file(path)
    settings, told = load(), _telling()
    unseal = read_identity(identity) if identity else None
    source = vaulting.source(settings, backup_target.load(), snapshot, unseal, accept_loss=accept_loss)
    erased = [item for path in erasures or [] for item in read_erasures(path.read_bytes(), source.head)]
    with restoring(settings) as plane:
        try:
            done = plane.run(source, erased=erased, actor=actor, progress=told)
        except FrostbyteError as error:
            if error.code != "import_done":
                raise
            hint(f"{error.message} {error.remedy}")  # killed between the commit and the end: nothing is left to do
            return
    if as_json:
        print_json({"snapshot": source.snapshot.name, "given_up": len(source.lost), **msgspec.to_builtins(done)})
    else:
        documents, passages = count_text(done.documents, "document"), count_text(done.passages, "passage")
        out().print(text(f"Restored from {source.snapshot.name}: {documents}, {passages}."))
        if done.erased:
            out().print(text(f"Erased since, and not brought back: {count_text(done.erased, 'document')}."))
        hint("Machines need new API keys; people need new tokens. Start the plane now.")
    if source.lost:
        raise typer.Exit(Exit.PROBLEMS)


def _opened(identity: Path | None) -> Repository:
    from frostbyte.bootstrap import backup_target, vaulting
    from frostbyte.bootstrap.restoring import identity as read_identity
    from frostbyte.kernel.settings import load

    if identity is not None:
        require_file(identity)
    unseal = read_identity(identity) if identity else None
    return vaulting.opened(load(), backup_target.load(), unseal)[0]


def _row(repository: Repository, name: str) -> dict[str, Any]:
    import msgspec

    from frostbyte.kernel.errors import Invalid

    verdict = repository.verdict(name)
    try:
        found = repository.snapshot(name)
    except Invalid as error:
        said = {"ok": False, "code": error.code, "at": "", "seconds": 0.0}
        return {"snapshot": name, "taken_at": "", "documents": 0, "bytes": 0, "written": 0, "verified": said}
    return {
        "snapshot": name,
        "taken_at": found.taken_at,
        "documents": found.facts.get("documents", 0),
        "bytes": found.size,
        "written": found.written,
        "verified": msgspec.to_builtins(verdict) if verdict else None,
    }


def _said(verdict: dict[str, Any] | None) -> Any:
    if verdict is None:
        return text("not tried", "yellow")
    if verdict["ok"]:
        return text(f"well, in {verdict['seconds']:.1f} s", "green")
    return text(f"failed: {verdict['code']}", "bold red")


def _show_taken(taken: Taken, verdict: Verdict | None) -> None:
    import msgspec

    out().print(
        text(
            f"{taken.snapshot}: {count_text(taken.documents, 'document')}, {size_text(taken.size)}; "
            f"{size_text(taken.written)} stored now, in {taken.seconds:.1f} s."
        )
    )
    if verdict is not None:
        out().print(text("Trial restore: ") + _said(msgspec.to_builtins(verdict)))
    if taken.mirror.spared:
        hint(f"{taken.mirror.spared} keys are in the backup and not here, of documents that nobody erased: they stay.")


def _warn_of(verdict: Verdict | None) -> None:
    """The reason of an exit with 3, where standard output is for programs: who asked from afar hears nothing else."""
    if verdict is not None and not verdict.ok:
        err().print(text(f"Trial restore failed: {verdict.code}", "bold red"))


def _warn(taken: Taken) -> None:
    """What is wrong with the plane or the target, on standard error."""
    problems = [
        (len(taken.missing), "of this plane's objects are missing: look for them in an older backup"),
        (taken.lost_packs, "packs were lost by the target, and what was in them is stored again"),
        (taken.mirror.healed, "parts of the mirrored keys were lost by the target, and are made anew"),
    ]
    for number, what in problems:
        if number:
            err().print(text(f"{number} {what}.", "bold red"))
    if taken.vanished:
        err().print(
            text(f"The target does not have {taken.vanished} any more, which this plane had made there.", "bold red")
        )


def _telling() -> Callable[[str, int, int], None]:
    """Says on stderr how far it is, now and then."""
    spoken = time.monotonic()

    def told(what: str, done: int, total: int) -> None:
        nonlocal spoken
        if time.monotonic() - spoken >= _TELL_SECONDS:
            spoken = time.monotonic()
            err().print(text(f"{what}: {done:,}" + (f" of {total:,}" if total else ""), "dim"))

    return told
