"""The API's reference as a page: from the OpenAPI description, without scripts and without anything from outside."""

from __future__ import annotations

from html import escape
from typing import Any

from frostbyte.api.http.pages import page


def reference_page(api: dict[str, Any]) -> str:
    """The page for an OpenAPI description whose operations carry `x-scopes`."""
    groups: dict[str, list[str]] = {}
    for path, operations in api["paths"].items():
        for method, operation in operations.items():
            groups.setdefault(operation["tags"][0], []).append(_row(method, path, operation))
    head = "".join(f'<th scope="col">{name}</th>' for name in ("route", "scope", "what it does", "parameters"))
    tables = "".join(
        f'<h2>{escape(tag)}</h2><div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
        for tag, rows in groups.items()
    )
    title = f"{api['info']['title']} {api['info']['version']}"
    return page(
        title,
        f"<h1>{escape(title)}</h1><p>For programs: <a href='/openapi.json'>/openapi.json</a>. Send a token as "
        f"<code>Authorization: Bearer TOKEN</code>; one of the scopes named is enough.</p>{tables}",
    )


def _row(method: str, path: str, operation: dict[str, Any]) -> str:
    asked = ", ".join(operation.get("x-scopes", [])) or "no token"
    names = ", ".join(item["name"] for item in operation.get("parameters", []))
    what = operation.get("description", operation["summary"]).split("\n\nScope:")[0]
    return (
        f'<tr><th scope="row"><code>{method.upper()} {escape(path)}</code></th><td>{escape(asked)}</td>'
        f"<td>{escape(what)}</td><td>{escape(names)}</td></tr>"
    )
