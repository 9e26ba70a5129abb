"""The tour of the consoles shows each picture that `make screenshots` writes, in both themes, and no other."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
TOUR: Final = ROOT / "docs" / "console.md"
PROGRAM: Final = ROOT / "tests" / "browser" / "pictures.py"
SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"


def written() -> set[str]:
    """What the program pictures, by name; read and not run, because a browser's driver may be missing here."""
    calls = [node for node in ast.walk(ast.parse(PROGRAM.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    named = [call.args[0] for call in calls if isinstance(call.func, ast.Name) and call.func.id == "Shot"]
    return {str(arg.value) for arg in named if isinstance(arg, ast.Constant)}


def test_the_tour_shows_each_picture_in_both_themes() -> None:
    shown = set(re.findall(r"img/console-([a-z-]+)-(light|dark)\.png", TOUR.read_text(encoding="utf-8")))
    assert shown == {(name, theme) for name in written() for theme in ("light", "dark")}


def test_every_picture_is_there_and_small_enough_to_be_kept() -> None:
    for name in written():
        for theme in ("light", "dark"):
            content = (ROOT / "docs" / "img" / f"console-{name}-{theme}.png").read_bytes()
            assert content.startswith(SIGNATURE)
            assert len(content) < 250_000, f"{name} {theme}: {len(content)} bytes"
