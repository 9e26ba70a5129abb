"""The Model Context Protocol over HTTP ("Streamable HTTP"): one path, a message a request, the caller's own token.

Only programs on this machine are meant to reach it. A page in a browser is not one of them, also when a name that it
owns leads here: both `Host` and `Origin` have to be of the loopback.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from frostbyte.api.mcp.protocol import (
    HANDSHAKE,
    HEADER_MISMATCH,
    INVALID_REQUEST,
    PARSE_ERROR,
    STATELESS,
    UNNAMED,
    UNSUPPORTED_VERSION,
    Refused,
    Reply,
    Service,
    error,
    version_of,
)

PATH: Final = "/mcp"
LONGEST: Final = 1 << 20
"""Bytes of a message at most; the longest question has 8,000 characters."""
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_UNKNOWN: Final = {"WWW-Authenticate": 'Bearer realm="frostbyte"'}


def create_app(service: Service) -> Starlette:
    """The application for a service."""

    async def endpoint(request: Request) -> Response:
        message: Any = None
        try:
            token = _admitted(request)
            message = _decoded(await _body(request))
            _hold_to_headers(request, message)
        except Refused as refused:
            return _response(error(_id_of(message), refused))
        return _response(await run_in_threadpool(service.answer, message, token))

    return Starlette(routes=[Route(PATH, endpoint, methods=["POST"])])


def _response(reply: Reply) -> Response:
    headers = {"Cache-Control": "no-store"} | (_UNKNOWN if reply.status == 401 else {})
    if reply.message is None:
        return Response(status_code=reply.status, headers=headers)
    return JSONResponse(reply.message, reply.status, headers)


def _admitted(request: Request) -> str:
    """The caller's token. Raises Refused for what comes from elsewhere, brings none or speaks otherwise."""
    host, origin = _name("//" + request.headers.get("host", "")), request.headers.get("origin")
    if host not in LOOPBACK or (origin is not None and _name(origin) not in LOOPBACK):
        raise Refused(INVALID_REQUEST, "This server answers programs on its own machine alone.", 403)
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise Refused(INVALID_REQUEST, "Send 'Authorization: Bearer TOKEN' with a token or API key of the plane.", 401)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused(INVALID_REQUEST, "A message comes as application/json.", 415)
    accepted = request.headers.get("accept", "*/*").lower()
    if not any(kind in accepted for kind in ("application/json", "application/*", "*/*")):
        raise Refused(INVALID_REQUEST, "Answers come as application/json.", 406)
    return token.strip()


def _name(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


async def _body(request: Request) -> bytes:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LONGEST:
            raise Refused(INVALID_REQUEST, f"A message has at most {LONGEST} bytes.", 413)
    return body


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Refused(PARSE_ERROR, "The message is not JSON.", 400) from None


def _id_of(message: Any) -> Any:
    found = message.get("id") if isinstance(message, dict) else None
    return found if isinstance(found, str | int) else None


def _hold_to_headers(request: Request, message: Any) -> None:
    """What stands in headers is what stands in the message, so that nothing in between is told something else.

    Raises:
        Refused: the version is not spoken, or a header is missing or says otherwise.
    """
    told, named = request.headers.get("mcp-protocol-version"), version_of(message)
    if told is not None and told not in (*STATELESS, *HANDSHAKE):
        spoken = {"supported": [*STATELESS, *HANDSHAKE], "requested": told}
        raise Refused(UNSUPPORTED_VERSION, "This version of the protocol is not spoken here.", 400, spoken)
    if isinstance(message, list) and (told or UNNAMED) != UNNAMED:
        raise Refused(INVALID_REQUEST, "In this version of the protocol each message is sent by itself.", 400)
    if named is None and told not in STATELESS:
        return
    if not isinstance(message, dict) or "id" not in message:
        return  # a notification, of which nothing is asked
    expected: dict[str, Any] = {"MCP-Protocol-Version": named, "Mcp-Method": message.get("method")}
    if message.get("method") == "tools/call":
        params = message.get("params")
        expected["Mcp-Name"] = params.get("name") if isinstance(params, dict) else None
    for header, value in expected.items():
        if value is None or _plain(request.headers.get(header)) != value:
            raise Refused(HEADER_MISMATCH, f"The header {header} is missing or says something else.", 400)


def _plain(value: str | None) -> str | None:
    """A header's value; names that do not fit into one come as =?base64?...?=."""
    if value is None or not (value.startswith("=?base64?") and value.endswith("?=")):
        return value
    try:
        return base64.b64decode(value[len("=?base64?") : -len("?=")], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
