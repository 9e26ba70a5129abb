"""The server's HTTP application.

The engine holds the interpreter's lock while it works, so requests are worked off one after the other in the server's
one loop: a thread for each would bring nothing but waiting. Only what waits for the disk goes on beside others, and
those that wait share one write.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Final, TypeVar
from uuid import UUID
from weakref import WeakKeyDictionary

import msgspec
import qdrant_edge as qe
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from frostbyte import __version__
from frostbyte.api.vectors import bodies
from frostbyte.api.vectors.access import Access, Right
from frostbyte.api.vectors.refusals import Refused, no_such, wrong
from frostbyte.api.vectors.shelf import FIELDS, Collection, Shelf, described, guarded
from frostbyte.api.vectors.translation import (
    Translation,
    payload,
    point,
    point_id,
    said_hit,
    said_id,
    said_record,
    shown,
    vectors_shown,
)
from frostbyte.kernel.logging import where

MAX_BODY: Final = 32 << 20
"""Bytes of a request, as Qdrant's own default."""
TITLE: Final = "frostbyte vectors (qdrant-edge): a stand-in for a Qdrant server"
_IDLE_SECONDS: Final = 0.5
_LATEST_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 0.25
_PAGE: Final = 10

_log = structlog.get_logger("frostbyte.vectors")
_T = TypeVar("_T")


@dataclass
class _Syncs:
    """Shared waits for the disk."""

    locks: WeakKeyDictionary[Collection, asyncio.Lock] = field(default_factory=WeakKeyDictionary)
    done: WeakKeyDictionary[Collection, int] = field(default_factory=WeakKeyDictionary)

    async def durable(self, collection: Collection) -> None:
        """Return once everything that was written before is on the disk."""
        mine = collection.written
        async with self.locks.setdefault(collection, asyncio.Lock()):
            if self.done.get(collection, 0) >= mine:
                return
            upto = collection.written
            await asyncio.to_thread(collection.sync)
            self.done[collection] = upto
            collection.settle()


