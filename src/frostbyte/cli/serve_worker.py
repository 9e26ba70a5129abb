"""`frostbyte serve worker`: processes that do the stages of a plane whose gateway runs elsewhere."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from frostbyte.cli.output import err, text
from frostbyte.cli.serving import listen, shown


def worker(
    processes: Annotated[
        int | None,
        typer.Option("--processes", min=1, max=64, help="Jobs at a time. Else FROSTBYTE_WORKERS, else 2."),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option("--listen", help="host:port of the health page; port 0 takes a free one. Else FROSTBYTE_LISTEN."),
    ] = None,
) -> None:
    """Start a worker: it takes hints from Redis and does the stages; several on several hosts share the work.

    It needs the addresses that the plane has (database, objects, vectors, queue, scanner, embedder) and its keys.
    """
    from frostbyte.kernel import logging
    from frostbyte.kernel import settings as kernel_settings
    from frostbyte.worker.run import run

    os.environ["FROSTBYTE_LISTEN"] = address or os.environ.get("FROSTBYTE_LISTEN", "127.0.0.1:0")
    if processes:
        os.environ["FROSTBYTE_WORKERS"] = str(processes)
    settings = kernel_settings.load()
    logging.configure(level=os.environ.get("FROSTBYTE_LOG_LEVEL", "warning"), tenant=settings.tenant_id)
    listener = listen(settings.host, settings.port)
    health = f"http://{shown(settings.host)}:{listener.getsockname()[1]}/health"

    def started() -> None:
        err().print(text(f"worker of {settings.tenant_id}: {settings.workers} processes, health at {health}"))

    code = run(settings, listener, started)
    err().print(text("Stopped; what was not finished is done by others.", "dim"))
    raise typer.Exit(code)
