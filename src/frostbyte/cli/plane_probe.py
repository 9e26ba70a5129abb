"""`frostbyte plane probe`: what of the outside can be reached from where it runs."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from frostbyte.cli.exits import Exit
from frostbyte.cli.options import AsJson
from frostbyte.cli.output import out, print_json, table, text

OUTSIDE: Final = "198.51.100.1:443"
"""An address that belongs to nobody (RFC 5737)."""
NAME: Final = "probe.example.com"


def probe(
    to: Annotated[
        list[str] | None, typer.Option("--to", help="ADDRESS:PORT outside, as often as needed; it need not exist.")
    ] = None,
    name: Annotated[
        list[str] | None, typer.Option("--name", help="A domain that a resolver outside would be asked about.")
    ] = None,
    seconds: Annotated[float, typer.Option("--seconds", min=4.0, max=60.0, help="To wait for an answer.")] = 5.0,
    as_json: AsJson = False,
) -> None:
    """Try every way out of a container without rights: TCP, UDP, ping, names, source routes, raw packets and frames.

    Run it in the network of the container that is asked about:
    docker run --rm --network container:NAME --cap-drop ALL --read-only IMAGE plane probe
    """
    from frostbyte.adapters.isolation import look

    found = look([_target(one) for one in to or [OUTSIDE]], name or [NAME], seconds=seconds)
    if as_json:
        print_json(found)
    else:
        _show(found)
    if not found["isolated"]:
        raise typer.Exit(Exit.PROBLEMS)


def _target(given: str) -> tuple[str, int]:
    from ipaddress import IPv4Address

    host, _, port = given.rpartition(":")
    try:
        target = str(IPv4Address(host)), int(port)
    except ValueError:
        target = "", 0
    if not 0 < target[1] < 65_536:
        raise typer.BadParameter(f"{given} is not written ADDRESS:PORT, with an IPv4 address")
    return target


def _show(found: dict[str, Any]) -> None:
    shown = table("way", "to", "outcome", "")
    for one in found["attempts"]:
        colour = "green" if one["holds"] else "bold red"
        shown.add_row(text(one["way"]), text(one["to"]), text(one["outcome"], colour), text(one["why"], "dim"))
    out().print(shown)
    for route in found["routes"]:
        where = "a dead end" if route["dead"] else "it leads somewhere"
        out().print(text(f"default route: {route['interface']} via {route['via'] or 'the link'}, {where}"))
    if not found["routes"]:
        out().print(text("no default route"))
    if found["isolated"]:
        out().print(text("Nothing leads out of here.", "green"))
    else:
        out().print(text("Something leads out of here.", "bold red"))
