"""What `frostbyte serve vectors` is told: `FROSTBYTE_VECTORS_*` variables."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.settings import Reader, invalid

SHORTEST_KEY: Final = 32
"""Characters: a shorter key can be guessed from one token that it signed (RFC 7518, section 3.2)."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How the server runs."""

    host: str
    port: int
    folder: Path
    key: str = field(repr=False)
    """'' asks nobody for a key; allowed on a loopback address alone."""
    certificate: str
    """A file with the chain; '' speaks plain HTTP."""
    certificate_key: str
    max_request_mb: int


def load(environment: Mapping[str, str] | None = None) -> Options:
    """Raises Invalid: `settings_invalid`; `key_missing`: others could reach the server and no key is set."""
    given = Reader(os.environ if environment is None else environment)
    host, port = given.listen("127.0.0.1:6333", "VECTORS_LISTEN")
    key = given.secret("VECTORS_API_KEY")
    if key and len(key) < SHORTEST_KEY:
        raise invalid("VECTORS_API_KEY", f"it has fewer than {SHORTEST_KEY} characters")
    if not key and not _loopback(host):
        raise Invalid(
            "key_missing",
            "Others can reach this address, and no key is asked for.",
            "Set FROSTBYTE_VECTORS_API_KEY_FILE to a file with a key, or listen on 127.0.0.1.",
        )
    certificate, certificate_key = given.text("VECTORS_CERT", ""), given.text("VECTORS_CERT_KEY", "")
    for name, file in (("VECTORS_CERT", certificate), ("VECTORS_CERT_KEY", certificate_key)):
        if bool(certificate) != bool(certificate_key):
            raise invalid(name, "FROSTBYTE_VECTORS_CERT and FROSTBYTE_VECTORS_CERT_KEY belong together")
        if file and not Path(file).is_file():
            raise invalid(name, "there is no such file")
    return Options(
        host=host,
        port=port,
        folder=Path(given.text("VECTORS_DATA", "vectors-data")).expanduser().absolute(),
        key=key,
        certificate=certificate,
        certificate_key=certificate_key,
        max_request_mb=given.number("VECTORS_MAX_REQUEST_MB", 1, 1024, 32),
    )


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
