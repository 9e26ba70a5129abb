"""`frostbyte simulate`: a cloud that costs nothing, and its bill."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.exits import Exit
from frostbyte.cli.options import AsJson, group
from frostbyte.cli.output import err, out, print_json, table, text
from frostbyte.cli.serving import Start, listen, run, shown, stopping

if TYPE_CHECKING:
    from frostbyte.adapters.hetzner.world.keeping import StateFile
    from frostbyte.adapters.hetzner.world.world import World

app = group("Simulate a cloud, for rehearsals and tests.")
NOTICE = "A SIMULATOR of Hetzner Cloud: nothing here is real, nothing is charged."


@app.callback()
def simulators() -> None:
    """Simulate a cloud, for rehearsals and tests."""


@app.command("hetzner")
def hetzner(
    address: Annotated[str, typer.Option("--listen", help="host:port; port 0 takes a free one.")] = "127.0.0.1:4710",
    state: Annotated[
        Path | None, typer.Option("--state", help="Keep the world in this file; go on from it where it exists.")
    ] = None,
    latency: Annotated[
        str, typer.Option("--latency", help="none: everything is done at once. realistic: as people report it.")
    ] = "none",
    scale: Annotated[float, typer.Option("--scale", help="Seconds of the simulated world in a real one.")] = 1.0,
    fault: Annotated[
        list[str] | None,
        typer.Option("--fault", help="NAME, NAME@N for the N-th request, or a JSON object; may be repeated."),
    ] = None,
    zone: Annotated[list[str] | None, typer.Option("--zone", help="A DNS zone to begin with; may be repeated.")] = None,
    addresses: Annotated[
        str,
        typer.Option("--addresses", help="Network of public addresses; 127.64.0.0/16 is this machine's."),
    ] = "198.18.0.0/16",
    names: Annotated[
        str | None, typer.Option("--dns", help="host:port of a name server for the simulated zones.")
    ] = None,
    env_file: Annotated[
        Path | None, typer.Option("--env-file", help="Write endpoint and token here, as lines for a shell.")
    ] = None,
) -> None:
    """Start a simulated Hetzner Cloud: the Cloud API on loopback, with its refusals, latencies and a bill."""
    with stopping() as start, ExitStack() as stack:
        world, kept = _world(state, latency, scale, fault or [])
        world.addresses = _network(addresses)
        stack.callback(world.close)
        token = (world.tokens() or [world.token()])[0]
        for name in zone or []:
            _zone(world, token, name)
        _serve(start, stack, world, kept, token, address, names, env_file)


def _world(state: Path | None, latency: str, scale: float, asked: list[str]) -> tuple[World, StateFile | None]:
    from frostbyte.adapters.hetzner.world.clock import RunningClock
    from frostbyte.adapters.hetzner.world.keeping import StateFile, StateUnreadable
    from frostbyte.adapters.hetzner.world.latency import PROFILES
    from frostbyte.adapters.hetzner.world.world import World
    from frostbyte.kernel.clock import SystemClock

    if latency not in PROFILES:
        raise CommandFailed("simulator_option", f"--latency is one of {', '.join(PROFILES)}.", "Choose one of them.")
    if not 0.001 <= scale <= 100_000:
        raise CommandFailed("simulator_option", "--scale lies between 0.001 and 100000.", "1 is real time.")
    kept = StateFile(state) if state else None
    try:
        saved = kept.read() if kept else None
    except StateUnreadable as error:
        raise CommandFailed(
            "simulator_state_unreadable",
            "The simulator's file cannot be read as a world.",
            "Name another file with --state, or remove this one to begin with an empty world.",
        ) from error
    now = SystemClock().now()
    world = World(clock=RunningClock(scale, max(now, saved.now) if saved else now), latency=PROFILES[latency])
    if saved:
        world.restore(saved)
    for one in asked:
        world.fault(_fault(one))
    if kept:
        world.changed = lambda: kept.keep(world)
    return world, kept


def _network(addresses: str) -> str:
    from ipaddress import IPv4Network

    try:
        return str(IPv4Network(addresses))
    except ValueError:
        raise CommandFailed(
            "simulator_option", "--addresses is a network.", "For example: --addresses 127.64.0.0/16"
        ) from None


def _fault(asked: str) -> Any:
    import msgspec

    from frostbyte.adapters.hetzner.world.faults import Fault

    try:
        if asked.startswith("{"):
            return msgspec.json.decode(asked.encode(), type=Fault)
        name, _, at = asked.partition("@")
        return Fault(name=name, at=int(at or "1"))
    except (msgspec.DecodeError, ValueError) as error:
        raise CommandFailed(
            "simulator_fault", "That fault cannot be asked for.", "docs/simulator.md lists them with their options."
        ) from error


def _zone(world: World, token: str, name: str) -> None:
    import msgspec

    body = msgspec.json.encode({"name": name, "mode": "primary"})
    answer = world.call(token, "POST", "/zones", body=body)
    if answer.status not in (201, 409):
        raise CommandFailed("simulator_zone", "That zone cannot be simulated.", "Name a domain as it is registered.")


def _serve(
    start: Start,
    stack: ExitStack,
    world: World,
    kept: StateFile | None,
    token: str,
    address: str,
    names: str | None,
    env_file: Path | None,
) -> None:
    from frostbyte.api.hetzner.app import create_app
    from frostbyte.api.hetzner.names import NameServer
    from frostbyte.api.hetzner.serving import Breakable

    host, port = _place(address, "--listen")
    listener = listen(host, port, "--listen")
    world.address = f"http://{shown(host)}:{listener.getsockname()[1]}/v1"
    lines = [f"HCLOUD_ENDPOINT={world.address}", f"HCLOUD_TOKEN={token}"]
    if names is not None:
        server = stack.enter_context(NameServer(world, *_place(names, "--dns")))
        lines.append(f"SIMULATED_DNS={server.host}:{server.port}")
    if kept:
        kept.keep(world)
        stack.callback(kept.keep, world)
    if env_file:
        descriptor = os.open(env_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write("".join(f"{line}\n" for line in lines))

    def started() -> None:
        err().print(text(NOTICE, "bold yellow"))
        print("\n".join(lines), flush=True)

    run(create_app(world), listener, start, started, http=Breakable, timeout_graceful_shutdown=1)


def _place(address: str, option: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65_535:
        raise CommandFailed("simulator_option", f"{option} is host:port.", f"For example: {option} 127.0.0.1:0")
    return host.strip("[]"), int(port)


@app.command("bill")
def bill(
    endpoint: Annotated[
        str | None, typer.Option("--endpoint", help="The simulator's. Else HCLOUD_ENDPOINT.", show_default=False)
    ] = None,
    project: Annotated[str, typer.Option("--project", help="Which of its projects.")] = "default",
    empty: Annotated[bool, typer.Option("--empty", help="Exit with 3 unless nothing is left.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what exists in a simulated cloud and what it has cost. Zones are the account's own and not on it."""
    found = _asked(endpoint or os.environ.get("HCLOUD_ENDPOINT") or "http://127.0.0.1:4710/v1", project)
    if as_json:
        print_json(found)
    else:
        lines = table("kind", "=id", "name", "since", ">monthly", ">so far")
        for item in found["existing"]:
            shown_since = item["since"][:19].replace("T", " ")
            lines.add_row(
                *map(text, (item["kind"], item["id"], item["name"], shown_since, item["monthly"], item["cost"]))
            )
        out().print(lines)
        out().print(
            text(f"{NOTICE} It would be {found['currency']} {found['monthly']} a month, {found['cost']} so far.")
        )
    if empty and found["existing"]:
        raise SystemExit(Exit.PROBLEMS)


def _asked(endpoint: str, project: str) -> Any:
    import httpx

    base = endpoint.rstrip("/").removesuffix("/v1")
    try:
        reply = httpx.get(f"{base}/_simulator/bill", params={"project": project}, timeout=10)
        reply.raise_for_status()
        return reply.json()
    except (httpx.HTTPError, ValueError) as error:
        raise CommandFailed(
            "simulator_unreachable",
            "No simulator answers there.",
            "Start one with `frostbyte simulate hetzner`, or name it with --endpoint.",
            exit_code=Exit.UNAVAILABLE,
        ) from error
