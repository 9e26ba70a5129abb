"""An issuer over HTTP: discovery, its keys, and the exchange of a code (OpenID Connect Core and Discovery 1.0)."""

from __future__ import annotations

import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote_plus

import httpx
import msgspec

from frostbyte.kernel.errors import FrostbyteError, Unauthenticated, Unavailable
from frostbyte.kernel.oidc.id_tokens import ALGORITHMS
from frostbyte.kernel.oidc.settings import OidcSettings, encrypted
from frostbyte.kernel.ports.issuer import Provider

TIMEOUT_SECONDS: Final = 5.0
"""Until the whole answer is there: somebody looks at an empty page meanwhile."""
MAX_ANSWER: Final = 256 * 1024
"""Bytes. Microsoft's discovery has 2 KB and its keys 15 KB; a token of somebody with many groups some dozen."""
AT_ONCE: Final = 4
"""Requests to the issuer at the same time. Anybody may begin a sign-in: however slow an issuer is, and however many
begin, no more threads than these wait for it, and the others go on serving."""
_PROVIDER_SECONDS: Final = 3600.0
_KEYS_SECONDS: Final = 600.0
_AGAIN_SECONDS: Final = 5.0
"""After a failure it is not asked for the same for so long."""
_DISCOVERY: Final = "/.well-known/openid-configuration"
_JSON: Final = {"accept": "application/json"}


class _Keys(msgspec.Struct):
    keys: list[dict[str, Any]]


class _Token(msgspec.Struct):
    id_token: str


class _Error(msgspec.Struct):
    error: str = ""


_T = TypeVar("_T")


class HttpIssuer:
    """See kernel.ports.issuer.Issuer.

    Args:
        settings: which issuer, under which name and secret.
        proxy: what leads to it, as `http://host:port`; '' reaches it directly.
        transport: for tests.
        tick: seconds that only rise, for tests.
    """

    def __init__(
        self,
        settings: OidcSettings,
        *,
        proxy: str = "",
        transport: httpx.BaseTransport | None = None,
        tick: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        trusted = ssl.create_default_context(cafile=settings.ca_file) if settings.ca_file else True
        self._client = httpx.Client(
            timeout=TIMEOUT_SECONDS,
            headers=_JSON,
            transport=transport,
            follow_redirects=False,
            trust_env=False,
            verify=trusted,
            proxy=proxy or None,
        )
        self._turns = threading.BoundedSemaphore(AT_ONCE)
        self._provider = _Kept(self._discovered, _PROVIDER_SECONDS, tick)
        self._keys = _Kept(self._shown_keys, _KEYS_SECONDS, tick)

    def provider(self) -> Provider:
        """See the port."""
        return self._provider.get()

    def keys(self, *, anew: bool = False) -> Sequence[Mapping[str, Any]]:
        """See the port."""
        return self._keys.get(anew=anew)

    def redeemed(self, code: str, verifier: str, return_address: str) -> str:
        """See the port. It is asked once: a code counts once."""
        provider, settings = self.provider(), self._settings
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": return_address,
            "code_verifier": verifier,
            "client_id": settings.client_id,
        }
        headers = {}
        if settings.client_secret and "client_secret_basic" in provider.token_endpoint_auth_methods_supported:
            named = f"{quote_plus(settings.client_id)}:{quote_plus(settings.client_secret)}"  # RFC 6749, section 2.3.1
            headers["authorization"] = f"Basic {b64encode(named.encode()).decode()}"
        elif settings.client_secret:
            form["client_secret"] = settings.client_secret
        status, content = self._asked("POST", provider.token_endpoint, data=form, headers=headers)
        if status in (400, 401):
            raise _refused(_error(content), status)
        if status != httpx.codes.OK:
            raise unreachable(f"it answered a code with status {status}")
        return _read(content, _Token).id_token

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def _discovered(self) -> Provider:
        status, content = self._asked("GET", self._settings.issuer.rstrip("/") + _DISCOVERY)
        if status != httpx.codes.OK:
            raise unreachable(f"it answered with status {status} when it was asked about itself")
        return usable(_read(content, Provider), self._settings.issuer)

    def _shown_keys(self) -> list[dict[str, Any]]:
        status, content = self._asked("GET", self.provider().jwks_uri)
        if status != httpx.codes.OK:
            raise unreachable(f"it answered with status {status} when it was asked for its keys")
        return _read(content, _Keys).keys

    def _asked(self, method: str, address: str, **more: Any) -> tuple[int, bytes]:
        """(status, content); never more than MAX_ANSWER, and never waiting longer than the timeout in sum."""
        until = time.monotonic() + TIMEOUT_SECONDS
        content = bytearray()
        try:
            with self._turn(), self._client.stream(method, address, **more) as answer:
                for part in answer.iter_bytes():
                    content += part
                    if len(content) > MAX_ANSWER:
                        raise _unsuitable("its answer is longer than any such answer is")
                    if time.monotonic() > until:
                        raise unreachable("its answer took too long")
                return answer.status_code, bytes(content)
        except (httpx.HTTPError, httpx.InvalidURL) as error:  # its text may name what was sent: only its kind goes on
            raise unreachable(type(error).__name__) from None

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.acquire(blocking=False):
            raise Unavailable("oidc_busy", "Too many people sign in at this moment.", "Try again in some seconds.")
        try:
            yield
        finally:
            self._turns.release()


