"""docs/add-a-rule.md is followed to the letter."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from frostbyte.cli.app import run
from frostbyte.cli.exits import Exit
from frostbyte.data_plane import policy
from frostbyte.kernel.errors import Invalid

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "add-a-rule.md").read_text("utf-8")
APPENDED = re.compile(r"^```toml append=(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WRITTEN = re.compile(r"^```text file=(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TYPED = re.compile(r"^```console typed\n\$ (.*?)\n```$", re.MULTILINE)
OUTPUT = re.compile(r"^```text output\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which the page's files stand as it says."""
    (tmp_path / "rules").mkdir()
    assert "mkdir rules\ncp src/frostbyte/data_plane/policy/rules/*.toml rules/\n" in PAGE
    for file in (ROOT / "src/frostbyte/data_plane/policy/rules").glob("*.toml"):
        shutil.copy(file, tmp_path / "rules")
    for name, body in APPENDED.findall(PAGE):
        with (tmp_path / name).open("a", encoding="utf-8") as file:
            file.write("\n" + body)
    for name, body in WRITTEN.findall(PAGE):
        (tmp_path / name).write_text(body, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_rules_load_and_their_examples_decide(followed: Path) -> None:
    assert [name for name, _ in APPENDED.findall(PAGE)] == [f"rules/{name}" for name in policy.FILES]
    rules = policy.RuleSet.load(followed / "rules")
    assert "clinic_record" in {rule.id for rule in rules.pii}
    file = followed / "rules" / "pii.toml"
    text = file.read_text("utf-8").replace('"Follow-up for NK-4821-7"', '"Follow-up for NK-48210-7"')
    file.write_text(text, "utf-8")
    line = text.splitlines().index('id = "clinic_record"') + 1
    with pytest.raises(
        Invalid, match=rf"pii.toml, rule clinic_record \(line {line}\) are not valid: negative example 2"
    ):
        policy.RuleSet.load(followed / "rules")


@pytest.mark.slow
def test_the_command_shows_what_the_page_says(followed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    typed = shlex.split(TYPED.findall(PAGE)[0])
    assert run(typed[1:]) == Exit.PROBLEMS
    shown = capsys.readouterr().out
    assert OUTPUT.findall(PAGE)[0] in shown


def test_every_block_is_followed() -> None:
    fenced = re.findall(r"^```(\w+)", PAGE, re.MULTILINE)
    followed = [*APPENDED.findall(PAGE), *WRITTEN.findall(PAGE), *TYPED.findall(PAGE), *OUTPUT.findall(PAGE)]
    assert len(fenced) == len(followed) + 1  # and the copying
