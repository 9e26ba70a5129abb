"""After a change of our code a delta is small, and an engine has the new image out of the old one and the delta."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from frostbyte.deploy.compose import IMAGES
from images.conftest import ROOT, docker
from images.test_layers import changed
from servers.clamd import DAILY, daily
from servers.tiny_model import TinyModel

__all__ = ["changed"]  # the fixture

pytestmark = [pytest.mark.slow, pytest.mark.docker, pytest.mark.timeout(3000)]
FROSTBYTE = Path(sys.executable).parent / "frostbyte"
SHARE = 0.05
"""Of the whole bundle, that a delta after a change of our code may have."""


def frostbyte(*words: str | Path) -> Any:
    done = subprocess.run([FROSTBYTE, *words, "--json"], capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def bundle(folder: Path, image: str) -> Path:
    """A bundle whose services all have one image: as large as the largest of them, and not eight times as slow."""
    folder.mkdir()
    TinyModel().write(folder / "model.gguf")
    (folder / "signatures").mkdir()
    (folder / "signatures" / DAILY).write_bytes(daily(datetime(2026, 2, 11, tzinfo=UTC)))
    lock = folder / "bundle.lock.json"
    images = [word for key in IMAGES for word in ("--image", f"{key}={image}")]
    models = ["--model", f"nomic-embed-text-v1.5={folder / 'model.gguf'}", "--model", f"clamav={folder / 'signatures'}"]
    moment = ["--created-at", "2026-02-11T12:00:00Z"]
    frostbyte("bundle", "lock", "--out", lock, *images, *models, *moment, "--dimensions", "32", "--built-here")
    found = ["--from", folder, "--from", folder / "signatures"]
    frostbyte("bundle", "fetch", "--lock", lock, "--into", folder / "fetched", *found)
    built = ["--models", folder / "fetched", "--out", folder / "out", "--unsigned"]
    return Path(frostbyte("bundle", "build", "--lock", lock, "--tenant", "acme", *built)["bundle"])


@pytest.fixture(scope="module")
def made(images: dict[str, str], changed: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("bundles")
    old, new = bundle(folder / "old", images["worker"]), bundle(folder / "new", changed)
    yield frostbyte("bundle", "delta", old, new, "--out", folder / "delta", "--unsigned")
    shutil.rmtree(folder)


def test_after_a_change_of_our_code_a_delta_is_small_and_whole(made: dict[str, Any]) -> None:
    print(f"{made['size'] / 1e6:.1f} of {made['whole'] / 1e6:.0f} MB: {made['size'] / made['whole']:.2%}")
    assert made["size"] <= SHARE * made["whole"]
    assert frostbyte("bundle", "check", made["bundle"], "--layers")["findings"] == []


def image_of(made: dict[str, Any], key: str) -> dict[str, Any]:
    manifest = json.loads((Path(made["bundle"]) / "MANIFEST.json").read_bytes())
    return next(image for image in manifest["images"] if image["key"] == key)


HOST = """
set -euo pipefail
. "$SCRIPTS/lib.sh"
INTO="$1"
read_manifest "$2"
load_image "$2" "$3"
printf '%s' "$LOADED_ID"
"""
"""What update.sh does with an image of a delta."""


@pytest.mark.parametrize("key", ["postgres", "worker"])
def test_the_scripts_load_what_the_engine_lacks(
    key: str, made: dict[str, Any], images: dict[str, str], changed: str, tmp_path: Path
) -> None:
    """The layer of our code lies in the first image's file alone, and the other one needs it too.

    The old plane's api image reads the layers: no other one has what that takes.
    """
    image = image_of(made, key)
    docker("image", "rm", "--force", changed)
    assert docker("image", "inspect", image["image_id"], check=False).returncode != 0
    (tmp_path / "plane").mkdir()
    runs = json.loads(docker("image", "inspect", images["worker"]).stdout)[0]["Id"]
    reads = json.loads(docker("image", "inspect", images["api"]).stdout)[0]["Id"]
    (tmp_path / "plane/.env").write_text(f"FROSTBYTE_IMAGE_API={reads}\nFROSTBYTE_IMAGE_{key.upper()}={runs}\n")
    (tmp_path / "try.sh").write_text(HOST)
    scripts = ROOT / "src/frostbyte/deploy/bundle/scripts"
    command = ["bash", tmp_path / "try.sh", tmp_path, made["bundle"], key]
    given = os.environ | {"SCRIPTS": str(scripts)}
    done = subprocess.run(command, env=given, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stdout) == (0, image["image_id"]), done.stderr
    try:
        assert docker("run", "--rm", "--network", "none", image["tag"], "version").stdout.startswith("frostbyte ")
    finally:
        docker("tag", image["tag"], changed)
        docker("image", "rm", image["tag"])


def test_what_is_put_together_from_the_running_image_is_the_new_one(
    made: dict[str, Any], images: dict[str, str], changed: str, tmp_path: Path
) -> None:
    """By the command that scripts run for engines that want every layer; from another image nothing is made."""
    archive, key = tmp_path / "whole.tar", "worker"
    command = f"docker save {{}} | {FROSTBYTE} bundle assemble {made['bundle']} {key} >{archive}"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command.format(images["worker"])], capture_output=True)
    assert done.returncode == 0, done.stderr
    image = image_of(made, key)
    docker("image", "rm", "--force", changed)
    docker("load", "--quiet", "--input", str(archive))
    try:
        assert json.loads(docker("image", "inspect", image["tag"]).stdout)[0]["Id"] == image["image_id"]
    finally:
        docker("tag", image["tag"], changed)
        docker("image", "rm", image["tag"])
    wrong = subprocess.run(["bash", "-o", "pipefail", "-c", command.format(images["nomic-embed"])], capture_output=True)
    assert wrong.returncode != 0
    assert b"bundle_base" in wrong.stderr
    assert docker("load", "--quiet", "--input", str(archive), check=False).returncode != 0
