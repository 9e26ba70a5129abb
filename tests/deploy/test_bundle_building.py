"""A bundle holds what its lock says, to the byte, and is refused where it does not."""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path

import msgspec
import pytest
from tests.deploy import bundles

from frostbyte.adapters.engine.streams import broke_off
from frostbyte.deploy.bundle import archive, building, layout, locking, sums
from frostbyte.deploy.bundle.checking import Finding, _image, check
from frostbyte.deploy.bundle.contents import Contents
from frostbyte.deploy.bundle.manifest import Image, decode, encode, table
from frostbyte.deploy.bundle.packing import Packed
from frostbyte.kernel.errors import Conflict, FrostbyteError, Invalid
from frostbyte.kernel.ports.engine import Entry, Stored

pytestmark = pytest.mark.slow


@pytest.fixture
def built(tmp_path: Path) -> tuple[Path, Path]:
    """A signed bundle, and the list of allowed signers."""
    folder, engine = bundles.sources(tmp_path), bundles.engine()
    key, signers = bundles.signer(tmp_path)
    path, _ = building.build(bundles.order(folder, bundles.lock(engine, folder), tmp_path / "out", key=key), engine)
    return path, signers


def tree(folder: Path) -> dict[str, bytes]:
    return {path: file.read_bytes() for path, file in sums.files(folder)}


def test_the_same_lock_makes_the_same_bytes_whatever_the_engine_is_asked_for_first(tmp_path: Path) -> None:
    folder, engine = bundles.sources(tmp_path), bundles.engine()
    key, _ = bundles.signer(tmp_path)
    lock = bundles.lock(engine, folder)
    first, _ = building.build(bundles.order(folder, lock, tmp_path / "a", key=key), engine)
    other = bundles.engine()
    other._images = dict(reversed(other._images.items()))
    second, _ = building.build(bundles.order(folder, lock, tmp_path / "b", key=key), other)
    assert tree(first) == tree(second)


def test_a_bundle_is_good_for_the_programs_of_any_host(built: tuple[Path, Path]) -> None:
    path, signers = built
    verify = ["ssh-keygen", "-Y", "verify", "-f", str(signers), "-I", "frostbyte", "-n", "frostbyte-bundle"]
    with (path / layout.SUMS).open("rb") as said:
        subprocess.run([*verify, "-s", layout.SIGNATURE], cwd=path, stdin=said, check=True, capture_output=True)
    subprocess.run(["sha256sum", "-c", "--strict", "--quiet", layout.SUMS], cwd=path, check=True)
    found = check(path, signers, layers=True)
    assert found.good
    assert found.signed
    assert found.manifest is not None
    assert found.files == len(list(sums.files(path))) - 2


def test_an_image_is_what_docker_loads_and_the_table_says_so(built: tuple[Path, Path]) -> None:
    path, _ = built
    manifest = decode((path / layout.MANIFEST).read_bytes())
    for image in manifest.images:
        with tarfile.open(path / image.file) as archive:
            (named,) = json.load(archive.extractfile("manifest.json"))  # type: ignore[arg-type]
            config = archive.extractfile(named["Config"]).read()  # type: ignore[union-attr]
            assert f"sha256:{hashlib.sha256(config).hexdigest()}" == image.image_id
            assert named["RepoTags"] == [image.tag]
            for name, diff_id in zip(named["Layers"], json.loads(config)["rootfs"]["diff_ids"], strict=True):
                layer = gzip.decompress(archive.extractfile(name).read())  # type: ignore[union-attr]
                assert f"sha256:{hashlib.sha256(layer).hexdigest()}" == diff_id
            assert {(m.mtime, m.uid, m.gid, m.uname, m.mode) for m in archive} == {(0, 0, 0, "", 0o644)}
            assert archive.getnames() == sorted(archive.getnames())
    api = manifest.images[0]
    assert api.layers[0].size == len(bundles.BASE)
    assert api.layers[0].packed < len(bundles.BASE)
    assert manifest.schema == len(list((path / layout.MIGRATIONS).iterdir()))


