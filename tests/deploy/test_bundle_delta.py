"""A delta carries what differs, and a host that has the old bundle puts the new one's images together again."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostbyte.adapters.engine.streams import entries
from frostbyte.deploy.bundle import archive, checking, delta, layout, sums
from frostbyte.deploy.bundle.assembling import assemble
from frostbyte.deploy.bundle.contents import Contents
from frostbyte.deploy.bundle.manifest import Image, Layer, Manifest, Model, decode, encode, table
from frostbyte.deploy.bundle.packing import Packed
from frostbyte.kernel.errors import Conflict, FrostbyteError, Invalid, Unavailable

Layers = Mapping[str, Sequence[bytes]]
SYSTEM, PACKAGES, CODE, NEWER = b"system" * 900, b"packages" * 800, b"code" * 50, b"newer" * 50
OLD: Layers = {"api": [SYSTEM, PACKAGES, CODE], "redis": [SYSTEM, b"redis" * 300], "worker": [SYSTEM, CODE]}
NEW: Layers = {"api": [SYSTEM, PACKAGES, NEWER], "redis": OLD["redis"], "worker": [SYSTEM, NEWER]}


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def image(folder: Path, key: str, contents: Sequence[bytes]) -> Image:
    """An image of these layers in a bundle's folder."""
    (folder / layout.IMAGES).mkdir(parents=True, exist_ok=True)
    packed = []
    for data in contents:
        path = folder.parent / f"{sha(data)}.layer"
        path.write_bytes(gzip.compress(data, mtime=0))
        size = path.stat().st_size
        packed.append(
            Packed(diff_id=f"sha256:{sha(data)}", size=len(data), packed=size, path=path, contents=Contents())
        )
    config = configuration(contents)
    file, image_id = f"{layout.IMAGES}/{key}.tar", f"sha256:{sha(config)}"
    written = archive.write(folder / file, config, archive.image_tag(key, image_id), packed)
    return Image(
        key=key,
        name=f"frostbyte/{key}:1",
        file=file,
        sha256=written.sha256,
        size=written.size,
        digest="",
        image_id=image_id,
        tag=archive.image_tag(key, image_id),
        architecture="amd64",
        layers=tuple(Layer(diff_id=one.diff_id, size=one.size, packed=one.packed) for one in packed),
    )


def configuration(contents: Sequence[bytes]) -> bytes:
    diff_ids = [f"sha256:{sha(data)}" for data in contents]
    return json.dumps({"architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": diff_ids}}).encode()


def bundle(parent: Path, version: str, images: Layers, models: Mapping[str, bytes], **changes: Any) -> Path:
    """A whole bundle, unsigned."""
    folder = parent / layout.folder_name(version)
    described = tuple(image(folder, key, contents) for key, contents in sorted(images.items()))
    manifest = Manifest(
        version=version,
        bundle_id=f"{version}-amd64-{sha(repr((images, models)).encode())[:12]}",
        created_at="2026-02-11T12:00:00Z",
        architecture="amd64",
        tenant="acme",
        schema=10,
        images=described,
        models=tuple(
            Model(name="clamav", path=path, sha256=sha(data), size=len(data)) for path, data in sorted(models.items())
        ),
        scripts=("lib.sh",),
        memory_mb=1,
        disk_mb=1,
    )
    manifest = msgspec.structs.replace(manifest, **changes)
    files = {
        layout.MANIFEST: encode(manifest),
        layout.TABLE: table(manifest).encode(),
        layout.README: b"how to check\n",
        layout.COMPOSE: f"# of {version}\n".encode(),
        f"{layout.SCRIPTS}/lib.sh": b"# shared\n",
        **models,
    }
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    listed = {path: sha(file.read_bytes()) for path, file in sums.files(folder)}
    (folder / layout.SUMS).write_bytes(sums.text(listed))
    return folder


MODELS = {"models/clamav/main.cvd": b"main" * 999, "models/nomic-embed-text-v1.5/model.gguf": b"GGUF" * 5000}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return bundle(tmp_path / "old", "1.0", OLD, MODELS)


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return bundle(tmp_path / "new", "1.1", NEW, MODELS)


def make(old: Path, new: Path, out: Path) -> delta.Made:
    return delta.make(delta.Order(old=old, new=new, out=out, key=None))


