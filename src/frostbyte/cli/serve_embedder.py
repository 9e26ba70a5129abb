"""`frostbyte serve embedder`: one embedding model behind OpenAI's route, from settings to a clean stop."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from frostbyte.cli.output import err, text
from frostbyte.cli.serving import Start, listen, run, shown, stopping


def embedder(
    model: Annotated[
        Path | None, typer.Option("--model", help="The model's GGUF file. Else FROSTBYTE_MODEL_FILE.")
    ] = None,
    address: Annotated[
        str | None, typer.Option("--listen", help="host:port; port 0 takes a free one. Else FROSTBYTE_EMBEDDER_LISTEN.")
    ] = None,
) -> None:
    """Start an embedder: OpenAI's /embeddings over a nomic-bert or bert model in a GGUF file. It needs no plane."""
    if model:
        os.environ["FROSTBYTE_MODEL_FILE"] = str(model)
    if address:
        os.environ["FROSTBYTE_EMBEDDER_LISTEN"] = address
    with stopping() as start:
        _serve(start)


def _serve(start: Start) -> None:
    from frostbyte.api.embedder.app import create_app
    from frostbyte.api.http.tls import pair_options
    from frostbyte.bootstrap.embedder import build, settings_from
    from frostbyte.kernel import logging

    settings = settings_from()
    logging.configure(
        level=os.environ.get("FROSTBYTE_LOG_LEVEL", "warning"), tenant=os.environ.get("FROSTBYTE_TENANT_ID", "")
    )
    listener = listen(settings.host, settings.port, "FROSTBYTE_EMBEDDER_LISTEN")
    url = f"http{'s' if settings.certificate else ''}://{shown(settings.host)}:{listener.getsockname()[1]}"
    served = build(settings)

    def greet() -> None:
        header = served.model.header
        err().print(text("frostbyte ", "bold cyan") + text("embedder at ") + text(f"{url}/v1/embeddings", "bold"))
        err().print(text(f"  model   {served.name} ({header.architecture}, {header.dimensions} dimensions)"))
        err().print(text(f"  sha256  {served.model.sha256}"), soft_wrap=True)

    try:
        if start.asked:
            raise SystemExit(128 + start.asked)
        run(
            create_app(served),
            listener,
            start,
            greet,
            **pair_options(settings.certificate, settings.certificate_key),
        )
    finally:
        served.batcher.close()
    err().print(text("Stopped.", "green"))