def test_the_bill_names_packages_once_with_their_licences(built: tuple[Path, Path]) -> None:
    path, _ = built
    bill = json.loads((path / layout.SBOM).read_bytes())
    parts = {part["bom-ref"]: part for part in bill["components"]}
    assert bill["specVersion"] == "1.6"
    assert len(parts) == len(bill["components"])
    debian, python = parts["api:pkg:deb/debian/libc6@2.41-12"], parts["api:pkg:pypi/some-package@1.2"]
    assert debian["licenses"] == [{"license": {"name": "LGPL-2.1+"}}]
    assert python["licenses"] == [{"license": {"name": "MIT"}}]
    assert not any("gone" in reference for reference in parts)
    assert {reference for one in bill["dependencies"] for reference in one["dependsOn"]} == set(parts)
    assert [part["hashes"][0]["content"] for part in bill["components"] if part["type"] == "container"] == [
        image.sha256 for image in decode((path / layout.MANIFEST).read_bytes()).images
    ]


def change(path: Path, name: str, how: Callable[[bytes], bytes]) -> None:
    (path / name).write_bytes(how((path / name).read_bytes()))


@pytest.mark.parametrize("signed", [True, False])
def test_every_file_is_missed_and_every_changed_byte_is_found(built: tuple[Path, Path], signed: bool) -> None:
    path, signers = built
    names = sorted(name for name, _ in sums.files(path))
    assert len(names) > 20
    for name in names:
        before = (path / name).read_bytes()
        for damaged in (before[:-1] + bytes([before[-1] ^ 1]), None if signed else before + b"x", before[:-1]):
            if damaged is None:
                (path / name).unlink()
            else:
                (path / name).write_bytes(damaged)
            try:
                found = check(path, signers if signed else None).good
            except Invalid:  # the sums themselves cannot be read
                found = False
            assert found is (not signed and name == layout.SIGNATURE), name
        (path / name).write_bytes(before)
    assert check(path, signers).good


def test_what_nobody_listed_is_found_and_a_link_is_no_file(built: tuple[Path, Path]) -> None:
    path, signers = built
    (path / "scripts" / "more.sh").write_text("true\n")
    (path / "config" / "elsewhere").symlink_to("/etc")
    assert check(path, signers).findings == (
        Finding(path="config/elsewhere", what="link"),
        Finding(path="scripts/more.sh", what="unlisted"),
    )


def test_a_list_of_signers_from_the_bundle_proves_nothing(built: tuple[Path, Path]) -> None:
    path, signers = built
    (path / "signers").write_bytes(signers.read_bytes())
    with pytest.raises(Invalid, match="in the bundle itself"):
        check(path, path / "signers")
    _, stranger = bundles.signer(path.parent, "stranger")
    assert check(path, stranger).signed is False


def test_a_signed_bundle_whose_parts_disagree_is_found(built: tuple[Path, Path], tmp_path: Path) -> None:
    """Sums and signature are of whoever holds the key; that manifest and images say the same is looked at as well."""
    path, _ = built
    manifest = decode((path / layout.MANIFEST).read_bytes())
    api, worker = (path / f"images/{key}.tar" for key in ("api", "worker"))
    api.write_bytes(worker.read_bytes())
    digest = hashlib.sha256(api.read_bytes()).hexdigest()
    swapped = [replace_digest(image, digest) if image.key == "api" else image for image in manifest.images]
    changed = msgspec.structs.replace(manifest, images=tuple(swapped))
    (path / layout.MANIFEST).write_bytes(encode(changed))
    (path / layout.TABLE).write_text(table(changed))
    listed = {name: sums.of_file(file) for name, file in sums.files(path) if not name.startswith("SHA256SUMS")}
    (path / layout.SUMS).write_bytes(sums.text(listed))
    assert check(path).findings == (Finding(path="images/api.tar", what="image"),)
    (path / layout.TABLE).write_text(table(manifest))
    listed[layout.TABLE] = sums.of_file(path / layout.TABLE)
    (path / layout.SUMS).write_bytes(sums.text(listed))
    assert check(path).findings == (Finding(path=layout.TABLE, what="disagrees"),)


def replace_digest(image: Image, digest: str) -> Image:
    return msgspec.structs.replace(image, sha256=digest)


