"""A plane over its control channel: HTTP with certificates on both sides, by the tenant's own authority.

What a plane answers is judged as something hostile: each answer has a largest size and a longest time, nothing is
unpacked, no redirect is followed, and of what it refuses only a code that a plane knows is believed, never a text.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx
import msgspec

from frostbyte.kernel.channel import EVENTS_BYTES, PlaneCheckpoints, PlaneHealth, PlaneStanding, PlaneUpkeep
from frostbyte.kernel.directive import NonceOld
from frostbyte.kernel.errors import Conflict, Forbidden, FrostbyteError, Invalid, Unavailable
from frostbyte.kernel.records import Upkeep

CONNECT_SECONDS: Final = 3.0
SECONDS: Final = 10.0
"""For a whole exchange, however its pieces come."""
TRYING_SECONDS: Final = 45.0
"""For a plane that tries its parts: a model that was not asked yet is loaded first."""
EVENTS_SECONDS: Final = 60.0
"""For an answer full of events: 16 MiB at two megabits a second."""
_LARGEST: Final = 4 << 20
"""Bytes of an answer at most: 1,000 checkpoints with the cosignatures of several witnesses."""
_LARGEST_EVENT: Final = 1 << 20
"""Bytes by which an answer full of events may be longer than it should: a single event is sent whole."""
_REFUSALS: Final[Mapping[str, tuple[type[FrostbyteError], str]]] = {
    "directive_stale": (Conflict, "The plane has acted on a newer directive, or on another one of this version."),
    "plane_closed": (Conflict, "The plane was closed for good."),
    "tenant_held": (Conflict, "Legal holds are in force in the plane, so it is not closed for good."),
    "directive_signature_wrong": (Forbidden, "The plane does not know the key that signed."),
    "directive_foreign_tenant": (Forbidden, "The plane belongs to another tenant than the directive."),
    "directive_malformed": (Invalid, "The plane does not understand the directive."),
    "control_keys_wrong": (Invalid, "The plane does not take the verifying keys that the directive names."),
    "cosignature_wrong": (Invalid, "The plane has no such checkpoint, or it does not know the witness."),
    "plane_updating": (Unavailable, "The plane is being updated and writes nothing down: it takes this in a moment."),
    "database_unavailable": (Unavailable, "The plane's database does not answer."),
    "database_busy": (Unavailable, "The plane's database is busy."),
}
"""What a plane refuses, in our words."""
_T = TypeVar("_T")


class _Timed(ssl.SSLSocket):
    """A connection that keeps to the end of the exchange it serves: a peer that sends a byte now and then gains
    nothing."""

    ends = threading.local()

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        left = getattr(self.ends, "at", time.monotonic() + SECONDS) - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.settimeout(min(self.gettimeout() or left, left))
        return super().recv(buflen, flags)


def context(ca_pem: str, certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS towards planes of one tenant: its authority alone is believed, and our certificate of it is shown.

    Args:
        ca_pem: the authority's certificate.
        certificate: ours, by that authority, with the common name `control`.
        key: of the certificate.

    Raises:
        Invalid: `plane_certificate_unusable`: the files are none, or do not belong together.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks certificate and host name
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.sslsocket_class = _Timed
    try:
        made.load_verify_locations(cadata=ca_pem)
        made.load_cert_chain(certificate, key)
    except (OSError, ValueError):
        raise Invalid(
            "plane_certificate_unusable",
            "The authority's certificate or our certificate for this tenant cannot be used.",
            "Look at the tenant's folder of the control plane's authorities, and put it back from your backup.",
        ) from None
    return made


class HttpPlane:
    """See control_plane.channel.PlaneChannel.

    Args:
        tenant_id: whose plane has to answer.
        url: the channel's address, `https://host:port`.
        tls: see `context`.
        seconds: for an exchange.
    """

    def __init__(self, tenant_id: str, url: str, tls: ssl.SSLContext, *, seconds: float = SECONDS) -> None:
        self._tenant_id = tenant_id
        self._seconds = seconds
        self._client = httpx.Client(
            base_url=url.rstrip("/") + "/channel/v1",
            verify=tls,
            timeout=httpx.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS)),
            limits=httpx.Limits(max_connections=8, max_keepalive_connections=2, keepalive_expiry=60.0),
            follow_redirects=False,
            trust_env=False,  # no proxy of the environment: a plane is asked directly
            headers={"Accept-Encoding": "identity"},
        )

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def standing(self) -> PlaneStanding:
        return self._ours(self._read("GET", "/standing", PlaneStanding))

    def put(self, directive: str) -> PlaneStanding:
        return self._ours(self._read("PUT", "/standing", PlaneStanding, body={"directive": directive}))

    def events(self, after: int, limit: int) -> bytes:
        query = {"after": after, "limit": limit}
        largest = EVENTS_BYTES + _LARGEST_EVENT
        found = self._exchange("GET", "/audit/events", query=query, largest=largest, seconds=EVENTS_SECONDS)
        if found and not found.endswith(b"\n"):
            raise _wrong()
        return found

    def checkpoints(self, after_size: int) -> PlaneCheckpoints:
        return self._read("GET", "/audit/checkpoints", PlaneCheckpoints, query={"after_size": after_size})

    def cosign(self, size: int, line: str) -> None:
        self._exchange("POST", "/cosignatures", body={"size": size, "line": line})

    def health(self) -> PlaneHealth:
        return self._read("GET", "/health", PlaneHealth)

    def upkeep(self, *, tried: bool = False) -> PlaneUpkeep:
        seconds = TRYING_SECONDS if tried else None
        return self._read("GET", "/upkeep", PlaneUpkeep, query={"tried": int(tried)}, seconds=seconds)

    def keep(self, upkeep: Upkeep, *, updated_to: str = "") -> PlaneUpkeep:
        return self._read("PUT", "/upkeep", PlaneUpkeep, body={"upkeep": upkeep.value, "updated_to": updated_to})

    def _ours(self, found: PlaneStanding) -> PlaneStanding:
        if found.tenant_id != self._tenant_id:
            raise Unavailable(
                "plane_foreign_tenant",
                "Another tenant's plane answers at this address.",
                "Correct the address of the tenant's channel.",
            )
        return found

    def _read(
        self,
        method: str,
        path: str,
        kind: type[_T],
        *,
        query: Mapping[str, int] | None = None,
        body: Mapping[str, Any] | None = None,
        seconds: float | None = None,
    ) -> _T:
        try:
            found = self._exchange(method, path, query=query, body=body, seconds=seconds)
            return msgspec.json.decode(found, type=kind)
        except (msgspec.DecodeError, RecursionError):
            raise _wrong() from None

    def _exchange(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, int] | None = None,
        body: Mapping[str, Any] | None = None,
        largest: int = _LARGEST,
        seconds: float | None = None,
    ) -> bytes:
        """The body of a good answer."""
        ends = _Timed.ends.at = time.monotonic() + (self._seconds if seconds is None else seconds)
        for last in (False, True):
            try:
                with self._client.stream(method, path, params=query, json=body) as answer:
                    if answer.headers.get("content-encoding", "identity") != "identity":
                        raise _wrong()
                    found = _bounded(answer, largest, ends)
                break
            except httpx.TransportError as error:
                # A connection that was kept may have ended with the plane's process. To say anything twice does no
                # harm: a directive whose answer was lost is refused for its nonce, and signed again.
                if last or not isinstance(error, _ENDED) or _certificates(error):
                    raise _away(error) from None
            except httpx.HTTPError:
                raise _wrong() from None
        if answer.status_code not in (200, 204):
            raise _refusal(answer.status_code, found)
        return found


_ENDED: Final = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)


def _bounded(answer: httpx.Response, largest: int, ends: float) -> bytes:
    pieces, size = [], 0
    for piece in answer.iter_raw():
        size += len(piece)
        if size > largest:
            raise _wrong()
        if time.monotonic() > ends:
            raise httpx.ReadTimeout("the exchange took too long")
        pieces.append(piece)
    return b"".join(pieces)


class _Problem(msgspec.Struct):
    code: str
    nonce: str = ""


def _refusal(status: int, body: bytes) -> FrostbyteError:
    """What a problem document of a plane means."""
    try:
        said = msgspec.json.decode(body, type=_Problem) if 400 <= status < 600 else None
    except (msgspec.DecodeError, RecursionError):
        said = None
    if said is not None and said.code == "directive_nonce" and 0 < len(said.nonce) <= 128:
        return NonceOld(said.nonce)
    if said is not None and said.code in _REFUSALS:
        kind, message = _REFUSALS[said.code]
        return kind(said.code, message, "docs/errors.md says what to do about it.")
    return _wrong()


def _wrong() -> Unavailable:
    return Unavailable(
        "plane_answer_wrong",
        "What answers at the plane's address does not answer as a plane.",
        "Check the address, and that plane and control plane run versions that fit.",
    )


def _uncertified() -> Unavailable:
    return Unavailable(
        "plane_certificate_wrong",
        "The plane's certificate is not the tenant's, or it does not take ours.",
        "Compare the tenant's authority here and on its host; renew what has expired.",
    )


def _away(error: Exception) -> Unavailable:
    if _certificates(error):
        return _uncertified()
    return Unavailable(
        "plane_unreachable",
        "The plane did not answer in time.",
        "See whether its host runs and lets the control plane's host and certificate in; it is asked again.",
    )


def _certificates(error: Exception) -> bool:
    """Whether it is about certificates: which of httpx's errors it is does not tell; what it was raised from does."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, ssl.SSLError) and not isinstance(found, ssl.SSLWantReadError | ssl.SSLZeroReturnError):
            return True
        found = found.__cause__ or found.__context__
    return False
