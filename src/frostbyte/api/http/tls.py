"""TLS of a server of ours: its certificate, renewed while it runs, and whom it lets in.

With an authority for clients nobody comes in without a certificate by it, not even to ask for /health; where a client
is named as well, only one with that common name: a tenant's authority vouches for several.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from frostbyte.kernel.errors import Invalid

LOOK_SECONDS: Final = 1.0
"""Between two looks at the files, made when somebody connects."""
_log = structlog.get_logger("frostbyte.api")


class ServerTls:
    """What `uvicorn` needs (`options`) to serve with these files; changed files are taken at the next connection.

    Args:
        certificate: PEM, with its chain.
        key: PEM.
        client_ca: PEM of the authority whose clients are let in; None lets everybody in.
        client: the common name that a client's certificate must have; '' for any.
        seconds: a clock that only goes forward.

    Raises:
        Invalid: `tls_unusable`.
    """

    def __init__(
        self,
        certificate: Path,
        key: Path,
        client_ca: Path | None = None,
        client: str = "",
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._certificate, self._key, self._client_ca = certificate, key, client_ca
        self._client = client
        self._seconds = seconds
        self._stamp = self._seen()
        self._looked = seconds()
        # Connections begin with the first context and are handed to the newest one, with all that it was made of.
        self._newest = self._first = self._built()
        self._first.sni_callback = self._hand_over

    def options(self) -> dict[str, Any]:
        """For `uvicorn.Config`."""
        return {"ssl_context_factory": lambda config, default: self._first, "http": self._protocol()}

    def _built(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # A resumed session would be let in by the certificate of its first one.
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
        try:
            context.load_cert_chain(self._certificate, self._key)
            if self._client_ca is not None:
                context.load_verify_locations(self._client_ca)
                context.verify_mode = ssl.CERT_REQUIRED
        except (OSError, ssl.SSLError):  # the second is one of the first; both say what they are
            raise Invalid(
                "tls_unusable",
                "The server's certificate, its key or the authority of its clients cannot be used.",
                "See that the files are PEM, belong together, and may be read by the server's account.",
            ) from None
        return context

    def _seen(self) -> tuple[tuple[int, int, int], ...]:
        found = []
        for path in (self._certificate, self._key, self._client_ca):
            try:
                stat = os.stat(path) if path is not None else None
            except OSError:
                stat = None
            found.append((stat.st_ino, stat.st_mtime_ns, stat.st_size) if stat else (0, 0, 0))
        return tuple(found)

    def _hand_over(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        if self._seconds() - self._looked >= LOOK_SECONDS:
            self._looked = self._seconds()
            stamp = self._seen()
            if stamp != self._stamp:
                self._renew(stamp)
        if self._newest is not context:
            connection.context = self._newest

    def _renew(self, stamp: tuple[tuple[int, int, int], ...]) -> None:
        try:
            self._newest = self._built()
        except Invalid as error:
            # One of two files is not there yet, or somebody erred: what is in use stays, and we look again.
            _log.warning("certificate_not_taken", code=error.code)
            return
        self._stamp = stamp
        _log.info("certificate_taken")

    def _protocol(self) -> type[HttpToolsProtocol]:
        wanted = self._client

        class Met(HttpToolsProtocol):
            """Lets a connection go on if the client is who it must be."""

            refused = False

            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                if wanted and wanted not in _names(transport):
                    self.refused = True
                    _log.warning("client_refused")
                    transport.abort()
                    return
                super().connection_made(transport)

            def data_received(self, data: bytes) -> None:
                if not self.refused:
                    super().data_received(data)

            def eof_received(self) -> None:
                if not self.refused:
                    super().eof_received()

            def connection_lost(self, exc: Exception | None) -> None:
                if not self.refused:
                    super().connection_lost(exc)

        return Met


def pair_options(certificate: str, key: str) -> dict[str, Any]:
    """The same for a server that lets everybody in; {} for plain text. Raises Invalid("tls_unusable")."""
    return ServerTls(Path(certificate), Path(key)).options() if certificate else {}


def _names(transport: asyncio.Transport) -> list[str]:
    """Common names of the client's certificate, which the handshake has checked."""
    shown = transport.get_extra_info("peercert") or {}
    return [value for part in shown.get("subject", ()) for kind, value in part if kind == "commonName"]
