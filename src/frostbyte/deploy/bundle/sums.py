"""SHA256SUMS: written as `sha256sum` reads it, read back strictly, and compared on all processors."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from frostbyte.deploy.bundle.layout import SIGNATURE, SUMS
from frostbyte.kernel.errors import Invalid

_LINE: Final = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*)")
"""Names that need no quoting in any shell, and that lead nowhere else (see `safe`)."""
_CHUNK: Final = 1 << 20


def safe(path: str) -> bool:
    """Whether a path may be in a bundle: relative, plain letters, no step upwards."""
    return _LINE.fullmatch(f"{'0' * 64}  {path}") is not None and not {".", ".."} & set(path.split("/"))


def text(sums: Mapping[str, str]) -> bytes:
    """The file, for paths and their hex digests."""
    return "".join(f"{digest}  {path}\n" for path, digest in sorted(sums.items())).encode()


def parse(data: bytes) -> dict[str, str]:
    """Paths and digests.

    Raises:
        Invalid: `bundle_sums`: it is not as `text` writes it, to the byte.
    """
    found: dict[str, str] = {}
    for line in data.decode("ascii", "replace").splitlines():
        match = _LINE.fullmatch(line)
        if match is None or not safe(match[2]):
            raise _wrong()
        found[match[2]] = match[1]
    if not found or text(found) != data:
        raise _wrong()
    return found


def of_file(path: Path, seen: Callable[[int], None] = lambda _: None) -> str:
    """Hex sha256 of a file; `seen` is told how many more bytes were read."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        buffer = bytearray(_CHUNK)
        view = memoryview(buffer)
        while count := file.readinto(buffer):
            digest.update(view[:count])
            seen(count)
    return digest.hexdigest()


def files(folder: Path) -> Iterator[tuple[str, Path]]:
    """All that is in a folder and is no folder, by relative path. Links are not followed."""
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted([*names, *(name for name in folders if (Path(place) / name).is_symlink())]):
            path = Path(place) / name
            yield path.relative_to(folder).as_posix(), path


def compare(folder: Path, sums: Mapping[str, str], seen: Callable[[int], None] = lambda _: None) -> dict[str, str]:
    """What does not agree: path, and `missing`, `differs`, `link` or `unlisted`. {} when the folder is what it says."""
    there = dict(files(folder))
    wrong = {path: "unlisted" for path in there if path not in sums and path not in (SUMS, SIGNATURE)}
    wrong |= {path: "link" for path, file in there.items() if file.is_symlink() or not file.is_file()}
    wrong |= {path: "missing" for path in sums if path not in there}
    left = sorted((path for path in sums if path not in wrong), key=lambda path: -there[path].stat().st_size)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0)), thread_name_prefix="sums") as pool:
        digests = pool.map(lambda path: of_file(there[path], seen), left)
        wrong |= {path: "differs" for path, digest in zip(left, digests, strict=True) if digest != sums[path]}
    return dict(sorted(wrong.items()))


def _wrong() -> Invalid:
    return Invalid(
        "bundle_sums", "The bundle's SHA256SUMS is not as it was written.", "Take the bundle from its disk anew."
    )
