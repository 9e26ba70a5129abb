"""The S3 requests that obstore has no call for, and the server's refusals in our words."""

from __future__ import annotations

import base64
import hashlib
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

import httpx
from lxml import etree

from frostbyte.adapters.objects.signing import S3Account, path_of, query_of, signed_headers
from frostbyte.kernel.errors import FrostbyteError, NotFound, Unavailable

CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 20.0
"""How long a server may be silent. A part of 8 MiB takes a slow disk of 1 MB/s eight."""
ATTEMPTS: Final = 3
"""Tries of a request that may be repeated; about half a second of pauses between them."""
PAGE: Final = 1000
"""Names in one answer, at most."""
_PAUSE_SECONDS: Final = 0.15
_AGAIN: Final = (500, 502, 503, 504)
_FULL: Final = ("XMinioStorageFull", "QuotaExceeded", "XMinioAdminBucketQuotaExceeded")
_REFUSED: Final = ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed")
_PLACE: Final = "{*}"


class S3Requests:
    """Signed requests to one bucket. Threads may share it.

    Args:
        url: `http[s]://host:port`.
        bucket: the bucket's name.
        account: whose keys sign.
        ca_file: certificates that a server's must be signed by, in place of the system's.
        proxy: `http://host:port` that leads there, or ''.
    """

    def __init__(
        self, url: str, bucket: str, account: S3Account, ca_file: Path | None = None, *, proxy: str = ""
    ) -> None:
        self._url = url.rstrip("/")
        self._bucket = bucket
        self._account = account
        self._client = httpx.Client(
            verify=ssl.create_default_context(cafile=str(ca_file)) if ca_file else True,
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=16),
            proxy=proxy or None,
            trust_env=False,  # no proxy and no netrc from the environment: a tenant's store is asked directly
        )

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def check(self) -> None:
        """Whether the bucket is there and the account may list it. Raises as `names`."""
        _xml(self._send("GET", query={"list-type": "2", "max-keys": "1"}).content)

    def keeps_versions(self) -> bool:
        """Whether the bucket keeps what is removed or replaced (S3's GetBucketVersioning, GetObjectLockConfiguration).

        Servers without either say that they do not know it, or that there is no such thing. Raises as `check`.
        """
        for asked, told, means in (
            ("versioning", "Status", "Enabled"),
            ("object-lock", "ObjectLockEnabled", "Enabled"),
        ):
            try:
                answer = _xml(self._send("GET", query={asked: ""}).content)
            except NotFound:
                continue
            except Unavailable as error:
                if error.code == "objects_unavailable" and "501" in error.message:
                    continue
                raise
            if answer.findtext(f"{_PLACE}{told}") == means:
                return True
        return False

    def names(self, prefix: str) -> Iterator[str]:
        """Names that start with `prefix`, in the server's order (by bytes).

        Raises:
            Unavailable: `objects_unavailable`, `objects_refused`, `bucket_missing`.
        """
        query = {"list-type": "2", "prefix": prefix, "max-keys": str(PAGE)}
        while True:
            page = _xml(self._send("GET", query=query).content)
            for found in page.iter(f"{_PLACE}Key"):
                yield found.text or ""
            mark = page.findtext(f"{_PLACE}NextContinuationToken")
            if page.findtext(f"{_PLACE}IsTruncated") != "true" or not mark:
                return
            query["continuation-token"] = mark

    def age_seconds(self, name: str) -> float:
        """Seconds since it was written, by the server's clock, which counts whole ones. Raises as `translate`."""
        headers = self._send("HEAD", name).headers
        try:
            written, now = (parsedate_to_datetime(headers[key]) for key in ("last-modified", "date"))
        except (KeyError, ValueError):
            raise unavailable("it did not tell the time") from None
        return max(0.0, (now - written).total_seconds())

    def begin(self, name: str) -> str:
        """Open an upload in parts; its id."""
        found = _xml(self._send("POST", name, query={"uploads": ""}).content).findtext(f"{_PLACE}UploadId")
        if not found:
            raise unavailable("it opened no upload")
        return str(found)

    def part(self, name: str, upload: str, number: int, data: bytes) -> str:
        """Send part `number` (from 1); its tag."""
        query = {"uploadId": upload, "partNumber": str(number)}
        return str(self._send("PUT", name, query=query, body=data).headers.get("etag", ""))

    def complete(self, name: str, upload: str, tags: Sequence[str]) -> None:
        """Make the parts the object, at once."""
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(tag)}</ETag></Part>"
            for number, tag in enumerate(tags, 1)
        )
        body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        answer = _xml(self._send("POST", name, query={"uploadId": upload}, body=body).content)
        # The server may begin to answer 200 before it knows: the body tells.
        if etree.QName(answer).localname != "CompleteMultipartUploadResult":
            raise translate(500, answer.findtext(f"{_PLACE}Code") or answer.findtext("Code") or "")

    def abort(self, name: str, upload: str) -> None:
        """Drop the parts; idempotent."""
        with suppress(NotFound):
            self._send("DELETE", name, query={"uploadId": upload})

    def _send(
        self, method: str, name: str = "", *, query: Mapping[str, str] | None = None, body: bytes = b""
    ) -> httpx.Response:
        """The server's answer, when it is a good one.

        Whatever is sent here may be sent twice: a second upload that was begun is dropped by the server in time, a
        part replaces itself, and completing again what is complete is told by `NoSuchUpload`.
        """
        url = self._url + path_of(self._bucket, *([name] if name else []))
        if query:
            url += "?" + query_of(query)
        more = {"content-md5": base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()}
        problem: FrostbyteError = unavailable()
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(_PAUSE_SECONDS * 2 ** (attempt - 1))
            headers = signed_headers(self._account, method, url, body, more=more if body else None)
            try:
                answer = self._client.request(method, url, content=body or None, headers=headers)
            except (httpx.ConnectError, httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError) as error:
                problem = unavailable(type(error).__name__)
                continue
            except httpx.HTTPError as error:  # a timeout took long enough
                raise unavailable(type(error).__name__) from None
            if answer.is_success:
                return answer
            problem = translate(answer.status_code, _code(answer))
            if answer.status_code not in _AGAIN:
                break
        raise problem


