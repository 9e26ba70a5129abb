"""The HTTP client of a running plane: where it is, which token, and errors as one family."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.exits import Exit
from frostbyte.kernel.errors import FrostbyteError, Kind

if TYPE_CHECKING:
    import httpx

DEFAULT_URL: Final = "http://127.0.0.1:8080"
API: Final = "/api/v1"
TOKEN_FILE: Final = "token"  # noqa: S105 - the name of a file, no secret
"""File in the data folder into which `frostbyte serve data` writes a token for its own user (mode 0600)."""
URL_FILE: Final = "url"
"""Beside it: where that plane answers."""
KEY_FILE: Final = "log.pub"
"""Beside it: the verifier key of the plane's log."""

_KINDS: Final[dict[int, Kind]] = {
    400: Kind.INVALID,
    401: Kind.UNAUTHENTICATED,
    403: Kind.FORBIDDEN,
    404: Kind.NOT_FOUND,
    409: Kind.CONFLICT,
    410: Kind.GONE,
    412: Kind.CONFLICT,
    413: Kind.TOO_LARGE,
    422: Kind.INVALID,
    428: Kind.CONFLICT,
    429: Kind.RATE_LIMITED,
    502: Kind.UNAVAILABLE,
    503: Kind.UNAVAILABLE,
    504: Kind.UNAVAILABLE,
}
"""HTTP statuses of the API by the sort of trouble (api/data answers with these)."""

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
"""The token in the data folder is for the plane of this machine and never goes elsewhere."""

READ_SECONDS: Final = 120.0
"""Longest wait for an answer; a proof waits for its checkpoint, an ingest for fsync."""


def data_dir() -> Path:
    """The folder of a plane on this machine: FROSTBYTE_DATA_DIR, default `.frostbyte` in the working directory."""
    return Path(os.environ.get("FROSTBYTE_DATA_DIR") or ".frostbyte")


def base_url() -> str:
    """Where the plane answers: FROSTBYTE_URL, else what `serve data` wrote in the data folder, else the default."""
    url = os.environ.get("FROSTBYTE_URL", "").strip() or _announced_url() or DEFAULT_URL
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise CommandFailed(
            "url_invalid", f"FROSTBYTE_URL is not an http address: {url}", f"Set it like {DEFAULT_URL}."
        )
    return url.rstrip("/")


def _announced_url() -> str:
    try:
        return (data_dir() / URL_FILE).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def find_token(given: str | None = None) -> str:
    """The access token: --token, FROSTBYTE_TOKEN, FROSTBYTE_TOKEN_FILE, or the file that `serve data` wrote.

    Raises:
        CommandFailed: `token_missing`, `token_unreadable`, or `token_exposed` where other users may read the file.
    """
    if token := (given or os.environ.get("FROSTBYTE_TOKEN", "")).strip():
        return token
    named = os.environ.get("FROSTBYTE_TOKEN_FILE")
    if not named and urlsplit(base_url()).hostname not in _LOOPBACK:
        raise CommandFailed(
            "token_missing",
            f"The plane at {base_url()} is not on this machine, and no token for it was given.",
            "Use --token, FROSTBYTE_TOKEN or FROSTBYTE_TOKEN_FILE.",
            exit_code=Exit.REFUSED,
        )
    path = Path(named) if named else data_dir() / TOKEN_FILE
    try:
        mode = path.stat().st_mode
        token = path.read_text(encoding="ascii").strip()
    except FileNotFoundError as error:
        if named:
            raise _unreadable(path) from error
        raise CommandFailed(
            "token_missing",
            f"No token was given, and there is none in {path}.",
            "Use --token, FROSTBYTE_TOKEN or FROSTBYTE_TOKEN_FILE, or start a plane here with `make up`.",
            exit_code=Exit.REFUSED,
        ) from error
    except (OSError, ValueError) as error:
        raise _unreadable(path) from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise CommandFailed(
            "token_exposed",
            f"Other users of this machine may read the token in {path}.",
            f"Revoke it, or if nobody else was here: chmod 600 {path}",
            exit_code=Exit.REFUSED,
        )
    return token


def _unreadable(path: Path) -> CommandFailed:
    return CommandFailed("token_unreadable", f"The token file {path} cannot be read.", "Check the path and its owner.")


