"""A command line that imports and builds only the command that was named: help and completion live by the table."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any, ClassVar, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group


class Entry(NamedTuple):
    """One command or group of the root, without its module."""

    name: str
    target: str
    """`module:attribute` below `frostbyte.cli`: a function, or a group whose commands that module has completed."""
    panel: str
    """Title that `frostbyte --help` shows it under."""
    help: str
    """First paragraph of its own help."""

    def build(self) -> Any:
        """The command itself, with all that is below it. Imports its module."""
        module, _, attribute = self.target.partition(":")
        found = getattr(import_module(f"frostbyte.cli.{module}"), attribute)
        one = typer.Typer()
        if isinstance(found, typer.Typer):
            one.add_typer(found, name=self.name, rich_help_panel=self.panel)
        else:
            one.command(self.name, rich_help_panel=self.panel)(found)
        return get_group(one).commands[self.name]

    def named(self) -> Any:
        """What lists show of the command."""
        return TyperCommand(self.name, help=self.help, rich_help_panel=self.panel)


class Built(MutableMapping[str, Any]):
    """The commands by name, each built when it is first asked for."""

    def __init__(self, entries: tuple[Entry, ...]) -> None:
        self._found: dict[str, Any] = {entry.name: entry for entry in entries}

    def __getitem__(self, name: str) -> Any:
        found = self._found[name]
        if isinstance(found, Entry):
            found = self._found[name] = found.build()
        return found

    def __setitem__(self, name: str, command: Any) -> None:
        self._found[name] = command

    def __delitem__(self, name: str) -> None:
        del self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


class LazyGroup(TyperGroup):
    """A group that is a table of entries."""

    entries: ClassVar[tuple[Entry, ...]] = ()

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands = Built(self.entries)

    def list_commands(self, ctx: Any) -> list[str]:
        """The names, in the table's order."""
        return list(self.commands)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The root's help, from the table alone."""
        with self._by_name():
            super().format_help(ctx, formatter)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Completion of the first word, from the table alone."""
        with self._by_name():
            return super().shell_complete(ctx, incomplete)

    @contextmanager
    def _by_name(self) -> Iterator[None]:
        whole = self.commands
        self.commands = {entry.name: entry.named() for entry in self.entries}
        try:
            yield
        finally:
            self.commands = whole
