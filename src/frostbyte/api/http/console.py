"""What the consoles of a plane and of the control plane share: pages, their assets, and errors as pages."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from frostbyte.api.http.visiting import SAFE
from frostbyte.console import navigation, words
from frostbyte.console.assets import ASSETS, PREFIX, VERSION, asset_url
from frostbyte.console.policy import POLICY
from frostbyte.console.rendering import Shell, render
from frostbyte.kernel.accounts.sessions import Visit
from frostbyte.kernel.errors import NotFound

ROOT: Final = "/console"
SIGN_IN: Final = "/console/sign-in"
_HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
assets = APIRouter(include_in_schema=False)


@assets.get("/")
def root() -> Response:
    """Lead a person to the console."""
    return RedirectResponse(f"{ROOT}/", status_code=303)


@assets.get(ROOT)
def console() -> Response:
    """The same, without its stroke."""
    return RedirectResponse(f"{ROOT}/", status_code=303)


@assets.get(PREFIX + "{version}/{name:path}")
async def asset(version: str, name: str) -> Response:
    """A file that pages load; one of another version leads to this one's."""
    found = ASSETS.get(name)
    if found is None:
        raise NotFound("asset_not_found", "There is no such file.", "Open the page again.")
    if version != VERSION:
        return RedirectResponse(asset_url(name), status_code=307)
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(found.content, media_type=found.media_type, headers=headers)


def shell(request: Request, place: str, kind: str, visit: Visit | None, notices: tuple[str, ...] = ()) -> Shell:
    """What surrounds a page.

    Args:
        request: that asked for it.
        place: the tenant or the environment.
        kind: `plane` or `control`.
        visit: who signed in, if anybody.
        notices: warnings about the whole server.
    """
    entries = navigation.DATA if kind == "plane" else navigation.CONTROL
    path = request.url.path
    common: dict[str, Any] = {"place": place, "kind": kind, "path": path, "notices": notices}
    common["said"] = words.SAID.get(request.query_params.get("said", ""), "")
    if visit is None:
        return Shell(**common)
    return Shell(
        **common,
        entries=tuple(entry for entry in entries if entry.scopes & visit.caller.scopes),
        current=navigation.current(entries, path),
        person=visit.caller.subject,
        role=visit.role,
        csrf=visit.csrf,
    )


def shown(template: str, around: Shell, *, status: int = 200, **view: Any) -> HTMLResponse:
    """A page as an answer."""
    return HTMLResponse(render(template, around, **view), status_code=status, headers=_HEADERS)


def is_page(request: Request) -> bool:
    """Whether a person's browser asked for a page of the console."""
    path = request.url.path
    return (path == ROOT or path.startswith(f"{ROOT}/")) and not path.startswith(PREFIX)


def problem_page(request: Request, around: Shell, body: dict[str, Any]) -> Response:
    """The page for a problem document; who is not signed in is led to where that is done."""
    if body["status"] == 401 and request.method in SAFE and not request.url.path.startswith(SIGN_IN):
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"{SIGN_IN}?to={quote(request.url.path + query, safe='/')}", status_code=303)
    return shown("both/problem.html", around, status=body["status"], problem=body)
