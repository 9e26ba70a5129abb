"""`frostbyte storage`: a tenant's stores, isolated from every other tenant's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.exits import Exit
from frostbyte.cli.options import AsJson, group
from frostbyte.cli.output import err, hint, out, print_json, table, text

if TYPE_CHECKING:
    from frostbyte.deploy.storage import Report

app = group("A tenant's part of PostgreSQL, MinIO, Qdrant and Redis: made, tried, removed.")

STORES: Final = ["database", "objects", "vectors", "queue", "embedder"]
_STYLES: Final = {"DENIED": "red", "ALLOWED": "bold red", "UNANSWERED": "yellow"}
Tenant = Annotated[str, typer.Argument(help="The tenant's id: 1 to 32 of a-z and 0-9.", show_default=False)]
Secrets = Annotated[
    Path, typer.Option("--secrets", help="Folder of the tenant's secrets, a file each (0600).", show_default=False)
]
Record = Annotated[
    Path | None, typer.Option("--out", help="Also write the result there, as JSON.", rich_help_panel="Output")
]


@app.command("provision")
def provision(
    tenant: Tenant,
    secrets: Secrets,
    given: Annotated[
        Path | None, typer.Option("--given", help="Folder with passwords that its users are to have, a file each.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make the tenant's database, bucket, collection and queue user, and write the settings of its plane.

    The servers and their administrators come from FROSTBYTE_STORAGE_* settings. Doing it again changes nothing.
    """
    from frostbyte.bootstrap import storage

    found = storage.stores()
    done: list[dict[str, str]] = []
    storage.provision(found, tenant, secrets, lambda store, what: _say(done, store, what, as_json), given)
    _left_out(found)
    if as_json:
        print_json({"tenant": tenant, "settings": str(secrets / "tenant.env"), "done": done})
    else:
        hint(f"The plane's settings are in {secrets / 'tenant.env'}. Next: frostbyte storage verify {tenant}")


@app.command("verify")
def verify(
    tenant: Tenant,
    secrets: Secrets,
    against: Annotated[
        str, typer.Option("--against", help="Another tenant to try; else a decoy is made and destroyed.")
    ] = "",
    record: Record = None,
    as_json: AsJson = False,
) -> None:
    """Try with the tenant's own credentials to reach another tenant's part of every store.

    Ends with 6 if anything was allowed that must be refused, and with 7 if a store gave no answer: that is no refusal.
    """
    from frostbyte.bootstrap import storage

    found = storage.stores()
    report = storage.verify(found, tenant, secrets, against, lambda store, what: None)
    _write(record, report.to_json())
    if as_json:
        print_json(report.to_json())
    else:
        _show(report)
    _left_out(found)
    _judge(report)


@app.command("destroy")
def destroy(
    tenant: Tenant,
    secrets: Secrets,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    record: Record = None,
    as_json: AsJson = False,
) -> None:
    """Remove the tenant from every store, with all its data and secrets. Nothing brings it back."""
    from frostbyte.bootstrap import storage

    found = storage.stores()
    if not yes:
        _confirm(tenant, [store.name for store in found])
    done: list[dict[str, str]] = []
    removed = storage.destroy(found, tenant, secrets, lambda store, what: _say(done, store, what, as_json))
    receipt = {
        "tenant": tenant,
        "removed": removed,
        "checked_empty": [store.name for store in found],
        "not_asked": storage.left_out(found),
    }
    _write(record, receipt)
    _left_out(found)
    if as_json:
        print_json(receipt)
    else:
        out().print(text(f"Nothing of {tenant} is left in: {', '.join(store.name for store in found)}.", "green"))


@app.command("certificates")
def certificates(
    tenant: Tenant,
    folder: Annotated[Path, typer.Option("--out", help="Folder of the tenant's authority.", show_default=False)],
    hosts: Annotated[
        list[str], typer.Option("--host", help="Name or address of the stores; again for each.", show_default=False)
    ],
    names: Annotated[list[str] | None, typer.Option("--store", help="Only these; else every store.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make the tenant's certificate authority and its stores' certificates; renew those past two thirds of their life.

    Give each store its `public.crt` and `private.key`, and planes `ca.pem` as FROSTBYTE_CA_FILE. Keep `ca.key` apart.
    """
    from frostbyte.bootstrap import storage

    made = storage.certificates(tenant, folder, names or STORES, hosts)
    if as_json:
        print_json({"tenant": tenant, "ca_file": str(folder / "ca.pem"), "stores": made})
        return
    for name, fresh in made.items():
        out().print(text(f"{name:<9}", "bold") + text("made now" if fresh else "still good"))
    hint(f"Planes trust these with FROSTBYTE_CA_FILE={folder / 'ca.pem'}")


def _confirm(tenant: str, names: list[str]) -> None:
    if not err().is_terminal:
        raise CommandFailed("not_confirmed", "Destroying was not confirmed.", "Add --yes where nobody can be asked.")
    typed = typer.prompt(f"This removes all data of {tenant} from {', '.join(names)}. Type its id to go on")
    if typed != tenant:
        raise CommandFailed("not_confirmed", "Nothing was destroyed.", "", exit_code=Exit.REFUSED)


def _say(done: list[dict[str, str]], store: str, what: str, as_json: bool) -> None:
    done.append({"store": store, "done": what})
    if not as_json:
        style = "yellow" if what.startswith("WARNING") else ""
        out().print(text(f"{store:<9}", "bold") + text(what, style), soft_wrap=True)


def _left_out(found: Any) -> None:
    from frostbyte.bootstrap import storage

    if missing := storage.left_out(found):
        err().print(text(f"Left out, because it is not set: {', '.join(missing)}", "yellow"), soft_wrap=True)


def _write(record: Path | None, value: dict[str, Any]) -> None:
    if record is not None:
        record.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def _show(report: Report) -> None:
    shown = table("store", "as", "to", "attempt", "=outcome", title=f"Tenant {report.tenant} against {report.against}")
    for finding in report.findings:
        wanted = "" if finding.good else f" (wanted {finding.wanted.value})"
        style = "green" if finding.good else _STYLES[finding.outcome.value]
        shown.add_row(
            text(finding.store),
            text(finding.acting),
            text(finding.target),
            text(finding.what),
            text(finding.outcome.value + wanted, style),
        )
    out().print(shown)


def _judge(report: Report) -> None:
    if report.breaches:
        first = report.breaches[0]
        raise CommandFailed(
            "isolation_broken",
            f"{len(report.breaches)} of {len(report.crossings)} crossings were ALLOWED, the first: "
            f"{first.acting} could {first.what} ({first.store}).",
            "Stop the tenants on these servers, find out who gave the right, and provision again.",
            exit_code=Exit.VERIFICATION_FAILED,
        )
    if report.unanswered:
        names = sorted({finding.store for finding in report.unanswered})
        raise CommandFailed(
            "isolation_unknown",
            f"{len(report.unanswered)} attempts got no answer from: {', '.join(names)}. That is no refusal.",
            "Start the servers and verify again.",
            exit_code=Exit.UNAVAILABLE,
        )
    if report.broken:
        raise CommandFailed(
            "isolation_unproven",
            f"The tenant's own work was refused {len(report.broken)} times, so its refusals prove nothing.",
            "Provision the tenant again: its credentials are set anew.",
            exit_code=Exit.VERIFICATION_FAILED,
        )
    if not report.isolated:
        raise CommandFailed(
            "isolation_unproven", "No crossing was tried.", "Name a server.", exit_code=Exit.VERIFICATION_FAILED
        )
    hint(f"All {len(report.crossings)} crossings were DENIED, and all own work was done.")
