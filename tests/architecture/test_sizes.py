"""Files and functions stay small enough to be read at once, and nothing hides in a room without a name."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILE_LINES = 500
FUNCTION_LINES = 80
MOST_FUNCTION_LINES = 45
"""95 of 100 functions are at most this long."""
NAMELESS = {"utils", "util", "helpers", "helper", "common", "misc", "shared", "stuff"}
AT_THE_TOP = set(
    ".ci .dockerignore .gitignore CHANGELOG.md CONTRIBUTING.md LICENSE Makefile NOTICE README.md bench config deploy"
    " docs migrations pyproject.toml requirements samples src tests tools".split()
)
"""What a visitor sees first: nothing strays in by a mistyped command, nothing is lost with the strays."""


def sources(*areas: str) -> list[Path]:
    return [path for area in areas for path in sorted((ROOT / area).rglob("*.py"))]


def function_lengths(path: Path) -> list[tuple[int, str]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [
        ((node.end_lineno or node.lineno) - node.lineno + 1, f"{path.relative_to(ROOT)}:{node.lineno} {node.name}")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def test_no_file_is_longer_than_500_lines() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in sources("src", "tests", "tools", "bench", "samples")
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > FILE_LINES and path.name != "verifier.py"
    }
    assert not long


def test_the_verifier_is_one_file_and_not_a_second_system() -> None:
    """It must stay one file that an auditor can read, so the limit on files is wider there."""
    assert len((ROOT / "src/frostbyte/cli/verifier.py").read_text(encoding="utf-8").splitlines()) <= 900


def test_functions_are_short() -> None:
    lengths = sorted(length for path in sources("src") for length in function_lengths(path))
    assert [name for length, name in lengths if length > FUNCTION_LINES] == []
    numbers = [length for length, _ in lengths]
    assert numbers[int(len(numbers) * 0.95)] <= MOST_FUNCTION_LINES


def test_no_room_is_nameless() -> None:
    for path in sources("src", "tests"):
        parts = {path.stem, *path.relative_to(ROOT).parts[:-1]}
        assert not parts & NAMELESS, path


def test_every_public_name_of_the_package_says_what_it_is() -> None:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    silent = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in sources("src")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, kinds) and not node.name.startswith("_") and ast.get_docstring(node) is None
    ]
    assert silent == []


def test_nothing_is_left_for_later() -> None:
    marks = ("TO" + "DO", "FIX" + "ME", "XX" + "X:", "HA" + "CK")
    for path in sources("src", "tests", "tools"):
        found = [mark for mark in marks if mark in path.read_text(encoding="utf-8")]
        assert not found, path


def test_git_holds_only_what_belongs_there() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:  # an unpacked archive has no git: then there is nothing to judge
        assert not (ROOT / ".git").exists()
        return
    names = [name for name in listed.stdout.split("\0") if name]
    assert not [name for name in names if name.endswith((".pyc", ".log", ".key", ".pem")) or ".frostbyte/" in name]
    large = [name for name in names if (ROOT / name).is_file() and (ROOT / name).stat().st_size > 1 << 20]
    assert not large
    assert {name.partition("/")[0] for name in names} == AT_THE_TOP
