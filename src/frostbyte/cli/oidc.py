"""`frostbyte oidc`: the issuer that signs people in, as the settings of this host have it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from frostbyte.cli.exits import Exit
from frostbyte.cli.options import AsJson, group
from frostbyte.cli.output import hint, out, print_json, text

if TYPE_CHECKING:
    from frostbyte.kernel.oidc.settings import OidcSettings

app = group("Signing in by an OpenID Connect issuer's word: does it work, and who is who.")

Control = Annotated[bool, typer.Option("--control", help="The control plane's issuer (FROSTBYTE_CONTROL_OIDC_...).")]


@app.command("check")
def check(control: Control = False, as_json: AsJson = False) -> None:
    """Ask the issuer as a sign-in would, with the settings of this environment; nobody is signed in."""
    from frostbyte.bootstrap.oidc import looked_at

    settings, proxy = _settings(control)
    found = looked_at(settings, proxy)
    if as_json:
        print_json(found)
    else:
        _print(found)
    if found["problems"]:
        raise typer.Exit(Exit.PROBLEMS)


@app.command("subject")
def subject(
    sub: Annotated[str, typer.Argument(help="What the issuer calls somebody: the claim `sub`.")],
    control: Control = False,
    as_json: AsJson = False,
) -> None:
    """Say what somebody whom the issuer knows is called here: in the audit, and as the owner of uploads."""
    from frostbyte.kernel.oidc.id_tokens import subject as named

    settings, _ = _settings(control)
    name = named(settings.issuer, sub)
    if as_json:
        print_json({"subject": name})
    else:
        out().print(text(name))


def _settings(control: bool) -> tuple[OidcSettings, str]:
    """(the issuer's settings, the proxy that leads to it). Raises NotFound `oidc_not_set_up`."""
    from frostbyte.kernel.errors import NotFound
    from frostbyte.kernel.settings import load

    if control:
        from frostbyte.control_plane.settings import load as load_control

        settings, proxy = load_control().oidc, ""
    else:
        of_plane = load()
        settings, proxy = of_plane.oidc, of_plane.egress_proxy
    if settings is None:
        name = "FROSTBYTE_CONTROL_OIDC_ISSUER" if control else "FROSTBYTE_OIDC_ISSUER"
        raise NotFound("oidc_not_set_up", f"No issuer is named in {name}.", "Set it, where the server has it too.")
    return settings, proxy


def _print(found: dict[str, Any]) -> None:
    console = out()
    rows = {
        "issuer": found["issuer"],
        "signs in at": found["authorization_endpoint"],
        "signs by": ", ".join(found["algorithms"]),
        "keys": f"{found['keys']} that can be used",
        "client": found["client"],
        "sends back to": found["return_address"],
        "reached from here": ", ".join(found["ways_out"]),
        "roles": "; ".join(f"{one['value']} is {one['role']}" for one in found["roles"]) or "nobody",
    }
    width = max(map(len, rows))
    for name, value in rows.items():
        console.print(text(f"{name:>{width}}  ", "dim") + text(value))
    for problem in found["problems"]:
        console.print(text(f"! {problem}", "red"))
    if not found["problems"]:
        hint("Register the address under 'sends back to' at the issuer, to the letter")
