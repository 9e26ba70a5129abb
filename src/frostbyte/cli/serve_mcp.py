"""`frostbyte serve mcp`: search and proofs for assistants, over the program's own input and output or on a port."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from frostbyte.cli.client import KEY_FILE, Client, base_url, data_dir, find_token
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.options import Token
from frostbyte.cli.output import err, text
from frostbyte.cli.proof import read_key, read_keys

if TYPE_CHECKING:
    from frostbyte.api.mcp.protocol import Service
    from frostbyte.api.mcp.tools import Judged

_VARIABLE: Final = "--listen"


def mcp(
    listen: Annotated[
        str | None,
        typer.Option("--listen", help="host:port of this machine, for HTTP; else messages come on stdin."),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", help="The log's verifier key, or a file with it. Else log.pub in the data folder."),
    ] = None,
    earlier_key: Annotated[
        list[str] | None, typer.Option("--earlier-key", help="Key of a log that the plane was restored from.")
    ] = None,
    token: Token = None,
) -> None:
    """Let assistants search a plane and fetch passages with proofs, by the Model Context Protocol.

    On stdin it acts with your token; over HTTP each caller sends a token of their own.
    """
    if listen:
        _serve_http(listen, _service(_checker(key, earlier_key)))
    else:
        given = find_token(token)
        _serve_stdio(given, _service(_checker(key, earlier_key)))


def _service(verify: Callable[[Any], Judged]) -> Service:
    from frostbyte import __version__
    from frostbyte.api.mcp.protocol import Service
    from frostbyte.api.mcp.tools import Tools

    url = base_url()
    # Without a token of its own: each call brings its caller's.
    return Service(Tools(Client("", url), url, verify, f"frostbyte-mcp/{__version__}"), __version__)


def _checker(key: str | None, earlier: list[str] | None) -> Callable[[Any], Judged]:
    """What checks proofs: with the key that was given, or that of the plane on this machine."""
    from frostbyte.api.mcp.tools import Judged
    from frostbyte.cli import verifier

    beside = data_dir() / KEY_FILE
    known = read_key(key or (str(beside) if beside.exists() else None))
    before = read_keys(earlier)
    try:
        for one in (known, *before):
            if one:
                verifier.Key.read(one)
    except verifier.Unreadable as error:
        raise CommandFailed("key_unreadable", f"It is no verifier key: {error}.", "Copy the key again.") from error

    def check(proof: Any) -> Judged:
        try:
            verdict = verifier.verify_proof(proof, known, None, [], before)
        except verifier.Unreadable as error:
            raise ValueError(str(error)) from error
        failures = [f"{failure.name}: {failure.message}" for failure in verdict.failures]
        return Judged(verdict.ok, verdict.checked, verdict.attested, failures)

    return check


def _serve_stdio(token: str, service: Service) -> None:
    from frostbyte.api.mcp.stdio import Stdio

    # Whatever else this process prints goes to stderr: one stray line would end the conversation.
    sys.stdout.flush()
    with os.fdopen(os.dup(1), "wb") as replies:
        os.dup2(2, 1)
        err().print(text(f"frostbyte mcp: asks the plane at {base_url()}; messages come on stdin.", "dim"))
        Stdio(service, token, sys.stdin.buffer, replies).run()


def _serve_http(address: str, service: Service) -> None:
    from frostbyte.api.mcp.app import LOOPBACK, PATH, create_app
    from frostbyte.cli.serving import listen, run, shown, stopping
    from frostbyte.kernel.settings import Reader

    host, port = Reader({"FROSTBYTE_LISTEN": address}).listen(address)
    if host not in LOOPBACK:
        raise CommandFailed(
            "mcp_not_loopback",
            "Assistants send their tokens here as plain text, so it is answered on this machine alone.",
            "Listen on 127.0.0.1, and start one on each machine that has an assistant.",
        )
    with stopping() as start:
        listener = listen(host, port, _VARIABLE)
        url = f"http://{shown(host)}:{listener.getsockname()[1]}{PATH}"

        def greet() -> None:
            err().print(text("frostbyte ", "bold cyan") + text("mcp at ") + text(url, "bold"), soft_wrap=True)
            err().print(text(f"  asks the plane at {base_url()}, each caller with a token of their own"))

        run(create_app(service), listener, start, greet)
    err().print(text("Stopped.", "green"))
