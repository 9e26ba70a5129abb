"""Docker's engine by its command line: any version from 20.10, with its own store or containerd's."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from frostbyte.adapters.engine.streams import CHUNK, broke_off, entries
from frostbyte.kernel.errors import NotFound, Unavailable
from frostbyte.kernel.ports.engine import Entry, Stored

_SECONDS: Final = 60
_PULL_SECONDS: Final = 3600
_CONTAINERD: Final = "io.containerd.snapshotter"


_NO_IMAGE: Final = (b"manifest unknown", b"no matching manifest", b"not found")
"""What engines say of an image that its registry does not have."""


class DockerEngine:
    """The engine that `docker` on this machine speaks to (DOCKER_HOST, contexts)."""

    def __init__(self, program: str = "docker") -> None:
        self._program = program
        self._by_containerd: bool | None = None

    def find(self, reference: str, architecture: str) -> Stored | None:
        """See Engine."""
        done = self._run("image", "inspect", reference)
        if done.returncode != 0:
            if b"No such image" in done.stderr or b"invalid reference" in done.stderr:
                return None
            raise _unavailable()
        (image,) = _json(done.stdout)
        layers = tuple(image.get("RootFS", {}).get("Layers") or ())
        if image.get("Architecture") != architecture or not layers:
            return None
        return Stored(
            reference=reference,
            image_id="" if self._containerd() else str(image["Id"]),
            digests=tuple(_digests(reference, image.get("RepoDigests"))),
            architecture=architecture,
            layers=layers,
            sizes=self._sizes(reference, layers, int(image.get("Size", 0))),
        )

    @contextmanager
    def entries(self, images: Sequence[Stored]) -> Iterator[Iterator[Entry]]:
        """See Engine."""
        try:
            process = subprocess.Popen(  # noqa: S603
                [self._program, "save", *(image.reference for image in images)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                pipesize=CHUNK,
            )
        except OSError:
            raise _unavailable() from None
        with process:
            assert process.stdout is not None
            try:
                yield entries(process.stdout)
                while process.stdout.read(CHUNK):
                    pass  # what pads an archive: an engine that cannot write it ends as if it had failed
            except BaseException:
                process.kill()
                raise
        if process.returncode != 0:
            raise broke_off()

    def resolve(self, reference: str, architecture: str) -> str:
        """See Engine."""
        self.pull(reference, architecture)
        done = self._run("image", "inspect", "--format", "{{json .RepoDigests}}", reference)
        for digest in _digests(reference, _json(done.stdout)) if done.returncode == 0 else ():
            return digest
        raise _no_image(reference, architecture)

    def pull(self, reference: str, architecture: str) -> None:
        """See Engine."""
        words = ("pull", "--quiet", "--platform", f"linux/{architecture}", reference)
        done = self._run(*words, seconds=_PULL_SECONDS)
        if done.returncode != 0:
            if any(said in done.stderr for said in _NO_IMAGE):
                raise _no_image(reference, architecture)
            raise _no_registry(reference)

    def _containerd(self) -> bool:
        if self._by_containerd is None:
            done = self._run("info", "--format", "{{json .DriverStatus}}")
            if done.returncode != 0:
                raise _unavailable()
            self._by_containerd = _CONTAINERD in done.stdout.decode("utf-8", "replace")
        return self._by_containerd

    def _sizes(self, reference: str, layers: Sequence[str], whole: int) -> tuple[int, ...]:
        """Of each layer where the history tells them apart, else equal parts of the whole."""
        done = self._run("history", "--human=false", "--no-trunc", "--format", "{{.Size}}", reference)
        told = [int(line) for line in done.stdout.split() if line.isdigit()] if done.returncode == 0 else []
        filled = [size for size in reversed(told) if size]
        return tuple(filled) if len(filled) == len(layers) else (whole // len(layers),) * len(layers)

    def _run(self, *words: str, seconds: int = _SECONDS) -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(  # noqa: S603
                [self._program, *words], stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=seconds
            )
        except (OSError, subprocess.TimeoutExpired):
            raise _unavailable() from None


def _digests(reference: str, noted: list[str] | None) -> Iterator[str]:
    """Digests that an engine has noted for the repository of a name; for an id, those of all."""
    name = reference.partition("@")[0]
    repository = name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name
    for one in noted or ():
        place, _, digest = str(one).partition("@")
        # Docker's own registry has no name there.
        if reference.startswith("sha256:") or repository == place or repository.endswith(f"/{place}"):
            yield digest


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        raise _unavailable() from None


def _unavailable() -> Unavailable:
    return Unavailable(
        "engine_unavailable",
        "Docker's engine does not answer.",
        "Start it, or say where it is with DOCKER_HOST; `docker version` must work.",
    )


def _no_registry(reference: str) -> Unavailable:
    return Unavailable(
        "registry_unavailable",
        f"The registry of {reference[:80]} does not give it.",
        "Look at this machine's network and at `docker login`, and do it again.",
    )


def _no_image(reference: str, architecture: str) -> NotFound:
    return NotFound(
        "registry_no_image", f"The registry has no {reference[:80]} for {architecture}.", "Name one that it has."
    )
