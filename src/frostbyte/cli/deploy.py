"""`frostbyte deploy`: a plane's files for the host that it will run on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from frostbyte.cli.options import AsJson, group
from frostbyte.cli.output import hint, print_json

app = group("Set up a plane with its servers.")


@app.callback()
def deploy() -> None:
    """Set up a plane with its servers."""


@app.command("compose")
def compose(
    out: Annotated[Path, typer.Option("--out", help="Folder of the project; kept secrets stay as they are.")],
    tenant: Annotated[str, typer.Option("--tenant", help="The tenant's id: 1 to 32 of a-z and 0-9.")],
    mode: Annotated[
        str | None, typer.Option("--mode", help="online, offline or development; else online with --channel.")
    ] = None,
    channel: Annotated[
        Path | None,
        typer.Option("--channel", help="Folder of the control channel's certificate and keys; see docs/deploy.md."),
    ] = None,
    channel_port: Annotated[
        int, typer.Option("--channel-port", min=1, max=65535, help="Of the channel, on the host's loopback.")
    ] = 8443,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="On the host's loopback.")] = 8080,
    subnet: Annotated[str, typer.Option("--subnet", help="The servers' network; nothing leaves it.")] = "172.28.0.0/16",
    edge: Annotated[str, typer.Option("--edge", help="Network that publishes the port.")] = "172.30.6.0/29",
    image: Annotated[
        list[str] | None, typer.Option("--image", help="NAME=REFERENCE in place of the usual one, as often as needed.")
    ] = None,
    model_sha256: Annotated[str, typer.Option("--model-sha256", help="What the embedding model must be.")] = "",
    dimensions: Annotated[int, typer.Option("--dimensions", min=1, max=65536, help="Of its vectors.")] = 768,
    config: Annotated[
        Path | None,
        typer.Option("--config", help="Folder with tenant.json (first configuration), policy/ (rules), or both."),
    ] = None,
    stand_in_vectors: Annotated[
        bool, typer.Option("--stand-in-vectors", help="Our stand-in for Qdrant. Everything says NOT FOR PRODUCTION.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write a compose project for one tenant's plane: its file, its secrets (generated), what may be set.

    Nothing is started. Run it as root, or as a user whose containers may read files of the user's own group.
    """
    from frostbyte import __version__
    from frostbyte.adapters.qdrant.names import token
    from frostbyte.adapters.redis.acl import rules
    from frostbyte.deploy import compose as project
    from frostbyte.deploy.compose.config import read_folder
    from frostbyte.kernel.settings import load

    mode = mode or ("offline" if channel is None else "online")
    files = project.channel_files(channel) if channel is not None else {}
    given = load({"FROSTBYTE_TENANT_ID": tenant, "FROSTBYTE_MODE": mode})  # the same rules as when it starts
    images = dict(part.partition("=")[::2] for part in image or [])
    options = project.Options(
        tenant=given.tenant_id,
        version=__version__,
        mode=given.mode.value,
        port=port,
        channel_port=channel_port if channel is not None else 0,
        subnet=subnet,
        edge=edge,
        images=images,
        model_sha256=model_sha256,
        dimensions=dimensions,
        stand_in_vectors=stand_in_vectors,
        config=read_folder(config) if config is not None else None,
        group=_group(),
    )
    written = project.write(out, options, queue_rights=rules(given.tenant_id), token=token, given=files)
    file = out / "docker-compose.yml"
    if as_json:
        print_json({"compose": str(file), "made": list(written.made), "kept": list(written.kept)})
    else:
        hint(f"{file}: {len(written.made)} secrets made, {len(written.kept)} kept.")
        hint(f"Put the model into the volume `models`, then: docker compose -f {file} up --detach --wait")


@app.command("secrets")
def secrets(
    out: Annotated[Path, typer.Option("--out", help="The plane's folder; kept secrets stay as they are.")],
    tenant: Annotated[str, typer.Option("--tenant", help="The tenant's id: 1 to 32 of a-z and 0-9.")],
    stand_in_vectors: Annotated[
        bool, typer.Option("--stand-in-vectors", help="Of a plane with our stand-in for Qdrant.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Generate the secrets of a plane whose compose file comes from a bundle, and write nothing else.

    install.sh runs it in a container without a network, as the host's user, with the plane's folder mounted. As root
    the files belong to the group 10001, which the container then has to be given; as another user to the user's own.
    """
    from frostbyte import __version__
    from frostbyte.adapters.qdrant.names import token
    from frostbyte.adapters.redis.acl import rules
    from frostbyte.deploy import compose as project
    from frostbyte.kernel.settings import tenant_name

    options = project.Options(
        tenant=tenant_name(tenant), version=__version__, stand_in_vectors=stand_in_vectors, group=_group()
    )
    written = project.write_secrets(out, options, queue_rights=rules(options.tenant), token=token)
    if as_json:
        print_json({"group": options.group, "made": list(written.made), "kept": list(written.kept)})
    else:
        hint(f"{out}: {len(written.made)} secrets made, {len(written.kept)} kept.")


def _group() -> int:
    """Who reads the secrets: root gives them to a group of their own, anybody else to their own."""
    from frostbyte.deploy.compose import SECRETS_GROUP

    return SECRETS_GROUP if os.geteuid() == 0 else os.getgid()
