"""The harness finds what it is there for: complaints, strangers, what axe finds grave, and pages that are too wide."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

import pytest
from playwright.sync_api import Browser

from browser.watching import NARROW, Watch, grave, opened, too_wide
from frostbyte.console.policy import POLICY
from servers.lanes import need

PAGES: Final = {
    "/good": "<h1>Well</h1><p>Nothing to say.</p>",
    "/style": '<h1>Inline</h1><p style="color:red">style</p>',
    "/script": "<h1>Inline</h1><script>document.title = 'changed'</script>",
    "/stranger": '<h1>Elsewhere</h1><img alt="" src="http://example.com/picture.png">',
    "/missing": '<h1>Missing</h1><img alt="" src="/none.png">',
    "/unlabelled": "<h1>A field without a label</h1><input name=text>",
    "/wide": "<h1>Wide</h1><p>" + "w" * 400 + "</p>",
}


class Handler(BaseHTTPRequestHandler):
    """Pages under the console's own policy."""

    def do_GET(self) -> None:
        body = PAGES.get(self.path)
        self.send_response(200 if body else 204 if self.path == "/favicon.ico" else 404)
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        whole = f"<!doctype html><html lang=en><title>Page</title><main>{body}</main></html>" if body else ""
        self.wfile.write(whole.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def found(chromium: Browser, url: str, path: str) -> list[str]:
    watch = Watch(url)
    page = opened(chromium, watch)
    page.goto(path, wait_until="load")
    assert page.title() == "Page"  # a script that ran would have changed it
    page.context.close()
    return watch.found


def test_a_good_page_gives_no_cause(chromium: Browser, url: str) -> None:
    assert found(chromium, url, "/good") == []


@pytest.mark.parametrize(
    ("path", "complaint"),
    [("/style", "inline style"), ("/script", "inline script"), ("/missing", "404"), ("/stranger", "somebody else")],
)
def test_what_a_browser_complains_of_is_found(chromium: Browser, url: str, path: str, complaint: str) -> None:
    assert any(complaint in line for line in found(chromium, url, path)), path


def test_what_a_test_provokes_is_forgiven(chromium: Browser, url: str) -> None:
    watch = Watch(url, forgiven=("status of 404",))
    opened(chromium, watch).goto("/missing", wait_until="load")
    assert watch.found == []


def test_axe_sees_a_field_without_a_label_under_the_policy(chromium: Browser, url: str) -> None:
    need("axe")
    page = opened(chromium, Watch(url))
    page.goto("/good")
    assert grave(page) == []
    page.goto("/unlabelled")
    assert any("label" in line for line in grave(page))


def test_a_page_that_scrolls_sideways_is_seen(chromium: Browser, url: str) -> None:
    page = opened(chromium, Watch(url), size=NARROW)
    page.goto("/good")
    assert too_wide(page) == []
    page.goto("/wide")
    assert too_wide(page)
