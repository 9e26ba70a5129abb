"""Building and checking an offline bundle, from images of the running engine.

    python -m bench.offline.bundles [KEY=REFERENCE ...]

* `bundle build`: from the first question to the engine until the bundle has its name, on the disk and synced. Bytes of
  layers, each counted once, by wall time. Reference: the slower of `docker save` of the same images in one call, read
  and thrown away, and our compressor alone on the same layers from files that are in memory. A round is all three, one
  after the other; the medians of three rounds.
* `bundle check`: signature, sums, manifest and images of that bundle. Reference: `sha256sum -c` of coreutils, which
  has one thread.

Images are those that tools/images.sh makes and the servers' test images, or what is named. It needs a Docker engine.
"""

from __future__ import annotations

import hashlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench.table import Line, show
from frostbyte import __version__
from frostbyte.bootstrap.bundle import engine, migrations
from frostbyte.deploy.bundle import building, checking, layout, locking
from frostbyte.deploy.bundle.lock import Lock
from frostbyte.deploy.bundle.packing import Packer
from frostbyte.deploy.bundle.texts import Given
from frostbyte.kernel.ports.engine import Engine

ROUNDS: Final = 3
_CHUNK: Final = 1 << 20
IMAGES: Final = {
    **{key: f"frostbyte/{key}:{__version__}" for key in ("api", "worker", "nomic-embed", "minio")},
    "qdrant": f"frostbyte/vectors:{__version__}",
    **{key: f"frostbyte-test/{key}:{__version__}" for key in ("postgres", "redis", "clamav")},
}


def main() -> None:
    """All of it."""
    images = IMAGES | dict(word.split("=", 1) for word in sys.argv[1:])
    docker = engine()
    wanted = locking.Wanted(
        version=__version__,
        architecture="amd64",
        created_at="2026-02-11T12:00:00Z",
        images=images,
        models=[],
        dimensions=768,
        stand_ins=["qdrant"],
        built_here=True,
    )
    lock = locking.lock(wanted, docker)
    with tempfile.TemporaryDirectory(prefix="bench-bundles-") as name:
        folder = Path(name)
        layers, size = _layers(lock, docker, folder)
        saving, packing, built = [], [], []
        for number in range(ROUNDS):
            saving.append(_timed(lambda: _save(lock)))
            packing.append(_timed(lambda: _pack(layers, folder)))
            built.append(_timed(lambda at=number: _build(lock, docker, folder, at)))  # type: ignore[misc]
            print(
                f"{saving[-1]:.1f} s saving, {packing[-1]:.1f} s packing, {built[-1]:.1f} s building", file=sys.stderr
            )
        bundle = next((folder / "0").iterdir())
        ours = min(_timed(lambda: _check(bundle, folder)) for _ in range(ROUNDS))
        theirs = min(_timed(lambda: _sha256sum(bundle)) for _ in range(ROUNDS))
        packed = sum(path.stat().st_size for path in bundle.rglob("*") if path.is_file())
    slower = max(statistics.median(saving), statistics.median(packing))
    saved, alone = (size / 1e6 / statistics.median(times) for times in (saving, packing))
    show(
        [
            Line(
                measure="bundle build",
                ours=size / 1e6 / statistics.median(built),
                unit="MB/s",
                target="0.8x the slower of docker save and packing alone",
                met=statistics.median(built) * 0.8 <= slower,
                reference=size / 1e6 / slower,
                note=f"{size / 1e6:,.0f} MB of layers to {packed / 1e6:,.0f} MB; docker save {saved:.0f}, "
                f"packing {alone:.0f} MB/s",
            ),
            Line(
                measure="bundle check",
                ours=packed / 1e6 / ours,
                unit="MB/s",
                target="1.5x sha256sum on one thread",
                met=theirs >= 1.5 * ours,
                reference=packed / 1e6 / theirs,
                note="with signature and the images' structure",
            ),
        ]
    )


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _layers(lock: Lock, docker: Engine, folder: Path) -> tuple[list[Path], int]:
    """Every layer once, as a file."""
    wanted = {layer for image in lock.images for layer in image.layers}
    found: dict[str, Path] = {}
    stored = [docker.find(image.image_id, lock.architecture) for image in lock.images]
    with docker.entries([one for one in stored if one is not None]) as entries:
        for entry in entries:
            if entry.name.endswith("layer.tar"):
                path = folder / f"layer-{len(found)}"
                digest = hashlib.sha256()
                with path.open("wb") as file:
                    for chunk in entry.chunks:
                        digest.update(chunk)
                        file.write(chunk)
                if (name := f"sha256:{digest.hexdigest()}") in wanted:
                    found.setdefault(name, path)
    assert set(found) == wanted, "layers that are packed in the engine's store are not measured"
    return list(found.values()), sum(path.stat().st_size for path in found.values())


def _save(lock: Lock) -> None:
    words = ["docker", "save", *(image.image_id for image in lock.images)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, bufsize=0) as saving:
        assert saving.stdout is not None
        while saving.stdout.read(_CHUNK):
            pass
    assert saving.returncode == 0


def _pack(layers: list[Path], folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as name, Packer(Path(name)) as packer:
        for path in layers:
            with path.open("rb", buffering=0) as file:
                packer.pack(iter(lambda file=file: file.read(_CHUNK), b""))  # type: ignore[misc]


def _build(lock: Lock, docker: Engine, folder: Path, number: int) -> None:
    given = Given(tenant="acme", config=b"{}", policy=None, migrations=migrations(), notices={})
    order = building.Order(lock=lock, given=given, models=folder, out=folder / str(number), key=_key(folder))
    building.build(order, docker)


def _key(folder: Path) -> Path:
    key = folder / "key"
    if not key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        public = " ".join(key.with_suffix(".pub").read_text().split()[:2])
        (folder / "signers").write_text(f"frostbyte {public}\n")
    return key


def _check(bundle: Path, folder: Path) -> None:
    assert checking.check(bundle, folder / "signers").good


def _sha256sum(bundle: Path) -> None:
    subprocess.run(["sha256sum", "-c", "--strict", "--quiet", layout.SUMS], cwd=bundle, check=True)


if __name__ == "__main__":
    main()
