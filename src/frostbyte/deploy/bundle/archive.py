"""An image as a docker archive of our own making: the same image makes the same bytes, whichever engine it came from.

`manifest.json`, `<hex image id>.json`, and `<hex diff id>.tar.gz` for each layer once; sorted by name, without times,
owners and rights that say something. What is written is ustar (POSIX.1-1988); sizes past 8 GiB are GNU's binary ones.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from frostbyte.deploy.bundle.packing import Packed
from frostbyte.kernel.errors import Invalid

MANIFEST: Final = "manifest.json"
CHUNK: Final = 1 << 18
"""Bytes that are read at a time. What is larger is memory from the system each time, and costs a fault a page."""
_TEXT: Final = 1 << 20
"""Bytes of a manifest or a configuration at most."""
_END: Final = bytes(2 * tarfile.BLOCKSIZE)
"""Two empty records end an archive."""


@dataclass(frozen=True, kw_only=True)
class Archived:
    """A file that was written: hex sha256 and bytes."""

    sha256: str
    size: int


@dataclass(frozen=True, kw_only=True)
class Inside:
    """What an archive says that it holds.

    Attributes:
        image_id: `sha256:...`: the digest of `configuration`, which was compared.
        layers: diff ids that the configuration names, lowest first.
        held: diff ids whose files are in the archive: all but those that a partial one leaves out.
    """

    image_id: str
    tag: str
    configuration: bytes
    layers: tuple[str, ...]
    held: frozenset[str]


def layer_file(diff_id: str) -> str:
    """What a layer is called in an archive."""
    return diff_id.removeprefix("sha256:") + ".tar.gz"


def image_tag(key: str, image_id: str) -> str:
    """What an archive calls its image, so that it can be found after loading."""
    return f"frostbyte-bundle/{key}:{image_id.removeprefix('sha256:')[:12]}"


def diff_ids(configuration: bytes) -> tuple[str, ...]:
    """The layers that an image's configuration names (image-spec, config.md). Raises Invalid: `bundle_image`."""
    try:
        found = json.loads(configuration)["rootfs"]["diff_ids"]
    except (ValueError, KeyError, TypeError):
        raise broken() from None
    if not isinstance(found, list) or not all(isinstance(layer, str) for layer in found):
        raise broken()
    return tuple(found)


def write(path: Path, configuration: bytes, tag: str, layers: Sequence[Packed]) -> Archived:
    """Write an archive of an image, with as many of its layers as are given.

    Args:
        configuration: the image's, as its engine keeps it: its digest is the image's id.
        layers: all of them, or those that a partial archive carries; each may come several times.
    """
    image_id = hashlib.sha256(configuration).hexdigest()
    named = [
        {"Config": f"{image_id}.json", "RepoTags": [tag], "Layers": [layer_file(d) for d in diff_ids(configuration)]}
    ]
    members: dict[str, bytes | Packed] = {
        MANIFEST: json.dumps(named, separators=(",", ":")).encode(),
        f"{image_id}.json": configuration,
        **{layer_file(layer.diff_id): layer for layer in layers},
    }
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for name, member in sorted(members.items()):
            for data in _member(name, member):
                digest.update(data)
                file.write(data)
        digest.update(_END)
        file.write(_END)
        return Archived(sha256=digest.hexdigest(), size=file.tell())


def _member(name: str, member: bytes | Packed) -> Iterator[bytes]:
    about = tarfile.TarInfo(name)
    about.mode = 0o644
    about.size = len(member) if isinstance(member, bytes) else member.packed
    yield about.tobuf(tarfile.GNU_FORMAT, "ascii", "strict")
    if isinstance(member, bytes):
        yield member
    else:
        with member.path.open("rb") as layer:
            yield from iter(lambda: layer.read(CHUNK), b"")
    yield bytes(-about.size % tarfile.BLOCKSIZE)


def read(path: Path, layer: Callable[[str, Iterator[bytes]], None] = lambda name, chunks: None) -> Inside:
    """Read an archive through once.

    Args:
        layer: is given each layer's diff id, as its file's name claims it, and its packed bytes.

    Raises:
        Invalid: `bundle_image`: it is none of our making, or does not hold what it says.
    """
    texts: dict[str, bytes] = {}
    held: set[str] = set()
    try:
        with tarfile.open(path, mode="r|", bufsize=CHUNK) as archive:
            for member in archive:
                file = archive.extractfile(member)
                if not member.isreg() or file is None or member.name in texts:
                    raise broken()
                if member.name.endswith(".tar.gz"):
                    diff_id = "sha256:" + member.name.removesuffix(".tar.gz")
                    layer(diff_id, iter(lambda file=file: file.read(CHUNK), b""))  # type: ignore[misc]
                    held.add(diff_id)
                elif member.size <= _TEXT:
                    texts[member.name] = file.read()
                else:
                    raise broken()
    except (tarfile.TarError, OSError, EOFError):
        raise broken() from None
    return _inside(texts, held)


def _inside(texts: dict[str, bytes], held: set[str]) -> Inside:
    try:
        (named,) = json.loads(texts.pop(MANIFEST))
        (tag,), config = named["RepoTags"], str(named["Config"])
        configuration = texts.pop(config)
        named_layers = named["Layers"]
    except (ValueError, KeyError, TypeError):
        raise broken() from None
    layers = diff_ids(configuration)
    image_id = hashlib.sha256(configuration).hexdigest()
    if (
        texts
        or config != f"{image_id}.json"
        or named_layers != [layer_file(d) for d in layers]
        or not held <= set(layers)
    ):
        raise broken()
    return Inside(
        image_id=f"sha256:{image_id}", tag=str(tag), configuration=configuration, layers=layers, held=frozenset(held)
    )


def broken() -> Invalid:
    """The error for an archive that is not as it should be."""
    return Invalid("bundle_image", "An image's file in the bundle is not whole.", "Take the bundle from its disk anew.")
