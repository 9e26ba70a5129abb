"""Where container images are kept: a Docker engine, or a folder in the layout of OCI."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class Stored:
    """An image as it is kept.

    Attributes:
        reference: what it is found by.
        image_id: `sha256:...` of its configuration; '' where the engine names images otherwise (containerd's store).
        digests: `sha256:...` of its manifest in each registry that it was pulled from or pushed to.
        architecture: as Docker says it.
        layers: diff ids, `sha256:...` of each layer as it is uncompressed, lowest first.
        sizes: bytes of each layer, as far as they are known beforehand: for an estimate alone.
    """

    reference: str
    image_id: str
    digests: tuple[str, ...]
    architecture: str
    layers: tuple[str, ...]
    sizes: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A file of an image on its way out: a layer, the configuration, or what an engine writes beside them.

    Attributes:
        name: two entries of one name hold the same bytes, whichever image they came with.
        chunks: its bytes. Whoever does not want them need not read them.
    """

    name: str
    size: int
    chunks: Iterator[bytes]


class Engine(Protocol):
    """Keeps images. Its methods may be called from several threads."""

    def find(self, reference: str, architecture: str) -> Stored | None:
        """The image of a name, name with digest, or id; None if there is none of the architecture.

        Raises:
            Unavailable: `engine_unavailable`.
        """
        ...

    def entries(self, images: Sequence[Stored]) -> AbstractContextManager[Iterator[Entry]]:
        """All files of some images, each to be read before the next is asked for. Layers may be gzipped.

        What several images share comes once where the engine can say so: ask for all of them together.

        Raises:
            Unavailable: `engine_unavailable`; `engine_broke_off` when the stream ends early.
        """
        ...

    def resolve(self, reference: str, architecture: str) -> str:
        """Fetch what a tag stands for in its registry now, and say by which digest the registry has it.

        The digest is that of the manifest, or of the index where a registry has one for several architectures: with
        the architecture it names one image.

        Raises:
            Unavailable: `engine_unavailable`; `registry_unavailable`: there is no such image, or nobody answers.
            NotFound: `registry_no_image`: none of this name, or none for the architecture.
        """
        ...

    def pull(self, reference: str, architecture: str) -> None:
        """Fetch an image that `reference` names by its digest; what is there already is not fetched again.

        Raises:
            Unavailable: `engine_unavailable`; `registry_unavailable`.
        """
        ...
