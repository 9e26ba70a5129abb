"""A signed set: made, read by whoever trusts its signer, taken whole or not at all."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from frostbyte.adapters.shelf import FolderShelf
from frostbyte.bootstrap import supplies
from frostbyte.control_plane.provisioning.settings import ProvisioningSettings
from frostbyte.control_plane.upkeep.supplies import Supply
from frostbyte.deploy.supply.making import make
from frostbyte.kernel.errors import FrostbyteError
from servers.clamd import DAILY, daily

MADE = datetime(2026, 3, 1, 3, tzinfo=UTC)
MOMENT = "2026-03-01T04:00:00Z"


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("key") / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)], check=True)
    public = path.with_suffix(".pub").read_text()
    (path.parent / "signers").write_text(f'frostbyte namespaces="frostbyte-bundle" {public}')
    return path


def archive(path: Path) -> Path:
    with tarfile.open(path, "w") as tar:
        data = json.dumps([{"Config": f"{'ab' * 32}.json", "RepoTags": ["x"]}]).encode()
        entry = tarfile.TarInfo("manifest.json")
        entry.size = len(data)
        tar.addfile(entry, io.BytesIO(data))
    return path


def made(folder: Path, key: Path | None, moment: str = MOMENT, **more: Any) -> tuple[Path, Supply]:
    (folder / "clamav").mkdir(exist_ok=True)
    (folder / "clamav" / DAILY).write_bytes(daily(MADE, version=42))
    return make(folder, moment, signatures=folder / "clamav", key=key, **more)


class Place:
    """A control plane's data folder that trusts the key."""

    def __init__(self, folder: Path, key: Path) -> None:
        self.told = ProvisioningSettings(data_dir=folder / "data")
        supplies.trust(self.told, key.parent / "signers")
        self.shelf = FolderShelf(self.told.supplies)


def code(call: Any) -> str:
    with pytest.raises(FrostbyteError) as refused:
        call()
    return refused.value.code


def test_a_set_says_what_it_holds_and_equal_inputs_make_equal_bytes(tmp_path: Path, key: Path) -> None:
    image = archive(tmp_path / "api.tar")
    folder, supply = made(tmp_path, key, images={"api": image}, version="1.2")
    assert (supply.signatures_made_at, supply.signatures_version) == ("2026-03-01T03:00:00Z", "42")
    assert (supply.images[0].image_id, supply.version) == (f"sha256:{'ab' * 32}", "1.2")
    other = tmp_path / "other"
    other.mkdir()
    again, _ = made(other, key, images={"api": image}, version="1.2")
    assert again.name == folder.name
    assert (again / "SHA256SUMS").read_bytes() == (folder / "SHA256SUMS").read_bytes()


def test_it_is_taken_whole_and_again_changes_nothing(tmp_path: Path, key: Path) -> None:
    place = Place(tmp_path, key)
    folder, supply = made(tmp_path, key, images={"api": archive(tmp_path / "api.tar")}, version="1.2")
    for _ in range(2):
        assert supplies.take(place.told, folder) == supply
    assert place.shelf.supplies() == [supply]
    assert place.shelf.file(supply.signatures[0].sha256).read_bytes() == daily(MADE, version=42)
    release = json.loads((place.told.releases / "1.2.json").read_text())
    assert release["images"] == {"api": f"sha256:{'ab' * 32}"}
    assert release["archives"] == {f"sha256:{'ab' * 32}": supply.images[0].sha256}


@pytest.mark.parametrize("path", [f"signatures/{DAILY}", "SUPPLY.json", "SHA256SUMS", "SHA256SUMS.sig"])
def test_a_byte_that_was_flipped_anywhere_is_seen_and_nothing_is_kept(tmp_path: Path, key: Path, path: str) -> None:
    place = Place(tmp_path, key)
    folder, _ = made(tmp_path, key)
    data = bytearray((folder / path).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / path).write_bytes(data)
    assert code(lambda: supplies.take(place.told, folder)) in ("supply_unsigned", "supply_damaged")
    assert place.shelf.supplies() == []


def test_what_is_not_signed_by_somebody_who_is_trusted_is_refused(tmp_path: Path, key: Path) -> None:
    folder, _ = made(tmp_path, None)
    untrusting = ProvisioningSettings(data_dir=tmp_path / "other")
    assert code(lambda: supplies.take(untrusting, folder)) == "signers_missing"
    assert code(lambda: supplies.take(Place(tmp_path, key).told, folder)) == "supply_unsigned"
    (tmp_path / "none").write_text("nobody\n")
    assert code(lambda: supplies.trust(untrusting, tmp_path / "none")) == "bundle_signers"


def test_a_file_that_nobody_signed_and_an_older_set_are_refused(tmp_path: Path, key: Path) -> None:
    place = Place(tmp_path, key)
    newest, _ = made(tmp_path, key)
    old, supply = made(tmp_path, key, "2026-02-01T04:00:00Z")
    supplies.take(place.told, newest)
    assert code(lambda: supplies.take(place.told, old)) == "supply_older"
    assert supplies.take(place.told, old, older=True) == supply
    (newest / "packages").mkdir()
    (newest / "packages/x.deb").write_text("more")
    assert code(lambda: supplies.take(place.told, newest)) == "supply_damaged"


def test_packages_are_named_by_what_dpkg_reads(tmp_path: Path) -> None:
    (tmp_path / "a/DEBIAN").mkdir(parents=True)
    control = "Package: libx++\nVersion: 1:2.0~rc1+b1\nArchitecture: amd64\nMaintainer: x\nDescription: x\n"
    (tmp_path / "a/DEBIAN/control").write_text(control)
    (tmp_path / "debs").mkdir()
    try:
        subprocess.run(["dpkg-deb", "--build", "a", "debs/x.deb"], cwd=tmp_path, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("dpkg-deb is missing")
    _, supply = make(tmp_path, MOMENT, packages=tmp_path / "debs")
    (one,) = supply.packages
    assert (one.package, one.version, one.architecture) == ("libx++", "1:2.0~rc1+b1", "amd64")
    (tmp_path / "debs/y.deb").write_text("no package")
    assert code(lambda: make(tmp_path, MOMENT, packages=tmp_path / "debs")) == "supply_package"


@pytest.mark.parametrize(("more", "said"), [({}, "supply_empty"), ({"images": {"api": Path("none")}}, "supply_image")])
def test_a_set_that_holds_nothing_is_not_made(tmp_path: Path, more: dict[str, Any], said: str) -> None:
    assert code(lambda: make(tmp_path, MOMENT, **more)) == said