def test_a_layer_that_is_not_what_its_name_says_is_found_by_unpacking(built: tuple[Path, Path]) -> None:
    path, _ = built
    image = decode((path / layout.MANIFEST).read_bytes()).images[0]
    layers: dict[str, bytes] = {}
    inside = archive.read(path / image.file, lambda name, chunks: layers.__setitem__(name, b"".join(chunks)))
    names = list(layers)
    members = [
        named(path, names[0], layers[names[1]]),
        named(path, names[1], layers[names[0]]),
    ]
    archive.write(path / image.file, inside.configuration, inside.tag, members)
    assert _image(path / image.file, image, layers=False)
    assert not _image(path / image.file, image, layers=True)


def named(folder: Path, diff_id: str, data: bytes) -> Packed:
    """A packed layer that claims to be another one."""
    file = folder / diff_id[-8:]
    file.write_bytes(data)
    return Packed(diff_id=diff_id, size=0, packed=len(data), path=file, contents=Contents())


def refused(tmp_path: Path, engine: object, lock: object, **changes: object) -> str:
    """The code with which a build ends, which leaves nothing that looks like a bundle."""
    with pytest.raises(FrostbyteError) as stopped:
        building.build(bundles.order(tmp_path, lock, tmp_path / "out", **changes), engine)  # type: ignore[arg-type]
    out = tmp_path / "out"
    assert not out.exists() or [path for path in out.iterdir() if not path.name.startswith(".")] == []
    return stopped.value.code


def test_an_image_or_a_model_that_the_lock_does_not_name_is_refused(tmp_path: Path) -> None:
    folder, engine = bundles.sources(tmp_path), bundles.engine()
    lock = bundles.lock(engine, folder)
    assert refused(folder, bundles.engine(layers=[bundles.BASE]), lock) == "bundle_differs"
    assert refused(folder, bundles.engine(architecture="arm64"), lock) == "bundle_missing"
    stored, _, layers = engine._images["frostbyte/api:1"]
    engine._images["frostbyte/api:1"] = (stored, b"{}", layers)
    assert refused(folder, engine, lock) == "bundle_differs"  # what comes is not what the engine said
    (folder / "models/clamav/main.cvd").write_bytes(b"x")
    assert refused(folder, bundles.engine(), lock) == "bundle_differs"
    (folder / "models/clamav/main.cvd").unlink()
    assert refused(folder, bundles.engine(), lock) == "bundle_missing"


def test_a_lock_that_leaves_something_open_is_refused(tmp_path: Path) -> None:
    folder, engine = bundles.sources(tmp_path), bundles.engine()
    lock = bundles.lock(engine, folder)
    with pytest.raises(Invalid, match="no image for worker"):
        building.build(
            bundles.order(folder, msgspec.structs.replace(lock, images=lock.images[:-1]), tmp_path / "out"), engine
        )
    with pytest.raises(FrostbyteError) as stopped:
        locking.lock(bundles.wanted(built_here=False), engine)
    assert stopped.value.code == "registry_no_image"


SECRETS = {
    "file": {"layers": [bundles.layer({"root/.ssh/id_ed25519": b"key"})]},
    "mounted": {"layers": [bundles.layer({"run/secrets/pip": b"key"})]},
    "variable": {"config": {"Env": ["PATH=/bin", "POSTGRES_PASSWORD=hunter2"]}},
}


@pytest.mark.parametrize("where", SECRETS)
def test_an_image_with_a_secret_is_refused(tmp_path: Path, where: str) -> None:
    folder, engine = bundles.sources(tmp_path), bundles.engine(**SECRETS[where])
    assert refused(folder, engine, bundles.lock(engine, folder)) == "bundle_secret"


def test_rules_with_a_key_and_a_wrong_configuration_are_refused(tmp_path: Path) -> None:
    folder, engine = bundles.sources(tmp_path), bundles.engine()
    lock = bundles.lock(engine, folder)
    assert refused(folder, engine, lock, config=b'{"top_k": 0}') == "config_invalid"
    assert refused(folder, engine, lock, config=b"[]") == "config_invalid"
    assert refused(folder, engine, lock, policy=tmp_path / "nowhere") == "rules_missing"
    notices = {"note.txt": b"-----BEGIN OPENSSH PRIVATE KEY-----\n"}
    assert refused(folder, engine, lock, notices=notices) == "bundle_secret"
    assert refused(folder, engine, lock, notices={"a note.txt": b""}) == "bundle_name"


