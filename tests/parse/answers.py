"""What the reader makes of each PDF of a folder, and of damaged copies of it: a hash or a failure each, as JSON.

    python answers.py FOLDER [plain]

With `plain` our modules are loaded from their sources, whatever was compiled beside them. Imports nothing but what an
image has, as it runs in one too.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
import sys
from collections.abc import Iterator
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, SourceFileLoader
from pathlib import Path

COPIES = 12
"""Damaged copies of each file."""


def from_sources(path: str) -> FileFinder:
    """A path hook: sources alone in our package, as ever elsewhere."""
    if "frostbyte/data_plane" not in path:
        raise ImportError
    return FileFinder(path, (SourceFileLoader, SOURCE_SUFFIXES))


def damaged(data: bytes, name: str) -> Iterator[bytes]:
    """Copies that are cut off, or have other bytes in some places, the same each time."""
    for number in range(COPIES):
        noise = random.Random(f"{name} {number}")
        copy = bytearray(data)
        if number % 3 == 0:
            del copy[noise.randrange(len(copy)) :]
        for _ in range(noise.choice((1, 5, 40)) if number % 3 else 0):
            copy[noise.randrange(len(copy))] = noise.randrange(256)
        yield bytes(copy)


def main() -> None:
    """Read the folder and print."""
    if sys.argv[2:] == ["plain"]:
        sys.path_hooks.insert(0, from_sources)
    from frostbyte.data_plane.document import encode
    from frostbyte.data_plane.parse.limits import ParseLimits
    from frostbyte.data_plane.parse.reader import parse

    def answer(data: bytes, limits: ParseLimits) -> str:
        try:
            document = parse(io.BytesIO(data), sha256="0" * 64, mime="application/pdf", size=len(data), limits=limits)
        except Exception as error:  # whatever it is, it must be the same
            return f"{type(error).__name__}: {error}"
        return hashlib.sha256(encode(document)).hexdigest()

    answers: dict[str, str] = {}
    for path in sorted(Path(sys.argv[1]).glob("*.pdf")):
        data = path.read_bytes()
        answers[path.name] = answer(data, ParseLimits())
        answers[f"{path.name} with words"] = answer(data, ParseLimits(ocr=False, words=True))
        for number, copy in enumerate(damaged(data, path.name)):
            answers[f"{path.name} damaged {number}"] = answer(copy, ParseLimits(ocr=False))
    reading = "frostbyte.data_plane.parse."
    modules = {
        name.removeprefix(reading): str(getattr(module, "__file__", ""))
        for name, module in list(sys.modules.items())
        if name.startswith(reading)
    }
    print(json.dumps({"answers": answers, "modules": modules}))


if __name__ == "__main__":
    main()
