"""Requests to an S3 server, signed with version 4 of its signature (AWS General Reference, "Signature Version 4").

obstore signs what it sends itself. This is for the few requests that it has no call for: the steps of an upload in
parts, a listing by any prefix, and the server's own clock.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, urlsplit

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_SAFE: Final = "-_.~"
"""What is not escaped, beside letters and digits (RFC 3986's unreserved characters)."""


@dataclass(frozen=True)
class S3Account:
    """Who asks."""

    access_key: str
    secret_key: str = field(repr=False)
    region: str = "us-east-1"
    """MinIO takes its default region's name whatever the place."""


def path_of(*parts: str) -> str:
    """The escaped path of a bucket or of an object in it."""
    return "/" + "/".join(quote(part, safe=_SAFE + "/") for part in parts)


def query_of(parameters: Mapping[str, str]) -> str:
    """The query in the order and the escapes that the signature is made over."""
    return "&".join(f"{quote(k, safe=_SAFE)}={quote(v, safe=_SAFE)}" for k, v in sorted(parameters.items()))


def signed_headers(
    account: S3Account,
    method: str,
    url: str,
    body: bytes = b"",
    *,
    now: datetime | None = None,
    more: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The headers that make a request the account's.

    Args:
        account: whose keys sign.
        method: GET, PUT ...
        url: absolute, its path by `path_of` and its query by `query_of`.
        body: what is sent; its hash is signed too, so that a server stores nothing that was changed on the way.
        now: the time of the signature; a server refuses one that is 15 minutes off.
        more: further headers to send and sign.
    """
    parts = urlsplit(url)
    stamp = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(body).hexdigest()
    headers = {name.lower(): value for name, value in (more or {}).items()}
    headers |= {"host": parts.netloc, "x-amz-content-sha256": digest, "x-amz-date": stamp}
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in sorted(headers))
    request = "\n".join((method, parts.path or "/", parts.query, lines, names, digest))
    scope = f"{stamp[:8]}/{account.region}/s3/aws4_request"
    text = "\n".join((_ALGORITHM, stamp, scope, hashlib.sha256(request.encode()).hexdigest()))
    key = b"AWS4" + account.secret_key.encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    who = f"{account.access_key}/{scope}"
    headers["authorization"] = f"{_ALGORITHM} Credential={who}, SignedHeaders={names}, Signature={signature}"
    return headers
