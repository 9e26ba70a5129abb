"""`frostbyte control edge`: the edge's files, its certificates, and how it is. On the control plane's own host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.exits import Exit
from frostbyte.cli.options import AsJson, group
from frostbyte.cli.output import err, hint, out, print_json, table, text

if TYPE_CHECKING:
    from frostbyte.control_plane.edge.routes import Credentials

control = group("Parts of the control plane that are seen to on its own host.")
app = group("The edge: Traefik's files, certificates, and how it is.")
control.add_typer(app, name="edge")

_LEFT_OUT: Final = "-----BEGIN {0}-----\nLEFTOUT\n-----END {0}-----\n"
"""In place of a certificate or key: they are in the edge's folder and go over no screen."""


@app.command("render")
def render(
    tenant: Annotated[str, typer.Option("--tenant", help="Also the file of a tenant of this id.")] = "",
    gateway: Annotated[
        str, typer.Option("--gateway", help="Its gateway's address; without one it is shown suspended.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Show what the settings make of the edge's files. Nothing is written, and keys are left out."""
    from frostbyte.control_plane.edge.routes import Pair, Route, Tls
    from frostbyte.control_plane.settings import load
    from frostbyte.deploy.traefik import Traefik, startup

    settings = load()
    site = settings.edge.site
    pair = None if site.tls is Tls.ACME else Pair(certificate=_left_out("CERTIFICATE"), key=_left_out("PRIVATE KEY"))
    files = {"traefik.yml": startup(site, str(settings.edge_folder / "routes"))}
    files |= {f"routes/{name}": shown for name, shown in Traefik().shared(site, pair).items()}
    if tenant:
        code = "" if gateway else "tenant_suspended"
        credentials = _unseen() if gateway.startswith("https:") else None
        route = Route(tenant_id=tenant, domain=site.domain, gateway_url=gateway, credentials=credentials, code=code)
        files[f"routes/tenant-{tenant}.yml"] = Traefik().tenant(route, site)
    if as_json:
        print_json(files)
        return
    for name, shown in files.items():
        err().print(text(f"-- {settings.edge_folder / name}", "dim"), soft_wrap=True)
        print(shown, end="")


@app.command("status")
def status(as_json: AsJson = False) -> None:
    """Show what the edge's folder says of each tenant, whether the edge answers, and when its certificate ends."""
    from frostbyte.bootstrap.edge import look
    from frostbyte.control_plane.settings import load

    settings = load()
    seen = look(settings.edge, settings.edge_folder)
    if as_json:
        print_json(seen)
    else:
        _show(seen)
    if not seen["answers"]:
        raise CommandFailed(
            "edge_silent",
            f"No edge answers at {settings.edge.site.status}.",
            f"Start it: traefik --configfile={settings.edge_folder / 'traefik.yml'}",
            exit_code=Exit.UNAVAILABLE,
        )


@app.command("ca")
def ca(as_json: AsJson = False) -> None:
    """Print the certificate of the edge's own authority, for clients to trust: it vouches for the domain alone."""
    from frostbyte.control_plane.edge.routes import Tls
    from frostbyte.control_plane.settings import load
    from frostbyte.deploy.authority import Authority

    settings = load()
    if settings.edge.site.tls is not Tls.OWN:
        raise CommandFailed(
            "edge_ca_unused",
            "The edge's certificate is not by an authority of its own.",
            "Its clients trust it by what their systems know.",
        )
    path = Authority(settings.data_dir / "edge-ca", "", domain=settings.domain).ca_file
    if as_json:
        print_json({"ca_file": str(path), "pem": path.read_text(encoding="ascii")})
        return
    print(path.read_text(encoding="ascii"), end="")
    hint(f"It lies in {path}. For commands and programs here: SSL_CERT_FILE={path}")


def _left_out(kind: str) -> str:
    return _LEFT_OUT.format(kind)


def _unseen() -> Credentials:
    from frostbyte.control_plane.edge.routes import Credentials

    certificate = _left_out("CERTIFICATE")
    return Credentials(ca=certificate, certificate=certificate, key=_left_out("PRIVATE KEY"))


def _show(seen: dict[str, Any]) -> None:
    shown = table("host", "gate", "leads to", title=f"The edge of {seen['domain']}")
    for route in seen["tenants"]:
        style = {"open": "green", "closed": "yellow"}.get(route["gate"], "bold red")
        shown.add_row(text(route["host"]), text(route["gate"], style), text(route["leads_to"] or route["code"]))
    out().print(shown)
    if seen["strangers"]:
        names = ", ".join(seen["strangers"])
        err().print(text(f"Files that no control plane wrote: {names}", "yellow"), soft_wrap=True)
    if seen["certificate_ends"]:
        out().print(text(f"Its certificate holds until {seen['certificate_ends']}."))
