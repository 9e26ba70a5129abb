"""The HTTP client of a running plane or control plane: where it is, which token, and errors as one family."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.exits import Exit
from frostbyte.kernel.errors import FrostbyteError, Kind

if TYPE_CHECKING:
    import ssl

    import httpx

TOKEN_FILE: Final = "token"  # noqa: S105 - the name of a file, no secret
"""File in the data folder into which `frostbyte serve` writes a token for its own user (mode 0600)."""
URL_FILE: Final = "url"
"""Beside it: where that server answers."""
KEY_FILE: Final = "log.pub"
"""Beside it: the verifier key of the server's log."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A kind of server that commands talk to, and how one is found."""

    name: str
    prefix: str
    """Of its variables: {prefix}URL, {prefix}TOKEN, {prefix}TOKEN_FILE, {prefix}DATA_DIR."""
    folder: str
    """The data folder where {prefix}DATA_DIR is not set."""
    default_url: str
    api: str
    """What stands before every route but those of `roots`."""
    roots: tuple[str, ...]
    start: str
    """How one is started here."""
    absent: str
    """Code of the error that none answers."""
    slow: str
    wrong: str

    def variable(self, name: str) -> str:
        """What the environment says, or ''."""
        return os.environ.get(self.prefix + name, "").strip()


PLANE: Final = Server(
    name="plane",
    prefix="FROSTBYTE_",
    folder=".frostbyte",
    default_url="http://127.0.0.1:8080",
    api="/api/v1",
    roots=("/health", "/ready", "/metrics"),
    start="make up",
    absent="no_plane",
    slow="plane_slow",
    wrong="not_a_plane",
)
CONTROL: Final = Server(
    name="control plane",
    prefix="FROSTBYTE_CONTROL_",
    folder=".frostbyte-control",
    default_url="http://127.0.0.1:8090",
    api="/api/v1/admin",
    roots=("/ready", "/metrics"),
    start="frostbyte serve control",
    absent="no_control_plane",
    slow="control_plane_slow",
    wrong="not_a_control_plane",
)

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
"""HTTP statuses of the APIs by the sort of trouble (api/http answers with these)."""

_SHUT: Final = frozenset({"tenant_suspended", "tenant_resuming", "tenant_unavailable"})
"""What an edge says of a tenant that it lets nobody through to (docs/edge.md)."""
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
"""The token in the data folder is for the server of this machine and never goes elsewhere."""

READ_SECONDS: Final = 120.0
"""Longest wait for an answer; a proof waits for its checkpoint, an ingest for fsync."""


def data_dir(server: Server = PLANE) -> Path:
    """The folder of a server on this machine: ..._DATA_DIR, default `.frostbyte...` in the working directory."""
    return Path(server.variable("DATA_DIR") or server.folder)


def base_url(server: Server = PLANE) -> str:
    """Where the server answers: ..._URL, else what `serve` wrote in the data folder, else the default."""
    url = server.variable("URL") or _announced_url(server) or server.default_url
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise CommandFailed(
            "url_invalid", f"{server.prefix}URL is not an http address: {url}", f"Set it like {server.default_url}."
        )
    return url.rstrip("/")


def _announced_url(server: Server) -> str:
    """A server that listens on all addresses, as in a container, is asked at the loopback."""
    try:
        url = (data_dir(server) / URL_FILE).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
    return url.replace("//0.0.0.0:", "//127.0.0.1:", 1).replace("//[::]:", "//[::1]:", 1)


