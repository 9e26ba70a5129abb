"""The acceptance report as a page: self-contained, readable by screen readers and on paper, every value escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

from frostbyte.api.http.pages import page
from frostbyte.data_plane.noted import told

_SHOWN = ("received", "rejected", "duplicates", "indexed", "processing", "waiting", "quarantined", "failed", "erased")


def report_page(report: dict[str, Any]) -> str:
    """The page for a report as `serve.batches.Batches.report` makes it."""
    title = f"Acceptance report {report['batch_id']}"
    done = f"completed {report['completed_at']}" if report["completed_at"] else "not completed yet"
    return page(
        title,
        f"<h1>Acceptance report</h1><p>Tenant <b>{escape(report['tenant'])}</b>, batch "
        f"<code>{escape(report['batch_id'])}</code>, received {escape(report['created_at'])}, {escape(done)}.</p>"
        + "".join(f'<p class="note">{escape(text)}</p>' for text in report.get("warnings", []))
        + _numbers(report["totals"])
        + _problems(report["problems"])
        + _documents(report["documents"])
        + _noted(report["documents"])
        + _account(report["account"]),
    )


def _numbers(totals: dict[str, int]) -> str:
    items = "".join(
        f"<li><b>{totals[name]}</b>{name}</li>" for name in _SHOWN if totals[name] or name in ("received", "indexed")
    )
    return f'<ul class="numbers">{items}</ul>'


def _problems(problems: list[dict[str, str]]) -> str:
    if not problems:
        return "<h2>Problems</h2><p>None.</p>"
    rows = ([item["filename"], item["message"], item["remedy"], item["code"]] for item in problems)
    return "<h2>Problems and what to do</h2>" + _table(("file", "what happened", "what to do", "code"), rows)


def _documents(documents: list[dict[str, Any]]) -> str:
    rows = (
        f'<tr><th scope="row">{escape(item["filename"])}</th>'
        f'<td class="{escape(item["state"])}">{escape(item["state"])}</td><td>{escape(item["classification"])}</td>'
        f'<td>{escape(item.get("scan_verdict", ""))}</td><td class="n">{item["pages"]}</td>'
        f'<td class="n">{item["chunks"]}</td><td class="n">{item["withheld"]}</td></tr>'
        for item in documents
    )
    head = "".join(f'<th scope="col">{name}</th>' for name in ("file", "state", "class", "scan"))
    numbers = "".join(f'<th scope="col" class="n">{name}</th>' for name in ("pages", "passages", "withheld"))
    return (
        f"<h2>Documents</h2><div class='wide'><table><thead><tr>{head}{numbers}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _noted(documents: list[dict[str, Any]]) -> str:
    rows = [
        [item["filename"], note.meaning, note.remedy, note.name]
        for item in documents
        for note in told(item.get("notes", ()))
    ]
    head = ("file", "what its reader noted", "what to do", "note")
    return "<h2>How documents were read</h2>" + _table(head, rows) if rows else ""


def _account(account: dict[str, dict[str, Any]]) -> str:
    rows = (
        f'<tr><th scope="row">{unit}</th><td class="n">{tally["found"]:,}</td><td class="n">{tally["indexed"]:,}</td>'
        f'<td class="n">{tally["redacted"]:,}</td><td class="n">{tally["withheld"]:,}</td>'
        f"<td>{escape(', '.join(f'{count:,} {reason}' for reason, count in tally['dropped'].items()) or '0')}</td></tr>"
        for unit, tally in account.items()
    )
    head = '<th scope="col"></th>' + "".join(
        f'<th scope="col" class="n">{name}</th>' for name in ("found", "indexed", "redacted", "withheld")
    )
    return (
        "<h2>The account</h2><div class='wide'><table><caption>Everything that was found is indexed, redacted, "
        f'withheld, or dropped for a reason.</caption><thead><tr>{head}<th scope="col">dropped</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    top = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<div class='wide'><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