def _code(answer: httpx.Response) -> str:
    """The server's own word for its refusal; MinIO puts it into a header where an answer has no body."""
    if not answer.content:
        return str(answer.headers.get("x-minio-error-code", ""))
    try:
        return str(_xml(answer.content).findtext(f"{_PLACE}Code") or "")
    except FrostbyteError:
        return ""


def _xml(data: bytes) -> Any:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError:
        raise unavailable("its answer is no XML") from None


def translate(status: int, code: str) -> FrostbyteError:
    """Our error for a server's refusal.

    Args:
        status: of HTTP.
        code: S3's word for it, or '' where it said none.
    """
    if code in _FULL or status == 507:
        return Unavailable(
            "disk_full",
            "The disk that holds the documents is full, so nothing was stored.",
            "Free space or enlarge the object store's volume, then send it again.",
        )
    if code == "NoSuchBucket":
        return Unavailable(
            "bucket_missing",
            "The object store has no bucket of this plane's name.",
            "Create it with `frostbyte storage provision`, or correct FROSTBYTE_OBJECTS_BUCKET.",
        )
    if code in _REFUSED or status in (401, 403):
        return Unavailable(
            "objects_refused",
            f"The object store refused this plane's credentials ({code or status}).",
            "Correct FROSTBYTE_OBJECTS_ACCESS_KEY and FROSTBYTE_OBJECTS_SECRET_KEY; the work resumes then.",
        )
    if status == 404:
        return NotFound("object_missing", "The stored object is not there.", "Restore it from a backup.")
    return unavailable(f"it answered {status} {code}".strip() if status else "no answer")


def unavailable(why: str = "no answer") -> Unavailable:
    """The error for a store that cannot be used now."""
    return Unavailable(
        "objects_unavailable",
        f"The object store cannot be used ({why}).",
        "Start it, or correct FROSTBYTE_OBJECTS_URL; the work is tried again by itself.",
    )
