"""`frostbyte plane close|drain|freeze|open|status|migrate|snapshot|verify`: what an update does to a plane.

The commands stand on the plane's settings, so they are typed where a process of the plane runs, or would: beside the
gateway; `verify` beside a worker, and `snapshot` where the administrator of the database is known.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from frostbyte.cli.client import Client
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.exits import Exit
from frostbyte.cli.options import AsJson, group
from frostbyte.cli.output import out, print_json, text
from frostbyte.kernel.errors import FrostbyteError

if TYPE_CHECKING:
    from frostbyte.data_plane.upkeep import State
    from frostbyte.kernel.settings import Settings

Seconds = Annotated[float, typer.Option("--seconds", min=0, help="How long to wait at most.")]
_SAID: Final = {
    "open": ("The plane takes everything.", "green"),
    "reading": ("The plane answers questions and takes nothing.", "yellow"),
    "frozen": ("The plane is frozen: nothing is written down.", "yellow"),
}
_ASKING_SECONDS: Final = 5.0


def status(as_json: AsJson = False) -> None:
    """Say what the plane takes, what is under way, and how far its log is."""
    with _desk() as at:
        _show(at.state(), as_json)


def close(as_json: AsJson = False) -> None:
    """Take nothing new: questions are answered, everything else is told to come again."""
    with _desk() as at:
        _show(at.close(), as_json)


def drain(seconds: Seconds = 120.0, as_json: AsJson = False) -> None:
    """Wait until no job and no upload is under way. Ends with 7 if something still is."""
    with _desk() as at:
        _show(at.drain(seconds, _writing), as_json)


def freeze(seconds: Seconds = 60.0, as_json: AsJson = False) -> None:
    """Write nothing down any more, and bring the log to its end: numbered and signed."""
    with _desk() as at:
        _show(at.freeze(seconds), as_json)


def open_(
    updated_to: Annotated[
        str, typer.Option("--updated-to", help="What the plane became: a version, or what was exchanged. Audited.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Take everything again."""
    with _desk() as at:
        _show(at.open(updated_to), as_json)


def migrate(as_json: AsJson = False) -> None:
    """Bring the database's schema to this version's. The gateway does so too when it starts."""
    from frostbyte.bootstrap import upkeep

    applied = upkeep.migrated(_settings())
    if as_json:
        print_json({"applied": applied})
    else:
        out().print(text(f"{len(applied)} schema files were applied." if applied else "The schema is this version's."))


def verify(
    expect: Annotated[
        bool, typer.Option("--expect", help="Compare with what `plane status --json` said, from standard input.")
    ] = False,
    new_model: Annotated[
        bool, typer.Option("--new-model", help="The model was exchanged: the index is made anew for it afterwards.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Try each part of a plane without changing anything, a frozen one too. Ends with 3 if something is not well."""
    from frostbyte.bootstrap import upkeep

    settings = _settings()
    before = _expected(sys.stdin.read()) if expect else None
    found = dict(upkeep.tried(settings))
    with upkeep.desk(settings) as at:
        differs = before.differs(at.state()) if before else []
    if new_model and (said_of_index := found["index"]) is not None and said_of_index.code == "embedding_mismatch":
        found["index"] = None
    wrong = [name for name, error in found.items() if error is not None]
    if as_json:
        said = {name: "ok" if error is None else error.code for name, error in found.items()}
        print_json({"parts": said, "differs": differs})
    else:
        for name, error in found.items():
            out().print(text(f"{name:<9}", "bold") + text("ok" if error is None else error.message), soft_wrap=True)
        for name in differs:
            out().print(text(f"{name:<9}", "bold") + text("is not what it was", "red"))
    if wrong or differs:
        raise typer.Exit(Exit.PROBLEMS)


snapshot = group("A copy of a tenant's database beside it, for the way back of an update.")
Tenant = Annotated[str, typer.Argument(help="The tenant's id.", show_default=False)]
Mark = Annotated[str, typer.Option("--mark", help="Of this update, 1 to 16 of a-z and 0-9.", show_default=False)]


@snapshot.command("size")
def size(tenant: Tenant, mark: Mark = "x", as_json: AsJson = False) -> None:
    """Print how many bytes a copy takes, about."""
    from frostbyte.bootstrap import copies

    with copies.snapshots(tenant, mark) as at:
        found = at.size()
    if as_json:
        print_json({"bytes": found})
    else:
        out().print(text(str(found)))


@snapshot.command("take")
def take(tenant: Tenant, mark: Mark, as_json: AsJson = False) -> None:
    """Copy the database of a frozen plane. One that is there already stays."""
    from frostbyte.bootstrap import copies

    with copies.snapshots(tenant, mark) as at:
        done = at.take()
    _told("taken", done, "The database is copied.", "The copy is there.", as_json)


@snapshot.command("restore")
def restore(tenant: Tenant, mark: Mark, as_json: AsJson = False) -> None:
    """Put the copy back in the database's place, in one step. Without one, the database stays as it is."""
    from frostbyte.bootstrap import copies

    with copies.snapshots(tenant, mark) as at:
        done = at.restore()
    _told("restored", done, "The database is as it was.", "There is no copy; the database stays as it is.", as_json)


@snapshot.command("drop")
def drop(tenant: Tenant, mark: Mark, as_json: AsJson = False) -> None:
    """Remove the copy: the only way is forward then."""
    from frostbyte.bootstrap import copies

    with copies.snapshots(tenant, mark) as at:
        done = at.drop()
    _told("dropped", done, "The copy is gone.", "There is no copy.", as_json)


def _told(name: str, done: bool, yes: str, no: str, as_json: bool) -> None:
    if as_json:
        print_json({name: done})
    else:
        out().print(text(yes if done else no))


def _settings() -> Settings:
    from frostbyte.kernel import settings

    return settings.load()


def _desk() -> Any:
    from frostbyte.bootstrap import upkeep

    settings = _settings()
    return upkeep.desk(settings, alone=not _answers() and (settings.signing_folder / "log.key").is_file())


def _answers() -> bool:
    try:
        return _ready() is not None
    except FrostbyteError:
        return False


def _ready() -> Any:
    with Client("") as client:
        client.limit(_ASKING_SECONDS)
        return client.json("GET", "/ready")


def _writing() -> int:
    """Requests that change something; 0 where no gateway answers anybody."""
    try:
        return int(_ready().get("writing", 0))
    except FrostbyteError:
        return 0


def _expected(told: str) -> State:
    import msgspec

    from frostbyte.data_plane.upkeep import State

    try:
        return msgspec.json.decode(told.encode(), type=State)
    except (msgspec.DecodeError, msgspec.ValidationError):
        raise CommandFailed(
            "state_unreadable",
            "What the plane was like before cannot be read.",
            "Give it what `frostbyte plane status --json` has printed.",
        ) from None


def _show(state: State, as_json: bool) -> None:
    import msgspec

    if as_json:
        print_json(msgspec.to_builtins(state))
        return
    sentence, style = _SAID[state.upkeep.value]
    out().print(text(sentence, style))
    waits = "" if state.settled else ", and events wait for their place"
    out().print(
        text(
            f"{state.leases} jobs are under way; the log has {state.log_size} events, "
            f"{state.checkpoint_size} of them signed for{waits}."
        )
    )
