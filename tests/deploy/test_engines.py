"""What keeps images gives them alike, whatever it is: memory, a folder in OCI's layout, what `docker save` writes."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.deploy import bundles
from tests.deploy.oci import Folder

from frostbyte.adapters.engine.docker import DockerEngine
from frostbyte.adapters.engine.layout import OciLayout
from frostbyte.adapters.engine.streams import entries
from frostbyte.deploy.bundle import building, fetching, locking
from frostbyte.deploy.bundle.checking import check
from frostbyte.deploy.compose import IMAGES
from frostbyte.kernel.errors import FrostbyteError, NotFound, Unavailable
from frostbyte.kernel.ports.downloads import Download
from frostbyte.kernel.ports.engine import Engine, Entry, Stored

LAYERS = [bundles.BASE, bundles.layer({"opt/x": b"x" * 5000})]


def memory(path: Path) -> Engine:
    made = bundles.MemoryEngine()
    digest = f"sha256:{'d' * 64}"
    made.add("place:5000/thing:1", LAYERS, digest=digest)
    made.registry["place:5000/thing:1", "amd64"] = digest
    return made


def folder(path: Path) -> Engine:
    made = Folder(path / "layout")
    made.add("place:5000/thing:1", {"amd64": LAYERS, "arm64": [bundles.BASE]})
    return OciLayout(made.path)


@pytest.fixture(params=[memory, folder])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    """An engine with `place:5000/thing:1` for amd64."""
    made: Engine = request.param(tmp_path)
    return made


def test_an_image_is_found_by_its_name_its_digest_and_its_id(kept: Engine) -> None:
    digest = kept.resolve("place:5000/thing:1", "amd64")
    found = kept.find("place:5000/thing:1", "amd64")
    assert found is not None
    assert found.layers == tuple(f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in LAYERS)
    assert found.digests == (digest,)
    for name in (found.image_id, f"place:5000/thing@{digest}"):
        assert kept.find(name, "amd64") == found
    assert kept.find("place:5000/other:1", "amd64") is None
    assert kept.find("place:5000/thing:1", "riscv64") is None
    for ask in (kept.resolve, kept.pull):
        with pytest.raises(NotFound) as refused:
            ask("place:5000/other:1", "amd64")
        assert refused.value.code == "registry_no_image"


def test_it_gives_its_configuration_and_its_layers(kept: Engine) -> None:
    found = kept.find("place:5000/thing:1", "amd64")
    assert found is not None
    with kept.entries([found]) as given:
        came = [b"".join(entry.chunks) for entry in given]
    raw = [gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data for data in came]
    digests = {f"sha256:{hashlib.sha256(data).hexdigest()}" for data in raw}
    assert {found.image_id, *found.layers} <= digests


def test_a_bundle_from_a_folder_in_the_layout_of_oci_is_the_one_from_an_engine(tmp_path: Path) -> None:
    """Digests in registries differ, so manifests do; what is loaded is the same to the byte."""
    sources, engine, layout = bundles.sources(tmp_path), bundles.engine(), Folder(tmp_path / "layout")
    for key in IMAGES:
        _, _, layers = engine._images[f"frostbyte/{key}:1"]
        layout.add(f"frostbyte/{key}:1", {"amd64": list(layers)})
    one, _ = building.build(bundles.order(sources, bundles.lock(engine, sources), tmp_path / "a"), engine)
    oci = OciLayout(layout.path)
    lock = locking.lock(bundles.wanted(built_here=False), oci)
    assert all(image.digest and not image.built_here for image in lock.images)
    other, manifest = building.build(bundles.order(sources, lock, tmp_path / "b"), oci)
    assert check(other, layers=True).good
    assert [(other / image.file).read_bytes() for image in manifest.images] == [
        (one / image.file).read_bytes() for image in manifest.images
    ]


def test_a_blob_that_is_not_what_its_name_says_is_no_image(tmp_path: Path) -> None:
    sources, layout = bundles.sources(tmp_path), Folder(tmp_path / "layout")
    for key in IMAGES:
        layout.add(f"frostbyte/{key}:1", {"amd64": [bundles.BASE, bundles.layer({key: key.encode()})]})
    oci = OciLayout(layout.path)
    lock = locking.lock(bundles.wanted(built_here=False), oci)
    blobs = sorted((layout.path / "blobs" / "sha256").iterdir(), key=lambda path: -path.stat().st_size)
    packed = next(path for path in blobs if path.read_bytes().startswith(b"\x1f\x8b"))
    packed.write_bytes(gzip.compress(bundles.layer({"other": b"x"})))
    with pytest.raises(FrostbyteError) as refused:
        building.build(bundles.order(sources, lock, tmp_path / "out"), oci)
    assert refused.value.code == "bundle_differs"


def test_a_tag_that_two_images_of_a_folder_have_names_neither(tmp_path: Path) -> None:
    layout = Folder(tmp_path / "layout")
    layout.add("1.0", {"amd64": LAYERS})
    assert OciLayout(layout.path).find("place/thing:1.0", "amd64") is not None
    layout.add("1.0", {"amd64": [bundles.BASE]})
    assert OciLayout(layout.path).find("place/thing:1.0", "amd64") is None
    (layout.path / "index.json").write_text("[")
    with pytest.raises(Unavailable):
        OciLayout(layout.path).find("place/thing:1.0", "amd64")


class ByManifest(bundles.MemoryEngine):
    """An engine with containerd's store: it does not know digests of configurations, and gives blobs as they are."""

    def find(self, reference: str, architecture: str) -> Stored | None:
        found = super().find(reference, architecture)
        return replace(found, image_id="") if found is not None else None

    @contextmanager
    def entries(self, images: Sequence[Stored]) -> Iterator[Iterator[Entry]]:
        kept = [self._images[image.reference] for image in images]
        layers = [gzip.compress(layer, mtime=0) for _, _, laid in kept for layer in laid]
        other = json.dumps({"architecture": "arm64", "rootfs": {"diff_ids": ["sha256:" + "0" * 64]}}).encode()
        attested = b'{"rootfs": "none"}'
        blobs = list(dict.fromkeys([b"[{}]", other, attested, *(text for _, text, _ in kept), *layers]))
        names = ["manifest.json", *(f"blobs/sha256/{hashlib.sha256(blob).hexdigest()}" for blob in blobs[1:])]
        yield (Entry(name=name, size=len(blob), chunks=iter([blob])) for name, blob in zip(names, blobs, strict=True))


