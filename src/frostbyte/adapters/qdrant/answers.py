"""What a Qdrant server answers, and how often it is asked."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar
from urllib.parse import quote

import grpc
import httpx
import msgspec
from qdrant_client import QdrantClient
from qdrant_client import models as qm
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from frostbyte.adapters.qdrant.rankings import Found
from frostbyte.kernel.errors import Unavailable

WAITS: Final = (0.2, 1.0)
"""Seconds before another try, where the server could not be reached: it may be starting anew."""
CONNECTIONS: Final = 32
_SECONDS: Final = 60

_T = TypeVar("_T")


class Gone(Exception):
    """There is no such collection."""


class Server(QdrantClient):
    """A client, and the way past its models for what every question asks.

    They copy each number of each vector and check each point that comes, and their request is put together and taken
    apart six times on its way: three quarters of what a search would cost here.

    Args:
        transport: of all that is sent as REST.
        key: as `connect` has it.
        options: the client's own.
    """

    def __init__(self, transport: httpx.HTTPTransport, key: str, **options: Any) -> None:
        # As a header: the client says loudly of a key on an unencrypted wire what posture.py refuses where it matters.
        super().__init__(headers={"api-key": key} if key else None, transport=transport, **options)
        self._transport = transport
        self._headers = {"Content-Type": "application/json"} | ({"api-key": key} if key else {})

    def asked(self, path: str, body: bytes, seconds: float) -> bytes:
        """What is answered to a POST.

        Raises:
            UnexpectedResponse: another status than 200, as the client's own methods.
            ResponseHandlingException: no answer, as those.
        """
        request = httpx.Request(
            "POST",
            f"{self.http.client.host.rstrip('/')}{path}",
            headers=self._headers,
            content=body,
            extensions={"timeout": dict.fromkeys(("connect", "read", "write", "pool"), seconds)},
        )
        try:
            response = self._transport.handle_request(request)
            try:
                content = response.read()
            finally:
                response.close()
        except httpx.HTTPError as error:
            raise ResponseHandlingException(error) from None
        if response.status_code != httpx.codes.OK:
            raise UnexpectedResponse.for_response(response)
        return content


def connect(url: str, *, key: str = "", grpc_port: int = 0, ca_file: str = "") -> Server:
    """A client; nothing is asked of the server yet.

    Args:
        key: the server's, or a token that it signed; '' for none.
        grpc_port: where the server speaks gRPC; 0 speaks REST alone.
        ca_file: whom to trust with the server's certificate; '' for the system's authorities.
    """
    options: dict[str, Any] = {}
    if ca_file:
        with open(ca_file, "rb") as file:
            options["root_certificates"] = file.read()
    transport = httpx.HTTPTransport(
        # On the loopback the client would open a connection for every request.
        limits=httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS, keepalive_expiry=60.0),
        verify=ssl.create_default_context(cafile=ca_file) if ca_file else True,
        trust_env=False,
    )
    return Server(
        transport,
        key,
        url=url,
        prefer_grpc=bool(grpc_port),
        grpc_port=grpc_port or 6334,
        grpc_options=options or None,
        timeout=_SECONDS,
        check_compatibility=False,
        cloud_inference=True,  # else the client looks for texts to embed in everything that is written
        trust_env=False,
    )


def asked_again(call: Callable[[], _T]) -> _T:
    """The answer to something that may be asked twice, which is all that we ask.

    Raises:
        Gone: there is no such collection.
        Unavailable: `vectors_unavailable`, `vectors_refused`.
    """
    for wait in (*WAITS, None):
        try:
            return call()
        except UnexpectedResponse as error:
            raise _answered(error.status_code or 0) from None
        except grpc.RpcError as error:
            code = error.code()
            if code is grpc.StatusCode.UNAVAILABLE and wait is not None:
                time.sleep(wait)
                continue
            raise _answered(_STATUS.get(code, 503)) from None
        except ResponseHandlingException as error:
            unreached = isinstance(error.source, (httpx.NetworkError, httpx.ProtocolError))
            if not unreached or wait is None:
                raise unreachable(type(error.source).__name__) from None
            time.sleep(wait)
        except (QdrantException, ValueError) as error:  # the latter: no JSON
            raise unreachable(type(error).__name__) from None
    raise AssertionError("the last try returns or raises")


def ranked(client: Server, name: str, requests: list[qm.QueryRequest], seconds: int) -> list[list[Found]]:
    """Several rankings in one exchange."""
    if client.init_options["prefer_grpc"]:
        answers = client.query_batch_points(name, requests, timeout=seconds)
        return [[Found(str(point.id), point.score) for point in answer.points or ()] for answer in answers]
    body = _json.encode({"searches": [request.model_dump(exclude_unset=True) for request in requests]})
    given = client.asked(f"/collections/{quote(name, safe='')}/points/query/batch?timeout={seconds}", body, seconds)
    try:
        batch = _batch.decode(given)
    except msgspec.DecodeError:
        raise unreachable("AnswerUnreadable") from None
    return [[Found(str(point.id), point.score) for point in answer.points] for answer in batch.result]


class _Point(msgspec.Struct, gc=False):
    id: str | int
    score: float


class _Points(msgspec.Struct):
    points: list[_Point]


class _Batch(msgspec.Struct):
    """Of Qdrant's answer to `POST /collections/{name}/points/query/batch` what a search reads."""

    result: list[_Points]


_batch: Final = msgspec.json.Decoder(_Batch)
_json: Final = msgspec.json.Encoder()


_STATUS: Final = {
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
}


def _answered(status: int) -> Exception:
    if status == 404:
        return Gone()
    if status in (401, 403):
        return Unavailable(
            "vectors_refused",
            f"The vector store does not let this plane do that with its key ({status}).",
            "Check FROSTBYTE_VECTORS_API_KEY. A tenant's token must name its collections for reading and writing; "
            "`frostbyte storage provision` makes them and gives the token.",
        )
    return Unavailable(
        "vectors_unavailable",
        f"The vector store could not do it ({status}).",
        "Look at its log, its disk space and its memory; the work is tried again by itself.",
    )


def unreachable(why: str) -> Unavailable:
    """The error for a server that gives no usable answer."""
    return Unavailable(
        "vectors_unavailable",
        f"The vector store does not answer ({why}).",
        "See that it runs and that FROSTBYTE_VECTORS_URL is its address; the work is tried again by itself.",
    )
