"""How long a plane's pages take at the server when it has 10,000 documents, and until a browser has painted them.

    python -m bench.console.pages [--documents 10000]

A plane on embedded stores, filled as bench.backup.plane fills it: copies of one small text, in one upload, each with
keys, sealed objects, rows and events of its own. It is served by its own application through uvicorn on loopback. The
pages are those that an administrator finds by following links from the first one, one of each kind, and a passage's.

* `page at the server`: from the request to the last byte of the page, over a connection that stands; the median of the
  rounds after a first one, for the slowest page. What is timed is everything that the server does for it.
* `acceptance report of that upload`: the same for the page that sums all of its files' accounts.
* `a page, first time`: the very first request of each page, for the slowest page.
* `first paint in a browser`: first-contentful-paint as Debian's Chromium measures it, with styles and scripts from its
  cache, for the slowest page; left out where there is no Chromium.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final

import httpx
import uvicorn

from bench.backup.plane import filled
from bench.table import Line, show
from frostbyte.api.data.app import create_app
from frostbyte.bootstrap.data import Plane
from frostbyte.data_plane.serve.search import Filters, Mode
from frostbyte.kernel import logging

TARGET_MS: Final = 300.0
REPORT: Final = "/console/batches/{}/report"
ROUNDS: Final = 9
_CHROMIUM: Final = "chromium"


class Links(HTMLParser):
    """The addresses of a page's links within the console."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note where a link leads."""
        given = dict(attrs)
        to = (given.get("href") or "").split("#")[0].split("?")[0]
        if tag == "a" and to.startswith("/console") and "download" not in given:
            self.found.append(to)


def kind_of(path: str) -> str:
    """An address without the ids in it."""
    return "/".join("{}" if any(sign.isdigit() for sign in part) else part for part in path.split("/"))


@contextmanager
def served(plane: Plane) -> Iterator[httpx.Client]:
    """The plane's application on loopback, and an administrator's client of it."""
    application: Any = create_app(plane)
    server = uvicorn.Server(uvicorn.Config(application, port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    cookies = {f"frostbyte-{plane.settings.tenant_id}": plane.sessions.begin("bench", "admin")}
    try:
        with httpx.Client(base_url=address, cookies=cookies, timeout=60, trust_env=False) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


def timed(client: httpx.Client, path: str) -> tuple[float, httpx.Response]:
    """Milliseconds of one request, and its answer."""
    begin = time.perf_counter()
    answer = client.get(path)
    return (time.perf_counter() - begin) * 1000, answer


def visited(client: httpx.Client, beside: list[str]) -> dict[str, tuple[str, float]]:
    """By kind of page: where one is, and the milliseconds of its very first request."""
    waiting, found = ["/console/", *beside], dict[str, tuple[str, float]]()
    while waiting:
        path = waiting.pop(0)
        if kind_of(path) in found:
            continue
        took, answer = timed(client, path)
        if answer.headers.get("content-type", "").startswith("text/html") and answer.status_code == 200:
            found[kind_of(path)] = (path, took)
            waiting += Links(answer.text).found
    return found


def painted(client: httpx.Client, paths: list[str]) -> dict[str, float]:
    """Milliseconds until a browser has painted each page; {} where there is none."""
    program = shutil.which(_CHROMIUM)
    if program is None:
        return {}
    from playwright.sync_api import sync_playwright

    found: dict[str, float] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-proxy-server"], chromium_sandbox=False
        )
        page = browser.new_page(base_url=str(client.base_url))
        page.context.add_cookies(
            [{"name": name, "value": value, "url": str(client.base_url)} for name, value in client.cookies.items()]
        )
        for round_ in range(2):  # the first fills the cache with styles and scripts
            for path in paths:
                page.goto(path)
                page.wait_for_function("() => performance.getEntriesByName('first-contentful-paint').length")
                if round_:
                    asked = "() => performance.getEntriesByName('first-contentful-paint')[0].startTime"
                    found[path] = page.evaluate(asked)
        browser.close()
    return found


def measure(documents: int) -> list[Line]:
    """The lines of the table."""
    logging.configure(level="error", tenant="bench")
    folder = Path(tempfile.mkdtemp(prefix="frostbyte-bench-"))
    try:
        with filled(folder, documents) as plane, served(plane) as client:
            asked = plane.answers.answer("heliotrope", top_k=1, filters=Filters(), mode=Mode.LEXICAL, actor="bench")
            pages = visited(client, [f"/console/passages/{asked['results'][0]['chunk_id']}"])
            warm = {
                kind: statistics.median(timed(client, path)[0] for _ in range(ROUNDS))
                for kind, (path, _) in pages.items()
            }
            paint = painted(client, [path for path, _ in pages.values()])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    slowest, first = max(warm, key=warm.__getitem__), max(pages, key=lambda kind: pages[kind][1])
    note = f"{len(pages)} pages, {documents:,} documents"
    return [
        _line("page of the console at the server, slowest", warm[slowest], f"{note}; {slowest}"),
        _line("acceptance report of that upload, at the server", warm[REPORT], f"one upload of {documents:,} files"),
        _line("a page, first time", pages[first][1], first),
        *(
            [_line("first paint in Chromium, slowest", max(paint.values()), max(paint, key=paint.__getitem__))]
            if paint
            else []
        ),
    ]


def _line(measure: str, ours: float, note: str) -> Line:
    return Line(measure=measure, ours=ours, unit="ms", target="<= 300", met=ours <= TARGET_MS, note=note)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=10_000)
    show(measure(parser.parse_args().documents))


if __name__ == "__main__":
    main()
