"""A browser and the servers that it visits. Everything in this folder is the lane `browser` (make browser).

A test asks for `page_of`; at its end, what the browsers complained of fails it, and so does a request to anybody else.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from browser.consoles import Console, ControlConsole, PlaneConsole
from browser.watching import Opener, Watch, opened, started
from servers.lanes import need

FOLDER = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder belong to the lane, whatever their modules say."""
    for item in items:
        if item.path.is_relative_to(FOLDER):
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for a module. It ends with it: other tests' event loops do not bear its driver's."""
    need("chromium")
    with sync_playwright() as playwright:
        browser = started(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def plane(servers_folder: Path) -> Iterator[PlaneConsole]:
    """An empty plane of the tenant `acme`."""
    with PlaneConsole(servers_folder) as server:
        yield server


@pytest.fixture(scope="module")
def control(servers_folder: Path) -> Iterator[ControlConsole]:
    """A control plane that knows nobody and has no cloud."""
    with ControlConsole(servers_folder) as server:
        yield server


@pytest.fixture
def page_of(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Opener]:
    """Opens pages as somebody: `page_of("reviewer", "/console/review")`.

    `page_of(role, path, server=None, forgiven=(), others=(), subject="", goto=True, **more)`: without a server it is
    `plane`; role "" is nobody; `forgiven` are parts of complaints that the test provokes, `others` addresses of more
    servers that it visits, `more` is for watching.opened. Each has a context of its own, as another person's browser.
    """
    watches: list[tuple[Watch, Page]] = []

    def open_(
        role: str,
        path: str = "/console/",
        *,
        server: Console | None = None,
        forgiven: tuple[str, ...] = (),
        others: tuple[str, ...] = (),
        subject: str = "",
        goto: bool = True,
        **more: Any,
    ) -> Page:
        visited = server or request.getfixturevalue("plane")
        watch = Watch(visited.url, forgiven, others)
        page = opened(chromium, watch, [visited.session(role, subject)] if role else [], **more)
        watches.append((watch, page))
        if goto:
            page.goto(path)
        return page

    yield open_
    for _, page in watches:
        page.context.close()
    found = [line for watch, _ in watches for line in watch.found]
    assert not found, "\n".join(found)


@pytest.fixture
def operator_page(page_of: Opener, control: ControlConsole) -> Opener:
    """The same at the control plane."""
    return lambda role, path="/console/", **more: page_of(role, path, server=control, **more)
