"""Layers come out as they went in and tell what they hold, in whatever pieces; sums are read strictly."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import tomllib
import zlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.deploy import bundles

from frostbyte.deploy.bundle import archive, contents, leaks, packing, sbom, sums
from frostbyte.deploy.bundle.packing import BLOCK, Packer, unpacked
from frostbyte.kernel.errors import Invalid

CASES = tomllib.loads((Path(__file__).parent / "secret_cases.toml").read_text(encoding="utf-8"))["case"]
QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def pieces(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    """`data` cut at these places."""
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    for start, end in pairwise(places):
        yield data[start:end]


@QUICK
@given(
    words=st.lists(st.binary(max_size=200), max_size=20),
    repeat=st.sampled_from([1, 7, 5000]),
    cuts=st.lists(st.integers(min_value=0), max_size=8),
    given_gzipped=st.booleans(),
)
def test_a_packed_layer_is_the_layer(
    tmp_path: Path, words: list[bytes], repeat: int, cuts: list[int], given_gzipped: bool
) -> None:
    data = b"".join(words) * repeat
    sent = gzip.compress(data, 1) if given_gzipped else data
    with Packer(tmp_path) as packer:
        packed = packer.pack(pieces(sent, cuts))
        again = packer.pack([data])
    assert gzip.decompress(again.path.read_bytes()) == data
    assert packed == again, "whatever the pieces and the packing, it is the same layer"
    assert packed.size == len(data)
    assert packed.packed == packed.path.stat().st_size
    assert packed.diff_id == f"sha256:{hashlib.sha256(data).hexdigest()}"


def test_a_layer_of_many_blocks_is_one_member_that_refers_back_over_them(tmp_path: Path) -> None:
    """The size says that a block knows the end of the one before: the same noise again costs nearly nothing."""
    noise = hashlib.shake_256(b"noise").digest(20_000)
    data = bytes(BLOCK - len(noise)) + noise + noise + bytes(BLOCK)
    with Packer(tmp_path) as packer:
        packed = packer.pack([data])
    reader = zlib.decompressobj(31)
    assert reader.decompress(packed.path.read_bytes()) == data
    assert reader.eof
    assert reader.unused_data == b""
    assert packed.packed < 1.3 * len(noise)


def test_blocks_that_are_filled_again_are_packed_before(tmp_path: Path) -> None:
    """Many more blocks than wait at a time, none like another, in pieces of no even size."""
    data = b"".join(hashlib.shake_256(number.to_bytes(2)).digest(1000) * 1050 for number in range(60))
    with Packer(tmp_path, processors=2) as packer:
        packed = packer.pack(pieces(data, list(range(0, len(data), 77_777))))
    assert gzip.decompress(packed.path.read_bytes()) == data


def test_two_members_and_what_is_cut_or_packed_otherwise() -> None:
    two = gzip.compress(b"one") + gzip.compress(b"two")
    assert b"".join(unpacked([two])) == b"onetwo"
    assert b"".join(unpacked(pieces(two, [5, 20, 25]))) == b"onetwo"
    for wrong in (two[:-3], two[:-7] + b"?" + two[-6:], b"\x28\xb5\x2f\xfd rest"):
        with pytest.raises(Invalid) as refused:
            b"".join(unpacked([wrong]))
        assert refused.value.code == "bundle_layer"


NAMES = st.sampled_from(
    [
        "var/lib/dpkg/status",
        "./lib/apk/db/installed",
        "usr/share/doc/libc6/copyright",
        "opt/" + "deep/" * 40 + "x-1.dist-info/METADATA",
        "etc/motd",
        "root/.ssh/id_rsa",
        "opt/.wh.gone",
        "opt/.wh..wh..opq",
        "opt/földer/thing-1.dist-info/METADATA",
    ]
)


@QUICK
@given(
    files=st.dictionaries(NAMES, st.binary(max_size=1500), max_size=6),
    form=st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
    cuts=st.lists(st.integers(min_value=0), max_size=12),
)
def test_a_layer_is_read_as_tarfile_reads_it(files: dict[str, bytes], form: int, cuts: list[int]) -> None:
    data = bundles.layer(files, form=form)
    scanner = contents.Scanner()
    for piece in pieces(data, cuts):
        scanner.feed(piece)
    found = scanner.contents()
    with tarfile.open(fileobj=io.BytesIO(data)) as read:
        expected = {
            member.name.removeprefix("./"): read.extractfile(member).read()  # type: ignore[union-attr]
            for member in read
            if member.size and member.name.endswith(("status", "installed", "copyright", "METADATA"))
        }
    assert found.files == expected
    assert set(found.removed) == {"opt/gone" if "gone" in name else "opt/" for name in files if ".wh." in name}
    assert found.secrets == [name for name, data in files.items() if name.endswith("id_rsa") and data]


@QUICK
@given(data=st.binary(max_size=5000), cuts=st.lists(st.integers(min_value=0), max_size=6))
def test_what_is_no_archive_has_no_contents_and_stops_nobody(data: bytes, cuts: list[int]) -> None:
    scanner = contents.Scanner()
    for piece in pieces(data, cuts):
        scanner.feed(piece)
    assert scanner.contents() == contents.Contents()


def test_what_an_upper_layer_takes_away_is_not_in_the_image() -> None:
    lower = contents.Contents(files={"a/x": b"1", "a/b/y": b"2", "ab": b"3", "c/z": b"4"})
    upper = contents.Contents(files={"c/new": b"5"}, removed=["a", "c/"])
    assert contents.laid_over([lower, upper]) == {"ab": b"3", "c/new": b"5"}


def test_packages_of_alpine_and_those_that_say_their_licence_otherwise() -> None:
    files = {
        "lib/apk/db/installed": b"C:Q1\nP:musl\nV:1.2.5-r0\nL:MIT\n\nP:busybox\nV:1.37\nL:GPL-2.0-only\n",
        "a/x.dist-info/METADATA": b"Name: x\nVersion: 1\nClassifier: License :: OSI Approved :: BSD License\n\nName: y",
        "b/x.dist-info/METADATA": b"Name: X\nVersion: 1\nLicense: " + b"long " * 100,
    }
    found = {package.url: package.licence for package in sbom.packages(files)}
    assert found == {
        "pkg:apk/alpine/busybox@1.37": "GPL-2.0-only",
        "pkg:apk/alpine/musl@1.2.5-r0": "MIT",
        "pkg:pypi/x@1": "BSD License",
    }


PATHS = st.lists(st.text("ab.-_9", min_size=1, max_size=5), min_size=1, max_size=3).map("/".join).filter(sums.safe)
DIGESTS = st.binary(min_size=32, max_size=32).map(bytes.hex)


@QUICK
@given(
    found=st.dictionaries(PATHS, DIGESTS, min_size=1, max_size=8), at=st.integers(min_value=0), bit=st.integers(0, 7)
)
def test_sums_read_back_and_no_changed_bit_reads_the_same(found: dict[str, str], at: int, bit: int) -> None:
    data = sums.text(found)
    assert sums.parse(data) == found
    changed = bytearray(data)
    changed[at % len(data)] ^= 1 << bit
    try:
        assert sums.parse(bytes(changed)) != found
    except Invalid as refused:
        assert refused.code == "bundle_sums"  # noqa: PT017 - either is right


@pytest.mark.parametrize("path", ["../x", "a/../b", "/etc/passwd", "a//b", "./a", "a b", "ä", "a\\b", "a\nb", ""])
def test_a_path_that_leads_elsewhere_is_no_path_of_a_bundle(path: str) -> None:
    assert not sums.safe(path)
    with pytest.raises(Invalid):
        sums.parse(f"{'0' * 64}  {path}\n".encode())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_what_looks_like_a_secret(case: dict[str, str]) -> None:
    """Cases are written in two parts, so that no scanner of secrets finds any in this repository."""
    text = case["text"].replace("~", "")
    assert [kind for _, kind in leaks.found(text.encode())] == ([case["kind"]] if case["kind"] else [])


def test_an_archive_that_holds_anything_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    made = bundles.engine()
    stored = made.find("frostbyte/api:1", "amd64")
    assert stored is not None
    _, configuration, layers = made._images["frostbyte/api:1"]
    with Packer(tmp_path) as packer:
        packed = [packer.pack([layer]) for layer in layers]
    written = archive.write(path, configuration, "frostbyte-bundle/api:x", packed[1:])
    assert sums.of_file(path) == written.sha256
    assert path.stat().st_size == written.size
    inside = archive.read(path)
    assert inside.image_id == stored.image_id
    assert inside.layers == stored.layers
    assert inside.held == {packed[1].diff_id}, "a partial one says what it holds"
    whole = path.read_bytes()
    with tarfile.open(path, "a") as more:
        more.addfile(tarfile.TarInfo("etc/passwd"), io.BytesIO())
    for wrong in (path.read_bytes(), whole[:700], whole.replace(b'"RepoTags"', b'"RepoTogs"'), b"", bytes(10_240)):
        path.write_bytes(wrong)
        with pytest.raises(Invalid) as refused:
            archive.read(path)
        assert refused.value.code == "bundle_image"


def test_the_level_and_the_block_are_part_of_what_a_bundle_is(tmp_path: Path) -> None:
    """Another number would make other bytes of an old lock: then the format's number goes up as well."""
    with Packer(tmp_path) as packer:
        packed = packer.pack([bytes(range(256)) * 10_000])
    assert (packing.BLOCK, packing.LEVEL) == (1 << 20, 1)
    assert packed.path.read_bytes()[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
