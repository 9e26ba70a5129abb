"""Images on their way from an engine into a bundle: each read once, a layer that several share packed once."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from itertools import chain
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Final

from frostbyte.deploy.bundle import archive, layout, leaks, sbom
from frostbyte.deploy.bundle.contents import laid_over
from frostbyte.deploy.bundle.grouping import halves
from frostbyte.deploy.bundle.lock import LockedImage
from frostbyte.deploy.bundle.manifest import Image, Layer
from frostbyte.deploy.bundle.packing import Packed, Packer
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.ports.engine import Engine, Entry, Stored

WRITERS: Final = 2
"""Archives that are written at the same time, beside the reading."""
_SMALL: Final = 1 << 20
"""Bytes of a configuration at most. What is larger is a layer."""
_TEXTS: Final = ("manifest.json", "repositories", "index.json", "oci-layout", "VERSION", "json")
"""What engines write beside configurations and layers; none of it is believed or needed."""


Taken = tuple[Image, list[sbom.Package]]


class Passing:
    """Takes images and writes each as an archive. Use it in a `with`."""

    def __init__(self, bundle: Path, architecture: str, seen: Callable[[int], None]) -> None:
        self._bundle = bundle
        self._architecture = architecture
        self._layers = bundle / ".layers"
        self._lock = Lock()
        """Of what follows: several threads read."""
        self._claimed: set[str] = set()
        """Names of entries that somebody reads or has read."""
        self._packed: dict[str, Packed] = {}
        self._texts: dict[str, bytes] = {}
        """Configurations, by their digest."""
        self._waiting: list[LockedImage] = []
        self._written: list[Future[Taken]] = []
        self._failed: BaseException | None = None
        self._seen = seen
        self._packer = Packer(self._layers, seen=self._read_on)

    def __enter__(self) -> Passing:
        self._layers.mkdir()
        (self._bundle / layout.IMAGES).mkdir()
        self._packer.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._packer.__exit__(kind, error, at)
        shutil.rmtree(self._layers, ignore_errors=True)

    def stop(self, why: BaseException) -> None:
        """From another thread: whoever reads stops at the next bytes, and fails of that."""
        self._failed = self._failed or why

    def _read_on(self, count: int) -> None:
        if self._failed is not None:
            raise self._failed
        self._seen(count)

    def take(self, images: Sequence[tuple[LockedImage, Stored]], engine: Engine) -> list[Taken]:
        """Read images, write the archive of each as soon as all of it was read, and say what is in it.

        An engine is asked twice at the same time, for halves that share little: it writes all that it is asked for to
        its disk before the first byte comes, with one processor, and packing would wait for that.

        Raises:
            Invalid: `bundle_differs`: what came is not what the lock says; `bundle_secret`, `bundle_layer`.
            Unavailable: as `Engine.entries`.
        """
        asked = halves([stored for _, stored in images])
        self._waiting = [locked for locked, _ in images]
        with (
            ThreadPoolExecutor(WRITERS, thread_name_prefix="write") as writers,
            ThreadPoolExecutor(len(asked), thread_name_prefix="read") as readers,
        ):
            try:
                for one in as_completed([readers.submit(self._read, half, engine, writers) for half in asked]):
                    one.result()
                if self._waiting:
                    raise differs(self._waiting[0].name)
                return [one.result() for one in self._written]
            except BaseException as error:
                self.stop(error)
                writers.shutdown(wait=False, cancel_futures=True)
                raise

    def _read(self, images: Sequence[Stored], engine: Engine, writers: ThreadPoolExecutor) -> None:
        with engine.entries(images) as entries:
            for entry in entries:
                self._entry(entry)
                with self._lock:
                    whole = [locked for locked in self._waiting if self._there(locked)]
                    self._waiting = [locked for locked in self._waiting if locked not in whole]
                    self._written += [writers.submit(self._write, locked) for locked in whole]

    def _write(self, locked: LockedImage) -> Taken:
        configuration, layers = self._texts[locked.image_id], [self._packed[layer] for layer in locked.layers]
        if secrets := sorted({path for layer in layers for path in layer.contents.secrets}):
            raise leaks.refusal(f"the image {locked.key}", secrets[0])
        if names := leaks.in_configuration(configuration):
            raise leaks.refusal(f"the image {locked.key}", f"its variable {names[0]}")
        file, tag = f"{layout.IMAGES}/{locked.key}.tar", archive.image_tag(locked.key, locked.image_id)
        written = archive.write(self._bundle / file, configuration, tag, layers)
        image = Image(
            key=locked.key,
            name=locked.name,
            file=file,
            sha256=written.sha256,
            size=written.size,
            digest=locked.digest,
            image_id=locked.image_id,
            tag=tag,
            architecture=self._architecture,
            layers=tuple(Layer(diff_id=one.diff_id, size=one.size, packed=one.packed) for one in layers),
        )
        return image, sbom.packages(laid_over([layer.contents for layer in layers]))

    def _entry(self, entry: Entry) -> None:
        if entry.name.rpartition("/")[2] in _TEXTS or not entry.size:
            return
        with self._lock:
            if entry.name in self._claimed:
                return
            self._claimed.add(entry.name)
        first = next(entry.chunks, b"")
        if first.startswith(b"{") and entry.size <= _SMALL:
            text = first + b"".join(entry.chunks)
            self._texts[f"sha256:{hashlib.sha256(text).hexdigest()}"] = text
            return
        packed = self._packer.pack(chain((first,), entry.chunks))
        self._packed[packed.diff_id] = packed

    def _there(self, locked: LockedImage) -> bool:
        return locked.image_id in self._texts and all(layer in self._packed for layer in locked.layers)


def differs(name: str) -> Invalid:
    """The error for what is not as the lock says."""
    return Invalid(
        "bundle_differs",
        f"{name[:80]} is not what the lock says it is.",
        "Fetch what the lock names, or make the lock anew: frostbyte bundle lock.",
    )
