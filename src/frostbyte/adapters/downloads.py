"""Files over HTTPS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

import httpx

from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.ports.downloads import Download

_SECONDS: Final = 60
_REDIRECTS: Final = 5
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


class HttpDownloads:
    """Follows redirects, and nothing but HTTPS; plain HTTP on this machine's loopback alone."""

    def __init__(self, seconds: float = _SECONDS) -> None:
        """A server that says nothing for so long is left; one that is slow is waited for."""
        self._seconds = seconds

    @contextmanager
    def get(self, address: str, start: int) -> Iterator[Download]:
        """See Downloads."""
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        try:
            with httpx.Client(timeout=self._seconds, max_redirects=_REDIRECTS) as client:
                for _ in range(_REDIRECTS):
                    _allowed(address)
                    with client.stream("GET", address, headers=headers) as answer:
                        if answer.is_redirect and answer.next_request is not None:
                            address = str(answer.next_request.url)
                            continue
                        if answer.status_code == 416:  # there is nothing behind `start`
                            yield Download(start=start, chunks=iter(()))
                            return
                        if answer.status_code not in (200, 206):
                            raise _failed(f"it answers {answer.status_code}")
                        begun = _begun(answer, start)
                        # As it comes: what waits to fill a piece of a given size is lost when the connection breaks.
                        yield Download(start=begun, chunks=answer.iter_raw())
                        return
        except httpx.HTTPError as error:
            raise _failed(type(error).__name__) from None
        raise _failed("it leads nowhere")


def _begun(answer: httpx.Response, start: int) -> int:
    """The first byte that an answer carries (RFC 9110, 14.4): bytes of elsewhere would spoil what is there already."""
    if answer.status_code != 206:
        return 0
    if not answer.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
        raise _failed("it sends another part than it was asked for")
    return start


def _allowed(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise _failed("it is not https")


def _failed(why: str) -> Unavailable:
    return Unavailable(
        "download_failed",
        f"A file could not be fetched from its address: {why}.",
        "Do it again, it goes on where it stopped; or fetch the file another way and name its folder with --from.",
    )
