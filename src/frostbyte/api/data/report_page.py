"""The acceptance report as a page: self-contained, readable by screen readers and on paper, every value escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

_STYLE = """
:root{color-scheme:light dark;--line:#c8ced6;--soft:#f3f5f8;--ok:#14713d;--bad:#a4262c;--hold:#8a5a00}
@media(prefers-color-scheme:dark){:root{--line:#454b54;--soft:#1e2227;--ok:#6fd29b;--bad:#ff9c9c;--hold:#f0c36d}}
body{font:16px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem;margin:0}h2{font-size:1.15rem;margin:2rem 0 .5rem}
.numbers{display:flex;flex-wrap:wrap;gap:.75rem;margin:1rem 0;padding:0;list-style:none}
.numbers li{background:var(--soft);border:1px solid var(--line);border-radius:.5rem;padding:.4rem .9rem}
.numbers b{font-size:1.4rem;display:block}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.4rem .6rem;border-bottom:1px solid var(--line);
vertical-align:top}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}caption{text-align:left;padding:.3rem 0}
.indexed{color:var(--ok)}.failed,.quarantined,.rejected{color:var(--bad)}.waiting,.received{color:var(--hold)}
.note{border-left:.3rem solid var(--hold);padding:.3rem .8rem;background:var(--soft)}small{opacity:.75}
"""
_SHOWN = ("received", "rejected", "duplicates", "indexed", "processing", "waiting", "quarantined", "failed", "erased")


def report_page(report: dict[str, Any]) -> str:
    """The page for a report as `serve.batches.Batches.report` makes it."""
    title = f"Acceptance report {report['batch_id']}"
    done = f"completed {report['completed_at']}" if report["completed_at"] else "not completed yet"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{_STYLE}</style></head><body><main>'
        f"<h1>Acceptance report</h1><p>Tenant <b>{escape(report['tenant'])}</b>, batch "
        f"<code>{escape(report['batch_id'])}</code>, received {escape(report['created_at'])}, {escape(done)}.</p>"
        + "".join(f'<p class="note">{escape(text)}</p>' for text in report.get("warnings", []))
        + _numbers(report["totals"])
        + _problems(report["problems"])
        + _documents(report["documents"])
        + _account(report["account"])
        + "</main></body></html>"
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
    return f"<h2>Documents</h2><table><thead><tr>{head}{numbers}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


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
        "<h2>The account</h2><table><caption>Everything that was found is indexed, redacted, withheld, or dropped for "
        f'a reason.</caption><thead><tr>{head}<th scope="col">dropped</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    top = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
