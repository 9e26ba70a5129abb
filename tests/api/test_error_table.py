"""docs/errors.md lists every stable code that the source can raise, and none that it cannot."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = re.compile(r"[a-z]+(_[a-z0-9]+)+")
ROW = re.compile(r"^\| `([a-z0-9_]+)` \|", re.MULTILINE)
NAMED = {"no_such": "{}_not_found", "_mismatch": "manifest_mismatch_{}"}
"""Functions that put a code together from a word."""


def sentence(node: ast.expr) -> str:
    """The text of a literal or an f-string, with … for what is filled in; '' for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    return ""


def raised(tree: ast.AST) -> Iterator[tuple[str, str, str]]:
    """(code, message, remedy) wherever a code stands before its sentence, and codes made of a word."""
    for node in ast.walk(tree):
        items = node.args if isinstance(node, ast.Call) else node.elts if isinstance(node, ast.Tuple) else []
        texts = [sentence(item) for item in items]
        for code, message, remedy in zip(texts, texts[1:], [*texts[2:], ""], strict=False):
            if code.startswith("frostbyte_"):
                continue  # a metric's name
            if CODE.fullmatch(code) and " " in message and (message[0].isupper() or message[0] == "…"):
                yield code, message, remedy
        if (
            texts
            and isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in NAMED
            and re.fullmatch(r"[a-z0-9]+", texts[0])
        ):
            yield NAMED[node.func.id].format(texts[0]), "", ""


def in_source() -> dict[str, tuple[str, str]]:
    """Every code of the package, with one of its messages."""
    found: dict[str, tuple[str, str]] = {}
    for path in sorted((ROOT / "src" / "frostbyte").rglob("*.py")):
        for code, message, remedy in raised(ast.parse(path.read_text(encoding="utf-8"))):
            found.setdefault(code, (message, remedy))
    return found


def test_every_code_is_listed_and_every_listed_code_exists() -> None:
    listed = ROW.findall((ROOT / "docs" / "errors.md").read_text(encoding="utf-8"))
    assert len(listed) == len(set(listed)), "a code is listed twice"
    codes = set(in_source())
    assert len(codes) > 100, "the source is not read as it should be"
    assert codes - set(listed) == set(), "not listed"
    text = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src" / "frostbyte").rglob("*.py"))
    gone = [code for code in set(listed) - codes if f'"{code}"' not in text]
    assert gone == [], "listed, but not in the source"
