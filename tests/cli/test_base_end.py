"""`frostbyte control up --expires-at`: a base gets its end with its first run, and no other later."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.fake_plane import Run
from frostbyte.cli import base
from frostbyte.cli.exits import Exit
from frostbyte.control_plane.provisioning.journal import RunState

END = "2026-03-01T14:00:00+00:00"


class Bench:
    """A base as far as `control up` asks; implements what of bootstrap.base.Bench it uses."""

    def __init__(self, folder: Path) -> None:
        (folder / "edge-url").write_text("https://control.example\n")
        self.plane = SimpleNamespace(settings=SimpleNamespace(data_dir=folder))
        self.standing: dict[str, Any] | None = None
        self.requests: list[Mapping[str, Any]] = []

    def stands(self) -> bool:
        return self.standing is not None

    def asked(self) -> dict[str, Any]:
        return self.standing or {}

    def running(self) -> object:
        return object()  # what was begun goes on: its plan is not shown again

    def remains(self) -> list[Any]:
        return []

    def up(self, request: Mapping[str, Any], seen: object) -> Any:
        self.requests.append(request)
        return SimpleNamespace(state=RunState.SUCCEEDED, code="", run_id="1")


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench(tmp_path)

    @contextmanager
    def bench(project: str) -> Iterator[Bench]:
        yield made

    monkeypatch.setattr(base, "bench", bench)
    return made


def test_a_new_base_is_given_its_end(run: Run, at: Bench) -> None:
    assert run("control", "up", "--yes", "--expires-at", END).code == Exit.OK
    assert at.requests == [{"expires_at": END}]


def test_a_base_that_stands_keeps_its_end_and_takes_no_other(run: Run, at: Bench) -> None:
    at.standing = {"expires_at": END}
    assert run("control", "up", "--yes").code == Exit.OK
    assert run("control", "up", "--yes", "--expires-at", END).code == Exit.OK, "the same command goes on"
    assert at.requests == [{"expires_at": END}] * 2
    told = run("control", "up", "--yes", "--expires-at", "2026-03-01T15:00:00+00:00")
    assert told.code != Exit.OK
    assert "cannot be given an end" in told.err
    assert "frostbyte control down" in told.err


@pytest.mark.parametrize("standing", [{}, {"expires_at": ""}])
def test_a_base_without_an_end_is_given_none(run: Run, at: Bench, standing: dict[str, Any]) -> None:
    at.standing = standing
    told = run("control", "up", "--yes", "--expires-at", END, "--json")
    assert told.code != Exit.OK
    assert "base_stands" in told.out + told.err
    assert at.requests == []


@pytest.mark.parametrize("text", ["tomorrow", "2026-03-01T14:00:00", "14:00"])
def test_an_end_is_a_moment_with_its_zone(run: Run, at: Bench, text: str) -> None:
    told = run("control", "up", "--yes", "--expires-at", text, "--json")
    assert told.code != Exit.OK
    assert "moment_invalid" in told.out + told.err
