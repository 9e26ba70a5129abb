"""With a real engine: pinned at a registry, pulled by digest, built, loaded again under the same id."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.deploy import bundles
from tests.deploy.oci import Folder, registry
from tests.deploy.test_engines import Served
from tests.servers.lanes import need

from frostbyte.adapters.engine.docker import DockerEngine
from frostbyte.deploy.bundle import building, fetching, locking
from frostbyte.deploy.bundle.checking import check
from frostbyte.deploy.compose import IMAGES
from frostbyte.kernel.errors import FrostbyteError, NotFound

pytestmark = [pytest.mark.slow, pytest.mark.docker]


def docker(*words: str) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def at(tmp_path: Path) -> Iterator[tuple[str, Folder]]:
    """A registry with an image for each key; what the engine took of it is gone afterwards."""
    need("docker")
    folder = Folder(tmp_path / "registry")
    for key in IMAGES:
        own = bundles.layer({f"opt/{key}": key.encode() * 100_000})
        folder.add(f"frostbyte-test-bundle/{key}:1", {"amd64": [bundles.BASE, own], "arm64": [own]})
    with registry(folder) as address:
        yield address, folder
        ids = docker("images", "--quiet", "--no-trunc", "--filter", f"reference={address}/*/*").split()
        ids += docker("images", "--quiet", "--no-trunc", "--filter", "reference=frostbyte-bundle/*").split()
        for image in set(ids) & set(docker("images", "--quiet", "--no-trunc").split()):
            subprocess.run(["docker", "image", "rm", "--force", image], capture_output=True, check=False, timeout=60)


def test_from_a_registry_into_a_bundle_and_back_into_an_engine(at: tuple[str, Folder], tmp_path: Path) -> None:
    address, folder = at
    engine, sources = DockerEngine(), bundles.sources(tmp_path)
    names = {key: f"{address}/frostbyte-test-bundle/{key}:1" for key in IMAGES}
    lock = locking.lock(bundles.wanted(images=names, built_here=False), engine)
    digests = {entry["digest"] for entry in folder.entries}
    assert {image.digest for image in lock.images} == digests
    ids = [image.image_id for image in lock.images]
    docker("image", "rm", "--force", *ids)
    fetched = fetching.fetch(lock, tmp_path, fetching.Sources(engine=engine, folders=[], downloads=Served({}, 0)))
    assert len(fetched.brought) == len(IMAGES)
    bundle, manifest = building.build(bundles.order(sources, lock, tmp_path / "out"), engine)
    again, _ = building.build(bundles.order(sources, lock, tmp_path / "again"), engine)
    assert [(bundle / image.file).read_bytes() for image in manifest.images] == [
        (again / image.file).read_bytes() for image in manifest.images
    ]
    docker("image", "rm", "--force", *ids)
    assert all(engine.find(image_id, "amd64") is None for image_id in ids[:2])
    for image in manifest.images:
        docker("load", "--quiet", "--input", str(bundle / image.file))
    loaded = docker("image", "inspect", "--format", "{{.Id}}", *(image.tag for image in manifest.images))
    assert loaded.split() == ids
    assert check(bundle, layers=True).good


def test_a_tag_that_its_registry_moved_is_another_image_and_is_fetched_by_digest(
    at: tuple[str, Folder], tmp_path: Path
) -> None:
    address, folder = at
    engine = DockerEngine()
    name = f"{address}/frostbyte-test-bundle/api:1"
    lock = locking.lock(bundles.wanted(images={"api": name}, built_here=False), engine)
    docker("image", "rm", "--force", lock.images[0].image_id)
    del folder.entries[IMAGES.index("api")]
    folder.add("frostbyte-test-bundle/api:1", {"amd64": [bundles.layer({"opt/api": b"moved"})]})
    docker("pull", "--quiet", name)
    sources = fetching.Sources(engine=engine, folders=[], downloads=Served({}, 0))
    assert fetching.fetch(lock, tmp_path, sources).brought == (name,)
    assert engine.find(lock.images[0].image_id, "amd64") is not None


def test_what_a_registry_does_not_have_is_said(at: tuple[str, Folder]) -> None:
    address, _ = at
    engine = DockerEngine()
    for name, architecture in (("none:1", "amd64"), ("api:2", "amd64"), ("api:1", "riscv64")):
        with pytest.raises(NotFound) as missing:
            engine.resolve(f"{address}/frostbyte-test-bundle/{name}", architecture)
        assert missing.value.code == "registry_no_image"
    with pytest.raises(FrostbyteError) as refused:
        engine.pull("127.0.0.1:1/nothing:1", "amd64")
    assert refused.value.code == "registry_unavailable"
