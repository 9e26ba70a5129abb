"""The manifest reads back as it was written, and its table says the same in words."""

from __future__ import annotations

import pytest

from frostbyte.deploy.bundle.manifest import Image, Layer, Manifest, Model, decode, encode, table
from frostbyte.kernel.errors import Invalid

MANIFEST = Manifest(
    version="1.0",
    bundle_id="1.0-amd64-0123456789ab",
    created_at="2026-02-11T12:00:00Z",
    architecture="amd64",
    tenant="acme",
    schema=10,
    images=(
        Image(
            key="redis",
            name="redis:8-alpine",
            file="images/redis-8-alpine.tar",
            sha256="a" * 64,
            size=10,
            digest="",
            image_id="sha256:" + "b" * 64,
            tag="frostbyte-bundle/redis:bbbbbbbbbbbb",
            architecture="amd64",
            layers=(Layer(diff_id="sha256:" + "c" * 64, size=20, packed=8),),
        ),
    ),
    models=(Model(name="clamav", path="models/clamav/main.cvd", sha256="d" * 64, size=5),),
    scripts=("install.sh",),
    memory_mb=1,
    disk_mb=2,
)


def test_it_reads_back_as_it_was_written() -> None:
    assert decode(encode(MANIFEST)) == MANIFEST


def test_the_table_has_as_many_fields_as_it_says_and_none_is_empty() -> None:
    """An empty field would be swallowed where a shell reads it: tabs are white space to it."""
    lines = [line.split("\t") for line in table(MANIFEST).splitlines()]
    assert [(line[0], len(line)) for line in lines] == [("bundle", 11), ("image", 11), ("model", 6), ("script", 2)]
    assert all(field for line in lines for field in line)
    assert lines[0][7] == "-"


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", encode(MANIFEST).replace(b"bundle/1", b"bundle/9")])
def test_what_is_none_is_refused_with_words(data: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        decode(data)
    assert refused.value.code == "bundle_manifest"