def saved(contents: Sequence[bytes], *, containerd: bool = False) -> io.BytesIO:
    """What `docker save` writes of an image, by an engine with its own store or with containerd's."""
    stream = io.BytesIO()
    config = configuration(contents)
    with tarfile.open(fileobj=stream, mode="w") as target:

        def add(name: str, data: bytes) -> None:
            about = tarfile.TarInfo(name)
            about.size = len(data)
            target.addfile(about, io.BytesIO(data))

        for number, data in enumerate(contents):
            folder = f"{sha(str(number).encode())}"
            if containerd:
                blob = gzip.compress(data, 1)
                add(f"blobs/sha256/{sha(blob)}", blob)
            else:
                add(f"{folder}/VERSION", b"1.0")
                add(f"{folder}/json", b'{"id": "x"}')
                add(f"{folder}/layer.tar", data)
        add(f"blobs/sha256/{sha(config)}" if containerd else f"{sha(config)}.json", config)
        add("manifest.json", b"[]")
    stream.seek(0)
    return stream


def loaded(data: bytes) -> tuple[dict[str, Any], list[bytes]]:
    """An archive as an engine reads it: its configuration and the layers that its list names, unpacked."""
    with tarfile.open(fileobj=io.BytesIO(data)) as source:

        def read(name: str) -> bytes:
            file = source.extractfile(name)
            assert file is not None
            return file.read()

        (entry,) = json.loads(read("manifest.json"))
        layers = [read(name) for name in entry["Layers"]]
        config = read(entry["Config"])
        assert entry["Config"] == f"{sha(config)}.json"
        unpacked = [gzip.decompress(one) if one.startswith(b"\x1f\x8b") else one for one in layers]
        return {"tags": entry["RepoTags"], **json.loads(config)}, unpacked


def test_it_carries_what_differs_and_leads_to_the_new_bundle(old: Path, new: Path, tmp_path: Path) -> None:
    made = make(old, new, tmp_path / "out")
    wanted, got = decode((new / layout.MANIFEST).read_bytes()), made.manifest
    assert made.folder.name == f"{new.name}-from-{decode((old / layout.MANIFEST).read_bytes()).bundle_id}"
    assert (got.bundle_id, got.models, got.base) == (wanted.bundle_id, wanted.models, made.manifest.base)
    assert [(one.image_id, one.layers, one.tag) for one in got.images] == [
        (one.image_id, one.layers, one.tag) for one in wanted.images
    ]
    held = {one.key: archive.read(made.folder / one.file).held for one in got.images}
    newer = frozenset({f"sha256:{sha(NEWER)}"})
    assert held == {"api": newer, "redis": frozenset(), "worker": frozenset()}  # carried once, for both
    assert not (made.folder / layout.MODELS).exists()
    listed = sums.parse((made.folder / layout.SUMS).read_bytes())
    assert sums.compare(made.folder, listed) == {}
    assert checking.check(made.folder, layers=True).findings == ()
    assert (made.folder / layout.COMPOSE).read_bytes() == b"# of 1.1\n"
    assert made.size < made.whole
    assert got.base in (made.folder / layout.README).read_text()


def test_a_model_that_changed_travels(old: Path, tmp_path: Path) -> None:
    signatures = {**MODELS, "models/clamav/main.cvd": b"newer" * 999}
    made = make(old, bundle(tmp_path / "new", "1.1", OLD, signatures), tmp_path / "out")
    assert [path for path, _ in sums.files(made.folder) if path.startswith("models/")] == ["models/clamav/main.cvd"]
    assert all(archive.read(made.folder / one.file).held == frozenset() for one in made.manifest.images)


def test_equal_bundles_make_equal_bytes(old: Path, new: Path, tmp_path: Path) -> None:
    first, second = (make(old, new, tmp_path / name).folder for name in ("a", "b"))
    assert {path: file.read_bytes() for path, file in sums.files(first)} == {
        path: file.read_bytes() for path, file in sums.files(second)
    }


@pytest.mark.parametrize("containerd", [False, True])
@pytest.mark.parametrize("key", sorted(NEW))
def test_a_host_puts_the_image_together(key: str, containerd: bool, old: Path, new: Path, tmp_path: Path) -> None:
    made = make(old, new, tmp_path / "out")
    out = io.BytesIO()
    assemble(made.folder, key, entries(saved(OLD[key], containerd=containerd)), out)
    config, layers = loaded(out.getvalue())
    assert layers == list(NEW[key])
    assert config["tags"] == [next(one.tag for one in made.manifest.images if one.key == key)]


