"""A whole plane of real processes on the loopback, each of which can be killed, frozen and filled up.

PostgreSQL, MinIO, the vector server, Redis, clamd, the embedder, the gateway and two workers. The gateway and the
workers share nothing but the servers' addresses and the tenant's keys, as on several hosts.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx

from servers.clamd import ClamdServer
from servers.embedder import MODEL as EMBEDDING_MODEL
from servers.embedder import EmbedderServer
from servers.minio import PASSWORD as MINIO_PASSWORD
from servers.minio import USER as MINIO_USER
from servers.minio import MinioServer
from servers.postgres import PostgresServer
from servers.process import ServerProcess, free_port, listens
from servers.redis import RedisServer
from servers.tiny_model import TinyModel
from servers.vectors import VectorsServer

TENANT = "misfortune"
STORES = ("postgres", "minio", "vectors", "redis", "clamd", "embedder")
PROCESSES = ("gateway", "worker-1", "worker-2")
COMMAND = [sys.executable, "-m", "frostbyte"]


class Stack:
    """All of it. `folder` must be short and open to the database's account.

    A worker that ends is started again, as a supervisor would, unless it was ended on purpose.
    """

    def __init__(self, folder: Path, *, worker_command: list[str] | None = None) -> None:
        self.folder = folder
        self.deaths = 0
        """How often a worker ended by itself."""
        self._worker_command = worker_command or [*COMMAND, "serve", "worker"]
        self._held: set[str] = set()
        self._over = threading.Event()
        self.postgres = PostgresServer(self._place("postgres"))
        self.minio = MinioServer(self._place("minio"))
        self.vectors = VectorsServer(self._place("vectors"))
        self.redis = RedisServer(self._place("redis"))
        self.clamd = ClamdServer(self._place("clamd"))
        self.embedder = EmbedderServer(self._place("embedder"))
        self.port = free_port()
        self.servers: dict[str, ServerProcess] = {name: getattr(self, name) for name in STORES}

    def _place(self, name: str) -> Path:
        """A server's folder; on a small disk of its own where one was mounted."""
        place = self.folder / name
        place.mkdir(parents=True, exist_ok=True)
        return place

    @property
    def url(self) -> str:
        """Of the gateway."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        """The newest of the gateway's operator token."""
        return (self.folder / "gateway/token").read_text().strip()

    def start(self) -> Stack:
        """Stores first, then the gateway, which makes schema and keys, then the workers."""
        for name in STORES:
            self.servers[name].start()
        self.database = self.postgres.database("plane")
        self._make_bucket()
        gateway = self._process("gateway", [*COMMAND, "serve", "data"], self._gateway_answers)
        gateway.environment["FROSTBYTE_LISTEN"] = f"127.0.0.1:{self.port}"
        gateway.start()
        for name in ("worker-1", "worker-2"):
            self._process(name, self._worker_command, lambda: True).start()
        threading.Thread(target=self._supervise, name="supervisor", daemon=True).start()
        return self

    def _make_bucket(self) -> None:
        from minio import Minio

        client = Minio(f"127.0.0.1:{self.minio.port}", MINIO_USER, MINIO_PASSWORD, secure=False)
        client.make_bucket(f"tenant-{TENANT}-bucket")

    def _process(self, name: str, command: list[str], ready: object) -> ServerProcess:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("FROSTBYTE_")}
        process = ServerProcess(
            name,
            command,
            folder=self._place(name),
            ready=ready,  # type: ignore[arg-type]
            environment=kept | self.settings | {"FROSTBYTE_DATA_DIR": str(self.folder / name)},
            seconds=90,
        )
        self.servers[name] = process
        return process

    @property
    def settings(self) -> dict[str, str]:
        """What gateway and workers are told: production, with the vector server and no control plane as stand-ins."""
        return {
            "FROSTBYTE_MODE": "online",
            "FROSTBYTE_STANDINS": "vectors,control",
            "FROSTBYTE_TENANT_ID": TENANT,
            "FROSTBYTE_SECRETS_DIR": str(self.folder / "keys"),
            "FROSTBYTE_DATABASE_URL": self.database,
            "FROSTBYTE_OBJECTS_URL": self.minio.url,
            "FROSTBYTE_OBJECTS_ACCESS_KEY": MINIO_USER,
            "FROSTBYTE_OBJECTS_SECRET_KEY": MINIO_PASSWORD,
            "FROSTBYTE_VECTORS_URL": self.vectors.url,
            "FROSTBYTE_VECTORS_API_KEY": self.vectors.key,
            "FROSTBYTE_QUEUE_URL": self.redis.url,
            "FROSTBYTE_CLAMD_ADDRESS": self.clamd.address,
            "FROSTBYTE_CLAMD_CONF": str(self.clamd.conf),
            "FROSTBYTE_EMBEDDING_ENDPOINT": self.embedder.endpoint,
            "FROSTBYTE_EMBEDDING_MODEL": EMBEDDING_MODEL,
            "FROSTBYTE_EMBEDDING_DIMENSIONS": str(TinyModel().dimensions),
            "FROSTBYTE_WORKERS": "1",
            "FROSTBYTE_LOG_LEVEL": "info",
        }

    def _gateway_answers(self) -> bool:
        if not listens(self.port):
            return False
        try:
            return httpx.get(f"{self.url}/health", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    # -- bad luck -------------------------------------------------------------------------------------------------

    def kill(self, *names: str) -> None:
        """SIGKILL, all in the same moment, and no supervisor."""
        self._held.update(names)
        for name in names:
            self.servers[name].kill()

    def restart(self, *names: str) -> None:
        """Start what was killed. A gateway or worker is given as long as a store that it waits for needs."""
        for name in sorted(names, key=lambda name: name in PROCESSES):
            deadline = time.monotonic() + 120
            while True:
                try:
                    self.servers[name].start()
                    break
                except RuntimeError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(1)
            self._held.discard(name)

    def _supervise(self) -> None:
        while not self._over.wait(0.5):
            for name in PROCESSES:
                server = self.servers.get(name)
                if server is not None and not server.running and name not in self._held:
                    self.deaths += 1
                    try:
                        server.start()
                    except RuntimeError:
                        continue  # a store is away; again in half a second

    def stop(self) -> None:
        """End everything, workers first."""
        self._over.set()
        self._held.update(PROCESSES)
        for name in (*reversed(PROCESSES), *STORES):
            if name in self.servers:
                self.servers[name].stop()

    def __enter__(self) -> Stack:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *exc: object) -> None:
        self.stop()


class SmallDisk:
    """A file system of its own in memory, which can be filled and emptied. Needs root."""

    def __init__(self, place: Path, megabytes: int) -> None:
        self.place = place
        place.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", str(place)], check=True, timeout=30
        )

    def fill(self) -> None:
        """Write until nothing more fits."""
        with (self.place / "ballast").open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(1 << 16))
            except OSError:
                return

    def empty(self) -> None:
        """Remove what `fill` wrote."""
        (self.place / "ballast").unlink(missing_ok=True)

    def unmount(self) -> None:
        """Let go of it, whoever still uses it."""
        subprocess.run(["umount", "-l", str(self.place)], check=False, timeout=30)
