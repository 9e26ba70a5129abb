"""Options that many commands share."""

from __future__ import annotations

from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.", rich_help_panel="Output")]
Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        help="Access token. Else FROSTBYTE_TOKEN, FROSTBYTE_TOKEN_FILE, or what `serve data` wrote here.",
        rich_help_panel="Connection",
        show_default=False,
    ),
]
ControlToken = Annotated[
    str | None,
    typer.Option(
        "--token",
        help="Access token. Else FROSTBYTE_CONTROL_TOKEN, ..._TOKEN_FILE, or what `serve control` wrote here.",
        rich_help_panel="Connection",
        show_default=False,
    ),
]


def group(about: str) -> typer.Typer:
    """A group of commands; `about` is its help."""
    return typer.Typer(help=about, no_args_is_help=True, add_completion=False)