@pytest.mark.slow
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_whatever_changed_comes_together_again(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Layers added, taken away, swapped, shared with another image, and layers that look like something else."""
    layer = st.sampled_from([b"\0" * 1024, b"{}" * 512, b'{"a":1}', b"x", b"y" * 1024])
    stacks = st.lists(layer, min_size=1, max_size=5)
    before = {"api": data.draw(stacks), "worker": data.draw(stacks)}
    after = {"api": data.draw(stacks), "worker": data.draw(stacks)}
    if before == after:
        return
    place = tmp_path_factory.mktemp("any")
    old, new = bundle(place / "old", "1.0", before, {}), bundle(place / "new", "1.1", after, {})
    made = make(old, new, place / "out")
    for key, wanted in after.items():
        out = io.BytesIO()
        assemble(made.folder, key, entries(saved(before[key], containerd=data.draw(st.booleans()))), out)
        assert loaded(out.getvalue())[1] == wanted


def test_an_engine_that_finds_the_others_is_given_what_is_carried(old: Path, new: Path, tmp_path: Path) -> None:
    """Also a layer that lies in another image's file, since it travels once."""
    made = make(old, new, tmp_path / "out")
    for key, contents in NEW.items():
        out = io.BytesIO()
        assemble(made.folder, key, None, out)
        with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as source:
            names = source.getnames()
            listed = source.extractfile("manifest.json")
            assert listed is not None
            (entry,) = json.loads(listed.read())
        assert entry["Layers"] == [f"{sha(layer)}.tar.gz" for layer in contents]
        assert [name for name in names if name.endswith(".tar.gz")] == [
            f"{sha(layer)}.tar.gz" for layer in contents if layer == NEWER
        ]


def test_another_image_than_the_delta_is_for_gives_nothing_to_load(old: Path, new: Path, tmp_path: Path) -> None:
    made = make(old, new, tmp_path / "out")
    out = io.BytesIO()
    with pytest.raises(Invalid) as refused:
        assemble(made.folder, "api", entries(saved([SYSTEM, b"other" * 99, CODE])), out)
    assert refused.value.code == "bundle_base"
    assert b"manifest.json" not in out.getvalue()


@pytest.mark.parametrize("at", [600, 6000, 9000])
def test_an_engine_that_stops_halfway_gives_nothing_to_load(at: int, old: Path, new: Path, tmp_path: Path) -> None:
    made = make(old, new, tmp_path / "out")
    out = io.BytesIO()
    with pytest.raises((Unavailable, Invalid)):
        assemble(made.folder, "api", entries(io.BytesIO(saved(OLD["api"]).getvalue()[:at])), out)
    assert b"manifest.json" not in out.getvalue()


def broken_pairs() -> Iterator[tuple[str, dict[str, Any], dict[str, Any], Layers]]:
    yield "delta of a delta", {"base": "0.9-amd64-000000000000"}, {}, NEW
    yield "architectures", {}, {"architecture": "arm64"}, NEW
    yield "tenants", {}, {"tenant": "other"}, NEW
    yield "the same", {"bundle_id": "1"}, {"bundle_id": "1"}, NEW
    yield "an image more", {}, {}, {**NEW, "minio": [SYSTEM]}


@pytest.mark.parametrize("case", list(broken_pairs()), ids=lambda case: case[0])
def test_two_that_cannot_follow_each_other_are_refused(
    case: tuple[str, dict[str, Any], dict[str, Any], Layers], tmp_path: Path
) -> None:
    _, of_old, of_new, images = case
    old = bundle(tmp_path / "old", "1.0", OLD, MODELS, **of_old)
    new = bundle(tmp_path / "new", "1.1", images, MODELS, **of_new)
    with pytest.raises(Invalid) as refused:
        make(old, new, tmp_path / "out")
    assert refused.value.code == "bundle_delta"
    assert not (tmp_path / "out").exists() or not any((tmp_path / "out").iterdir())


@pytest.mark.parametrize("path", ["images/api.tar", "images/redis.tar", "docker-compose.yml", "scripts/lib.sh"])
@pytest.mark.parametrize("damage", ["flipped", "gone"])
def test_a_new_bundle_that_is_not_whole_makes_no_delta(
    path: str, damage: str, old: Path, new: Path, tmp_path: Path
) -> None:
    file = new / path
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data)) if damage == "flipped" else file.unlink()
    with pytest.raises(FrostbyteError) as refused:
        make(old, new, tmp_path / "out")
    assert refused.value.code == "bundle_file"
    assert not [one for one in (tmp_path / "out").iterdir() if not one.name.startswith(".")]


def test_one_that_is_there_already_stays(old: Path, new: Path, tmp_path: Path) -> None:
    made = make(old, new, tmp_path / "out")
    with pytest.raises(Conflict):
        make(old, new, tmp_path / "out")
    assert (made.folder / layout.SUMS).exists()
