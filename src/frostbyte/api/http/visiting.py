"""Sessions over HTTP: the cookie, and what keeps another site from using it.

The cookie is HttpOnly, so no script reads it; SameSite=Lax, so another site's form or script does not send it; and
named `__Host-` over TLS, so that no neighbouring host or path can set one (RFC 6265bis, section 4.1.3). A request that
changes something besides has to come from a page of ours and to say what only that page knows.
"""

from __future__ import annotations

import secrets
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from frostbyte.kernel.accounts.sessions import Sessions, Visit
from frostbyte.kernel.errors import Forbidden, Unauthenticated
from frostbyte.kernel.tokens import Caller

CSRF_HEADER: Final = "x-frostbyte-csrf"
"""Where scripts send what forms send as `csrf`."""
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")


def secure(request: Request) -> bool:
    """Whether the browser came over TLS, here or at the edge. Who lies about it only makes the own cookie stricter."""
    return request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https"


def cookie_name(request: Request, place: str) -> str:
    """The session cookie's name: with the tenant in it, because a browser does not tell ports of one host apart."""
    return f"{'__Host-' if secure(request) else ''}frostbyte-{place}"


def cookie_of(request: Request, place: str) -> str | None:
    """The session cookie that was sent."""
    return request.cookies.get(cookie_name(request, place))


def keep(response: Response, request: Request, place: str, cookie: str) -> None:
    """Have the browser keep a session until it closes; how long a session lives, the server says."""
    response.set_cookie(
        cookie_name(request, place), cookie, path="/", secure=secure(request), httponly=True, samesite="lax"
    )


def forget(response: Response, request: Request, place: str) -> None:
    """Have the browser forget the session."""
    response.delete_cookie(cookie_name(request, place), path="/", secure=secure(request), httponly=True, samesite="lax")


def renew(request: Request, place: str, cookie: str) -> None:
    """Have whatever answers this request carry a newer cookie (see Renewing)."""
    kept = Response()
    keep(kept, request, place, cookie)
    request.state.renewed = kept.headers["set-cookie"]


def visit_at(request: Request, place: str, sessions: Sessions) -> Visit | None:
    """The visit that the session's cookie proves; None without one. A cookie that grows old is replaced.

    Args:
        request: may have a cookie.
        place: the tenant or the environment.
        sessions: of this server.

    Raises:
        Unauthenticated: what `Sessions.visit` raises.
    """
    cookie = cookie_of(request, place)
    if cookie is None:
        return None
    visit = sessions.visit(cookie)
    if (newer := sessions.renewed(cookie)) is not None:
        renew(request, place, newer)
    return visit


def signed_in(visit: Visit | None) -> Visit:
    """The visit. Raises Unauthenticated("session_missing")."""
    if visit is None:
        raise Unauthenticated("session_missing", "You are not signed in.", "Sign in.")
    return visit


def asked_by_script(request: Request, visit: Visit) -> Caller:
    """Who asks the API with a session alone. Raises Forbidden("request_forged"), see check_posted."""
    if request.method not in SAFE:
        check_posted(request, visit, request.headers.get(CSRF_HEADER, ""))
    return visit.caller


async def meant(request: Request, visit: Visit) -> Visit:
    """A visit that, where it changes something, comes from a page of its own. Raises Forbidden("request_forged")."""
    if request.method not in SAFE:
        check_posted(request, visit, await posted_csrf(request))
    return visit


def from_here(headers: Headers) -> bool:
    """Whether a page of this very origin sent it, as browsers say (Fetch Metadata; RFC 6454, section 7)."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc == headers.get("host")


def check_posted(request: Request, visit: Visit, said: str) -> None:
    """See that a request that changes something was meant by who signed in.

    Args:
        request: with a session's cookie.
        visit: of that session.
        said: its `csrf`, from the form or the header.

    Raises:
        Forbidden: `request_forged`.
    """
    if not from_here(request.headers) or not secrets.compare_digest(said.encode(), visit.csrf.encode()):
        raise _forged()


def check_from_here(request: Request) -> None:
    """See that a form was sent by a page of this server, where nobody is signed in yet: no other site may sign anybody
    in as somebody else. Raises Forbidden("request_forged")."""
    if not from_here(request.headers):
        raise _forged()


def _forged() -> Forbidden:
    return Forbidden(
        "request_forged",
        "This request does not come from a page of your session.",
        "Open the page again and repeat what you did; nothing was changed.",
    )


async def posted_csrf(request: Request) -> str:
    """What a request says as its `csrf`: in the header, or as a field of its form."""
    if (told := request.headers.get(CSRF_HEADER)) is not None:
        return told
    if request.headers.get("content-type", "").startswith(_FORMS):
        value = (await request.form()).get("csrf", "")
        return value if isinstance(value, str) else ""
    return ""


class Renewing:
    """Puts a newer session cookie on the answer to a request that found its own to be old."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def passed(message: Message) -> None:
            if message["type"] == "http.response.start" and (cookie := scope.get("state", {}).get("renewed")):
                headers = MutableHeaders(scope=message)
                if "set-cookie" not in headers:  # signing out says the last word
                    headers.append("set-cookie", cookie)
            await send(message)

        await self._app(scope, receive, passed)
