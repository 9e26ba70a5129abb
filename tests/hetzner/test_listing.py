"""A list is read whole, also while it changes, or not at all."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from frostbyte.adapters.hetzner.calls import Reply
from frostbyte.adapters.hetzner.listing import PAGE, pages, together
from frostbyte.adapters.hetzner.pace import Pace
from frostbyte.control_plane.provisioning.ports import CloudError


class Shelf:
    """A list of so many things, of which one goes at a request."""

    def __init__(self, count: int, goes_at: int = 0) -> None:
        self.items = list(range(count))
        self.goes_at = goes_at
        self.pace, self.requests = Pace(), 0
        self.odd: Any = None
        self._lock = threading.Lock()

    def ask(self, method: str, path: str, *, params: Any = None, body: Any = None) -> Reply:
        with self._lock:
            self.requests += 1
            if self.odd is not None and self.requests > 1:
                return dict(self.odd)
            if self.requests == self.goes_at:
                self.items.pop(0)
            page, last = params["page"], max(1, -(-len(self.items) // PAGE))
            shown = [{"id": one} for one in self.items[(page - 1) * PAGE : page * PAGE]]
            told = {"last_page": last, "total_entries": len(self.items), "next_page": page + 1 if page < last else None}
            return {"things": shown, "meta": {"pagination": told}}


@pytest.mark.parametrize(("count", "requests"), [(0, 1), (50, 1), (51, 2), (1016, 21)])
def test_every_page_is_read_once(count: int, requests: int) -> None:
    shelf = Shelf(count)
    assert [one["id"] for one in pages(shelf, "/things", "things")] == list(range(count))
    assert shelf.requests == requests


def test_a_list_that_changes_is_read_again() -> None:
    shelf = Shelf(120, goes_at=2)
    assert [one["id"] for one in pages(shelf, "/things", "things")] == list(range(1, 120)), "none was missed"


@pytest.mark.parametrize("odd", [{}, {"things": []}, {"things": [], "meta": {}}, {"things": [], "meta": None}])
def test_a_part_is_never_given_for_the_whole(odd: dict[str, Any]) -> None:
    shelf = Shelf(120)
    shelf.odd = odd
    with pytest.raises(CloudError) as caught:
        pages(shelf, "/things", "things")
    assert caught.value.code == "cloud_server_error"


def test_what_one_of_many_raises_is_raised() -> None:
    def fails() -> int:
        raise CloudError("cloud_refused", "No.")

    assert together([lambda: 1, lambda: 2]) == [1, 2]
    assert together([]) == []
    with pytest.raises(CloudError):
        together([lambda: 1, fails, lambda: 2])
