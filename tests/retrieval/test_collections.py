"""Two collections in a process that leaves beginning and switching to another one."""

from __future__ import annotations

from frostbyte.adapters.collections import TwoCollections
from frostbyte.adapters.memory.vectors import MemoryVectors
from frostbyte.kernel.ports.vectors import CollectionSpec

SPEC = CollectionSpec(model="m", version="1", dimensions=2, window=256)


class Shelf:
    """Collections by name, as a server keeps them for every process."""

    def __init__(self) -> None:
        self.made: dict[str, MemoryVectors] = {}

    def open(self, name: str) -> MemoryVectors:
        return self.made.setdefault(name, MemoryVectors())

    def remove(self, name: str) -> None:
        raise AssertionError("only who switches removes")


def test_it_follows_what_the_database_says() -> None:
    shelf = Shelf()
    followed = TwoCollections(shelf.open, shelf.remove)
    followed.follow(("", ""))
    assert (followed.names, followed.building, followed.epoch) == (("", ""), False, 0)
    followed.follow(("", "next"))
    followed.ensure(SPEC)
    assert shelf.made["next"].spec == SPEC
    assert shelf.made[""].spec is None
    assert (followed.names, followed.building) == (("", "next"), True)
    followed.follow(("next", ""))
    assert (followed.names, followed.building, followed.epoch) == (("next", ""), False, 1)
    assert followed.spec == SPEC


def test_it_skips_what_it_slept_through() -> None:
    shelf = Shelf()
    followed = TwoCollections(shelf.open, shelf.remove)
    followed.follow(("", "first"))
    followed.follow(("second", "third"))
    assert followed.names == ("second", "third")
    followed.follow(("second", ""))
    assert followed.names == ("second", "")
    followed.ensure(SPEC)
    assert shelf.made["second"].spec == SPEC
