"""Which objects of a document leave, and that reading them never holds more than a few parts."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from frostbyte.adapters.memory.blobs import MemoryBlobs
from frostbyte.data_plane.lifecycle.exported import AHEAD, PART, SMALL, Shelf, Wanted, of_document
from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.records import DocumentRow, State

DOC = UUID(int=1)
ROW = DocumentRow(
    doc_id=DOC,
    incarnation=0,
    state=State.INDEXED,
    mime="text/plain",
    size=1,
    received_at=datetime(2026, 1, 1, tzinfo=UTC),
    raw_object="raw/x",
    key_object="keys/x.0",
    sealed_name=b"",
    config_version=0,
    generation="a" * 16,
    active_generation="a" * 16,
)


def needed(row: DocumentRow) -> set[str]:
    return {item.name.rpartition(".")[2] for item in of_document(row) if item.needed}


def test_a_document_needs_its_file_and_what_answers_are_made_of() -> None:
    assert needed(ROW) == {"raw/x", "document", "cleared", "view", "chunks", "vectors"}
    assert {item.name.rpartition(".")[2] for item in of_document(ROW)} - needed(ROW) == {"released"}
    assert all("keys/" not in item.name for item in of_document(ROW))


def test_what_a_stage_under_way_has_left_is_taken_as_far_as_it_is_there() -> None:
    fresh = replace(ROW, state=State.WAITING, active_generation="")
    assert needed(fresh) == {"raw/x"}
    assert len(of_document(fresh)) == 7
    again = replace(ROW, generation="b" * 16)
    assert {item.name for item in of_document(again) if item.needed} == {
        item.name for item in of_document(ROW) if item.needed
    }
    assert len(of_document(again)) == 13
    assert len(of_document(replace(fresh, generation=""))) == 1


class Counting(MemoryBlobs):
    """How many reads were made, and the longest answer."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = 0
        self.longest = 0
        self._lock = threading.Lock()

    def head(self, name: str, length: int) -> tuple[bytes, int]:
        with self._lock:
            self.begun += 1
        data, size = super().head(name, length)
        self.longest = max(self.longest, len(data))
        return data, size

    def get_range(self, name: str, start: int, length: int) -> bytes:
        data = super().get_range(name, start, length)
        self.longest = max(self.longest, len(data))
        return data


def test_objects_come_in_their_order_and_little_is_read_ahead() -> None:
    blobs = Counting()
    wanted = [Wanted(f"raw/{number}", DOC) for number in range(100)]
    for item in wanted[::2]:
        blobs.put(item.name, item.name.encode())
    with Shelf(blobs) as shelf:
        for number, (item, read) in enumerate(shelf.read(iter(wanted))):
            assert item == wanted[number]
            assert (read is None) == bool(number % 2)
            assert read is None or b"".join(shelf.blocks(read, [])) == item.name.encode()
            assert blobs.begun <= number + AHEAD + 1
    assert blobs.begun == 100


def test_a_large_object_is_never_at_hand_as_a_whole() -> None:
    blobs, void = Counting(), list[Wanted]()
    data = bytes(range(256)) * (3 * PART // 256) + b"end"
    blobs.put("raw/large", data)
    with Shelf(blobs) as shelf:
        ((_, read),) = shelf.read([Wanted("raw/large", DOC)])
        assert read is not None
        assert b"".join(shelf.blocks(read, void)) == data
    assert blobs.longest <= max(SMALL, PART)
    assert void == []


def test_what_is_taken_away_while_it_is_read_has_its_length_in_zeros_and_is_void() -> None:
    blobs, void = Counting(), list[Wanted]()
    item = Wanted("raw/large", DOC)
    blobs.put(item.name, b"x" * (2 * PART + 7))
    with Shelf(blobs) as shelf:
        ((_, read),) = shelf.read([item])
        assert read is not None
        parts = []
        for block in shelf.blocks(read, void):
            parts.append(block)
            blobs.delete(item.name)
    taken = b"".join(parts)
    assert len(taken) == 2 * PART + 7
    assert taken.strip(b"\0") == b"x" * SMALL
    assert void == [item]


def test_a_store_that_is_away_ends_the_export() -> None:
    class Away(MemoryBlobs):
        def head(self, name: str, length: int) -> Any:
            raise Unavailable("objects_unavailable", "Away.", "Wait.")

    with Shelf(Away()) as shelf, pytest.raises(Unavailable):
        list(shelf.read([Wanted("raw/x", DOC)]))
