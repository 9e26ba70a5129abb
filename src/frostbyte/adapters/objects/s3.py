"""Objects on an S3 server (MinIO or any other), durable when the server has answered.

An object of up to 8 MiB is one PUT, which S3 makes visible as a whole or not at all. A longer one goes up in parts that
nobody sees until they are completed, and an upload that is left is aborted. Of a process that is killed between two
parts the server drops the parts itself: MinIO after a day.

obstore carries the bytes. What it has no call for (parts, listing by a prefix that ends inside a name, the server's
clock) is asked by requests of our own over httpx.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from frostbyte.adapters.objects.requests import (
    ANSWER_SECONDS,
    ATTEMPTS,
    CONNECT_SECONDS,
    S3Requests,
    translate,
    unavailable,
)
from frostbyte.adapters.objects.signing import S3Account
from frostbyte.kernel.errors import Conflict, FrostbyteError, NotFound
from frostbyte.kernel.object_names import check_object_name

if TYPE_CHECKING:
    from obstore.store import ClientConfig

PART: Final = 8 << 20
"""Bytes of a part: S3 wants 5 MiB at least (but for the last one) and takes 10,000 of them, here 78 GiB."""
_CODE: Final = re.compile(r"<Code>([A-Za-z]{1,64})</Code>")
_STATUS: Final = re.compile(r"status (?:code: )?([45]\d\d)\b")


class S3Blobs:
    """A blob store in a bucket, which threads, processes and hosts may share.

    Args:
        url: `http[s]://host:port` of the server.
        bucket: the bucket's name.
        account: whose keys sign.
        ca_file: a PEM file with the certificates that the server's may be signed by; None for the system's.
        proxy: `http://host:port` that leads there; '' asks it directly, whatever the environment says.

    No request is sent until something is asked; `check()` asks whether the bucket is there.
    """

    def __init__(
        self, url: str, bucket: str, account: S3Account, *, ca_file: Path | None = None, proxy: str = ""
    ) -> None:
        options: ClientConfig = {
            "allow_http": url.startswith("http://"),
            "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
            "timeout": timedelta(seconds=ANSWER_SECONDS),
        }
        if ca_file is not None:
            options["root_certificate"] = ca_file.read_bytes()
        if proxy:
            options["proxy_url"] = proxy
        self._store = S3Store(
            bucket,
            endpoint=url,
            access_key_id=account.access_key,
            secret_access_key=account.secret_key,
            region=account.region,
            disable_bulk_delete=True,  # its answer is 200 with the refusals inside
            client_options=options,
            # No further try after the time of one answer: a store that hangs is an outage after 40 seconds.
            retry_config={
                "max_retries": ATTEMPTS - 1,
                "retry_timeout": timedelta(seconds=ANSWER_SECONDS),
                "backoff": {"init_backoff": timedelta(seconds=0.15), "max_backoff": timedelta(seconds=1), "base": 2},
            },
        )
        self.bucket = bucket
        self._requests = S3Requests(url, bucket, account, ca_file, proxy=proxy)

    def check(self) -> None:
        """Whether the bucket is there and ours.

        Raises:
            Unavailable: `objects_unavailable`, `objects_refused`, `bucket_missing`.
        """
        self._requests.check()

    def keeps_versions(self) -> bool:
        """Whether the bucket keeps what is removed or replaced. Raises as `check`."""
        return self._requests.keeps_versions()

    def close(self) -> None:
        """Let go of the connections."""
        self._requests.close()

    def writer(self, name: str) -> S3BlobWriter:
        """An object to be written bit by bit; visible and durable after `commit()`."""
        return S3BlobWriter(self, self._requests, check_object_name(name))

    def put(self, name: str, data: bytes) -> None:
        """Store or replace an object.

        Raises:
            Unavailable: `objects_unavailable`, `objects_refused`, `bucket_missing`, `disk_full`.
        """
        check_object_name(name)
        if len(data) > PART:
            with self.writer(name) as writer:
                writer.write(data)
                writer.commit()
            return
        with _translated():
            obstore.put(self._store, name, data, use_multipart=False)

    def get(self, name: str) -> bytes:
        """The whole object. Raises NotFound("object_missing")."""
        check_object_name(name)
        with _translated():
            return bytes(obstore.get(self._store, name).bytes())

    def get_range(self, name: str, start: int, length: int) -> bytes:
        """At most `length` bytes from `start`; fewer at the end. Raises NotFound("object_missing")."""
        check_object_name(name)
        if length <= 0:
            self.size(name)
            return b""
        try:
            with _translated():
                return bytes(obstore.get_range(self._store, name, start=start, length=length))
        except FrostbyteError as error:
            # S3 refuses a range that begins at or behind the end; a folder gives nothing there.
            if isinstance(error, NotFound) or start < self.size(name):
                raise
            return b""

    def head(self, name: str, length: int) -> tuple[bytes, int]:
        """Its first `length` bytes and the size of all of it, in one exchange. Raises NotFound("object_missing")."""
        check_object_name(name)
        try:
            with _translated():
                answer = obstore.get(self._store, name, options={"range": (0, length)})
                return bytes(answer.bytes()), int(answer.meta["size"])
        except FrostbyteError as error:
            if isinstance(error, NotFound) or self.size(name):  # S3 refuses a range of an object without bytes
                raise
            return b"", 0

    def size(self, name: str) -> int:
        """Its bytes. Raises NotFound("object_missing")."""
        check_object_name(name)
        try:
            with _translated():
                return int(obstore.head(self._store, name)["size"])
        except NotFound:
            self._tell_missing(name)
            raise

    def exists(self, name: str) -> bool:
        """Whether it is there."""
        try:
            self.size(name)
        except NotFound:
            return False
        return True

    def delete(self, name: str) -> None:
        """Remove it; gone when this returns; idempotent."""
        check_object_name(name)
        with suppress(NotFound), _translated():
            obstore.delete(self._store, name)

    def names(self, prefix: str) -> Iterator[str]:
        """Sorted names that start with `prefix`; what is added or removed meanwhile may be missing or be named."""
        return self._requests.names(prefix)

    def age_seconds(self, name: str) -> float:
        """Seconds since it was written, in whole ones. Raises NotFound("object_missing")."""
        return self._requests.age_seconds(check_object_name(name))

    def _tell_missing(self, name: str) -> None:
        """Raise if it is the bucket that is missing: a lost bucket must not look like an erased document.

        The answer to HEAD has no body and so does not tell; the one to GET does.
        """
        with suppress(NotFound), _translated():
            obstore.get_range(self._store, name, start=0, length=1)


class S3BlobWriter:
    """An object being written. Leaving the `with` block without `commit()` leaves nothing."""

    def __init__(self, store: S3Blobs, requests: S3Requests, name: str) -> None:
        self._store = store
        self._requests = requests
        self._name = name
        self._waiting: list[bytes] = []
        self._size = 0
        self._upload = ""
        self._tags: list[str] = []
        self._open = True

    def write(self, data: bytes) -> None:
        """Add bytes. Raises Unavailable as `S3Blobs.put`, Conflict after the end."""
        self._check_open()
        self._waiting.append(bytes(data))
        self._size += len(data)
        while self._size > PART:
            self._send_part(PART)

    def commit(self) -> None:
        """Make it visible: one PUT, or the last part and the completion."""
        self._check_open()
        if not self._upload:
            self._store.put(self._name, self._take(self._size))
        else:
            self._send_part(self._size)
            with _lost_upload():
                self._requests.complete(self._name, self._upload, self._tags)
        self._open = False

    def __enter__(self) -> S3BlobWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._open:
            self._open = False
            self._waiting.clear()
            if self._upload:
                # A store that is away drops the parts by itself later; the first trouble is the one to tell.
                with suppress(FrostbyteError):
                    self._requests.abort(self._name, self._upload)

    def _send_part(self, size: int) -> None:
        with _lost_upload():
            if not self._upload:
                self._upload = self._requests.begin(self._name)
            number = len(self._tags) + 1
            self._tags.append(self._requests.part(self._name, self._upload, number, self._take(size)))

    def _take(self, size: int) -> bytes:
        """The first `size` of the waiting bytes."""
        joined = self._waiting[0] if len(self._waiting) == 1 else b"".join(self._waiting)
        self._waiting = [joined[size:]] if len(joined) > size else []
        self._size = len(joined) - size
        return joined[:size]

    def _check_open(self) -> None:
        if not self._open:
            raise Conflict("writer_closed", "This object was already finished or dropped.", "Open a new writer.")


@contextmanager
def _lost_upload() -> Iterator[None]:
    """An upload that the server does not know any more is an outage, not a missing object."""
    try:
        yield
    except NotFound:
        raise unavailable("it lost the upload") from None


@contextmanager
def _translated() -> Iterator[None]:
    """obstore's errors in ours. The original is cut off: its text quotes addresses and headers."""
    try:
        yield
    except FileNotFoundError as error:
        raise translate(404, _word(_CODE, error)) from None
    except (PermissionDeniedError, UnauthenticatedError) as error:
        raise translate(403, _word(_CODE, error)) from None
    except BaseError as error:
        status = _word(_STATUS, error)
        raise translate(int(status) if status else 0, _word(_CODE, error)) from None


def _word(pattern: re.Pattern[str], error: Exception) -> str:
    found = pattern.search(str(error))
    return found[1] if found else ""
