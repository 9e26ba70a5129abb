"""The sums of a bundle as install.sh compares them, before anything of it is run.

    python -m bench.offline.sums

A folder with files of the sizes that a bundle's images have, in memory (they were just written). Reference:
`sha256sum -c` of coreutils on the same folder, which has one thread. One after the other, three times; the medians of
wall time. It is a measure of processors: where others use them, two processes get little more than one.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

from bench.table import Line, show

ROUNDS: Final = 3
IMAGES_MB: Final = (170, 150, 120, 110, 100, 90, 80, 70, 45)
SMALL: Final = 40
LIB: Final = Path(__file__).parents[2] / "src/frostbyte/deploy/bundle/scripts/lib.sh"


def main() -> None:
    """Both, and a line."""
    with tempfile.TemporaryDirectory(prefix="bench-sums-") as name:
        folder = Path(name)
        for number, size in enumerate(IMAGES_MB):
            (folder / f"image-{number}.tar").write_bytes(os.urandom(size << 20))
        for number in range(SMALL):
            (folder / f"small-{number}").write_bytes(os.urandom(20_000))
        names = sorted(path.name for path in folder.iterdir())
        listed = subprocess.run(["sha256sum", *names], cwd=folder, check=True, capture_output=True).stdout
        (folder / "SHA256SUMS").write_bytes(listed)
        ours, theirs = [], []
        for _ in range(ROUNDS):
            theirs.append(_timed(["sha256sum", "-c", "--strict", "--quiet", "SHA256SUMS"], folder))
            ours.append(_timed(["bash", "-c", '. "$0"; read_sums .; check_sums .', str(LIB)], folder))
    size = sum(IMAGES_MB) + SMALL * 20_000 / (1 << 20)
    mine, reference = (size / statistics.median(times) for times in (ours, theirs))
    show(
        [
            Line(
                measure="sums of a bundle by install.sh",
                ours=mine,
                unit="MiB/s",
                target="1.5x sha256sum on one thread, with two processors",
                met=mine >= 1.5 * reference,
                reference=reference,
            )
        ]
    )


def _timed(words: list[str], folder: Path) -> float:
    began = time.perf_counter()
    subprocess.run(words, cwd=folder, check=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
