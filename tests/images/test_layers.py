"""After a change of our code a host needs one layer anew: nothing else of an image differs."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from typing import Any

import pytest

from images.conftest import BASE, BUILD_SECONDS, NAMESPACE, ROOT, docker

pytestmark = [pytest.mark.slow, pytest.mark.docker, pytest.mark.timeout(3000)]
CONTEXT = ("deploy", "requirements", "src", "tools", "pyproject.toml", "README.md", "LICENSE", ".dockerignore")
SHARE = 0.06
"""Of an image, that a change of our code may touch: its sources and their bytecode, 17 of 343 MB."""


def layers(image: str) -> list[str]:
    found: list[str] = json.loads(docker("image", "inspect", image).stdout)[0]["RootFS"]["Layers"]
    return found


@pytest.fixture(scope="module")
def changed(images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The worker's image from the same tree with another line in one file, built as if at another commit."""
    tree = tmp_path_factory.mktemp("tree")
    for name in CONTEXT:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__", "built", "*.egg-info"))
        else:
            shutil.copy(source, tree / name)
    file = tree / "src/frostbyte/worker/__init__.py"
    file.write_text(file.read_text() + "\nCHANGED = True\n")
    given = {"BASE": BASE, "NAMESPACE": NAMESPACE, "TAG": "changed", "SOURCE_DATE_EPOCH": "1900000000"}
    done = subprocess.run(
        ["tools/images.sh", "worker"],
        cwd=tree,
        env=os.environ | given,
        capture_output=True,
        text=True,
        check=False,
        timeout=BUILD_SECONDS,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    yield f"{NAMESPACE}/worker:changed"
    docker("image", "rm", "--force", f"{NAMESPACE}/worker:changed", check=False)


def saved(image: str) -> tuple[Any, dict[str, bytes]]:
    """The image's configuration and its layers by diff id, as the engine saves them."""
    done = subprocess.run(["docker", "save", image], stdout=subprocess.PIPE, check=True, timeout=BUILD_SECONDS)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:

        def read(name: str) -> bytes:
            file = archive.extractfile(name)
            assert file is not None
            return file.read()

        manifest = json.loads(read("manifest.json"))[0]
        configuration = json.loads(read(manifest["Config"]))
        return configuration, dict(zip(configuration["rootfs"]["diff_ids"], map(read, manifest["Layers"]), strict=True))


def test_a_change_of_our_code_is_a_change_of_the_last_layer(images: dict[str, str], changed: str) -> None:
    before, after = layers(images["worker"]), layers(changed)
    assert before[:-1] == after[:-1]
    assert before[-1] != after[-1]
    _, held = saved(changed)
    size = len(held[after[-1]])
    print(f"the last layer: {size / 1e6:.1f} of {sum(map(len, held.values())) / 1e6:.0f} MB")
    assert size <= SHARE * sum(map(len, held.values()))
    with tarfile.open(fileobj=io.BytesIO(held[after[-1]])) as layer:
        files = [member for member in layer if not member.isdir()]
    assert {member.name.split("/")[0] for member in files} == {"opt"}
    ours = ("site-packages/frostbyte/", "site-packages/frostbyte-", "bin/frostbyte")
    assert [member.name for member in files if not any(part in member.name for part in ours)] == []
    assert {member.mtime for member in files} == {315532800}


def test_images_share_what_is_alike(images: dict[str, str]) -> None:
    """Our code is one layer for all; api and worker have their packages and weights in common; all have one system."""
    api, worker, embedder = (layers(images[name]) for name in ("api", "worker", "nomic-embed"))
    assert len({api[-1], worker[-1], embedder[-1]}) == 1
    assert len({api[0], worker[0], embedder[0]}) == 1
    shared = next(at for at, pair in enumerate(zip(api, worker, strict=False)) if pair[0] != pair[1])
    _, held = saved(images["worker"])
    assert sum(len(held[layer]) for layer in worker[:shared]) >= 0.85 * sum(map(len, held.values()))