def segment(value: str) -> str:
    """An id as a path segment: whatever a user typed cannot become another route.

    Raises:
        CommandFailed: `id_invalid`: it is no UUID, which all ids are.
    """
    try:
        return str(UUID(value.strip()))
    except ValueError as error:
        raise CommandFailed(
            "id_invalid", f"{value} is not an id.", "Ids look like 01990000-0000-7000-8000-0000000000b1; copy it whole."
        ) from error


class Client:
    """Calls one plane.

    Args:
        token: see `find_token`; '' calls without one (health).
        url: see `base_url`.
        transport: another way to the server, for tests.
    """

    def __init__(self, token: str, url: str | None = None, transport: httpx.BaseTransport | None = None) -> None:
        import httpx

        self.url = url or base_url()
        headers = {"User-Agent": "frostbyte-cli"} | ({"Authorization": f"Bearer {token}"} if token else {})
        # A proxy of the environment is for the world outside; the plane is not there, and must not see its token.
        self._http = httpx.Client(
            base_url=self.url,
            headers=headers,
            timeout=httpx.Timeout(READ_SECONDS, connect=5.0),
            transport=transport,
            trust_env=False,
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def json(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, Any] | None = None,
        body: Any = None,
        content: Any = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """Call and return the decoded answer.

        Raises:
            FrostbyteError: what the plane answered, or that none answers.
        """
        response = self.answer(method, path, params=params, body=body, content=content, headers=headers)
        try:
            return response.json()
        except ValueError as error:
            raise FrostbyteError(
                "not_a_plane",
                f"What answers at {self.url} does not speak as a Frostbyte plane does.",
                "Check FROSTBYTE_URL.",
                kind=Kind.UNAVAILABLE,
            ) from error

    def answer(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, Any] | None = None,
        body: Any = None,
        content: Any = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """Call and return the whole answer. Raises as `json`."""
        with self._translated():
            wanted = {key: value for key, value in (params or {}).items() if value is not None}
            response = self._http.request(
                method, _route(path), params=wanted, json=body, content=content, headers=headers
            )
        if response.is_error:
            raise problem(response)
        return response

    @contextmanager
    def stream(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, body: Any = None
    ) -> Iterator[Any]:
        """Call and yield the answer while it still arrives. Raises as `json`."""
        with (
            self._translated(),
            self._http.stream(method, _route(path), headers=headers, json=body) as response,
        ):
            if response.is_error:
                response.read()
                raise problem(response)
            yield response

    @contextmanager
    def _translated(self) -> Iterator[None]:
        import httpx

        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise FrostbyteError(
                "no_plane",
                f"No plane answers at {self.url}.",
                "Start one with `make up`, or set FROSTBYTE_URL to one that runs.",
                kind=Kind.UNAVAILABLE,
            ) from error
        except httpx.TimeoutException as error:
            raise FrostbyteError(
                "plane_slow",
                f"The plane at {self.url} did not answer in {READ_SECONDS:.0f} s.",
                "Ask `frostbyte doctor`, then try again.",
                kind=Kind.UNAVAILABLE,
            ) from error
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise FrostbyteError(
                "connection_lost",
                f"The connection to {self.url} broke off ({type(error).__name__}).",
                "Try again: what was sent twice counts once.",
                kind=Kind.UNAVAILABLE,
            ) from error
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise CommandFailed(
                "url_invalid", f"{self.url} is not an address.", f"Set it like {DEFAULT_URL}."
            ) from error


def _route(path: str) -> str:
    return path if path.startswith(("/health", "/ready", "/metrics")) else API + path


def problem(response: httpx.Response) -> FrostbyteError:
    """The error that an answer carries: problem+json, or whatever a proxy in between said."""
    kind = _KINDS.get(response.status_code, Kind.INTERNAL if response.status_code >= 500 else Kind.INVALID)
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict) or "code" not in body:
        return FrostbyteError(
            f"http_{response.status_code}",
            f"The server answered {response.status_code} without saying why: it may not be a Frostbyte plane.",
            "Check FROSTBYTE_URL.",
            kind=kind,
        )
    message = str(body.get("detail") or body.get("title") or body["code"])
    remedy = str(body.get("remedy") or "")
    if kind is Kind.RATE_LIMITED and (after := response.headers.get("Retry-After")):
        remedy = f"{remedy} Wait {after} s.".strip()
    return FrostbyteError(str(body["code"]), message, remedy, kind=kind)
