"""Uploads of 1 MB through the gateway to MinIO, beside a bare Starlette handler that sends them to the same MinIO.

    python -m bench.plane.uploads [--rounds 3] [--files 24]

One MinIO (`tools/minio/build.sh`), a gateway with PostgreSQL (fsync on) and Redis but no worker, so that no stage runs
beside it, and a Starlette application under uvicorn that puts each request's body into a bucket with obstore and does
nothing else: no form, no hash, no encryption, no receipt. The same client sends the same files to both in turn, each a
request of its own, four at a time; a round is timed from the first byte sent to the last answer. Medians count.

It wants a quiet machine: client, MinIO, PostgreSQL and both servers share the processors, and the gateway's file takes
about three times the processor time of the bare one (two objects, a transaction, the hash, the encryption).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import httpx
from minio import Minio

from bench.plane.dispatch import _port, _redis, process, text
from bench.plane.intake import plane
from bench.table import Line, show

LEAST_RATIO: Final = 0.5
SIZE: Final = 1_000_000
"""Bytes of a file."""
_AT_ONCE: Final = 4
_WARM: Final = 6
_USER: Final = "bench-root"
_SECRET: Final = "bench-objects-secret-2291"
_ROOT: Final = Path(__file__).parents[2]

_BARE: Final = """
import os, sys, itertools
import obstore, uvicorn
from obstore.store import S3Store
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

url, bucket, user, secret, port = sys.argv[1:]
store = S3Store(bucket, endpoint=url, access_key_id=user, secret_access_key=secret, region="us-east-1",
                client_options={"allow_http": True})
number = itertools.count()

async def put(request):
    await obstore.put_async(store, f"raw/{next(number)}", await request.body(), use_multipart=False)
    return JSONResponse({}, status_code=202)

async def ready(request):
    return JSONResponse({})

app = Starlette(routes=[Route("/", put, methods=["POST"]), Route("/ready", ready)])
uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="warning", access_log=False)
"""


def contents(count: int, seed: int) -> list[bytes]:
    """Files of 1 MB, each another text."""
    return [
        (f"File {seed}.{number}\n" + text(1000 * seed + number, SIZE * 9 // 8)).encode()[:SIZE]
        for number in range(count)
    ]


def round_of(send: Callable[[bytes], None], files: list[bytes]) -> float:
    """Files a second."""
    begun = time.perf_counter()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(send, files))
    return len(files) / (time.perf_counter() - begun)


def measure(rounds: int, count: int) -> list[Line]:
    """Both in turn."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder, cores = Path(name), set(os.sched_getaffinity(0))
        binary = subprocess.run(
            [str(_ROOT / "tools/minio/build.sh")], check=True, capture_output=True, text=True
        ).stdout
        port = _port()
        url = f"http://127.0.0.1:{port}"
        command = [binary.strip(), "server", "--quiet", "--address", f"127.0.0.1:{port}", str(folder / "objects")]
        given = {"MINIO_ROOT_USER": _USER, "MINIO_ROOT_PASSWORD": _SECRET, "MINIO_BROWSER": "off"}
        ready = f"{url}/minio/health/cluster"
        stack.enter_context(process(command, folder / "minio.log", given, cores, ready))
        admin = Minio(f"127.0.0.1:{port}", access_key=_USER, secret_key=_SECRET, secure=False)
        for bucket in ("ours", "bare"):
            admin.make_bucket(bucket)

        bare_port = _port()
        bare = [sys.executable, "-c", _BARE, url, "bare", _USER, _SECRET, str(bare_port)]
        bare_url = f"http://127.0.0.1:{bare_port}"
        stack.enter_context(process(bare, folder / "bare.log", {}, cores, f"{bare_url}/ready"))

        data = folder / "data"
        data.mkdir(mode=0o700)
        queue, _ = _redis(stack, folder, cores)
        settings = {
            "FROSTBYTE_OBJECTS_URL": url,
            "FROSTBYTE_OBJECTS_BUCKET": "ours",
            "FROSTBYTE_OBJECTS_ACCESS_KEY": _USER,
            "FROSTBYTE_OBJECTS_SECRET_KEY": _SECRET,
            "FROSTBYTE_QUEUE_URL": queue,
            "FROSTBYTE_EMBEDDING_ENDPOINT": "none",
        }
        _, plane_url, token = stack.enter_context(plane(data, settings))
        client = stack.enter_context(httpx.Client(timeout=120, trust_env=False))

        def ours(content: bytes) -> None:
            answer = client.post(
                f"{plane_url}/api/v1/ingest",
                files={"files": ("file.txt", content, "text/plain")},
                headers={"authorization": f"Bearer {token}"},
            )
            if answer.status_code != httpx.codes.ACCEPTED or len(answer.json()["accepted"]) != 1:
                raise SystemExit(f"not accepted: status {answer.status_code}")

        def theirs(content: bytes) -> None:
            client.post(bare_url, content=content).raise_for_status()

        found: dict[str, list[float]] = {"ours": [], "theirs": []}
        for send in (ours, theirs):
            round_of(send, contents(_WARM, 0))
        for number in range(1, rounds + 1):
            files = contents(count, number)
            found["ours"].append(round_of(ours, files))
            found["theirs"].append(round_of(theirs, files))
    rate, alone = (statistics.median(found[name]) for name in ("ours", "theirs"))
    return [
        Line(
            measure="uploads of 1 MB through the gateway to MinIO",
            ours=rate,
            reference=alone,
            unit="files/s",
            target=">= 0.5 x a bare Starlette handler to the same MinIO",
            met=rate >= LEAST_RATIO * alone,
            note=f"median of {rounds} rounds of {count} files, {_AT_ONCE} at a time; ours hashes, encrypts and commits",
        )
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--files", type=int, default=24)
    options = parser.parse_args()
    show(measure(options.rounds, options.files))


if __name__ == "__main__":
    main()
