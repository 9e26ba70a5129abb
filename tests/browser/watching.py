"""A page that is watched: what its browser complains of, and whom it would speak to, is a finding of every test."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, Request

from servers.lanes import built, program

NARROW: Final = (375, 812)
USUAL: Final = (1280, 900)
WIDE: Final = (2560, 1440)
"""A telephone, a notebook, a large screen: width and height in CSS pixels."""
ALONE: Final = (
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE *.localhost",
    "--disable-component-update",
)
"""Flags with which a browser finds nothing but this machine."""
RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
"""What axe looks for: WCAG 2.2 to level AA, and what its makers advise."""
GRAVE: Final = {"serious", "critical"}


def started(playwright: Playwright) -> Browser:
    """Debian's Chromium, without a window. As root it has no sandbox; it loads nothing but pages of ours."""
    return playwright.chromium.launch(executable_path=program("chromium"), args=list(ALONE), chromium_sandbox=False)


@dataclass
class Watch:
    """What was found in the pages of one context.

    Args:
        url: whose pages they are, and whom alone they may speak to.
        others: more servers that the test visits in the same browser.
        forgiven: parts of complaints that the test provokes, such as `status of 503`.
    """

    url: str
    forgiven: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    found: list[str] = field(default_factory=list)

    def over(self, context: BrowserContext) -> None:
        """Watch every page of it, also those that open later."""
        context.on("console", self._said)
        context.on("weberror", lambda error: self.found.append(f"script failed: {error.error}"))
        context.on("request", self._asked)

    @property
    def _known(self) -> set[str]:
        return {urlsplit(url).netloc for url in (self.url, *self.others)}

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(part in message.text for part in self.forgiven):
            self.found.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc not in self._known:
            self.found.append(f"asked somebody else: {request.url}")


def opened(
    browser: Browser,
    watch: Watch,
    cookies: Iterable[dict[str, Any]] = (),
    *,
    size: tuple[int, int] = USUAL,
    theme: str = "light",
    script: bool = True,
    **more: Any,
) -> Page:
    """A page in a context of its own, with nothing loaded yet; relative addresses are the watched server's.

    Args:
        size: width and height in CSS pixels.
        theme: `light` or `dark`.
        script: whether scripts run.
        more: as `Browser.new_context` takes it.
    """
    context = browser.new_context(
        base_url=watch.url,
        ignore_https_errors=watch.url.startswith("https"),  # the edge's authority is its own
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
        java_script_enabled=script,
        locale="en-GB",
        timezone_id="UTC",
        **more,
    )
    context.set_default_timeout(15_000)
    watch.over(context)
    context.add_cookies(list(cookies))  # type: ignore[arg-type]
    return context.new_page()


def grave(page: Page) -> list[str]:
    """What axe finds serious or critical in the page as it stands: rule, why, and where."""
    script = built("axe")
    assert script is not None
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(Path(script).read_text(encoding="utf-8"))
    found = page.evaluate(
        "rules => axe.run(document, {runOnly: {type: 'tag', values: rules}, resultTypes: ['violations']})", RULES
    )
    return [
        f"{one['id']} ({one['impact']}): {one['help']}: {node['target']} {node['html'][:160]}"
        for one in found["violations"]
        if one["impact"] in GRAVE
        for node in one["nodes"]
    ]


def too_wide(page: Page) -> list[str]:
    """What makes the page itself scroll sideways; a table may do so in a box of its own."""
    return page.evaluate(  # type: ignore[no-any-return]
        """() => document.documentElement.scrollWidth <= window.innerWidth ? [] :
        [...document.querySelectorAll('body *')]
            .filter(one => Math.max(one.getBoundingClientRect().right, one.scrollWidth) > window.innerWidth + 1)
            .slice(-5).map(one => one.outerHTML.slice(0, 120))"""
    )


Opener = Callable[..., Page]
"""`page_of(role, path="/console/", server=..., forgiven=(...), size=..., theme=...)`; see conftest.py."""
