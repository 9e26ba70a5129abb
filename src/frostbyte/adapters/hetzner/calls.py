"""One request to Hetzner's API, and nothing behind its back.

hcloud-python carries it: addresses, the token, reading of replies. Its own repetition is off, because it sends a POST
anew whose reply was lost; its models are not used, because they fetch what is empty and wait with a request a second
and action (docs/adr/0093-hcloud-carries-requests.md).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import requests
from hcloud import APIException, Client
from requests.adapters import HTTPAdapter

from frostbyte import __version__
from frostbyte.adapters.hetzner.errors import code_of, failure, odd_reply
from frostbyte.adapters.hetzner.pace import Pace, rate_limited
from frostbyte.control_plane.provisioning.ports import CloudError
from frostbyte.kernel.errors import Invalid

ENDPOINT: Final = "https://api.hetzner.cloud/v1"
CONNECT_SECONDS: Final = 10.0
READ_SECONDS: Final = 90.0
"""Making a server is answered late when the cloud is busy; whoever gives up early does not know what it made."""
_CONNECTIONS: Final = 32

Tap = Callable[[str, str, str], None]
"""Called ("before"|"after", method, path) around each request."""
Reply = dict[str, Any]


class Calls(Protocol):
    """The way to one project."""

    @property
    def pace(self) -> Pace: ...
    @property
    def requests(self) -> int:
        """How many were sent."""
        ...

    def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Reply:
        """Send one request, once.

        Raises:
            CloudError: whatever came instead of a good reply.
        """
        ...


@dataclass(eq=False)  # one way is not another that goes alike
class Counted:
    """What every way has in common: the pace, the tap, the number of requests."""

    pace: Pace
    tap: Tap | None = None
    requests: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def refusal(self, status: int, headers: Mapping[str, str], vendor: str, words: str) -> CloudError:
        """What an answer with an error is in our words.

        Args:
            vendor: the API's code; '' where the answer was not the API's.
        """
        code = code_of(vendor, status)
        if code == "cloud_rate_limited":
            return rate_limited(self.pace.refused(headers))
        return failure(code, vendor, words if vendor else f"HTTP status {status}")

    def around(self, method: str, path: str, send: Callable[[], Reply]) -> Reply:
        """Wait for a turn, then send between the two taps."""
        self.pace.turn()
        with self._lock:
            self.requests += 1
        if self.tap:
            self.tap("before", method, path)
        try:
            return send()
        finally:
            if self.tap:
                self.tap("after", method, path)


class HcloudCalls(Counted):
    """Over HTTP. Safe for many threads.

    Args:
        token: of the project. It is in the requests' headers and nowhere else.
        ca_file: certificates to trust; '' for those of the system.

    Raises:
        Invalid: `cloud_endpoint_plain`.
    """

    def __init__(
        self,
        token: str,
        endpoint: str = ENDPOINT,
        *,
        ca_file: str = "",
        pace: Pace | None = None,
        tap: Tap | None = None,
    ) -> None:
        super().__init__(pace or Pace(), tap)
        if urlsplit(endpoint).scheme != "https" and not on_this_host(endpoint):
            raise Invalid(
                "cloud_endpoint_plain",
                "The cloud's address is not an https:// one, and lies outside of this host: the token would be read.",
                "Correct FROSTBYTE_HCLOUD_ENDPOINT.",
            )
        self._client = Client(
            token,
            endpoint.rstrip("/"),
            application_name="frostbyte",
            application_version=__version__,
            timeout=(CONNECT_SECONDS, READ_SECONDS),
        )
        self._said = threading.local()
        inner = self._client._client
        inner._retry_max_retries = 0
        session = inner._session
        session.hooks["response"].append(self._note)
        session.auth = _Bearer(token)  # else a .netrc's password would replace the token
        session.trust_env = not on_this_host(endpoint)
        self._ca_file = ca_file
        for scheme in ("https://", "http://"):
            session.mount(scheme, HTTPAdapter(pool_connections=1, pool_maxsize=_CONNECTIONS, max_retries=0))

    def __repr__(self) -> str:
        return f"HcloudCalls(requests={self.requests})"

    def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Reply:
        """Send one request, once. A redirect is not followed."""
        return self.around(method, path, lambda: self._send(method, path, params, body))

    def _send(self, method: str, path: str, params: Mapping[str, Any] | None, body: Mapping[str, Any] | None) -> Reply:
        self._said.status, self._said.headers = 0, {}
        given: dict[str, Any] = {"allow_redirects": False}
        if self._ca_file:  # with the request: a session's own gives way to REQUESTS_CA_BUNDLE
            given["verify"] = self._ca_file
        if params:
            given["params"] = params
        if body is not None:
            given["json"] = body
        trouble: CloudError | None = None
        reply: Any = None
        try:
            reply = self._client.request(method, path, **given)
        except APIException as error:
            trouble = self._refusal(error)
        except requests.RequestException:
            trouble = failure("cloud_unreachable")
        except (KeyError, TypeError, AttributeError):
            trouble = failure(code_of("", self._said.status))
        if self._said.status:
            self.pace.heard(self._said.headers)
        else:
            self.pace.unheard()
        if trouble is None and (self._said.status >= 300 or not isinstance(reply, dict)):
            trouble = odd_reply("JSON object")
        if trouble is not None:
            raise trouble  # outside of `except`: the requests' exceptions hold the headers, and those the token
        return dict(reply)

    def _refusal(self, error: APIException) -> CloudError:
        vendor = error.code if isinstance(error.code, str) else ""
        return self.refusal(self._said.status, self._said.headers, vendor, str(error.message))

    def _note(self, response: requests.Response, *_: Any, **__: Any) -> None:
        self._said.status, self._said.headers = response.status_code, response.headers


class _Bearer(requests.auth.AuthBase):
    def __init__(self, token: str) -> None:
        self._header = f"Bearer {token}"

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._header
        return request


def on_this_host(endpoint: str) -> bool:
    """Whether an address of the API lies on this host: a simulator's, with no proxy in between."""
    host = urlsplit(endpoint).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
