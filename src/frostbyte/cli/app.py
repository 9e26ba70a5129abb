"""The command `frostbyte`. Heavy imports happen inside commands, so that help and completion answer at once."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

import typer
from typer.main import get_command

from frostbyte.cli import (
    account,
    admin,
    audit,
    base,
    bundle,
    bundle_delta,
    control_backup,
    deliver,
    demo,
    demo_online,
    demo_operations,
    deploy,
    doctor,
    documents,
    errors,
    fleet,
    granting,
    hold,
    hosts,
    index,
    ingest,
    jobs,
    ledger,
    oidc,
    parse,
    plane,
    policy,
    project,
    proof,
    report,
    retention,
    review,
    search,
    serve,
    simulate,
    storage,
    support_bundle,
    sweep,
    tenant,
    webhook,
)
from frostbyte.cli.options import AsJson

app = typer.Typer(
    name="frostbyte",
    help="Documents in, structured and policy-checked text out, and every answer proves where it came from.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
DAILY = "Every day"
CARE = "Care and proof"
OPERATION = "Operation"
CONTROL = "Many tenants"

base.control.command("backup")(control_backup.backup)
base.control.command("restore")(control_backup.restore)
bundle.app.command("delta")(bundle_delta.delta)
bundle.app.command("assemble")(bundle_delta.assemble)
app.command("ingest", rich_help_panel=DAILY)(ingest.ingest)
app.command("search", rich_help_panel=DAILY)(search.search)
app.command("status", rich_help_panel=DAILY)(documents.status)
app.command("report", rich_help_panel=DAILY)(report.report)
app.command("parse", rich_help_panel=DAILY)(parse.parse)
app.add_typer(review.app, name="review", rich_help_panel=CARE)
app.add_typer(policy.app, name="policy", rich_help_panel=CARE)
app.add_typer(proof.app, name="proof", rich_help_panel=CARE)
app.add_typer(audit.app, name="audit", rich_help_panel=CARE)
app.command("erase", rich_help_panel=CARE)(documents.erase)
app.command("erasure", rich_help_panel=CARE)(documents.erasure)
app.add_typer(hold.app, name="hold", rich_help_panel=CARE)
app.add_typer(retention.app, name="retention", rich_help_panel=CARE)
app.add_typer(serve.app, name="serve", rich_help_panel=OPERATION)
app.add_typer(simulate.app, name="simulate", rich_help_panel=OPERATION)
app.add_typer(plane.app, name="plane", rich_help_panel=OPERATION)
app.command("doctor", rich_help_panel=OPERATION)(doctor.doctor)
app.command("demo", rich_help_panel=OPERATION)(demo.demo)
app.command("demo-online", rich_help_panel=OPERATION)(demo_online.demo_online)
app.command("demo-operations", rich_help_panel=OPERATION)(demo_operations.demo_operations)
app.add_typer(deploy.app, name="deploy", rich_help_panel=OPERATION)
app.add_typer(bundle.app, name="bundle", rich_help_panel=OPERATION)
app.add_typer(admin.config, name="config", rich_help_panel=OPERATION)
app.add_typer(jobs.app, name="jobs", rich_help_panel=OPERATION)
app.add_typer(index.app, name="index", rich_help_panel=OPERATION)
app.add_typer(storage.app, name="storage", rich_help_panel=OPERATION)
app.add_typer(granting.tokens, name="token", rich_help_panel=OPERATION)
app.add_typer(granting.api_keys, name="api-key", rich_help_panel=OPERATION)
app.add_typer(account.app, name="account", rich_help_panel=OPERATION)
app.add_typer(granting.keys, name="key", rich_help_panel=OPERATION)
app.add_typer(webhook.app, name="webhook", rich_help_panel=OPERATION)
app.add_typer(oidc.app, name="oidc", rich_help_panel=OPERATION)
app.add_typer(tenant.app, name="tenant", rich_help_panel=CONTROL)
app.add_typer(fleet.app, name="fleet", rich_help_panel=CONTROL)
app.add_typer(project.app, name="project", rich_help_panel=CONTROL)
app.add_typer(base.control, name="control", rich_help_panel=CONTROL)
app.add_typer(hosts.app, name="hosts", rich_help_panel=CONTROL)
app.add_typer(deliver.app, name="deliver", rich_help_panel=CONTROL)
app.add_typer(ledger.app, name="ledger", rich_help_panel=CONTROL)
app.command("sweep", rich_help_panel=CONTROL)(sweep.sweep)
app.command("support-bundle", rich_help_panel=CONTROL)(support_bundle.support_bundle)


@app.command("version", rich_help_panel=OPERATION)
def version(as_json: AsJson = False) -> None:
    """Print the version."""
    from frostbyte import __version__
    from frostbyte.cli.output import print_json

    if as_json:
        print_json({"version": __version__, "python": sys.version.split()[0]})
    else:
        print(f"frostbyte {__version__}")


@cache
def command() -> Any:
    """The whole command line, built once: a process that runs several commands does not build it for each."""
    return get_command(app)


def run(argv: Sequence[str]) -> int:
    """Run one command line (without the program's name) and return its exit code."""
    return errors.run(lambda: command()(args=list(argv), prog_name="frostbyte"), argv)


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run(sys.argv[1:]))
