"""The command `frostbyte`. Only the command that was named is imported, and heavy imports happen inside commands, so
that all of them, help and completion answer at once."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import typer
from typer.main import get_command

from frostbyte.cli import errors
from frostbyte.cli.lazy import Entry, LazyGroup
from frostbyte.cli.options import AsJson

DAILY: Final = "Every day"
CARE: Final = "Care and proof"
OPERATION: Final = "Operation"
CONTROL: Final = "Many tenants"

COMMANDS: Final = (
    Entry(
        "ingest", "ingest:ingest", DAILY, "Send documents and follow them until each is indexed, or say why it is not."
    ),
    Entry(
        "search",
        "search:search",
        DAILY,
        "Ask the plane; every answer names its document, page and place, and can be proven.",
    ),
    Entry("status", "documents:status", DAILY, "Show the plane and its documents, one document, or one batch."),
    Entry(
        "report",
        "report:report",
        DAILY,
        "Show the acceptance report of a batch: received, parsed, dropped, withheld, quarantined, indexed.",
    ),
    Entry("parse", "parse:parse", DAILY, "Read one file as a plane would, and print what was found."),
    Entry(
        "erase",
        "documents:erase",
        CARE,
        "Erase a document for good: its key is destroyed, and with it every copy and backup.",
    ),
    Entry("erasure", "documents:erasure", CARE, "Show a destruction receipt, with what has gone since."),
    Entry(
        "doctor",
        "doctor:doctor",
        OPERATION,
        "Check Python, packages, model weights, OCR, disk, port, scanner and the plane. Ends with 3 if one fails.",
    ),
    Entry(
        "demo",
        "demo:demo",
        OPERATION,
        "Show everything once, in about a minute: nothing stays behind, nothing of yours is touched.",
    ),
    Entry(
        "demo-online",
        "demo_online:demo_online",
        OPERATION,
        "Show a tenant's whole life on a simulated cloud, in some minutes: no account, no cost, nothing stays behind.",
    ),
    Entry(
        "try-hetzner",
        "try_hetzner:try_hetzner",
        OPERATION,
        "Show a tenant's life on your own Hetzner project (HCLOUD_TOKEN), for money: cost first, all gone after --ttl.",
    ),
    Entry(
        "demo-operations",
        "demo_operations:demo_operations",
        OPERATION,
        "The days after, on a simulated cloud: scaled under load, updated, repaired, backed up, restored, forgotten.",
    ),
    Entry(
        "sweep",
        "sweep:sweep",
        CONTROL,
        "Look for servers, volumes, networks, records ... of ours that nobody owns. Exit code 3 where some are left.",
    ),
    Entry(
        "support-bundle",
        "support_bundle:support_bundle",
        CONTROL,
        "Collect versions, states, sizes, counts and what logs may tell, of the control plane and of tenants' hosts.",
    ),
    Entry("version", "app:version", OPERATION, "Print the version."),
    Entry("review", "review:app", CARE, "Passages that were withheld, and documents of uncertain class."),
    Entry("policy", "policy:app", CARE, "The rules that judge documents."),
    Entry("proof", "proof:app", CARE, "Proofs of answers: get, verify, replay."),
    Entry("audit", "audit:app", CARE, "The audit log: read, export, check it anywhere."),
    Entry("hold", "hold:app", CARE, "Legal holds: what they cover is neither erased nor does it expire."),
    Entry(
        "retention", "retention:app", CARE, "Documents that were kept long enough: what would be erased, and what was."
    ),
    Entry("serve", "serve:app", OPERATION, "Start a server."),
    Entry("simulate", "simulate:app", OPERATION, "Simulate a cloud, for rehearsals and tests."),
    Entry(
        "plane",
        "plane:app",
        OPERATION,
        "A plane from inside: is it as it should be; what leads out of it; stand still for an update, and go on.",
    ),
    Entry("deploy", "deploy:app", OPERATION, "Set up a plane with its servers."),
    Entry("bundle", "bundle_delta:app", OPERATION, "Everything for a plane on a host without a network."),
    Entry("config", "admin:config", OPERATION, "The tenant's configuration."),
    Entry("jobs", "jobs:app", OPERATION, "Jobs that wait, run, or were tried in vain (dead letters)."),
    Entry("index", "index:app", OPERATION, "The index that search answers from."),
    Entry(
        "storage",
        "storage:app",
        OPERATION,
        "A tenant's part of PostgreSQL, MinIO, Qdrant and Redis: made, tried, removed.",
    ),
    Entry("token", "granting:tokens", OPERATION, "Access tokens."),
    Entry("api-key", "granting:api_keys", OPERATION, "API keys for machines."),
    Entry("account", "account:app", OPERATION, "Accounts of people, who sign in with a browser."),
    Entry("key", "granting:keys", OPERATION, "The keys that sign access tokens."),
    Entry("webhook", "webhook:app", OPERATION, "Webhooks: servers of yours that are told when a batch has ended."),
    Entry(
        "oidc", "oidc:app", OPERATION, "Signing in by an OpenID Connect issuer's word: does it work, and who is who."
    ),
    Entry("tenant", "tenant:app", CONTROL, "Tenants: made, taken into service, stopped, resumed, closed."),
    Entry("fleet", "fleet:app", CONTROL, "All tenants: which version each runs, and one version for all of them."),
    Entry("project", "project:app", CONTROL, "Projects of the control plane: what tenants are grouped by."),
    Entry("control", "control_backup:control", CONTROL, "Parts of the control plane that are seen to on its own host."),
    Entry("hosts", "hosts:app", CONTROL, "Build what hosts start from."),
    Entry(
        "deliver",
        "deliver:app",
        CONTROL,
        "Bring tenants' hosts fresh signatures, packages and images, from signed sets.",
    ),
    Entry("ledger", "ledger:app", CONTROL, "The ledger: every plane's audit, verified, cosigned and kept."),
)


class _Commands(LazyGroup):
    entries = COMMANDS


app = typer.Typer(
    name="frostbyte",
    cls=_Commands,
    help="Documents in, structured and policy-checked text out, and every answer proves where it came from.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def root() -> None:
    """Makes `app` a group although no command is registered with it: they stand in the table."""


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
    """The command line, built once: a process that runs several commands does not build them for each."""
    return get_command(app)


def run(argv: Sequence[str]) -> int:
    """Run one command line (without the program's name) and return its exit code."""
    return errors.run(lambda: command()(args=list(argv), prog_name="frostbyte"), argv)


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run(sys.argv[1:]))
