"""A bucket of its own for each test, on the MinIO of its module."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit
from uuid import uuid4

from minio import Minio

from frostbyte.adapters.objects.s3 import S3Blobs
from frostbyte.adapters.objects.signing import S3Account
from servers.minio import PASSWORD, USER, MinioServer


def administrator(server: MinioServer) -> Minio:
    """A client with every right."""
    return Minio(urlsplit(server.url).netloc, access_key=USER, secret_key=PASSWORD, secure=False)


def bucket(server: MinioServer) -> Iterator[S3Blobs]:
    """A store on a fresh bucket."""
    name = f"test-{uuid4().hex}"
    administrator(server).make_bucket(name)
    store = S3Blobs(server.url, name, S3Account(USER, PASSWORD))
    yield store
    store.close()
