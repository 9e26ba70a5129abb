"""The Model Context Protocol's messages: which versions are spoken, and what is answered to what.

A message comes in and a reply goes out; nothing is remembered between two, so any number of callers may share a server.
Both kinds of versions are spoken: those that begin with `initialize`, and those in which every request says in `_meta`
what it is (https://modelcontextprotocol.io/specification, "Versioning and Compatibility"; messages are JSON-RPC 2.0).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import structlog

from frostbyte.api.mcp.tools import Tools

_log = structlog.get_logger()

STATELESS: Final = ("2026-07-28",)
"""Versions without a handshake, newest first."""
HANDSHAKE: Final = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
"""Versions that begin with `initialize`, newest first."""
UNNAMED: Final = "2025-03-26"
"""Spoken where HTTP names no version; the only one in which several messages may come at once."""
MOST_AT_ONCE: Final = 32
"""Messages in one batch."""

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
HEADER_MISMATCH: Final = -32020
UNSUPPORTED_VERSION: Final = -32022

_NAMESPACE: Final = "io.modelcontextprotocol/"
_METHODS: Final = frozenset({"initialize", "ping", "server/discover", "tools/list", "tools/call"})
_TTL_MS: Final = 3_600_000
"""How long a client may remember what tools there are: they change with a release only."""


@dataclass(frozen=True)
class Reply:
    """What goes back.

    Attributes:
        message: one JSON-RPC message, several, or None: nothing is to be said.
        status: the HTTP status that goes with it.
    """

    message: dict[str, Any] | list[dict[str, Any]] | None
    status: int = 200


class Refused(Exception):
    """A message that is not carried out, as JSON-RPC says so.

    Args:
        code: of JSON-RPC, or of the protocol.
        message: what is wrong, and what to do.
        status: of HTTP.
        data: for programs.
    """

    def __init__(self, code: int, message: str, status: int = 200, data: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.status, self.data = code, message, status, data


def error(id: Any, refused: Refused) -> Reply:
    """The reply to a message that is not carried out."""
    told = {"code": refused.code, "message": refused.message} | ({"data": refused.data} if refused.data else {})
    return Reply({"jsonrpc": "2.0", "id": id, "error": told}, refused.status)


def version_of(message: Any) -> str | None:
    """The version that a request itself names; None for one of a client that began with `initialize`."""
    params = message.get("params") if isinstance(message, dict) else None
    meta = params.get("_meta") if isinstance(params, dict) else None
    named = meta.get(_NAMESPACE + "protocolVersion") if isinstance(meta, dict) else None
    return named if isinstance(named, str) else None


class Service:
    """Answers messages.

    Args:
        tools: what it can do.
        version: of Frostbyte.
    """

    def __init__(self, tools: Tools, version: str) -> None:
        self._tools = tools
        self._info = {"name": "frostbyte", "title": "Frostbyte", "version": version}

    def answer(self, message: Any, token: str) -> Reply:
        """Carry out a message, or several.

        Args:
            message: decoded JSON.
            token: the caller's, for the plane.
        """
        if not isinstance(message, list):
            return self._one(message, token)
        if not 1 <= len(message) <= MOST_AT_ONCE:
            return error(None, Refused(INVALID_REQUEST, f"Send 1 to {MOST_AT_ONCE} messages at once.", 400))
        replies = [self._one(item, token) for item in message]
        said = [reply.message for reply in replies if isinstance(reply.message, dict)]
        refused = any(reply.status == 401 for reply in replies)
        return Reply(said or None, 401 if refused else 200 if said else 202)

    def _one(self, message: Any, token: str) -> Reply:
        if not isinstance(message, dict):
            return error(None, Refused(INVALID_REQUEST, "A message is a JSON object.", 400))
        id, method, params = message.get("id"), message.get("method"), message.get("params", {})
        proper = isinstance(id, str) or (isinstance(id, int) and not isinstance(id, bool))
        if message.get("jsonrpc") != "2.0" or not (proper or "id" not in message):
            return error(None, Refused(INVALID_REQUEST, "This is no message of JSON-RPC 2.0.", 400))
        if not isinstance(method, str):
            if proper and ("result" in message or "error" in message):
                return Reply(None, 202)  # nothing was asked of the client: an answer means nothing
            return error(id, Refused(INVALID_REQUEST, "A request names its method.", 400))
        if "id" not in message:
            return Reply(None, 202)
        try:
            if not isinstance(params, dict):
                raise Refused(INVALID_PARAMS, "The parameters are a JSON object.", 400)
            if version_of(message) is None:
                result, status = self._after_handshake(method, params, token)
            else:
                result, status = self._stateless(method, params, token)
        except Refused as refused:
            return error(id, refused)
        except Exception as failed:  # noqa: BLE001 - a client that gets no answer waits for ever
            _log.error("mcp_failed", method=method if method in _METHODS else "other", error=type(failed).__name__)
            return error(id, Refused(INTERNAL_ERROR, "Something went wrong here; it is in this server's log.", 500))
        return Reply({"jsonrpc": "2.0", "id": id, "result": result}, status)

    def _after_handshake(self, method: str, params: dict[str, Any], token: str) -> tuple[dict[str, Any], int]:
        match method:
            case "initialize":
                asked = params.get("protocolVersion")
                spoken = asked if asked in HANDSHAKE else HANDSHAKE[0]
                return {"protocolVersion": spoken, "serverInfo": self._info} | self._about(), 200
            case "ping":
                return {}, 200
            case "tools/list":
                return {"tools": self._tools.list()}, 200
            case "tools/call":
                return self._call(params, token)
        raise Refused(METHOD_NOT_FOUND, "There is no such method here.")

    def _stateless(self, method: str, params: dict[str, Any], token: str) -> tuple[dict[str, Any], int]:
        meta = params["_meta"]
        asked = meta[_NAMESPACE + "protocolVersion"]
        if asked not in STATELESS:
            spoken = {"supported": [*STATELESS, *HANDSHAKE], "requested": asked}
            raise Refused(UNSUPPORTED_VERSION, "This version of the protocol is not spoken here.", 400, spoken)
        if not isinstance(meta.get(_NAMESPACE + "clientCapabilities"), dict):
            raise Refused(INVALID_PARAMS, "The request does not say what its client can do.", 400)
        cached = {"ttlMs": _TTL_MS, "cacheScope": "public"}
        status = 200
        match method:
            case "server/discover":
                result = {"supportedVersions": [*STATELESS, *HANDSHAKE]} | self._about() | cached
            case "tools/list":
                result = {"tools": self._tools.list()} | cached
            case "tools/call":
                result, status = self._call(params, token)
            case _:
                raise Refused(METHOD_NOT_FOUND, "There is no such method here.", 404)
        return result | {"resultType": "complete", "_meta": {_NAMESPACE + "serverInfo": self._info}}, status

    def _about(self) -> dict[str, Any]:
        return {"capabilities": {"tools": {}}, "instructions": self._tools.instructions}

    def _call(self, params: dict[str, Any], token: str) -> tuple[dict[str, Any], int]:
        name, arguments = params.get("name"), params.get("arguments", {})
        if name not in self._tools.names:
            raise Refused(INVALID_PARAMS, f"There is no such tool: call one of {', '.join(self._tools.names)}.")
        done = self._tools.call(name, arguments, token)
        return done.result, 401 if done.stranger else 200
