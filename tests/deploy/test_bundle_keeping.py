"""Models and signatures of before: kept without a copy, put back whole, wherever it is cut off."""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path
from typing import Any

import pytest

from frostbyte.deploy.bundle.keeping import Kept
from frostbyte.kernel.errors import FrostbyteError

OLD = {"daily.cvd": "yesterday", "own/rules.ndb": "rules", "gone.cud": "not in the new set"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "clamav", OLD)
    return tmp_path / "clamav"


def write(folder: Path, files: dict[str, str]) -> None:
    """As models.place does: what there is is replaced, not written into."""
    for name, text in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_name(".part")
        part.write_text(text)
        part.replace(place)


def update(folder: Path) -> None:
    write(folder, {"daily.cvd": "today", "new.ndb": "new"})
    (folder / "gone.cud").unlink()


def held(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_there_and_back(folder: Path) -> None:
    assert Kept(folder, "m1").keep()
    assert not Kept(folder, "m1").keep()
    assert (folder / ".before-m1/daily.cvd").samefile(folder / "daily.cvd")
    update(folder)
    assert not Kept(folder, "m1").keep()  # what was exchanged is no way back
    assert Kept(folder, "m1").restore()
    assert held(folder) == OLD
    assert not Kept(folder, "m1").restore()


def test_dropped_there_is_no_way_back(folder: Path) -> None:
    Kept(folder, "m1").keep()
    update(folder)
    now = {name: text for name, text in held(folder).items() if not name.startswith(".before")}
    assert Kept(folder, "m1").drop()
    assert not Kept(folder, "m1").drop()
    assert not Kept(folder, "m1").restore()
    assert held(folder) == now


def test_another_updates_are_not_taken_for_this_ones(folder: Path) -> None:
    Kept(folder, "m1").keep()
    with pytest.raises(FrostbyteError) as caught:
        Kept(folder, "m2").keep()
    assert caught.value.code == "snapshot_left"
    assert not Kept(folder, "m2").restore()


@pytest.mark.parametrize("mark", ["", "../x", "A", "a" * 17])
def test_a_mark_is_a_word(folder: Path, mark: str) -> None:
    with pytest.raises(FrostbyteError):
        Kept(folder, mark)


class Killed(BaseException):
    """The process is gone."""


def _killing(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Have the process end before the change of that number."""
    count = itertools.count(1)
    for owner, name in ((Path, "hardlink_to"), (Path, "rename"), (Path, "mkdir"), (Path, "unlink")):
        real = getattr(owner, name)

        def changed(*arguments: Any, real: Any = real, **more: Any) -> Any:
            if next(count) == after:
                raise Killed
            return real(*arguments, **more)

        monkeypatch.setattr(owner, name, changed)


@pytest.mark.parametrize("verb", ["keep", "restore", "drop"])
@pytest.mark.parametrize("after", range(1, 16))
def test_killed_anywhere_it_is_done_again(folder: Path, monkeypatch: pytest.MonkeyPatch, verb: str, after: int) -> None:
    now = OLD
    if verb != "keep":
        Kept(folder, "m1").keep()
        update(folder)
        now = {name: text for name, text in held(folder).items() if not name.startswith(".before")}
    with monkeypatch.context() as patched:
        _killing(patched, after)
        with contextlib.suppress(Killed):
            getattr(Kept(folder, "m1"), verb)()
    getattr(Kept(folder, "m1"), verb)()
    if verb == "keep":
        update(folder)
        assert Kept(folder, "m1").restore()
    wanted = now if verb == "drop" else OLD
    assert {name: text for name, text in held(folder).items() if not name.startswith(".before")} == wanted