class Server:
    """The routes over a shelf.

    Args:
        shelf: open; whoever serves closes it.
        access: who may do what.
        max_body: bytes of a request.
    """

    def __init__(self, shelf: Shelf, access: Access, max_body: int = MAX_BODY) -> None:
        self._shelf = shelf
        self._access = access
        self._max_body = max_body
        self._syncs = _Syncs()
        self._asked = time.monotonic()

    def routes(self) -> list[Route]:
        """All of them."""
        one, points = "/collections/{name}", "/collections/{name}/points"
        return [
            Route("/", self._root),
            Route("/healthz", self._alive),
            Route("/livez", self._alive),
            Route("/readyz", self._alive),
            Route("/collections", self._answered(self._names)),
            Route(one, self._answered(self._info, Right.READ)),
            Route(one, self._answered(self._create, Right.MANAGE), methods=["PUT"]),
            Route(one, self._answered(self._drop, Right.MANAGE), methods=["DELETE"]),
            Route(f"{one}/exists", self._answered(self._exists, Right.READ)),
            Route(f"{one}/index", self._answered(self._index, Right.WRITE), methods=["PUT"]),
            Route(points, self._answered(self._upsert, Right.WRITE), methods=["PUT"]),
            Route(points, self._answered(self._retrieve, Right.READ), methods=["POST"]),
            Route(f"{points}/delete", self._answered(self._delete, Right.WRITE), methods=["POST"]),
            Route(f"{points}/payload", self._answered(self._set_payload, Right.WRITE), methods=["POST"]),
            Route(f"{points}/query", self._answered(self._query, Right.READ), methods=["POST"]),
            Route(f"{points}/query/batch", self._answered(self._batch, Right.READ), methods=["POST"]),
            Route(f"{points}/search", self._answered(self._search, Right.READ), methods=["POST"]),
            Route(f"{points}/scroll", self._answered(self._scroll, Right.READ), methods=["POST"]),
            Route(f"{points}/count", self._answered(self._count, Right.READ), methods=["POST"]),
        ]

    # -- the frame ----------------------------------------------------------------------------------------------

    def _answered(
        self, work: Callable[[Request], Awaitable[Any]], right: Right | None = None
    ) -> Callable[[Request], Awaitable[Response]]:
        """A route: who asks is looked at before anything is read."""

        async def answer(request: Request) -> Response:
            began = time.perf_counter()
            try:
                request.state.grant = grant = self._access.admit(request.headers)
                if right is not None:
                    grant.require(right, request.path_params["name"])
                if request.method != "GET":  # who looks at a collection may be waiting for its rewriting
                    self._asked = time.monotonic()
                result = await work(request)
            except Refused as refused:
                if refused.status == 401:
                    return PlainTextResponse(refused.why, 401)
                return said({"status": {"error": refused.why}}, began, refused.status)
            except ClientDisconnect:
                return said({"status": {"error": "The client went away"}}, began, 400)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is answered; its text may quote content
                _log.error("request_failed", error=type(error).__name__, where=where(error))
                return said({"status": {"error": "Service internal error"}}, began, 500)
            return said({"result": result, "status": "ok"}, began)

        return answer

    async def _body(self, request: Request, kind: type[_T]) -> _T:
        """Raises Refused(400 or 413)."""
        parts, size = [], 0
        async for part in request.stream():
            size += len(part)
            if size > self._max_body:
                raise Refused(413, f"JSON payload is larger than allowed (limit: {self._max_body} bytes)")
            parts.append(part)
        try:
            return msgspec.json.decode(b"".join(parts), type=kind)
        except msgspec.ValidationError as error:
            raise Refused(400, f"Format error in JSON body: {_place(error)}") from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Refused(400, "Format error in JSON body: it is not JSON that can be read") from None

    def _collection(self, request: Request) -> Collection:
        return self._shelf.get(request.path_params["name"])

    async def _done(self, request: Request, collection: Collection) -> dict[str, Any]:
        """The answer to a change; with `wait=true` it comes when the change is on the disk."""
        if request.query_params.get("wait", "false") != "true":
            return {"operation_id": collection.written, "status": "acknowledged"}
        try:
            await self._syncs.durable(collection)
        except OSError as error:
            if not self._shelf.holds(collection):
                raise no_such(request.path_params["name"]) from None
            _log.error("sync_failed", error=type(error).__name__)
            raise Refused(500, "Service internal error: the change could not be put on the disk") from None
        return {"operation_id": collection.written, "status": "completed"}

    # -- the server ---------------------------------------------------------------------------------------------

    async def _root(self, request: Request) -> Response:
        return Response(
            msgspec.json.encode({"title": TITLE, "version": f"{version('qdrant-edge-py')}+frostbyte.{__version__}"}),
            media_type="application/json",
        )

    async def _alive(self, request: Request) -> Response:
        return PlainTextResponse("healthz check passed")

    async def tidy(self) -> None:
        """Rewrite segments when nobody asks anything, and at the latest after half a minute. Ends when cancelled."""
        since: float | None = None
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            now = time.monotonic()
            since = (since or now) if self._shelf.untidy else None
            if since is not None and (now - self._asked > _IDLE_SECONDS or now - since > _LATEST_SECONDS):
                try:
                    guarded(self._shelf.tidy)
                except Refused:  # it is in the log; asked again
                    await asyncio.sleep(_LATEST_SECONDS)
                since = None

    # -- collections --------------------------------------------------------------------------------------------

    async def _names(self, request: Request) -> Any:
        seen = [name for name in self._shelf.names if request.state.grant.sees(name)]
        return {"collections": [{"name": name} for name in seen]}

    async def _info(self, request: Request) -> Any:
        collection = self._collection(request)
        return guarded(lambda: described(collection))

    async def _exists(self, request: Request) -> Any:
        return {"exists": self._shelf.has(request.path_params["name"])}

    async def _create(self, request: Request) -> Any:
        config = await self._body(request, bodies.Create)
        guarded(lambda: self._shelf.create(request.path_params["name"], config))
        return True

    async def _drop(self, request: Request) -> Any:
        return guarded(lambda: self._shelf.drop(request.path_params["name"]))

    async def _index(self, request: Request) -> Any:
        collection = self._collection(request)
        given = await self._body(request, bodies.FieldIndex)
        kind = given.field_schema if isinstance(given.field_schema, str) else given.field_schema.type
        if kind not in FIELDS:
            raise wrong(f"a payload index is one of {', '.join(FIELDS)}")
        guarded(lambda: collection.update(qe.UpdateOperation.create_field_index(given.field_name, FIELDS[kind]), 0))
        return await self._done(request, collection)

    # -- changes ------------------------------------------------------------------------------------------------

    async def _upsert(self, request: Request) -> Any:
        collection = self._collection(request)
        given = await self._body(request, bodies.Upsert)
        points = [point(one, collection.kinds) for one in given.points]
        if points:
            guarded(lambda: collection.update(qe.UpdateOperation.upsert_points(points), len(points)))
        return await self._done(request, collection)

    async def _delete(self, request: Request) -> Any:
        collection = self._collection(request)
        given = await self._body(request, bodies.Delete)
        chosen = Translation(collection.kinds).chosen(given.points, given.filter)
        # Most deletions of a plane find nothing: those leave nothing to clean up.
        if guarded(lambda: collection.shard.count(qe.CountRequest(filter=chosen, exact=True))):
            guarded(lambda: collection.delete(qe.UpdateOperation.delete_points_by_filter(chosen)))
        return await self._done(request, collection)

    async def _set_payload(self, request: Request) -> Any:
        collection = self._collection(request)
        given = await self._body(request, bodies.SetPayload)
        chosen = Translation(collection.kinds).chosen(given.points, given.filter)
        operation = qe.UpdateOperation.set_payload_by_filter(chosen, payload(given.payload))
        guarded(lambda: collection.update(operation, 0))
        return await self._done(request, collection)

    # -- questions ----------------------------------------------------------------------------------------------

    async def _query(self, request: Request) -> Any:
        collection = self._collection(request)
        asked = Translation(collection.kinds).query(await self._body(request, bodies.Query))
        return {"points": [said_hit(hit) for hit in guarded(lambda: collection.shard.query(asked))]}

    async def _batch(self, request: Request) -> Any:
        collection = self._collection(request)
        translation = Translation(collection.kinds)
        given = await self._body(request, bodies.QueryBatch)
        asked = qe.QueryBatchRequest([translation.query(one) for one in given.searches])
        found = guarded(lambda: collection.shard.query_batch(asked))
        return [{"points": [said_hit(hit) for hit in hits]} for hits in found]

    async def _search(self, request: Request) -> Any:
        collection = self._collection(request)
        asked = Translation(collection.kinds).search(await self._body(request, bodies.Search))
        return [said_hit(hit) for hit in guarded(lambda: collection.shard.query(asked))]

    async def _retrieve(self, request: Request) -> Any:
        collection = self._collection(request)
        given = await self._body(request, bodies.Retrieve)
        ids: list[int | UUID | str] = [point_id(one) for one in given.ids]
        fields, vectors = shown(given.with_payload, True), vectors_shown(given.with_vector, collection.kinds)
        found = guarded(lambda: collection.shard.retrieve(ids, with_payload=fields, with_vector=vectors))
        return [said_record(one) for one in found]

    async def _scroll(self, request: Request) -> Any:
        collection = self._collection(request)
        given = await self._body(request, bodies.Scroll)
        asked = qe.ScrollRequest(
            offset=None if given.offset is None else point_id(given.offset),
            limit=_PAGE if given.limit is None else given.limit,
            filter=Translation(collection.kinds).filter(given.filter),
            with_payload=shown(given.with_payload, True),
            with_vector=vectors_shown(given.with_vector, collection.kinds),
        )
        found, following = guarded(lambda: collection.shard.scroll(asked))
        page = None if following is None else said_id(following)
        return {"points": [said_record(one) for one in found], "next_page_offset": page}

    async def _count(self, request: Request) -> Any:
        collection = self._collection(request)
        given = await self._body(request, bodies.CountOf)
        asked = qe.CountRequest(
            filter=Translation(collection.kinds).filter(given.filter), exact=given.exact is not False
        )
        return {"count": guarded(lambda: collection.shard.count(asked))}


def said(answer: dict[str, Any], began: float, status: int = 200) -> Response:
    """An answer in Qdrant's frame."""
    body = answer | {"time": round(time.perf_counter() - began, 6)}
    return Response(msgspec.json.encode(body), status, media_type="application/json")


def _place(error: msgspec.ValidationError) -> str:
    """What is wrong and where, without what was sent: a field's name that a sender made up is left out."""
    text = str(error)
    return text if "unknown field" not in text else "it has a field that this stand-in does not know"


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    why = {404: "Not found: there is no such route here", 405: "This route does not do that"}
    return said(
        {"status": {"error": why.get(error.status_code, "The request cannot be read")}},
        time.perf_counter(),
        error.status_code,
    )


def create_app(shelf: Shelf, access: Access, max_body: int = MAX_BODY) -> Starlette:
    """The application over a shelf, which whoever serves it closes."""
    server = Server(shelf, access, max_body)

    @asynccontextmanager
    async def running(app: Starlette) -> AsyncIterator[None]:
        tidying = asyncio.create_task(server.tidy())
        try:
            yield
        finally:
            tidying.cancel()

    return Starlette(routes=server.routes(), lifespan=running, exception_handlers={HTTPException: _http})
