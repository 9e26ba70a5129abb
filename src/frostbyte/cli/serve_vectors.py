"""`frostbyte serve vectors`: a stand-in for a Qdrant server on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from frostbyte.cli.output import err, text
from frostbyte.cli.serving import Start, listen, run, shown, stopping

MOST_AT_ONCE = 256
"""Connections; more are answered 503."""
KEEP_SECONDS = 75
"""How long an idle connection stays open: longer than clients keep theirs, so that none is closed under a request."""


def vectors(
    address: Annotated[
        str | None, typer.Option("--listen", help="host:port; port 0 takes a free one. Else FROSTBYTE_VECTORS_LISTEN.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Where the vectors lie. Else FROSTBYTE_VECTORS_DATA.")
    ] = None,
) -> None:
    """Start a vector store for several processes: Qdrant's engine behind the part of its REST API that a plane uses."""
    if address:
        os.environ["FROSTBYTE_VECTORS_LISTEN"] = address
    if data:
        os.environ["FROSTBYTE_VECTORS_DATA"] = str(data)
    with stopping() as start:
        _serve(start)


def _serve(start: Start) -> None:
    from frostbyte.api.http.tls import pair_options
    from frostbyte.api.vectors.access import Access
    from frostbyte.api.vectors.app import TITLE, create_app
    from frostbyte.api.vectors.options import load
    from frostbyte.api.vectors.shelf import Shelf
    from frostbyte.kernel import logging

    options = load()
    listener = listen(options.host, options.port, "FROSTBYTE_VECTORS_LISTEN")
    scheme = "https" if options.certificate else "http"
    url = f"{scheme}://{shown(options.host)}:{listener.getsockname()[1]}"
    logging.configure(level=os.environ.get("FROSTBYTE_LOG_LEVEL", "warning"), tenant="")
    shelf = Shelf(options.folder)
    try:
        application = create_app(shelf, Access(options.key), options.max_request_mb << 20)
        if start.asked:
            raise SystemExit(128 + start.asked)
        run(
            application,
            listener,
            start,
            lambda: err().print(text(f"{TITLE}, at {url}", lines=True)),
            limit_concurrency=MOST_AT_ONCE,
            timeout_keep_alive=KEEP_SECONDS,
            **pair_options(options.certificate, options.certificate_key),
        )
    finally:
        shelf.close()
