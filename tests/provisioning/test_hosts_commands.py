"""`frostbyte hosts`: what is asked of it, and what it writes down."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from frostbyte.bootstrap import building
from frostbyte.bootstrap.building import Yard, archive
from frostbyte.bootstrap.provisioning import release
from frostbyte.cli import hosts
from frostbyte.cli.errors import CommandFailed
from frostbyte.control_plane.provisioning.building import extra_of
from frostbyte.kernel.errors import Invalid
from provisioning.building_site import BASE


def yard(tmp_path: Path) -> Yard:
    told = SimpleNamespace(releases=tmp_path / "releases", images=tmp_path / "images")
    plane: Any = SimpleNamespace(settings=SimpleNamespace(provisioning=told))
    return Yard(plane=plane, owner=BASE)


def test_what_a_version_runs_is_written_down_and_the_rest_of_it_stays(tmp_path: Path) -> None:
    place = yard(tmp_path)
    (tmp_path / "api.tar").write_bytes(b"saved")
    path = place.written_down("1.0", {"api": "sha256:1"}, {"api": {"path": str(tmp_path / "api.tar"), "sha256": "5a"}})
    path.write_text(json.dumps({**json.loads(path.read_text()), "dimensions": 64}))
    place.written_down("1.0", {"worker": "sha256:2"}, {})
    found = release(tmp_path / "releases", "1.0")
    assert (found.images, found.dimensions) == ({"api": "sha256:1", "worker": "sha256:2"}, 64)
    assert found.archives == {"sha256:1": "5a"}
    assert (tmp_path / "images" / "5a.tar").read_bytes() == b"saved"
    assert [path.name for path in (tmp_path / "releases").iterdir()] == ["1.0.json"]


def test_an_image_is_a_file_or_what_the_engine_saves_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = tmp_path / "api.tar"
    given.write_bytes(b"x")
    assert archive(str(given), tmp_path / "builds") == given
    asked: list[str] = []

    def engine(*words: str) -> str:
        asked.append(words[0])
        if words[0] == "save":
            Path(words[2]).write_bytes(b"saved")
        return "sha256:abc"

    monkeypatch.setattr(building, "_docker", engine)
    first = archive("frostbyte/api:1", tmp_path / "builds")
    assert first.read_bytes() == b"saved"
    assert archive("frostbyte/api:1", tmp_path / "builds") == first
    assert asked == ["image", "save", "image"]


def test_what_nobody_knows_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Invalid) as caught:
        archive("frostbyte/nothing:1", tmp_path)
    assert caught.value.code == "image_unknown"
    with pytest.raises(Invalid) as unread:
        extra_of(tmp_path / "nothing", "/opt/frostbyte/models/a")
    assert unread.value.code == "file_unreadable"


@pytest.mark.parametrize("given", ["api", "=a", "api="])
def test_a_pair_has_two_sides(given: str) -> None:
    with pytest.raises(CommandFailed) as caught:
        hosts._pair(given)
    assert caught.value.code == "pair_invalid"


def test_an_archive_stands_for_one_image() -> None:
    assert hosts._only({"a:1": "sha256:1", "a:latest": "sha256:1"}) == "sha256:1"
    with pytest.raises(CommandFailed):
        hosts._only({"a:1": "sha256:1", "b:1": "sha256:2"})
