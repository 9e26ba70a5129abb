"""`ClearedChunk` comes into being in the policy package alone, and there in two places (promise 2).

Whoever could build one elsewhere could index text that no gate has seen.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import frostbyte

_ROOT = Path(frostbyte.__file__).parent
_POLICY = _ROOT / "data_plane" / "policy"
_DECODERS = {"decode", "convert", "Decoder", "loads", "from_builtins"}
_GUARDED = {"ClearedChunk", "Cleared"}
_BUILDERS = {("clear.py", "_build"), ("verdict.py", "_released"), ("verdict.py", "load_cleared")}


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _mentions(node: ast.AST) -> bool:
    return any(isinstance(part, ast.expr) and _name(part) in _GUARDED for part in ast.walk(node))


def _offences(source: str) -> Iterator[tuple[str, int]]:
    """(enclosing function, line) of every place that makes a guarded object, or a second name for one."""
    tree = ast.parse(source)
    owners: dict[ast.AST, str] = {}
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(function):
                owners[node] = function.name
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = _name(node.func)
            builds = called == "ClearedChunk"
            values = [*node.args, *(keyword.value for keyword in node.keywords)]
            decodes = called in _DECODERS and any(_mentions(value) for value in values)
            if builds or decodes:
                yield owners.get(node, ""), node.lineno
        elif isinstance(node, ast.ImportFrom) and any(a.name in _GUARDED and a.asname for a in node.names):
            yield "", node.lineno
        elif (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Name | ast.Attribute)
            and _name(node.value) in _GUARDED
        ):
            yield owners.get(node, ""), node.lineno
        elif isinstance(node, ast.ClassDef) and any(_name(base) == "ClearedChunk" for base in node.bases):
            yield "", node.lineno


@pytest.mark.slow
def test_no_module_outside_policy_makes_cleared_chunks() -> None:
    files = [path for path in sorted(_ROOT.rglob("*.py")) if _POLICY not in path.parents]
    assert len(files) > 20
    found = [(str(path.relative_to(_ROOT)), line) for path in files for _, line in _offences(path.read_text("utf-8"))]
    assert found == []


def test_policy_makes_them_in_two_functions() -> None:
    found = {
        (path.name, function)
        for path in sorted(_POLICY.glob("*.py"))
        for function, _ in _offences(path.read_text("utf-8"))
    }
    assert found == _BUILDERS


@pytest.mark.parametrize(
    "source",
    [
        "x = ClearedChunk(text='a')",
        "x = document.ClearedChunk(text='a')",
        "x = msgspec.json.decode(data, type=ClearedChunk)",
        "x = msgspec.convert(data, list[document.ClearedChunk])",
        "x = msgspec.json.Decoder(policy.Cleared)",
        "from frostbyte.data_plane.document import ClearedChunk as C",
        "C = ClearedChunk",
        "class Mine(ClearedChunk): ...",
    ],
)
def test_the_walker_sees_every_way(source: str) -> None:
    assert list(_offences(source))


def test_the_walker_leaves_use_alone() -> None:
    assert not list(
        _offences(
            "def f(c: ClearedChunk) -> list[ClearedChunk]:\n    return [c] if isinstance(c, ClearedChunk) else []"
        )
    )
