"""Messages by HTTPS: to the name that was registered and to no other place.

A server's name is looked up once, every address of it is judged, and one of those that were judged is connected to; the
certificate must be the name's. So nobody's DNS, redirection or answer makes a plane ask its own network for something.
Where a proxy leads out, the proxy looks the name up and judges it (api/egress), and nothing else is asked.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Final

import httpx

from frostbyte import __version__
from frostbyte.kernel.networks import nowhere
from frostbyte.kernel.ports.webhooks import Answer
from frostbyte.kernel.webhooks.addresses import HTTPS, Address, address

SECONDS: Final = 15.0
"""For a whole attempt, looking up included: a receiver answers first and works afterwards."""
_CONNECT_SECONDS: Final = 5.0
_MOST_ADDRESSES: Final = 3
_LONGEST_WAIT: Final = 86_400.0
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a name. Raises OSError."""


@dataclass(frozen=True, kw_only=True)
class Reach:
    """Where messages may go besides what the tenant's configuration says.

    Attributes:
        networks: private ones (CIDR) that they may go into.
        outside: whether they may go to the internet; an offline plane's never do.
        proxy: what leads out, as `http://host:port`; '' for no proxy.
        ca_file: whom receivers' certificates are trusted by, beside none other; '' for whom the world trusts.
    """

    networks: tuple[str, ...] = ()
    outside: bool = True
    proxy: str = ""
    ca_file: str = ""


async def looked_up(host: str, port: int) -> Sequence[str]:
    """What the system's resolver says."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


@dataclass(kw_only=True)
class HttpsCourier:
    """See kernel.ports.webhooks.Courier. Threads share it."""

    reach: Reach = field(default_factory=Reach)
    resolve: Resolve = looked_up
    seconds: float = SECONDS

    def __post_init__(self) -> None:
        self._trusted: ssl.SSLContext = httpx.create_ssl_context(
            verify=ssl.create_default_context(cafile=self.reach.ca_file) if self.reach.ca_file else True,
            trust_env=False,
        )

    def carry(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """See the port. Raises Invalid: `webhook_url_invalid` for what is no address at all."""
        return asyncio.run(self._bounded(address(url), headers, body))

    async def _bounded(self, to: Address, headers: Mapping[str, str], body: bytes) -> Answer:
        try:
            async with asyncio.timeout(self.seconds):
                return await self._carried(to, dict(headers), body)
        except (TimeoutError, httpx.TimeoutException):
            return Answer(code="webhook_slow")
        except httpx.ProxyError as error:
            return Answer(code="webhook_way_closed" if str(error).startswith("403") else "webhook_unreachable")
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return Answer(code="webhook_certificate" if _untrusted(error) else "webhook_unreachable")

    async def _carried(self, to: Address, headers: dict[str, str], body: bytes) -> Answer:
        headers |= {"user-agent": f"Frostbyte/{__version__}", "accept": "*/*"}
        async with self._client() as client:
            if self.reach.proxy:
                return await _sent(client, to.url, headers, body)
            found = await self.resolve(to.place.host, to.place.port)
            refused = self._judged(found)
            if refused:
                return Answer(code=refused)
            headers["host"] = to.place.host if to.place.port == HTTPS else str(to.place)
            *others, last = (
                f"https://{f'[{one}]' if ':' in one else one}:{to.place.port}{to.target}"
                for one in found[:_MOST_ADDRESSES]
            )
            for url in others:  # nothing was sent where nothing was connected to
                try:
                    return await _sent(client, url, headers, body, name=to.place.host)
                except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                    if _untrusted(error):
                        raise
            return await _sent(client, last, headers, body, name=to.place.host)

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            verify=self._trusted,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(self.seconds, connect=_CONNECT_SECONDS),
            proxy=self.reach.proxy or None,
        )

    def _judged(self, found: Sequence[str]) -> str:
        """Why none of these addresses is connected to, as a code; '' if any may be. One that may not speaks for all:
        a name that leads inside as well is not to be trusted."""
        if not found:
            return "webhook_unreachable"
        opened = [ip_network(network) for network in self.reach.networks]
        for text in found:
            one = ip_address(text.partition("%")[0])
            if any(one in network for network in opened):
                continue
            if nowhere(str(one)):
                return "webhook_address_inside"
            if not self.reach.outside:
                return "webhook_address_outside"
        return ""


async def _sent(client: httpx.AsyncClient, url: str, headers: dict[str, str], body: bytes, *, name: str = "") -> Answer:
    """The answer's first line decides; its body is nobody's business here and is not read.

    Args:
        name: whose certificate is asked for, where the address is a number.
    """
    extensions = {"sni_hostname": name} if name else {}
    async with client.stream("POST", url, headers=headers, content=body, extensions=extensions) as answer:
        status = answer.status_code
        wait = answer.headers.get("retry-after", "")
    if 200 <= status < 300:
        return Answer(status=status)
    code = "webhook_gone" if status == 410 else "webhook_redirected" if 300 <= status < 400 else "webhook_refused"
    seconds = float(wait) if wait.isascii() and wait.isdigit() and len(wait) < 7 else 0.0
    return Answer(code=code, status=status, retry_after=min(seconds, _LONGEST_WAIT))


def _untrusted(error: BaseException | None) -> bool:
    """Whether a certificate is behind it."""
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