class _Kept(Generic[_T]):
    """What was fetched, for a while; and a failure for some seconds: a dead issuer is not asked by everybody."""

    def __init__(self, fetch: Callable[[], _T], seconds: float, tick: Callable[[], float]) -> None:
        self._fetch, self._seconds, self._tick = fetch, seconds, tick
        self._lock = threading.Lock()
        self._found: tuple[float, _T] | None = None
        self._failed: tuple[float, FrostbyteError] | None = None

    def get(self, *, anew: bool = False) -> _T:
        with self._lock:
            now, found, failed = self._tick(), self._found, self._failed
        if found is not None and not anew and now - found[0] < self._seconds:
            return found[1]
        if failed is not None and now - failed[0] < _AGAIN_SECONDS:
            raise copy(failed[1])
        try:
            fetched = self._fetch()
        except FrostbyteError as error:
            if error.code != "oidc_busy":
                with self._lock:
                    self._failed = (self._tick(), error)
            raise
        with self._lock:
            self._found, self._failed = (self._tick(), fetched), None
        return fetched


def usable(provider: Provider, issuer: str) -> Provider:
    """What an issuer says about itself, if people can be signed in by it.

    Raises:
        Unavailable: `oidc_unsuitable`, saying what is wrong.
    """
    if provider.issuer != issuer:  # to the letter: Discovery 1.0, section 4.3
        raise _unsuitable("it calls itself by another name than FROSTBYTE_OIDC_ISSUER has")
    if not all(map(encrypted, (provider.authorization_endpoint, provider.token_endpoint, provider.jwks_uri))):
        raise _unsuitable("one of its addresses is not https")
    if "code" not in provider.response_types_supported:
        raise _unsuitable("it gives out no codes")
    if provider.code_challenge_methods_supported and "S256" not in provider.code_challenge_methods_supported:
        raise _unsuitable("it knows no code challenge by SHA-256")
    if not ALGORITHMS.keys() & set(provider.id_token_signing_alg_values_supported):
        raise _unsuitable(f"it signs by none of {', '.join(ALGORITHMS)}")
    return provider


def _read(content: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise _unsuitable("its answer is not what an issuer answers") from None


def _error(content: bytes) -> str:
    try:
        return msgspec.json.decode(content, type=_Error).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""


def _refused(error: str, status: int) -> FrostbyteError:
    """Why a code was refused: it is not good, or this server is not known (RFC 6749, section 5.2)."""
    if error == "invalid_grant":
        return Unauthenticated(
            "oidc_code_refused",
            "The issuer does not accept the code that you came back with: it was used before, or is too old.",
            "Begin the sign-in once more.",
        )
    if status == 401 or error in ("invalid_client", "unauthorized_client"):
        return Unavailable(
            "oidc_client_refused",
            "The issuer does not know this server, or its secret has changed.",
            "Whoever runs this server compares client id and secret with the issuer's: `frostbyte oidc check`.",
        )
    return _unsuitable("it does not accept how a code is exchanged")


def unreachable(why: str) -> Unavailable:
    """The error for an issuer that gives no answer."""
    return Unavailable(
        "oidc_unreachable",
        f"The issuer that signs you in does not answer as it should: {why}.",
        "Try again in a minute; accounts of this server itself go on. If it stays so: `frostbyte oidc check`.",
    )


def _unsuitable(why: str) -> Unavailable:
    return Unavailable(
        "oidc_unsuitable",
        f"The issuer cannot be used to sign in: {why}.",
        "Whoever runs this server compares its settings with the issuer's: `frostbyte oidc check`.",
    )
