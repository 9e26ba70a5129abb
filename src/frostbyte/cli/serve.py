"""`frostbyte serve data`: a plane on this machine, from settings to a clean stop."""

from __future__ import annotations

import errno
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from frostbyte.cli.client import KEY_FILE, TOKEN_FILE, URL_FILE
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.exits import Exit
from frostbyte.cli.options import group
from frostbyte.cli.output import err, text

if TYPE_CHECKING:
    from frostbyte.bootstrap.data import Plane
    from frostbyte.kernel.settings import Settings

TOKEN_LIFETIME: Final = timedelta(hours=24)
"""Of the token that is written for this machine's user; it is renewed at half of it."""
SUBJECT: Final = "local-operator"
GRACE_SECONDS: Final = 10
"""Time that running requests get when the plane stops."""
_BACKLOG: Final = 2048

app = group("Start a server.")


@app.callback()
def servers() -> None:
    """Start a server."""


@app.command("data")
def data(
    listen: Annotated[
        str | None, typer.Option("--listen", help="host:port; port 0 takes a free one. Else FROSTBYTE_LISTEN.")
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", help="The plane's data. Else FROSTBYTE_DATA_DIR, else .frostbyte.")
    ] = None,
) -> None:
    """Start a data plane: everything that one tenant needs, in one process, on this machine."""
    if listen:
        os.environ["FROSTBYTE_LISTEN"] = listen
    if data_dir:
        os.environ["FROSTBYTE_DATA_DIR"] = str(data_dir)
    with _stopping() as start:
        _serve(start)


class _Start:
    """What a signal means while the plane starts: it is remembered, and acted on once everything can be let go of.

    Ending in the middle would leave the database's own process behind. A second signal does not wait.
    """

    def __init__(self) -> None:
        self.over = False
        self.asked = 0
        """The signal that asked to stop; 0 for none."""

    def on_signal(self, number: int, frame: Any) -> None:
        """Handler for SIGTERM and SIGINT. Once the server runs, it is the server that reacts to them."""
        if self.over:
            return
        if self.asked:
            raise SystemExit(128 + number)
        self.asked = number


@contextmanager
def _stopping() -> Iterator[_Start]:
    start = _Start()
    before = {number: signal.signal(number, start.on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield start
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _serve(start: _Start) -> None:
    from frostbyte.kernel import logging
    from frostbyte.kernel import settings as kernel_settings

    settings = kernel_settings.load()
    listener = _listener(settings)
    url = f"http://{_host(settings.host)}:{listener.getsockname()[1]}"
    logging.configure(level=os.environ.get("FROSTBYTE_LOG_LEVEL", "warning"), tenant=settings.tenant_id)
    with err().status("Starting the plane ...") if err().is_terminal else nullcontext():
        from frostbyte.api.data.app import create_app
        from frostbyte.bootstrap.data import build

        plane = build(settings)
        try:
            application = create_app(plane)
            if start.asked:
                raise SystemExit(128 + start.asked)
            plane.start()
        except BaseException:
            plane.close()
            raise
    try:
        with _announced(plane, settings.data_dir, url):
            _run(application, listener, start, lambda: _greet(plane, url))
    finally:
        err().print(text("Stopping: the last checkpoint is signed, the stores are closed ...", "dim"))
        plane.close()
    err().print(text("Stopped.", "green"))


def _listener(settings: Settings) -> socket.socket:
    """The bound socket, taken before anything heavy starts.

    Raises:
        CommandFailed: `port_taken` or `listen_impossible`.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        where = f"{_host(settings.host)}:{settings.port}"
        if error.errno != errno.EADDRINUSE:
            raise CommandFailed(
                "listen_impossible", f"Listening on {where} is not possible: {error.strerror}.", "Set FROSTBYTE_LISTEN."
            ) from error
        raise CommandFailed(
            "port_taken",
            f"Another program already listens on {where}.",
            "If it is a plane of yours, use it; else choose another port: FROSTBYTE_LISTEN=127.0.0.1:8081 make up",
            exit_code=Exit.REFUSED,
        ) from error
    return listener


def _host(host: str) -> str:
    return f"[{host}]" if ":" in host else host


@contextmanager
def _announced(plane: Plane, folder: Path, url: str) -> Iterator[None]:
    """Keep token, address and key where commands on this machine find them, as long as the plane runs."""
    stop = threading.Event()
    _write(folder / KEY_FILE, plane.signer.verifier_key, 0o644)
    _write_token(plane, folder)
    _write(folder / URL_FILE, url, 0o600)

    def renew() -> None:
        while not stop.wait(TOKEN_LIFETIME.total_seconds() / 2):
            _write_token(plane, folder)

    threading.Thread(target=renew, name="token", daemon=True).start()
    try:
        yield
    finally:
        stop.set()
        for name in (URL_FILE, TOKEN_FILE):
            (folder / name).unlink(missing_ok=True)


def _write_token(plane: Plane, folder: Path) -> None:
    from frostbyte.kernel.tokens import Scope

    token, _ = plane.tokens.mint(SUBJECT, frozenset(Scope), TOKEN_LIFETIME)
    _write(folder / TOKEN_FILE, token, 0o600)


def _write(path: Path, content: str, mode: int) -> None:
    """Replace a file in one step, so that no reader finds half of it or a wider mode."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
        file.write(content + "\n")
    part.replace(path)


def _run(application: Any, listener: socket.socket, start: _Start, started: Callable[[], None]) -> None:
    import uvicorn

    class Server(uvicorn.Server):
        """Says that it runs once it does."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            # From here on signals are the server's; one that came before it listened for them is made good.
            start.over = True
            if start.asked:
                self.should_exit = True
            else:
                started()

    config = uvicorn.Config(
        application,
        loop="uvloop",
        http="httptools",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    Server(config).run(sockets=[listener])


def _greet(plane: Plane, url: str) -> None:
    """What a newcomer needs: where it is, how to get in, what to do first."""
    settings, console = plane.settings, err()
    health = plane.health()
    console.print()
    console.print(text("frostbyte ", "bold cyan") + text(f"plane of {settings.tenant_id} at ") + text(url, "bold"))
    console.print(text(f"  data     {settings.data_dir}"))
    console.print(text(f"  token    {settings.data_dir / TOKEN_FILE} (commands here find it by themselves)"))
    console.print(text(f"  log key  {plane.signer.verifier_key}"), soft_wrap=True)
    for warning in health["warnings"]:
        console.print(text(f"  ! {warning}", "yellow"), soft_wrap=True)
    if stand_ins := health["stand_ins"]:
        console.print(text(f"  ! Development stand-ins: {', '.join(stand_ins)}", "yellow"), soft_wrap=True)
    console.print(text("\nIn another terminal:", lines=True))
    for command, what in (
        ("frostbyte ingest samples/*.pdf samples/*.docx", "send documents and watch them"),
        ('frostbyte search "notice period" --proof proofs', "ask, and save the proofs"),
        ("frostbyte status", "see what is in the plane"),
    ):
        console.print(text(f"  {command:<50}", "green") + text(what, "dim"), soft_wrap=True)
    if "VIRTUAL_ENV" not in os.environ:
        console.print(text("  (first: source .venv/bin/activate)", "dim"))
    console.print(text("\nCtrl-C stops it; nothing that was taken is lost.", "dim", lines=True))
