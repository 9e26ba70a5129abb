"""A walk through a console: every page that a person finds by following links from the first one."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Final

from playwright.sync_api import Page

LINKS: Final = """() => [...document.querySelectorAll('a[href]')]
    .filter(one => !one.hasAttribute('download') && !one.target).map(one => one.href)"""
_ID: Final = re.compile(r"/(?=[^/]*\d)[0-9A-Za-z_.-]{8,}(?=/|$)|/\d+(?=/|$)")


def kind_of(path: str) -> str:
    """An address with its ids taken out: /console/documents/{} for whichever document."""
    return _ID.sub("/{}", path)


def walked(
    page: Page, start: str = "/console/", *, beside: Iterable[str] = (), leave: Iterable[str] = ()
) -> Iterator[tuple[str, int]]:
    """Go to one page of each kind; yields each kind, and the status it answered, when the page stands there.

    Args:
        page: of somebody who signed in.
        start: where the walk begins.
        beside: addresses that no link leads to, such as the page of an answer.
        leave: kinds that are not gone to.
    """
    host = page.evaluate("() => location.origin") if page.url.startswith("http") else ""
    waiting, known = deque([start, *beside]), {*map(kind_of, (start, *beside)), *leave}
    while waiting:
        path = waiting.popleft()
        answer = page.goto(path)
        assert answer is not None
        if not answer.headers.get("content-type", "").startswith("text/html"):
            continue
        host = host or page.evaluate("() => location.origin")
        yield kind_of(path), answer.status
        for link in page.evaluate(LINKS):
            to = link.removeprefix(host).split("#")[0].split("?")[0]
            if to.startswith("/console") and not to.startswith("/console/assets") and kind_of(to) not in known:
                known.add(kind_of(to))
                waiting.append(to)


def pages_of(routers: Iterable[Any]) -> set[str]:
    """The kinds of all addresses under /console that a router answers to GET."""
    return {
        re.sub(r"\{[^}]*\}", "{}", route.path)
        for router in routers
        for route in router.routes
        if "GET" in route.methods
    }