def find_token(given: str | None = None, server: Server = PLANE) -> str:
    """The access token: --token, ..._TOKEN, ..._TOKEN_FILE, or the file that `serve` wrote.

    Raises:
        CommandFailed: `token_missing`, `token_unreadable`, or `token_exposed` where other users may read the file.
    """
    if token := (given or "").strip() or server.variable("TOKEN"):
        return token
    ways = f"Use --token, {server.prefix}TOKEN or {server.prefix}TOKEN_FILE"
    named = server.variable("TOKEN_FILE")
    if not named and urlsplit(base_url(server)).hostname not in _LOOPBACK:
        raise CommandFailed(
            "token_missing",
            f"The {server.name} at {base_url(server)} is not on this machine, and no token for it was given.",
            f"{ways}.",
            exit_code=Exit.REFUSED,
        )
    path = Path(named) if named else data_dir(server) / TOKEN_FILE
    try:
        mode = path.stat().st_mode
        token = path.read_text(encoding="ascii").strip()
    except FileNotFoundError as error:
        if named:
            raise _unreadable(path) from error
        raise CommandFailed(
            "token_missing",
            f"No token was given, and there is none in {path}.",
            f"{ways}, or start a {server.name} here with `{server.start}`.",
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


def _trust(url: str) -> ssl.SSLContext:
    """Whom to believe: the system's authorities, or those of SSL_CERT_FILE, as of an edge with an authority of its own.

    For a plain address nobody, which is at once what is safe and what takes no time: reading all authorities of the
    system is an eighth of a short command.
    """
    import ssl

    return ssl.create_default_context() if url.startswith("https:") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Client:
    """Calls one server.

    Args:
        token: see `find_token`; '' calls without one (health).
        url: see `base_url`.
        transport: another way to the server, for tests.
        server: what is called.
    """

    def __init__(
        self,
        token: str,
        url: str | None = None,
        transport: httpx.BaseTransport | None = None,
        server: Server = PLANE,
    ) -> None:
        import httpx

        self.server = server
        self.url = url or base_url(server)
        headers = {"User-Agent": "frostbyte-cli"} | ({"Authorization": f"Bearer {token}"} if token else {})
        # A proxy of the environment is for the world outside; the server is not there, and must not see its token.
        self._http = httpx.Client(
            base_url=self.url,
            headers=headers,
            timeout=httpx.Timeout(READ_SECONDS, connect=5.0),
            transport=transport,
            verify=_trust(self.url),
            trust_env=False,
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def limit(self, seconds: float) -> None:
        """Wait no longer than this for any answer."""
        self._http.timeout = seconds

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
            FrostbyteError: what the server answered, or that none answers.
        """
        response = self.answer(method, path, params=params, body=body, content=content, headers=headers)
        try:
            return response.json()
        except ValueError as error:
            raise FrostbyteError(
                self.server.wrong,
                f"What answers at {self.url} does not speak as a Frostbyte {self.server.name} does.",
                f"Check {self.server.prefix}URL.",
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
                method, self._route(path), params=wanted, json=body, content=content, headers=headers
            )
        if response.is_error:
            raise problem(response, self.server)
        return response

    @contextmanager
    def stream(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, body: Any = None
    ) -> Iterator[Any]:
        """Call and yield the answer while it still arrives. Raises as `json`."""
        with (
            self._translated(),
            self._http.stream(method, self._route(path), headers=headers, json=body) as response,
        ):
            if response.is_error:
                response.read()
                raise problem(response, self.server)
            yield response

    def _route(self, path: str) -> str:
        return path if path.startswith(self.server.roots) else self.server.api + path

    @contextmanager
    def _translated(self) -> Iterator[None]:
        import httpx

        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise FrostbyteError(
                    "server_not_trusted",
                    f"What answers at {self.url} shows a certificate that no authority known here vouches for.",
                    "Check the address; an authority of your own is named by SSL_CERT_FILE=FILE.",
                    kind=Kind.UNAVAILABLE,
                ) from error
            raise FrostbyteError(
                self.server.absent,
                f"No {self.server.name} answers at {self.url}.",
                f"Start one with `{self.server.start}`, or set {self.server.prefix}URL to one that runs.",
                kind=Kind.UNAVAILABLE,
            ) from error
        except httpx.TimeoutException as error:
            raise FrostbyteError(
                self.server.slow,
                f"The {self.server.name} at {self.url} did not answer in {READ_SECONDS:.0f} s.",
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
                "url_invalid", f"{self.url} is not an address.", f"Set it like {self.server.default_url}."
            ) from error


def problem(response: httpx.Response, server: Server = PLANE) -> FrostbyteError:
    """The error that an answer carries: problem+json, or whatever a proxy in between said."""
    kind = _KINDS.get(response.status_code, Kind.INTERNAL if response.status_code >= 500 else Kind.INVALID)
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict) or "code" not in body:
        shut = response.headers.get("X-Frostbyte-Code", "")
        if shut in _SHUT:  # a closed gate has no page of its own
            return FrostbyteError(
                shut,
                f"The edge lets no request of this tenant through: {shut.removeprefix('tenant_')}.",
                "Ask the operator of the control plane; one that is being resumed answers in a moment.",
                kind=kind,
            )
        return FrostbyteError(
            f"http_{response.status_code}",
            f"The server answered {response.status_code} without saying why: it may not be a Frostbyte {server.name}.",
            f"Check {server.prefix}URL.",
            kind=kind,
        )
    message = str(body.get("detail") or body.get("title") or body["code"])
    remedy = str(body.get("remedy") or "")
    if kind is Kind.RATE_LIMITED and not remedy and (after := response.headers.get("Retry-After")):
        remedy = f"Wait {after} seconds."  # an edge says it in its header alone
    return FrostbyteError(str(body["code"]), message, remedy, kind=kind)
