"""A tenant's bucket on MinIO, its user, and a policy for that bucket alone.

Buckets and objects go through S3; users and policies through MinIO's own administration, which S3 has no word for.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import urllib3
from minio import Minio, MinioAdmin
from minio.commonconfig import CopySource
from minio.credentials.providers import StaticProvider
from minio.deleteobjects import DeleteObject
from minio.error import MinioAdminException, MinioException, S3Error

from frostbyte.adapters.objects.requests import (
    ANSWER_SECONDS,
    CONNECT_SECONDS,
    S3Requests,
    translate,
    unavailable,
)
from frostbyte.adapters.objects.s3 import S3Blobs
from frostbyte.adapters.objects.signing import S3Account
from frostbyte.kernel.errors import FrostbyteError, Unavailable
from frostbyte.kernel.ports.tenant_stores import Attempt, Refused, Secrets

WORD: Final = "objects_secret_key"
_PROBE: Final = "verify/probe"
"""An object of this name comes and goes where a tenant is tried."""
_CONTENT: Final = b"planted"
_PATIENCE: Final = 12
"""Tries while a server says that it is not ready: about ten seconds."""
_OWN_ACTIONS: Final = ("s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads")
_OBJECT_ACTIONS: Final = (
    "s3:GetObject",
    "s3:PutObject",
    "s3:DeleteObject",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
)
_GONE: Final = ("XMinioAdminNoSuchUser", "XMinioAdminNoSuchPolicy")


def bucket_of(tenant: str) -> str:
    """The tenant's bucket; its policy has the same name."""
    return f"tenant-{tenant}-bucket"


def user_of(tenant: str) -> str:
    """The tenant's user, which is its access key."""
    return f"tenant-{tenant}"


def policy_of(tenant: str) -> dict[str, Any]:
    """What the tenant's user may do: the bucket's objects, and nothing else (a user may else make access keys)."""
    bucket = f"arn:aws:s3:::{bucket_of(tenant)}"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": list(_OWN_ACTIONS), "Resource": [bucket]},
            {"Effect": "Allow", "Action": list(_OBJECT_ACTIONS), "Resource": [f"{bucket}/*"]},
            {"Effect": "Deny", "Action": ["admin:*"]},
        ],
    }