def test_an_engine_that_names_images_by_their_manifests_makes_the_same_lock_and_the_same_bundle(tmp_path: Path) -> None:
    sources, engine = bundles.sources(tmp_path), bundles.engine()
    other = ByManifest()
    other._images = engine._images
    lock = bundles.lock(engine, sources)
    assert bundles.lock(other, sources) == lock
    one, _ = building.build(bundles.order(sources, lock, tmp_path / "a"), engine)
    two, _ = building.build(bundles.order(sources, lock, tmp_path / "b"), other)
    assert [path.read_bytes() for path in sorted(one.rglob("*.*")) if path.is_file()] == [
        path.read_bytes() for path in sorted(two.rglob("*.*")) if path.is_file()
    ]


# -- docker save -------------------------------------------------------------------------------------------------------


def saved(files: Mapping[str, bytes]) -> bytes:
    """An archive as engines of 20.10 write it: folders, links to layers that came before, files."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        for name, data in files.items():
            about = tarfile.TarInfo(name)
            if data == b"link":
                about.type, about.linkname = tarfile.SYMTYPE, "../a/layer.tar"
                archive.addfile(about)
            else:
                about.size = len(data)
                archive.addfile(about, io.BytesIO(data))
    return written.getvalue()


def test_a_stream_of_docker_save_is_its_files_and_a_torn_one_is_refused() -> None:
    data = saved({"a/layer.tar": b"x" * 3000, "b/layer.tar": b"link", "manifest.json": b"[]"})
    assert [(e.name, b"".join(e.chunks)) for e in entries(io.BytesIO(data))] == [
        ("a/layer.tar", b"x" * 3000),
        ("manifest.json", b"[]"),
    ]
    for end in (100, 700, 2000, 3400):
        with pytest.raises(Unavailable) as refused:
            [b"".join(entry.chunks) for entry in entries(io.BytesIO(data[:end]))]
        assert refused.value.code == "engine_broke_off"


def test_no_docker_and_one_that_breaks_off(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as refused:
        DockerEngine(str(tmp_path / "none")).find("x", "amd64")
    assert refused.value.code == "engine_unavailable"
    (tmp_path / "archive").write_bytes(saved({"a/layer.tar": b"x" * 3000}))
    program = tmp_path / "docker"
    program.write_text(f"#!/bin/sh\ncat {tmp_path}/archive\nexit 1\n")
    program.chmod(0o755)
    image = bundles.engine().find("frostbyte/api:1", "amd64")
    assert image is not None
    with (
        pytest.raises(Unavailable) as broke,
        DockerEngine(str(program)).entries([image]) as given,
    ):
        assert [len(b"".join(entry.chunks)) for entry in given] == [3000]
    assert broke.value.code == "engine_broke_off"


# -- fetching ----------------------------------------------------------------------------------------------------------


class Served:
    """Files by address; each answer breaks off after `most` bytes, and may not know how to go on."""

    def __init__(self, files: Mapping[str, bytes], most: int, *, ranges: bool = True) -> None:
        self._files, self._most, self._ranges = files, most, ranges
        self.asked: list[int] = []

    def get(self, address: str, start: int) -> Any:
        @contextmanager
        def answer() -> Iterator[Download]:
            self.asked.append(start)
            begun = start if self._ranges else 0
            yield Download(start=begun, chunks=self._chunks(self._files[address][begun:]))

        return answer()

    def _chunks(self, data: bytes) -> Iterator[bytes]:
        yield data[: self._most]
        if len(data) > self._most:
            raise Unavailable("download_failed", "A file broke off.")


MODEL = b"GGUF" * 100


def locked(tmp_path: Path, engine: bundles.MemoryEngine, source: str = "") -> Any:
    found = bundles.lock(engine, bundles.sources(tmp_path / "origin"))
    import msgspec

    return msgspec.structs.replace(
        found,
        models=tuple(msgspec.structs.replace(model, source=source) for model in found.models if "gguf" in model.path),
    )


def test_files_come_from_folders_by_what_they_are_and_stay_where_they_are_right(tmp_path: Path) -> None:
    engine = bundles.engine()
    lock = locked(tmp_path, engine)
    (tmp_path / "usb" / "deep").mkdir(parents=True)
    (tmp_path / "usb" / "wrong").write_bytes(bytes(len(MODEL)))
    (tmp_path / "usb" / "deep" / "whatever.bin").write_bytes(MODEL)
    sources = fetching.Sources(engine=engine, folders=[tmp_path / "usb"], downloads=Served({}, 0))
    assert fetching.fetch(lock, tmp_path / "in", sources).brought == (lock.models[0].path,)
    assert (tmp_path / "in" / lock.models[0].path).read_bytes() == MODEL
    assert fetching.fetch(lock, tmp_path / "in", sources).brought == ()
    (tmp_path / "in" / lock.models[0].path).write_bytes(bytes(len(MODEL)))
    assert fetching.fetch(lock, tmp_path / "in", sources).brought == (lock.models[0].path,), "a damaged one comes anew"


@pytest.mark.parametrize("ranges", [True, False])
def test_a_download_goes_on_where_it_stopped_where_the_server_can(tmp_path: Path, ranges: bool) -> None:
    engine = bundles.engine()
    lock = locked(tmp_path, engine, "https://example.org/model.gguf")
    served = Served({"https://example.org/model.gguf": MODEL}, 150, ranges=ranges)
    sources = fetching.Sources(engine=engine, folders=[], downloads=served)
    for _ in range(2):
        with pytest.raises(Unavailable):
            fetching.fetch(lock, tmp_path / "in", sources)
    assert not (tmp_path / "in" / lock.models[0].path).exists()
    served._most = 400
    assert fetching.fetch(lock, tmp_path / "in", sources).brought == (lock.models[0].path,)
    assert served.asked == ([0, 150, 300] if ranges else [0, 150, 150])
    assert (tmp_path / "in" / lock.models[0].path).read_bytes() == MODEL


def test_another_file_than_the_lock_names_is_not_kept(tmp_path: Path) -> None:
    engine = bundles.engine()
    lock = locked(tmp_path, engine, "https://example.org/model.gguf")
    for wrong in (bytes(len(MODEL)), MODEL + b"x", MODEL[:-1]):
        served = Served({"https://example.org/model.gguf": wrong}, 10_000)
        with pytest.raises(FrostbyteError) as refused:
            fetching.fetch(lock, tmp_path / "in", fetching.Sources(engine=engine, folders=[], downloads=served))
        assert refused.value.code == "bundle_differs"
        assert list((tmp_path / "in").rglob("*.*")) == [(tmp_path / "in" / lock.models[0].path).parent]
    nowhere = fetching.Sources(engine=engine, folders=[], downloads=Served({}, 0))
    with pytest.raises(NotFound) as missing:
        fetching.fetch(locked(tmp_path, engine), tmp_path / "in", nowhere)
    assert missing.value.code == "bundle_missing"
    with pytest.raises(NotFound):
        fetching.fetch(
            lock, tmp_path / "in", fetching.Sources(engine=bundles.MemoryEngine(), folders=[], downloads=served)
        )
