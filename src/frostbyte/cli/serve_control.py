"""`frostbyte serve control`: the control plane, from settings to a clean stop."""

from __future__ import annotations

import os
import threading
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from frostbyte.cli.announcing import SUBJECT, TOKEN_LIFETIME, announced
from frostbyte.cli.client import TOKEN_FILE
from frostbyte.cli.output import err, text
from frostbyte.cli.serving import Start, listen, run, shown, stopping

if TYPE_CHECKING:
    from frostbyte.bootstrap.control import ControlPlane

LOG_LINES = 5000
"""The newest, kept for support: about a megabyte."""


def control(
    address: Annotated[
        str | None,
        typer.Option("--listen", help="host:port; port 0 takes a free one. Else FROSTBYTE_CONTROL_LISTEN."),
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option("--data-dir", help="Its data. Else FROSTBYTE_CONTROL_DATA_DIR, else .frostbyte-control."),
    ] = None,
) -> None:
    """Start the control plane: it knows every tenant, stops and resumes them, and never sees a document."""
    if address:
        os.environ["FROSTBYTE_CONTROL_LISTEN"] = address
    if data_dir:
        os.environ["FROSTBYTE_CONTROL_DATA_DIR"] = str(data_dir)
    with stopping() as start:
        _serve(start)


def _serve(start: Start) -> None:
    from frostbyte.control_plane import settings as control_settings
    from frostbyte.kernel import logging
    from frostbyte.kernel.settings import Reader

    host, port = Reader(os.environ).listen("127.0.0.1:8090", "CONTROL_LISTEN")
    listener = listen(host, port, "FROSTBYTE_CONTROL_LISTEN")
    # The edge's files name the port, so a free one has to be known before anything else is.
    os.environ["FROSTBYTE_CONTROL_LISTEN"] = f"{shown(host)}:{listener.getsockname()[1]}"
    settings = control_settings.load()
    url = f"http://{os.environ['FROSTBYTE_CONTROL_LISTEN']}"
    level = os.environ.get("FROSTBYTE_LOG_LEVEL", "warning")
    logging.configure(level=level, tenant=settings.log_origin, keep=LOG_LINES)
    with err().status("Starting the control plane ...") if err().is_terminal else nullcontext():
        from frostbyte.api.control.app import create_app
        from frostbyte.bootstrap.control import build
        from frostbyte.console.rendering import warm

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
        with announced(
            settings.data_dir, url, plane.signer.verifier_key, lambda: _minted(plane), plane.admission.signs
        ):
            run(
                application,
                listener,
                start,
                lambda: _greet(plane, url),
                stops=application.state.streams.closing.set,
            )
    finally:
        err().print(text("Stopping: the last checkpoint is signed, the registry is closed ...", "dim"))
        plane.close()
    err().print(text("Stopped. Tenants go on; their leases run out in a minute, and then their jobs wait.", "green"))


def _minted(plane: ControlPlane) -> str:
    """A token for this machine's user."""
    from frostbyte.kernel.tokens import Role

    return plane.admission.tokens.mint(SUBJECT, frozenset(Role), TOKEN_LIFETIME)[0]


def _greet(plane: ControlPlane, url: str) -> None:
    """What a newcomer needs: where it is, how to get in, what to do first."""
    settings, console = plane.settings, err()
    console.print()
    console.print(
        text("frostbyte ", "bold cyan") + text(f"control plane of {settings.environment} at ") + text(url, "bold")
    )
    for name, value in (
        ("console", f"{url}/console/"),
        ("data", settings.data_dir),
        ("token", f"{settings.data_dir / TOKEN_FILE} (commands here find it by themselves)"),
        ("edge", f"{settings.edge_folder}, tenants at NAME.{settings.domain}"),
        ("log key", plane.signer.verifier_key),
    ):
        console.print(text(f"  {name:<8} {value}"), soft_wrap=True)
    if stand_ins := plane.stand_ins:
        console.print(text(f"  ! Development stand-ins: {', '.join(stand_ins)}", "yellow"), soft_wrap=True)
    console.print(text("\nIn another terminal:", lines=True))
    for command, what in (
        ("frostbyte account create me --role admin --control", "print a link to sign in with a browser"),
        ("frostbyte project create eu-1", "what tenants are grouped by"),
        ("frostbyte tenant create acme --project eu-1", "enter a tenant"),
        ("frostbyte tenant attach acme --help", "take its plane into service"),
        ("frostbyte tenant list", "see where they all stand"),
    ):
        console.print(text(f"  {command:<52}", "green") + text(what, "dim"), soft_wrap=True)
    if "VIRTUAL_ENV" not in os.environ:
        console.print(text("  (first: source .venv/bin/activate)", "dim"))
    console.print(text("\nCtrl-C stops it; nothing that was decided is lost.", "dim", lines=True))