def test_a_bundle_that_is_there_is_not_written_over_and_a_key_that_does_not_sign_leaves_none(tmp_path: Path) -> None:
    folder, engine = bundles.sources(tmp_path), bundles.engine()
    lock = bundles.lock(engine, folder)
    (tmp_path / "no-key").write_text("none")
    assert refused(folder, engine, lock, key=tmp_path / "no-key") == "bundle_key"
    order = bundles.order(folder, lock, tmp_path / "out")
    building.build(order, engine)
    with pytest.raises(Conflict, match="there already"):
        building.build(order, engine)


def test_when_a_model_is_another_the_images_are_not_read_to_their_end(tmp_path: Path) -> None:
    """An engine gives gigabytes: who has lost already does not wait for them."""
    folder, engine = bundles.sources(tmp_path), bundles.engine()
    lock = bundles.lock(engine, folder)
    model = folder / lock.models[0].path
    model.write_bytes(b"!" * model.stat().st_size)
    read: list[int] = []

    class Endless(type(engine)):  # type: ignore[misc]
        @contextmanager
        def entries(self, images: Sequence[Stored]) -> Iterator[Iterator[Entry]]:
            yield iter([Entry(name="layer.tar", size=1 << 40, chunks=self.bytes())])

        def bytes(self) -> Iterator[bytes]:
            while len(read) < 20_000:
                read.append(1)
                time.sleep(0.001)
                yield bytes(1000)

    engine.__class__ = Endless
    assert refused(folder, engine, lock) == "bundle_differs"
    assert len(read) < 20_000


class Watched(bundles.MemoryEngine):
    """Notes what it is asked for and which entries are read. It gives one half when it was asked for the other too."""

    def __init__(self) -> None:
        super().__init__()
        self._images = bundles.engine()._images
        self.asked: list[list[str]] = []
        self.read: list[str] = []
        self._both = threading.Barrier(2, timeout=20)

    @contextmanager
    def entries(self, images: Sequence[Stored]) -> Iterator[Iterator[Entry]]:
        self.asked.append([image.reference for image in images])
        self._both.wait()
        with super().entries(images) as entries:
            yield (replace(entry, chunks=self._noted(entry)) for entry in list(entries))

    def _noted(self, entry: Entry) -> Iterator[bytes]:
        self.read.append(entry.name)
        yield from entry.chunks


def test_two_halves_are_asked_for_at_the_same_time_and_what_they_share_is_read_once(tmp_path: Path) -> None:
    folder, engine = bundles.sources(tmp_path), Watched()
    lock = bundles.lock(bundles.engine(), folder)
    building.build(bundles.order(folder, lock, tmp_path / "out"), engine)
    assert len(engine.asked) == 2
    assert sorted(chain(*engine.asked)) == sorted(image.name for image in lock.images)
    layers = [name for name in engine.read if name.endswith("layer.tar")]
    assert len(layers) == len(set(layers)) == len(lock.images) + 1, "the base is in both halves"


def test_an_engine_that_breaks_off_in_one_half_is_not_read_to_its_end_in_the_other(tmp_path: Path) -> None:
    folder, engine = bundles.sources(tmp_path), bundles.engine()
    lock = bundles.lock(engine, folder)
    read: list[int] = []

    class Half(type(engine)):  # type: ignore[misc]
        @contextmanager
        def entries(self, images: Sequence[Stored]) -> Iterator[Iterator[Entry]]:
            endless = any(image.reference == lock.images[0].name for image in images)
            yield iter([Entry(name=f"{endless}/layer.tar", size=1 << 40, chunks=self.bytes() if endless else torn())])

        def bytes(self) -> Iterator[bytes]:
            while len(read) < 20_000:
                read.append(1)
                time.sleep(0.001)
                yield bytes(1000)

    def torn() -> Iterator[bytes]:
        while not read:
            time.sleep(0.001)
        yield bytes(1000)
        raise broke_off()

    engine.__class__ = Half
    assert refused(folder, engine, lock) == "engine_broke_off"
    assert 0 < len(read) < 20_000