class MinioTenants:
    """See kernel.ports.tenant_stores.TenantStore.

    Args:
        url: `http[s]://host:port` of the server.
        access_key: the administrator's.
        secret_key: the administrator's.
        ca_file: certificates that the server's must be signed by, in place of the system's.
    """

    name = "objects"

    def __init__(self, url: str, access_key: str = "", secret_key: str = "", *, ca_file: Path | None = None) -> None:
        self._url = url.rstrip("/")
        self._ca_file = ca_file
        self._s3 = self._client(access_key, secret_key)
        self._admin = self._admin_client(access_key, secret_key)

    def provision(self, tenant: str, secrets: Secrets) -> Iterator[str]:
        """Bucket, policy and user."""
        bucket, secret = bucket_of(tenant), secrets.made(WORD)
        with _as_administrator():
            if not self._s3.bucket_exists(bucket):
                _unless(self._s3.make_bucket, bucket, known="BucketAlreadyOwnedByYou")
            yield f"bucket {bucket}"
            self._admin.policy_add(bucket, policy=policy_of(tenant))
            yield f"policy {bucket}"
            self._admin.user_add(user_of(tenant), secret)
            yield f"user {user_of(tenant)}"
            self._admin.policy_set(bucket, user=user_of(tenant))
            yield f"policy {bucket} given to {user_of(tenant)}"

    def settings(self, tenant: str, secrets: Secrets) -> dict[str, str]:
        """Address, bucket and keys."""
        return {
            "FROSTBYTE_OBJECTS_URL": self._url,
            "FROSTBYTE_OBJECTS_BUCKET": bucket_of(tenant),
            "FROSTBYTE_OBJECTS_ACCESS_KEY": user_of(tenant),
            "FROSTBYTE_OBJECTS_SECRET_KEY_FILE": WORD,
        }

    def plant(self, tenant: str, secrets: Secrets) -> Iterator[str]:
        """An object."""
        self._blobs(tenant, secrets, tenant).put(_PROBE, _CONTENT)
        yield "an object"

    def uses(self, tenant: str, secrets: Secrets) -> Sequence[Attempt]:
        """Write, read, list and delete in the own bucket."""
        blobs, own = self._blobs(tenant, secrets, tenant), "verify/own"
        return [
            Attempt("write an object of its own", lambda: _asked(blobs.put, own, _CONTENT)),
            Attempt("read an object of its own", lambda: _asked(blobs.get, own)),
            Attempt("list its own bucket", lambda: _asked(lambda: list(blobs.names("verify/")))),
            Attempt("delete an object of its own", lambda: _asked(blobs.delete, own)),
        ]

    def crossings(self, tenant: str, secrets: Secrets, other: str) -> Sequence[Attempt]:
        """The other's bucket, the server's administration, and coming without keys."""
        target, own = bucket_of(other), bucket_of(tenant)
        blobs = self._blobs(tenant, secrets, other)
        keys = (user_of(tenant), secrets.found(WORD))
        s3, admin, nobody = self._client(*keys), self._admin_client(*keys), self._client("", "")
        parts = S3Requests(self._url, target, S3Account(*keys), self._ca_file)
        copied = CopySource(target, _PROBE)
        opened = (
            '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["*"]},'
            f'"Action":["s3:GetObject"],"Resource":["arn:aws:s3:::{own}/*"]}}]}}'
        )
        return [
            Attempt("see the other's bucket", lambda: _asked(_sees, s3, target)),
            Attempt("list the other's bucket", lambda: _asked(lambda: list(blobs.names("")))),
            Attempt("read the other's object", lambda: _asked(blobs.get, _PROBE)),
            Attempt("write into the other's bucket", lambda: _asked(blobs.put, "verify/intruder", b"x")),
            Attempt("begin a large upload there", lambda: _asked(_begin, parts)),
            Attempt("delete the other's object", lambda: _asked(blobs.delete, "verify/intruder")),
            Attempt("copy the other's object", lambda: _asked(s3.copy_object, own, "verify/copied", copied)),
            Attempt("make a bucket", lambda: _asked(_made, s3.make_bucket, s3.remove_bucket, f"{own}-more")),
            Attempt("open its own bucket to everybody", lambda: _asked(s3.set_bucket_policy, own, opened)),
            Attempt("list the server's users", lambda: _asked(admin.user_list)),
            Attempt("make a user", lambda: _asked(_user, admin, f"{user_of(tenant)}-more", keys[1])),
            Attempt("make an access key", lambda: _asked(_access_key, admin)),
            Attempt("read its own rights", lambda: _asked(admin.policy_info, own)),
            Attempt("look at the server", lambda: _asked(admin.info)),
            Attempt("list the bucket without keys", lambda: _asked(lambda: list(nobody.list_objects(target)))),
            Attempt("read an object without keys", lambda: _asked(_read, nobody, target)),
            Attempt("write an object without keys", lambda: _asked(_write, nobody, target)),
        ]

    def destroy(self, tenant: str) -> Iterator[str]:
        """User and policy first, so that nothing is written any more; then the objects and the bucket."""
        bucket = bucket_of(tenant)
        with _as_administrator():
            if _unless(self._admin.user_remove, user_of(tenant), known=_GONE[0]):
                yield f"removed user {user_of(tenant)}"
            # The server takes the removal of what is not there for done, so it is asked first.
            if _unless(self._admin.policy_info, bucket, known=_GONE[1]):
                self._admin.policy_remove(bucket)
                yield f"removed policy {bucket}"
            if not self._s3.bucket_exists(bucket):
                return
            found = self._s3.list_objects(bucket, recursive=True, include_version=True)
            count = 0

            def counted() -> Iterator[DeleteObject]:
                nonlocal count
                for item in found:
                    count += 1
                    yield DeleteObject(item.object_name or "", item.version_id)

            for error in self._s3.remove_objects(bucket, counted()):
                raise unavailable(f"it did not delete an object: {error.code}")
            yield f"removed {count} objects"
            _unless(self._s3.remove_bucket, bucket, known="NoSuchBucket")
            yield f"removed bucket {bucket}"

    def remains(self, tenant: str) -> Sequence[str]:
        """Its bucket, user or policy."""
        bucket, rest = bucket_of(tenant), []
        with _as_administrator():
            if self._s3.bucket_exists(bucket):
                rest.append(f"bucket {bucket}")
            if _unless(self._admin.user_info, user_of(tenant), known=_GONE[0]):
                rest.append(f"user {user_of(tenant)}")
            if _unless(self._admin.policy_info, bucket, known=_GONE[1]):
                rest.append(f"policy {bucket}")
        return rest

    def _blobs(self, tenant: str, secrets: Secrets, whose: str) -> S3Blobs:
        """A bucket, seen with the tenant's keys."""
        account = S3Account(user_of(tenant), secrets.found(WORD))
        return S3Blobs(self._url, bucket_of(whose), account, ca_file=self._ca_file)

    def _client(self, access_key: str, secret_key: str) -> Minio:
        place = urlsplit(self._url)
        return Minio(
            place.netloc,
            access_key=access_key or None,
            secret_key=secret_key or None,
            secure=place.scheme == "https",
            region="us-east-1",
            http_client=self._pool(),
        )

    def _admin_client(self, access_key: str, secret_key: str) -> MinioAdmin:
        place = urlsplit(self._url)
        return MinioAdmin(
            endpoint=place.netloc,
            credentials=StaticProvider(access_key or "nobody", secret_key or "nobody"),
            secure=place.scheme == "https",
            http_client=self._pool(),
        )

    def _pool(self) -> urllib3.PoolManager:
        return urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=ANSWER_SECONDS),
            # A server that has just started answers 503 for a second and asks for a minute's patience.
            retries=urllib3.Retry(
                total=None,
                connect=2,
                read=2,
                redirect=0,
                other=0,
                status=_PATIENCE,
                status_forcelist=(503,),
                allowed_methods=None,
                backoff_factor=0.1,
                backoff_max=1.0,
                respect_retry_after_header=False,
            ),
            cert_reqs="CERT_REQUIRED",
            ca_certs=str(self._ca_file) if self._ca_file else None,
        )


