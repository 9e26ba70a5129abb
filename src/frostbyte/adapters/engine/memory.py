"""Images in memory: for tests, and the shortest description of what an engine gives."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from frostbyte.kernel.errors import NotFound
from frostbyte.kernel.ports.engine import Entry, Stored


class MemoryEngine:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self._images: dict[str, tuple[Stored, bytes, tuple[bytes, ...]]] = {}
        self.registry: dict[tuple[str, str], str] = {}
        """Digest of a manifest by reference and architecture."""

    def add(
        self,
        name: str,
        layers: Sequence[bytes],
        *,
        architecture: str = "amd64",
        digest: str = "",
        config: Mapping[str, object] | None = None,
    ) -> str:
        """Put an image of these layers there, in place of what had the name. Returns its id."""
        diff_ids = [_digest(layer) for layer in layers]
        configuration = json.dumps(
            {
                "architecture": architecture,
                "os": "linux",
                "config": dict(config or {}),
                "rootfs": {"type": "layers", "diff_ids": diff_ids},
            }
        ).encode()
        stored = Stored(
            reference=name,
            image_id=_digest(configuration),
            digests=(digest,) if digest else (),
            architecture=architecture,
            layers=tuple(diff_ids),
            sizes=tuple(len(layer) for layer in layers),
        )
        self._images[name] = (stored, configuration, tuple(layers))
        return stored.image_id

    def find(self, reference: str, architecture: str) -> Stored | None:
        """See Engine."""
        for name, (stored, _, _) in self._images.items():
            repository = name.rpartition(":")[0]
            names = {name, stored.image_id, *(f"{repository}@{digest}" for digest in stored.digests)}
            if reference in names and stored.architecture == architecture:
                return stored
        return None

    @contextmanager
    def entries(self, images: Sequence[Stored]) -> Iterator[Iterator[Entry]]:
        """See Engine."""
        named: dict[str, bytes] = {}
        for image in images:
            _, configuration, layers = self._images[image.reference]
            named[f"{image.image_id.removeprefix('sha256:')}.json"] = configuration
            for diff_id, layer in zip(image.layers, layers, strict=True):
                named[f"{diff_id.removeprefix('sha256:')}/layer.tar"] = layer
        yield (Entry(name=name, size=len(data), chunks=iter([data])) for name, data in named.items())

    def resolve(self, reference: str, architecture: str) -> str:
        """See Engine."""
        try:
            return self.registry[reference, architecture]
        except KeyError:
            raise NotFound("registry_no_image", f"The registry has no {reference}.", "Name one that it has.") from None

    def pull(self, reference: str, architecture: str) -> None:
        """See Engine: what is here is all there is."""
        if self.find(reference, architecture) is None:
            raise NotFound("registry_no_image", f"The registry has no {reference}.", "Name one that it has.")


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
