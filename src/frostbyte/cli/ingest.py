"""`frostbyte ingest`: send files, follow them, say what became of each."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from frostbyte.cli import upload, watch
from frostbyte.cli.client import Client, find_token
from frostbyte.cli.exits import Exit
from frostbyte.cli.options import AsJson, Token
from frostbyte.cli.output import err, hint, print_json, text
from frostbyte.kernel.errors import FrostbyteError, Kind

RETRIES = 3
"""Sendings of a batch before giving up; each repeats under the same idempotency key, so nothing is there twice."""


def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders (with all below them).", show_default=False)],
    checksums: Annotated[
        bool, typer.Option("--checksums/--no-checksums", help="Send each file's sha256, so that damage is noticed.")
    ] = True,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow the batch until it is done.")] = True,
    again: Annotated[bool, typer.Option("--again", help="A new batch, even if just these files were sent.")] = False,
    batch_size: Annotated[
        int | None, typer.Option("--batch-size", min=1, help="Files a batch; default: what the plane allows.")
    ] = None,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Send documents and follow them until each is indexed, or say why it is not.

    Ends with 0 if every file is indexed (or was already), with 3 if some are not.
    """
    files = upload.collect(paths)
    with Client(find_token(token)) as client:
        most = batch_size or _allowed(client)
        sources = _described(files, digests=checksums, quiet=as_json)
        answers = [send(client, part, again=again, quiet=as_json) for part in upload.batches(sources, most)]
        if wait:
            for answer in answers:
                _follow(client, answer, quiet=as_json)
        reports = [client.json("GET", f"/ingest/{answer['batch_id']}/report") for answer in answers] if wait else []
    if as_json:
        print_json({"batches": answers, "reports": reports})
    else:
        _summary(answers, reports)
    if not all_well(answers, reports):
        raise typer.Exit(Exit.PROBLEMS)


def all_well(answers: Sequence[dict[str, Any]], reports: Sequence[dict[str, Any]]) -> bool:
    """Whether no file was rejected and, where reports are there, every document is indexed."""
    rejected = any(answer["rejected"] for answer in answers) or any(report["rejected"] for report in reports)
    return not rejected and all(item["state"] == "indexed" for report in reports for item in report["documents"])


def _allowed(client: Client) -> int:
    """The plane's max_batch_size; its default where this token may not read the configuration."""
    try:
        config = client.json("GET", "/config")
    except FrostbyteError as error:
        if error.kind in (Kind.UNAVAILABLE, Kind.UNAUTHENTICATED):
            raise
        return upload.DEFAULT_BATCH
    values = config.get("values", config)
    return int(values.get("max_batch_size", upload.DEFAULT_BATCH))


def _described(files: list[Path], *, digests: bool, quiet: bool) -> list[upload.Source]:
    total = sum(path.stat().st_size for path in files)
    with _bar(f"Reading {len(files)} files", total, quiet=quiet or not digests) as advance:
        return upload.describe(files, digests=digests, progress=advance)


def send(client: Client, sources: list[upload.Source], *, again: bool = False, quiet: bool = False) -> dict[str, Any]:
    """Send one batch and return the plane's answer: what it took, what it refused.

    Args:
        client: of the plane.
        sources: the files.
        again: a new batch even if the same was sent before.
        quiet: show no progress.

    Raises:
        FrostbyteError: what the plane answered.
        CommandFailed: `file_changed`.
    """
    described = upload.manifest(sources)
    key = upload.idempotency_key(described, again=again, known=all(source.sha256 for source in sources))
    total = sum(source.size for source in sources)
    for attempt in range(1, RETRIES + 1):
        try:
            with _bar(f"Sending {len(sources)} files", total, quiet=quiet) as advance:
                body = upload.Body(sources, described, advance)
                answer = client.json(
                    "POST",
                    "/ingest",
                    content=iter(body),
                    headers={
                        "Content-Type": body.content_type,
                        "Content-Length": str(body.length()),
                        "Idempotency-Key": key,
                    },
                )
            return dict(answer)
        except FrostbyteError as error:
            if error.code != "connection_lost" or attempt == RETRIES:
                raise
            if not quiet:
                err().print(text(f"The connection broke off; sending again ({attempt + 1} of {RETRIES}).", "yellow"))
            time.sleep(attempt)
    raise AssertionError("unreachable: the last attempt returns or raises")


def _follow(client: Client, answer: dict[str, Any], *, quiet: bool) -> None:
    documents = [{"state": "received", **item} for item in answer["accepted"]]
    if not documents:
        return
    if answer.get("replayed") and not quiet:
        hint("These files were sent before: that batch is shown. --again sends them as a new one.")
    with watch.Progress(documents, quiet=quiet) as shown:
        for changed in watch.updates(client, answer["batch_id"]):
            shown.update(changed)


@contextmanager
def _bar(label: str, total: int, *, quiet: bool) -> Iterator[Any]:
    """A progress bar over bytes, on a terminal only; yields what is told of each advance."""
    if quiet or not err().is_terminal:
        yield lambda count: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(True), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=err(), transient=True) as progress:
        task = progress.add_task(label, total=total)
        yield lambda count: progress.advance(task, count)


def _summary(answers: list[dict[str, Any]], reports: list[dict[str, Any]]) -> None:
    from frostbyte.cli.output import out
    from frostbyte.cli.report import print_report

    for report in reports:
        print_report(report)
    if not reports:
        for answer in answers:
            accepted, rejected = len(answer["accepted"]), len(answer["rejected"])
            out().print(text(f"batch {answer['batch_id']}: {accepted} taken, {rejected} rejected"))
            for item in answer["rejected"]:
                out().print(text(f"  {item['filename']}: {item['message']} {item.get('remedy', '')}", "red"))
        hint("Follow them with: frostbyte status BATCH")
        return
    hint(
        f'Ask something: frostbyte search "..."   The report as a page: frostbyte report '
        f"{answers[-1]['batch_id']} --html report.html"
    )
