"""`frostbyte plane check`: the acceptance test and the state of a plane, for verify.sh and for people."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from frostbyte.cli import ages
from frostbyte.cli.client import KEY_FILE, Client, base_url, data_dir, find_token
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.exits import Exit
from frostbyte.cli.findings import MARKS, Finding, Level, finding_lines, print_findings, worst
from frostbyte.cli.options import AsJson, Token
from frostbyte.cli.output import out, print_json, safe, text
from frostbyte.cli.proof import read_key
from frostbyte.kernel.errors import FrostbyteError

if TYPE_CHECKING:
    from frostbyte.cli.log_check import LogCheck

FORMAT: Final = "frostbyte-plane-check/1"


def check(
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Send no documents: look at state, ages and audit only.")
    ] = False,
    wait: Annotated[float, typer.Option("--wait", min=1, help="Seconds that the test's documents may take.")] = 180.0,
    key: Annotated[
        str | None, typer.Option("--key", help="The log's verifier key, or a file with it. Else log.pub of this plane.")
    ] = None,
    since: Annotated[
        Path | None, typer.Option("--since", help="A checkpoint that was kept; - reads it from stdin.")
    ] = None,
    whole_audit: Annotated[
        bool, typer.Option("--whole-audit", help="Read every event of the log, not the newest 50,000.")
    ] = False,
    signatures_days: Annotated[
        str, typer.Option("--signatures-days", metavar="WARN,FAIL", help="How old the scanner's signatures may be.")
    ] = f"{ages.SIGNATURES.warn},{ages.SIGNATURES.fail}",
    signatures_date: Annotated[
        str, typer.Option("--signatures-date", help="Their date by the bundle, where the scanner knows none.")
    ] = "",
    model_days: Annotated[
        str, typer.Option("--model-days", metavar="WARN,FAIL", help="How old the embedding model may be.")
    ] = f"{ages.MODEL.warn},{ages.MODEL.fail}",
    model_date: Annotated[str, typer.Option("--model-date", help="Its date by the bundle.")] = "",
    lines: Annotated[bool, typer.Option("--lines", help="Print fields apart by tabs, for scripts.")] = False,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Try a plane that runs, from scanner to proof, and erase what was sent. Ends with 3 if something is not well."""
    started, began = datetime.now(UTC), time.monotonic()
    rules = (ages.limits(signatures_days), ages.limits(model_days))
    dates = (ages.moment(signatures_date), ages.moment(model_date))
    held = _held(since)
    report: dict[str, Any] = {"format": FORMAT, "started_at": started.isoformat(timespec="seconds")}
    with Client(find_token(token)) as client:
        health = client.json("GET", "/health")
        report |= {name: health[name] for name in ("tenant", "version", "mode", "embedding")}
        report |= {"read_only": read_only, "stand_ins": health["stand_ins"]}
        findings = [*_state(client, health), *_aged(rules, dates, started)]
        log_key = _key(key)
        if not read_only:
            findings += _tried(client, log_key, wait)
        log = _log(client, log_key)
        findings.append(log.intact(whole=whole_audit))
        if held:
            findings.append(log.continues(held))
    from frostbyte.cli.log_check import facts

    report |= {"log_key": log_key, "checkpoint": log.checkpoint, "log": facts(log.checkpoint)}
    report |= {"seconds": round(time.monotonic() - began, 1), "findings": [asdict(one) for one in findings]}
    report["result"] = worst(findings).value
    if lines:
        sys.stdout.write("".join(f"{line}\n" for line in _lines(report, findings)))
    elif as_json:
        print_json(report)
    else:
        _print(report, findings)
    if worst(findings) is Level.FAIL:
        raise typer.Exit(Exit.PROBLEMS)


def _held(since: Path | None) -> str:
    if since is None:
        return ""
    try:
        held = sys.stdin.read() if str(since) == "-" else since.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        held = ""
    if not held.strip():  # else a file that somebody emptied would switch the comparison off
        raise CommandFailed(
            "checkpoint_unreadable", f"{since} holds no checkpoint.", "Name the file with the checkpoint that was kept."
        )
    return held


def _key(given: str | None) -> str:
    found = read_key(given or str(data_dir() / KEY_FILE))
    assert found is not None
    return found


def _tried(client: Client, key: str, wait: float) -> list[Finding]:
    from frostbyte.cli.acceptance import Trial, alone

    with alone(data_dir()):
        return Trial(client, lambda token: Client(token, base_url()), data_dir(), key, wait).run()


def _log(client: Client, key: str) -> LogCheck:
    from frostbyte.cli.log_check import LogCheck

    return LogCheck(client, key)


