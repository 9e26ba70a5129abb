"""The frame of the pages that the API shows: one style, inline, and a policy that lets nothing else in."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import Final

_STYLE: Final = """
:root{color-scheme:light dark;--line:#c8ced6;--soft:#f3f5f8;--ok:#14713d;--bad:#a4262c;--hold:#8a5a00}
@media(prefers-color-scheme:dark){:root{--line:#454b54;--soft:#1e2227;--ok:#6fd29b;--bad:#ff9c9c;--hold:#f0c36d}}
body{font:16px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem;margin:0}h2{font-size:1.15rem;margin:2rem 0 .5rem}
.numbers{display:flex;flex-wrap:wrap;gap:.75rem;margin:1rem 0;padding:0;list-style:none}
.numbers li{background:var(--soft);border:1px solid var(--line);border-radius:.5rem;padding:.4rem .9rem}
.numbers b{font-size:1.4rem;display:block}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.4rem .6rem;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
th,td{min-width:6rem}td.n,th.n{min-width:0;text-align:right;font-variant-numeric:tabular-nums;overflow-wrap:normal}
caption{text-align:left;padding:.3rem 0}
.indexed{color:var(--ok)}.failed,.quarantined,.rejected{color:var(--bad)}.waiting,.received{color:var(--hold)}
.note{border-left:.3rem solid var(--hold);padding:.3rem .8rem;background:var(--soft)}small{opacity:.75}
@media print{body{max-width:none;margin:0}tr{break-inside:avoid}}
"""
_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy of these pages: this very style and nothing more, should a value ever escape its escaping."""


def page(title: str, body: str) -> str:
    """A whole page.

    Args:
        title: text, escaped here.
        body: HTML whose values are escaped already.
    """
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><main>{body}</main></body></html>"
    )
