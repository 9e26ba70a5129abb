"""Errors as RFC 9457 problem documents: a stable code, a sentence, a remedy, the request's id. Never content."""

from __future__ import annotations

from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from frostbyte.kernel.errors import FrostbyteError, Kind

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


class Problem(JSONResponse):
    """An application/problem+json answer."""

    media_type = "application/problem+json"


def problem(request: Request, status: int, code: str, detail: str, remedy: str = "") -> Problem:
    """The document for one error."""
    body = {
        "type": f"urn:frostbyte:error:{code}",
        "title": code.replace("_", " "),
        "status": status,
        "code": code,
        "detail": detail,
        "remedy": remedy,
        "request_id": getattr(request.state, "request_id", ""),
    }
    headers: dict[str, str] = {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if status == 503:
        headers["Retry-After"] = _RETRY_SECONDS
    return Problem(body, status_code=status, headers=headers)


async def _known(request: Request, error: Exception) -> Problem:
    assert isinstance(error, FrostbyteError)
    status = STATUS[error.kind]
    if status >= 500:
        _log.warning("request_failed", code=error.code, status=status)
    answer = problem(request, status, error.code, error.message, error.remedy)
    if isinstance(error, TooMany):
        answer.headers["Retry-After"] = str(error.retry_after)
    return answer


async def _unreadable(request: Request, error: Exception) -> Problem:
    """FastAPI's own check failed. What was sent is not repeated: it may be content."""
    assert isinstance(error, RequestValidationError)
    places = sorted({".".join(str(part) for part in item["loc"][:3]) for item in error.errors()})
    named = ", ".join(place for place in places if place.replace(".", "").replace("_", "").isalnum())[:200]
    detail = f"The request is not as this route expects it: {named}." if named else "The request cannot be read."
    return problem(request, 422, "request_invalid", detail, "Compare it with /openapi.json.")


async def _http(request: Request, error: Exception) -> Problem:
    assert isinstance(error, HTTPException)
    codes = {404: "route_not_found", 405: "method_not_allowed", 413: "body_too_large"}
    code = codes.get(error.status_code, "request_invalid")
    if code == "request_invalid":
        answer = problem(request, 422, code, "The request cannot be read.", "Compare it with /openapi.json.")
    else:
        answer = problem(
            request, error.status_code, code, "This route does not exist or does not do that.", "See /docs."
        )
    answer.headers.update(error.headers or {})
    return answer


def unforeseen(request: Request, error: Exception) -> Problem:
    """The answer to an error that nobody foresaw; its text is not logged, because it may quote content."""
    _log.error("internal_error", error=type(error).__name__, request_id=getattr(request.state, "request_id", ""))
    return problem(request, 500, "internal_error", "Something unforeseen happened.", "Report it with the request id.")


class TooMany(FrostbyteError):
    """Too many requests in a minute."""

    kind = Kind.RATE_LIMITED

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            "rate_limited", "The tenant's limit of requests a minute is reached.", f"Wait {retry_after} seconds."
        )
        self.retry_after = retry_after


def install(app: FastAPI) -> None:
    """Make every error of the application a problem document."""
    app.add_exception_handler(FrostbyteError, _known)
    app.add_exception_handler(RequestValidationError, _unreadable)
    app.add_exception_handler(HTTPException, _http)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's description of the problem documents that a route answers with."""
    schema = {"type": "object", "properties": {"code": {"type": "string"}, "detail": {"type": "string"}}}
    content = {"application/problem+json": {"schema": schema}}
    return {status: {"description": "A problem document", "content": content} for status in statuses}