def _state(client: Client, health: dict[str, Any]) -> Iterator[Finding]:
    """What the plane says of itself."""
    line = f"Version {health['version']} answers for the tenant {health['tenant']}, in {health['mode']} mode."
    development = health["mode"] == "development"
    yield Finding(
        "answers",
        Level.WARN if development else Level.OK,
        line,
        "Install a plane in offline or online mode: in development mode nothing is refused." if development else "",
    )
    if stand_ins := health["stand_ins"]:
        told = f"NOT FOR PRODUCTION: {', '.join(stand_ins)} is taken by a stand-in."
        yield Finding("stand_ins", Level.WARN, told, "Install a bundle without stand-ins before real documents come.")
    else:
        yield Finding("stand_ins", Level.OK, "No part of the plane is a stand-in.")
    yield _ready(client)
    yield _dead_letters(client)


def _ready(client: Client) -> Finding:
    try:
        ready = client.json("GET", "/ready")
    except FrostbyteError as error:
        return Finding("ready", Level.FAIL, f"{error.message} ({error.code})", error.remedy)
    if ready["status"] != "ready" or not ready["dispatch"]:
        return Finding(
            "ready", Level.FAIL, f"The plane is {ready['status']} and begins no work.", "See `frostbyte status`."
        )
    if ready["queue"] not in ("ok", "none"):
        return Finding(
            "ready", Level.FAIL, f"The workers' queue has trouble: {ready['queue']}.", "Look at Redis and its log."
        )
    return Finding("ready", Level.OK, f"The plane works; {sum(_numbers(ready['jobs']))} jobs wait or run.")


def _numbers(jobs: Any) -> Iterator[int]:
    """The counts in what /ready says of jobs, however deep."""
    if isinstance(jobs, dict):
        for value in jobs.values():
            yield from _numbers(value)
    elif isinstance(jobs, int):
        yield jobs


def _dead_letters(client: Client) -> Finding:
    try:
        found = client.json("GET", "/jobs", params={"dead": True, "limit": 1})["jobs"]
    except FrostbyteError as error:
        return Finding("dead_letters", Level.FAIL, f"{error.message} ({error.code})", error.remedy)
    if found:
        return Finding(
            "dead_letters",
            Level.WARN,
            "Documents failed after every attempt.",
            "See them: frostbyte jobs list --dead; then frostbyte jobs retry or discard.",
        )
    return Finding("dead_letters", Level.OK, "No job was tried in vain.")


def _aged(
    rules: tuple[ages.Limits, ages.Limits], dates: tuple[datetime | None, datetime | None], now: datetime
) -> Iterator[Finding]:
    bring = "Bring a newer bundle (one with newer signatures alone is enough) and run its update.sh."
    made = _signatures() or dates[0]
    newer = "Bring a bundle with a newer model and run its update.sh."
    yield ages.judge("signatures_age", made, now, rules[0], what="The scanner's signatures", remedy=bring)
    yield ages.judge("model_age", dates[1], now, rules[1], what="The embedding model", remedy=newer)


def _signatures() -> datetime | None:
    """When the signatures were made that the scanner has loaded now; None where it cannot be asked or does not say."""
    from frostbyte.adapters.clamav.clamd import Clamd, parse_address, signatures_made_at
    from frostbyte.kernel import settings as kernel_settings

    try:
        address = kernel_settings.load().clamd_address
        return signatures_made_at(Clamd(parse_address(address)).version()) if address else None
    except (FrostbyteError, ValueError):
        return None


def _lines(report: dict[str, Any], findings: list[Finding]) -> Iterator[str]:
    """The report for scripts: `fact NAME VALUE`, `finding LEVEL NAME MESSAGE REMEDY`, `checkpoint LINE`; - if empty."""
    for name in ("format", "started_at", "tenant", "version", "mode", "embedding", "log_key", "seconds", "result"):
        yield "\t".join(("fact", name, safe(report[name])))
    yield from finding_lines(findings)
    for line in report["checkpoint"].splitlines():
        yield f"checkpoint\t{safe(line)}"


def _print(report: dict[str, Any], findings: list[Finding]) -> None:
    console = out()
    print_findings(findings)
    words = {Level.OK: "WELL", Level.WARN: "WELL, WITH WARNINGS", Level.FAIL: "NOT WELL"}
    level = worst(findings)
    console.print(text(words[level], f"bold {MARKS[level][1]}") + text(f"  after {report['seconds']} s", "dim"))
    if report["checkpoint"]:
        console.print(text("Keep this checkpoint apart from the plane: a later check takes it with --since.", "dim"))
        console.print(text(report["checkpoint"].rstrip("\n"), lines=True), soft_wrap=True)
