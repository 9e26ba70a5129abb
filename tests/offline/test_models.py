"""Models and signatures: in their place whole, or not at all; nothing of yesterday beside today's."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from frostbyte.cli.app import run
from frostbyte.deploy.bundle.manifest import Manifest, decode
from frostbyte.deploy.bundle.placing import place
from frostbyte.kernel.errors import Invalid
from offline.miniature import Miniature, Signer

MODEL = "nomic-embed-text-v1.5/model.gguf"


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Of the embedder and of the scanner."""
    made = tmp_path / "models", tmp_path / "clamav"
    for folder in made:
        folder.mkdir()
    return made


def manifest(bundle: Path) -> Manifest:
    return decode((bundle / "MANIFEST.json").read_bytes())


def test_twice_copies_once_and_nobody_but_root_may_write(miniature: Path, folders: tuple[Path, Path]) -> None:
    models, clamav = folders
    first = place(manifest(miniature), miniature, models=models, signatures=clamav)
    assert (len(first.copied), first.kept) == (2, ())
    assert (models / MODEL).read_text() == "GGUF"
    assert os.stat(clamav / "frostbyte.ndb").st_mode & 0o777 == 0o644
    inode = os.stat(models / MODEL).st_ino
    again = place(manifest(miniature), miniature, models=models, signatures=clamav)
    assert (again.copied, len(again.kept)) == ((), 2)
    assert os.stat(models / MODEL).st_ino == inode


def test_newer_signatures_take_the_place_of_older_ones(
    miniature: Path, folders: tuple[Path, Path], tmp_path: Path, signer: Signer
) -> None:
    models, clamav = folders
    place(manifest(miniature), miniature, models=models, signatures=clamav)
    (clamav / "daily.cld").write_text("of yesterday")
    (clamav / ".main.cvd.part").write_text("cut off")
    newer = Miniature(version="1.1", signatures="Newer:0:0:58354f\n").write(tmp_path, signer)
    (newer / "models" / MODEL).unlink()  # it has not changed, so it need not be carried
    done = place(manifest(newer), newer, models=models, signatures=clamav)
    assert done.copied == ("models/clamav/frostbyte.ndb",)
    assert set(done.removed) == {"models/clamav/daily.cld", "models/clamav/.main.cvd.part"}
    assert [path.name for path in clamav.iterdir()] == ["frostbyte.ndb"]


@pytest.mark.parametrize("damage", ["flipped", "missing"])
def test_what_is_not_what_the_manifest_says_does_not_take_a_place(
    miniature: Path, folders: tuple[Path, Path], tmp_path: Path, signer: Signer, damage: str
) -> None:
    models, clamav = folders
    place(manifest(miniature), miniature, models=models, signatures=clamav)
    other = Miniature(version="1.1", weights="GGUF of tomorrow").write(tmp_path, signer)
    if damage == "missing":
        (other / "models" / MODEL).unlink()
    else:
        (other / "models" / MODEL).write_text("GGUF of tomorroW")
    with pytest.raises(Invalid) as refused:
        place(manifest(other), other, models=models, signatures=clamav)
    assert refused.value.code == "model_differs"
    assert (models / MODEL).read_text() == "GGUF"


def test_a_manifest_cannot_reach_outside(
    folders: tuple[Path, Path], tmp_path: Path, signer: Signer, miniature: Path
) -> None:
    text = (
        (miniature / "MANIFEST.json").read_text().replace("models/clamav/frostbyte.ndb", "models/../../frostbyte.ndb")
    )
    with pytest.raises(Invalid):
        place(decode(text.encode()), miniature, models=folders[0], signatures=folders[1])


def test_the_command_says_what_it_did(
    miniature: Path, folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    models, clamav = folders
    assert run(["bundle", "models", str(miniature), "--models", str(models), "--clamav", str(clamav), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["copied"]) == 2
    assert run(["bundle", "models", str(models), "--models", str(models), "--clamav", str(clamav)]) != 0
