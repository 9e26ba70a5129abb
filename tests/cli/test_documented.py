"""What documentation tells people to type exists, with these options, and so does every make target."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from frostbyte.cli.app import app
from frostbyte.cli.exits import Exit

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
TYPED = re.compile(r"^(?:\$ )?(frostbyte [a-z].*|make [a-z].*)$")
"""A command in a block; inside a sentence it is quoted by backticks."""
BUILT = {page.name for page in PAGES} - {"spec.md"}
"""spec.md quotes the owner's commands, also those that are not built yet."""


def commands(page: Path) -> list[str]:
    """Lines of code blocks that are commands of ours, without comments at their end."""
    text = page.read_text(encoding="utf-8")
    fenced = "\n".join(re.findall(r"```(?:sh|bash|console)\n(.*?)```", text, re.DOTALL)).splitlines()
    indented = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    found = [match[1] for line in (*fenced, *indented) if (match := TYPED.match(line.strip()))]
    return [line.partition("  #")[0].rstrip(" \\") for line in found]


def options_of(words: list[str]) -> tuple[set[str], list[str]]:
    """The options that the named command knows, and what follows its name."""
    command = typer.main.get_command(app)
    while words and hasattr(command, "commands"):
        assert words[0] in command.commands, f"there is no command {words[0]}"
        command = command.commands[words.pop(0)]
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    return known | {"--help", "-h"}, words


@pytest.mark.parametrize("page", [page for page in PAGES if page.name in BUILT], ids=lambda page: page.name)
def test_commands_in_documentation_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for line in commands(page):
        program, *words = shlex.split(line)
        if program == "make":
            assert {word for word in words if "=" not in word} <= targets, line
            continue
        known, rest = options_of(words)
        assert {word.partition("=")[0] for word in rest if word.startswith("-")} <= known, line


def test_every_command_and_exit_code_is_documented() -> None:
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    root = typer.main.get_command(app)
    for name, command in root.commands.items():  # type: ignore[attr-defined]
        if name != "version":
            assert f"`{name}" in text, name
        for inner in getattr(command, "commands", {}):
            assert inner in text, f"{name} {inner}"
    for code in Exit:
        assert f"| {int(code)} |" in text


def leaves(command: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The commands that do something, below groups of any depth."""
    inner = getattr(command, "commands", {})
    for name, one in inner.items():
        yield from leaves(one, f"{path} {name}".strip())
    if not inner:
        yield path, command


def test_every_command_that_shows_something_has_json() -> None:
    silent = {
        "serve data",
        "serve control",
        "serve vectors",
        "serve embedder",
        "serve door",
        "serve egress",
        "serve mcp",
        "serve worker",
        "demo",
        "demo-online",
        "demo-operations",
        "try-hetzner",
        "bundle assemble",
        "proof get",
        "simulate hetzner",
        "plane logs",
    }
    """They print what they make, or never end."""
    for path, leaf in leaves(typer.main.get_command(app)):
        has = any("--json" in parameter.opts for parameter in leaf.params)
        assert has is (path not in silent), path
