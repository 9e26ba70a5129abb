"""What a person, or a program with `--json`, gets to see.

Whatever a server or a folder named (file names, titles, passages) may be hostile: a control sequence can repaint a
terminal, and square brackets are markup to Rich. `safe` takes the first away; handing Rich `Text` objects instead of
strings takes the second.
"""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that show nothing, or that move the cursor or the direction of reading."""

LOG_WIDTH: Final = 100
"""Columns where the output is no terminal, so that a log reads like a screen."""

STATE_STYLE: Final = {
    "received": "cyan",
    "waiting": "yellow",
    "indexed": "green",
    "quarantined": "bold red",
    "failed": "red",
    "erased": "dim",
    "rejected": "red",
    "duplicate": "blue",
}


def safe(value: object, *, lines: bool = False) -> str:
    """Text in which every control or invisible character is replaced by its visible escape.

    Args:
        value: whatever came from outside.
        lines: keep line ends (a passage has them; a name has not).
    """
    text = str(value)
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char if (lines and char == "\n") or unicodedata.category(char) not in _HIDDEN else _escaped(char)
        for char in text
    )


def _escaped(char: str) -> str:
    code = ord(char)
    if char == "\t":
        return " "
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def text(value: object, style: str = "", *, lines: bool = False) -> Text:
    """`safe` as a Rich text that is never read as markup."""
    from rich.text import Text

    return Text(safe(value, lines=lines), style=style)


@cache
def _console(stderr: bool) -> Console:
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else LOG_WIDTH
    return Console(file=stream, width=width, emoji=False, highlight=False, soft_wrap=False)


def out() -> Console:
    """Where results go."""
    return _console(False)


def err() -> Console:
    """Where progress and errors go, so that a pipe gets results only."""
    return _console(True)


def forget_consoles() -> None:
    """Look at the streams anew: tests put others in their place."""
    _console.cache_clear()


def print_json(value: Any) -> None:
    """One JSON document on stdout. Non-ASCII is escaped, so no control character reaches a terminal."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=True) + "\n")
    sys.stdout.flush()


def table(*columns: str, title: str = "") -> Table:
    """An empty table in the house style.

    A column that begins with `>` is right-aligned; one that begins with `=` is never broken, so that ids can be copied.
    """
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        made.add_column(
            column.lstrip(">="),
            justify="right" if column.startswith(">") else "left",
            overflow="fold",
            no_wrap=column.startswith("="),
            header_style="bold",
        )
    return made


def state_text(state: str) -> Text:
    """A state in its colour."""
    return text(state, STATE_STYLE.get(state, ""))


def size_text(count: int | None) -> str:
    """Bytes for people, in powers of 1024."""
    if count is None:
        return ""
    amount = float(count)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"


def count_text(number: int, one: str, many: str = "") -> str:
    """A number with its noun: 1 page, 2 pages."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def indented(value: Text, left: int) -> Padding:
    """Text whose wrapped lines stay in their column."""
    from rich.padding import Padding

    return Padding(value, (0, 0, 0, left), expand=False)


def hint(message: str) -> None:
    """One dim line on stderr that says what to do next; left out of pipes' data."""
    err().print(text(message, "dim"), soft_wrap=True)
