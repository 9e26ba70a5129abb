"""The command answers at once: completion and help must not wait for libraries that they do not use."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
import typer
import typer.main
from typer.core import TyperGroup
from typer.testing import CliRunner

from frostbyte.cli.app import COMMANDS, app

IMPORT_SECONDS = 0.3
"""Longest import of the command line (docs/cli.md)."""
HEAVY = (
    "httpx",
    "rich",
    "fastapi",
    "uvicorn",
    "numpy",
    "onnxruntime",
    "cryptography",
    "msgspec",
    "psycopg",
    "tesserocr",
    "pydantic",
)


def test_importing_the_command_line_is_quick() -> None:
    """The processor's time inside the new process, so that the interpreter's own start does not count; the best of
    five, because whatever else the machine does can only make it slower."""
    program = "import time; t = time.process_time(); import frostbyte.cli.app; print(time.process_time() - t)"
    times = [float(subprocess.check_output([sys.executable, "-c", program])) for _ in range(5)]
    assert min(times) <= IMPORT_SECONDS, times


def test_importing_the_command_line_loads_nothing_heavy() -> None:
    program = "import sys, frostbyte.cli.app; print(*sys.modules)"
    loaded = set(subprocess.check_output([sys.executable, "-c", program], text=True).split())
    assert not loaded & set(HEAVY)
    assert not any(name.startswith(("frostbyte.adapters", "frostbyte.bootstrap", "frostbyte.api")) for name in loaded)


def test_a_small_command_ends_soon() -> None:
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "frostbyte", "version"], capture_output=True, check=True, text=True)
    assert done.stdout.startswith("frostbyte ")
    assert time.perf_counter() - started < 10 * IMPORT_SECONDS


def modules_of(*words: str, **environment: str) -> set[str]:
    """Modules of the command line that a process has loaded after it ran these words."""
    program = "import sys; from frostbyte.cli.app import run; run(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        capture_output=True,
        check=True,
        text=True,
        env=os.environ | {"FROSTBYTE_CONTROL_URL": "http://127.0.0.1:1", "FROSTBYTE_CONTROL_TOKEN": "t"} | environment,
    )
    return set(done.stderr.splitlines()[-1].split())


ALL = {f"frostbyte.cli.{entry.target.partition(':')[0]}" for entry in COMMANDS} - {"frostbyte.cli.app"}


@pytest.mark.parametrize(
    ("words", "own"),
    [
        (["version"], set()),
        (["--help"], set()),
        (["nothing-like-this"], set()),
        (["jobs", "--help"], {"frostbyte.cli.jobs"}),
        (["project", "list"], {"frostbyte.cli.project"}),
        (["tenant", "suspend", "acme", "--reason", "payment", "--no-wait"], {"frostbyte.cli.tenant"}),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)
def test_a_command_loads_its_own_module_only(words: list[str], own: set[str]) -> None:
    loaded = modules_of(*words)
    assert loaded & ALL == own
    assert "pydantic" not in loaded


def test_completion_of_the_first_word_loads_no_command() -> None:
    assert not modules_of(_FROSTBYTE_COMPLETE="complete_bash", COMP_WORDS="frostbyte ten", COMP_CWORD="1") & ALL


def test_the_table_says_of_every_command_what_the_command_says_itself(capsys: pytest.CaptureFixture[str]) -> None:
    """Help made of the table is, word for word, the help of all commands built whole."""
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    whole = typer.main.get_group(typer.Typer(help=group.help))
    whole.commands.update(group.commands)
    whole.params = group.params
    shown = []
    for one in (group, whole):
        context = typer.Context(one, info_name="frostbyte", help_option_names=["-h", "--help"])
        context.command.format_help(context, context.make_formatter())
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1]
    assert all(f" {entry.name} " in shown[0] for entry in COMMANDS)
    assert [command.name for command in group.commands.values()] == [entry.name for entry in COMMANDS]


def test_a_mistyped_command_is_put_right_by_the_table() -> None:
    ended = CliRunner().invoke(app, ["tenent"])
    assert ended.exit_code == 2
    assert "Did you mean 'tenant'" in ended.output
