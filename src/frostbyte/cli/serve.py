"""`frostbyte serve data`: a plane on this machine, from settings to a clean stop."""

from __future__ import annotations

import os
import threading
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, Annotated, Any

import typer

from frostbyte.cli.announcing import SUBJECT, TOKEN_LIFETIME, announced
from frostbyte.cli.client import TOKEN_FILE
from frostbyte.cli.options import group
from frostbyte.cli.output import err, text
from frostbyte.cli.serve_control import control
from frostbyte.cli.serve_door import door
from frostbyte.cli.serve_egress import egress
from frostbyte.cli.serve_embedder import embedder
from frostbyte.cli.serve_mcp import mcp
from frostbyte.cli.serve_vectors import vectors
from frostbyte.cli.serve_worker import worker
from frostbyte.cli.serving import Start, listen, listen_on_socket, run, shown, stopping

if TYPE_CHECKING:
    from frostbyte.bootstrap.data import Plane
    from frostbyte.kernel.settings import Settings

app = group("Start a server.")
app.command("control")(control)
app.command("vectors")(vectors)
app.command("embedder")(embedder)
app.command("egress")(egress)
app.command("door")(door)
app.command("worker")(worker)
app.command("mcp")(mcp)


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
    with stopping() as start:
        _serve(start)


def _serve(start: Start) -> None:
    from frostbyte.kernel import logging
    from frostbyte.kernel import settings as kernel_settings

    settings = kernel_settings.load()
    listener = listen(settings.host, settings.port)
    scheme = "https" if settings.tls_certificate else "http"
    url = f"{scheme}://{shown(settings.host)}:{listener.getsockname()[1]}"
    control = [listen(*settings.channel_listen, "FROSTBYTE_CHANNEL_LISTEN")] if settings.channel_listen else []
    if settings.channel_socket:
        control.append(listen_on_socket(settings.channel_socket, "FROSTBYTE_CHANNEL_SOCKET"))
    beside = listen_on_socket(settings.socket) if settings.socket else None
    logging.configure(level=os.environ.get("FROSTBYTE_LOG_LEVEL", "warning"), tenant=settings.tenant_id)
    with err().status("Starting the plane ...") if err().is_terminal else nullcontext():
        from frostbyte.api.data.app import create_app
        from frostbyte.bootstrap.data import build
        from frostbyte.console.rendering import warm

        tls = _tls(settings)
        plane = build(settings)
        try:
            application = create_app(plane)
            if start.asked:
                raise SystemExit(128 + start.asked)
            plane.start()
            threading.Thread(target=warm, name="pages", daemon=True).start()
        except BaseException:
            plane.close()
            raise
    try:
        with (
            announced(settings.data_dir, url, plane.signer.verifier_key, lambda: _minted(plane), plane.admission.signs),
            _controlled(plane, control),
        ):
            run(
                application,
                listener,
                start,
                lambda: _greet(plane, url),
                beside=beside,
                stops=application.state.streams.closing.set,
                **tls,
            )
    finally:
        err().print(text("Stopping: the last checkpoint is signed, the stores are closed ...", "dim"))
        plane.close()
    err().print(text("Stopped.", "green"))


def _tls(settings: Settings) -> dict[str, Any]:
    """What uvicorn needs to serve with the gateway's certificate; {} for plain text."""
    from frostbyte.api.http.tls import ServerTls

    if not settings.tls_certificate:
        return {}
    client_ca = Path(settings.tls_client_ca) if settings.tls_client_ca else None
    # The name is that of deploy.authority.Client.EDGE, which a tenant's host does not load.
    tls = ServerTls(Path(settings.tls_certificate), Path(settings.tls_key), client_ca, "edge" if client_ca else "")
    return tls.options()


def _controlled(plane: Plane, listeners: list[socket]) -> AbstractContextManager[None]:
    """The control channel beside the gateway, where there is one."""
    from frostbyte.bootstrap.channel import channel
    from frostbyte.cli.serve_channel import channel_open

    found = channel(plane)
    if found is None or not listeners:
        return nullcontext()
    return channel_open(found, plane.settings, *listeners)


def _minted(plane: Plane) -> str:
    """A token for this machine's user."""
    from frostbyte.kernel.tokens import Scope

    return plane.tokens.mint(SUBJECT, frozenset(Scope), TOKEN_LIFETIME)[0]


def _greet(plane: Plane, url: str) -> None:
    """What a newcomer needs: where it is, how to get in, what to do first."""
    settings, console = plane.settings, err()
    health = plane.health()
    console.print()
    console.print(text("frostbyte ", "bold cyan") + text(f"plane of {settings.tenant_id} at ") + text(url, "bold"))
    console.print(text(f"  data     {settings.data_dir}"))
    console.print(text(f"  console  {url}/console/"))
    console.print(text(f"  token    {settings.data_dir / TOKEN_FILE} (commands here find it by themselves)"))
    console.print(text(f"  log key  {plane.signer.verifier_key}"), soft_wrap=True)
    for warning in health["warnings"]:
        console.print(text(f"  ! {warning}", "yellow"), soft_wrap=True)
    if stand_ins := health["stand_ins"]:
        console.print(text(f"  ! Development stand-ins: {', '.join(stand_ins)}", "yellow"), soft_wrap=True)
    console.print(text("\nIn another terminal:", lines=True))
    for command, what in (
        ("frostbyte account create me --role admin", "print a link to sign in with a browser"),
        ("frostbyte ingest samples/*.pdf samples/*.docx", "send documents and watch them"),
        ('frostbyte search "notice period" --proof proofs', "ask, and save the proofs"),
        ("frostbyte status", "see what is in the plane"),
    ):
        console.print(text(f"  {command:<50}", "green") + text(what, "dim"), soft_wrap=True)
    if "VIRTUAL_ENV" not in os.environ:
        console.print(text("  (first: source .venv/bin/activate)", "dim"))
    console.print(text("\nCtrl-C stops it; nothing that was taken is lost.", "dim", lines=True))
