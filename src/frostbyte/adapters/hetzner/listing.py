"""Whole lists: every page of one, several at once. A part is never given for the whole: what is not seen would be taken
for gone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, TypeVar

from frostbyte.adapters.hetzner.calls import Calls
from frostbyte.adapters.hetzner.errors import odd_reply

PAGE: Final = 50
"""Resources in a reply: the longest page of the API."""
_PAGES: Final = 2000
"""More are not read: 100,000 resources are more than a project can hold."""
_AT_ONCE: Final = 8
_READINGS: Final = 3
"""Of a list that changes while it is read: what moves from one page to another may be missed."""
_T = TypeVar("_T")


def together(work: Iterable[Callable[[], _T]]) -> list[_T]:
    """Do all at once and give what came of each, in order; raises what the first of them raised."""
    todo = list(work)
    if len(todo) < 2:
        return [one() for one in todo]
    with ThreadPoolExecutor(min(len(todo), _AT_ONCE), thread_name_prefix="hetzner") as threads:
        return [one.result() for one in [threads.submit(each) for each in todo]]


def pages(calls: Calls, path: str, many: str, given: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """Everything of a list; the pages after the first one are read at once.

    Args:
        many: the list's key in the reply.

    Raises:
        CloudError: for a reply of another form, among others.
    """

    def read(page: int) -> tuple[list[dict[str, Any]], int, int]:
        reply = calls.ask("GET", path, params={**(given or {}), "page": page, "per_page": PAGE})
        try:
            told = reply["meta"]["pagination"]
            return list(reply[many]), int(told["last_page"] or page), int(told["total_entries"])
        except (KeyError, TypeError, ValueError):
            raise odd_reply(f"{many} with pagination") from None

    items: list[dict[str, Any]] = []
    for _ in range(_READINGS):
        items, last, total = read(1)
        if last > _PAGES:
            raise odd_reply(f"end of {many}")
        rest = together(partial(read, page) for page in range(2, last + 1))
        items += [item for some, _, _ in rest for item in some]
        if all(each == total for _, _, each in rest):
            break
    return items