def _sees(s3: Minio, bucket: str) -> None:
    # MinIO lists to everybody the buckets that they may see: not to see it is the refusal.
    if bucket not in {found.name for found in s3.list_buckets()}:
        raise Refused


def _begin(requests: S3Requests) -> None:
    requests.abort("verify/intruder", requests.begin("verify/intruder"))


def _made(make: Callable[[str], object], undo: Callable[[str], object], name: str) -> None:
    make(name)
    undo(name)  # reached only where it was not refused


def _user(admin: MinioAdmin, name: str, word: str) -> None:
    admin.user_add(name, word)
    admin.user_remove(name)


def _access_key(admin: MinioAdmin) -> None:
    admin.add_service_account(access_key="intruder-key", secret_key="intruder-word")  # noqa: S106  # to be refused
    admin.delete_service_account("intruder-key")


def _read(s3: Minio, bucket: str) -> None:
    s3.get_object(bucket, _PROBE).close()


def _write(s3: Minio, bucket: str) -> None:
    s3.put_object(bucket, "verify/intruder", io.BytesIO(b"x"), 1)


def _asked(call: Callable[..., object], *arguments: Any, **named: Any) -> None:
    """Run an attempt; the server's refusal becomes `Refused`, everything else an outage."""
    with _translated():
        try:
            call(*arguments, **named)
        except Unavailable as error:
            if error.code == "objects_refused":
                raise Refused from None
            raise


def _unless(call: Callable[..., object], *arguments: Any, known: str) -> bool:
    """Run an administrator's call; False where the server says `known`: that it was so already."""
    try:
        call(*arguments)
    except S3Error as error:
        if error.code != known:
            raise
        return False
    except MinioAdminException as error:
        if known not in str(error):
            raise
        return False
    return True


@contextmanager
def _as_administrator() -> Iterator[None]:
    try:
        with _translated():
            yield
    except Refused:
        raise Unavailable(
            "storage_admin_refused",
            "The object store refused the administrator's keys.",
            "Correct FROSTBYTE_STORAGE_OBJECTS_ACCESS_KEY and FROSTBYTE_STORAGE_OBJECTS_SECRET_KEY.",
        ) from None


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except S3Error as error:
        raise _judged(error.response.status, error.code or "") from None
    except MinioAdminException as error:
        status = str(error.args[0])[-3:] if error.args else ""
        raise _judged(int(status) if status.isdigit() else _status(error), "") from None
    except (MinioException, urllib3.exceptions.HTTPError, ValueError) as error:
        raise unavailable(type(error).__name__) from None


def _judged(status: int, code: str) -> Exception:
    found: FrostbyteError = translate(status, code)
    return Refused() if found.code == "objects_refused" else found


def _status(error: MinioAdminException) -> int:
    digits = "".join(char for char in str(error).split(",", 1)[0] if char.isdigit())
    return int(digits[:3]) if digits else 0
