"""What both homes of the edge's files do."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from frostbyte.adapters.edge.files import EdgeFolder
from frostbyte.adapters.edge.memory import MemoryEdgeFiles
from frostbyte.control_plane.edge.ports import EdgeFiles
from frostbyte.kernel.errors import Invalid, Unavailable

NAMES = ["../x.yml", "x/y.yml", ".x.yml", "x.yaml", "X.yml", "", "tenant-.yml", "tenant-a-b.yml", "ä.yml", "a.yml\n"]


@pytest.fixture(params=["folder", "memory"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> EdgeFiles:
    return EdgeFolder(tmp_path / "routes") if request.param == "folder" else MemoryEdgeFiles()


def test_what_is_written_is_read(files: EdgeFiles) -> None:
    assert files.read("edge.yml") is None
    assert files.stamp("edge.yml") == ""
    files.write("edge.yml", "one\n")
    first = files.stamp("edge.yml")
    files.write("tenant-acme.yml", "two\n")
    assert files.read("edge.yml") == "one\n"
    assert files.stamps() == {"edge.yml": first, "tenant-acme.yml": files.stamp("tenant-acme.yml")}
    files.write("edge.yml", "one\n")
    assert files.stamp("edge.yml") != first
    files.remove("edge.yml")
    files.remove("edge.yml")
    assert set(files.stamps()) == {"tenant-acme.yml"}


@pytest.mark.parametrize("name", NAMES)
def test_no_other_name_is_written(files: EdgeFiles, name: str) -> None:
    with pytest.raises(Invalid) as caught:
        files.write(name, "text\n")
    assert caught.value.code == "edge_name_invalid"
    assert files.stamps() == {}


# -- what only a folder can do -------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> EdgeFolder:
    return EdgeFolder(tmp_path / "routes")


def test_files_are_for_the_edges_group_and_nobody_else(folder: EdgeFolder) -> None:
    folder.write("edge.yml", "text\n")
    assert (folder.folder / "edge.yml").stat().st_mode & 0o777 == 0o640
    assert folder.folder.stat().st_mode & 0o777 == 0o750


def test_a_reader_never_finds_half_a_file(folder: EdgeFolder) -> None:
    texts = {letter * 200_000 + "\n" for letter in "ab"}
    folder.write("edge.yml", "a" * 200_000 + "\n")
    odd: list[int] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            text = (folder.folder / "edge.yml").read_text()
            if text not in texts:
                odd.append(len(text))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(25):
        for text in texts:
            folder.write("edge.yml", text)
    stop.set()
    reader.join()
    assert odd == []
    assert [path.name for path in folder.folder.iterdir()] == ["edge.yml"]


@pytest.mark.parametrize(
    "put",
    [
        lambda path: path.symlink_to("/etc/passwd"),
        lambda path: (path.mkdir(), (path / "x").write_text("x")),
        lambda path: (path.write_bytes(b"\xff\xfe"), path.chmod(0o640)),
        lambda path: (path.write_text("x" * 2_000_000), path.chmod(0o640)),
        lambda path: (path.write_text("x"), path.chmod(0o644)),
        os.mkfifo,
    ],
    ids=["link", "folder", "bytes", "long", "open", "pipe"],
)
def test_odd_things_in_its_place_are_no_text_and_are_replaced(
    folder: EdgeFolder, put: Callable[[Path], object]
) -> None:
    put(folder.folder / "edge.yml")
    assert folder.read("edge.yml") is None
    assert set(folder.stamps()) == {"edge.yml"}
    folder.write("edge.yml", "text\n")
    assert folder.read("edge.yml") == "text\n"
    put(folder.folder / "odd name")
    folder.remove("odd name")
    assert set(folder.stamps()) == {"edge.yml"}
    assert Path("/etc/passwd").exists()


def test_what_a_kill_left_behind_is_cleared_away(tmp_path: Path) -> None:
    EdgeFolder(tmp_path / "routes")
    left = tmp_path / ".routes.new" / "0123"
    left.write_text("half")
    EdgeFolder(tmp_path / "routes")
    assert not left.exists()


def test_a_folder_that_is_gone_is_said(folder: EdgeFolder) -> None:
    folder.folder.rmdir()
    for act in (lambda: folder.write("edge.yml", "x\n"), folder.stamps):
        with pytest.raises(Unavailable) as caught:
            act()
        assert caught.value.code == "edge_unwritable"
