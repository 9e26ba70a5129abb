"""Errors as RFC 9457 problem documents: a stable code, a sentence, a remedy, the request's id. Never content."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from frostbyte.kernel.errors import FrostbyteError, Kind
from frostbyte.kernel.limits import TooMany
from frostbyte.kernel.logging import where

STATUS: Final = {
    Kind.INVALID: 422,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.NOT_FOUND: 404,
    Kind.CONFLICT: 409,
    Kind.TOO_LARGE: 413,
    Kind.RATE_LIMITED: 429,
    Kind.GONE: 410,
    Kind.UNAVAILABLE: 503,
    Kind.INTERNAL: 500,
}
_RETRY_SECONDS: Final = "5"
_log = structlog.get_logger("frostbyte.api")


class Refused(FrostbyteError):
    """An error that HTTP has a closer answer to than the status of its kind, or one that says more than a sentence.

    Args:
        error: what a person reads.
        status: of the answer.
        more: members of the document beside those of every problem; no content.
    """

    def __init__(self, error: FrostbyteError, *, status: int, more: Mapping[str, Any] | None = None) -> None:
        super().__init__(error.code, error.message, error.remedy, kind=error.kind)
        self.status = status
        self.more = dict(more or {})


class Problem(JSONResponse):
    """An application/problem+json answer."""

    media_type = "application/problem+json"


PageOf = Callable[[Request, dict[str, Any]], Response | None]
"""Makes a page out of a problem document, where a person's browser asked for one."""


def problem(
    request: Request, status: int, code: str, detail: str, remedy: str = "", more: Mapping[str, Any] | None = None
) -> Response:
    """The document for one error; `more` are members beside those of every document (RFC 9457, section 3.2).

    Where the application has pages and one of them was asked for, it is a page that says the same.
    """
    request.state.problem = code  # for the log and the metrics
    body = dict(more or {}) | {
        "type": f"urn:frostbyte:error:{code}",
        "title": code.replace("_", " "),
        "status": status,
        "code": code,
        "detail": detail,
        "remedy": remedy,
        "request_id": _id(request),
    }
    headers: dict[str, str] = {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if status == 503:
        headers["Retry-After"] = _RETRY_SECONDS
    application = request.scope.get("app")
    page_of: PageOf | None = None if application is None else getattr(application.state, "problem_page", None)
    page = None if page_of is None else page_of(request, body)
    if page is None:
        return Problem(body, status_code=status, headers=headers)
    page.headers.update(headers)
    return page


def _id(request: Request) -> str:
    return str(getattr(request.state, "request_id", ""))


def known(request: Request, error: FrostbyteError) -> Response:
    """The answer to an error of ours, for whoever answers outside of the application."""
    status = error.status if isinstance(error, Refused) else STATUS[error.kind]
    if status >= 500:
        _log.warning("request_failed", code=error.code, status=status, request_id=_id(request))
    more = error.more if isinstance(error, Refused) else None
    answer = problem(request, status, error.code, error.message, error.remedy, more)
    if isinstance(error, TooMany):
        answer.headers["Retry-After"] = str(error.retry_after)
    return answer


async def _known(request: Request, error: Exception) -> Response:
    assert isinstance(error, FrostbyteError)
    return known(request, error)


async def _unreadable(request: Request, error: Exception) -> Response:
    """FastAPI's own check failed. What was sent is not repeated, not even its names: they may be content."""
    assert isinstance(error, RequestValidationError)
    places = sorted({_place(item) for item in error.errors()})
    detail = f"The request is not as this route expects it: {', '.join(places)[:200]}."
    return problem(request, 422, "request_invalid", detail, "Compare it with /docs.")


def _place(item: dict[str, Any]) -> str:
    """Where it is wrong, in words of ours: names that a sender made up are left out."""
    unknown = item["type"] == "extra_forbidden"
    known = ".".join(part for part in item["loc"][: 1 if unknown else 3] if isinstance(part, str))
    return f"{known} has a field that is not known" if unknown else known


_HTTP: Final = {
    404: ("route_not_found", "There is no such route.", "See /docs."),
    405: ("method_not_allowed", "This route does not do that.", "See /docs."),
    411: ("length_required", "The body does not say how long it is.", "Send Content-Length."),
    413: ("body_too_large", "The body is too large.", "Send at most 1 MiB of JSON."),
}


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code in _HTTP:
        answer = refusal(request, error.status_code)
    else:
        answer = problem(request, 422, "request_invalid", "The request cannot be read.", "Compare it with /docs.")
    answer.headers.update(error.headers or {})
    return answer


def refusal(request: Request, status: int) -> Response:
    """The answer that HTTP's own rules ask for: one of 404, 405, 411, 413."""
    return problem(request, status, *_HTTP[status])


def unforeseen(request: Request, error: Exception) -> Response:
    """The answer to an error that nobody foresaw; its text is not logged, because it may quote content."""
    _log.error("internal_error", error=type(error).__name__, where=where(error), request_id=_id(request))
    return problem(request, 500, "internal_error", "Something unforeseen happened.", "Report it with the request id.")


def install(app: FastAPI) -> None:
    """Make every foreseen error of the application a problem document; observing.py answers the others."""
    app.add_exception_handler(FrostbyteError, _known)
    app.add_exception_handler(RequestValidationError, _unreadable)
    app.add_exception_handler(HTTPException, _http)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's description of the problem documents that a route answers with."""
    names = ("type", "title", "code", "detail", "remedy", "request_id")
    schema = {
        "type": "object",
        "required": [*names, "status"],
        "properties": {name: {"type": "string"} for name in names} | {"status": {"type": "integer"}},
    }
    content = {"application/problem+json": {"schema": schema}}
    return {status: {"description": "A problem document", "content": content} for status in statuses}
