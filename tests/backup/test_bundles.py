"""Documents' objects, read many at once for a backup: none is left out unseen."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import pytest

from frostbyte.adapters.memory.blobs import MemoryBlobs
from frostbyte.data_plane.lifecycle.bundles import Bundles
from frostbyte.kernel.ports.snapshot import HeldDocument
from frostbyte.kernel.records import State

ROWS = [
    HeldDocument(
        doc_id=UUID(int=number),
        incarnation=0,
        state=State.RECEIVED,
        size=1,
        raw_object=f"raw/{number}",
        key_object="k/1",
    )
    for number in range(1, 4)
]


class Answering:
    """Answers for so many of the objects that it is asked for; implements kernel.ports.blobs.Heads."""

    def __init__(self, most: int) -> None:
        self._most = most

    def heads(self, names: Sequence[str], length: int) -> list[tuple[bytes, int] | None]:
        return [(name.encode(), len(name)) for name in names][: self._most]


def test_each_document_has_its_own_objects() -> None:
    with Bundles(MemoryBlobs(), Answering(3)) as shelf:
        found = list(shelf.read(ROWS))
    assert [[name for name, _, _ in one.objects] for one in found] == [["raw/1"], ["raw/2"], ["raw/3"]]


@pytest.mark.parametrize("most", [0, 1, 2])
def test_an_answer_too_few_is_no_backup(most: int) -> None:
    with Bundles(MemoryBlobs(), Answering(most)) as shelf, pytest.raises(ValueError, match="zip"):
        list(shelf.read(ROWS))
