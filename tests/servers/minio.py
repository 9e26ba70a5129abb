"""MinIO with one drive."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

from servers.lanes import built
from servers.process import ServerProcess, free_port

USER = "test-root"
PASSWORD = "test-minio-Wc7yQe31Rb"


class MinioServer(ServerProcess):
    """`url` is its S3 address; with `certificates` (a folder of public.crt and private.key) it speaks TLS alone."""

    def __init__(self, folder: Path, *, certificates: Path | None = None) -> None:
        self.port = free_port()
        self._scheme = "https" if certificates else "http"
        binary = built("minio")
        assert binary is not None
        command = [binary, "server", "--quiet", "--address", f"127.0.0.1:{self.port}", str(folder / "data")]
        command += ["--certs-dir", str(certificates or folder / "no-certificates")]
        super().__init__(
            "minio",
            command,
            folder=folder,
            ready=self._answers,
            environment={
                "MINIO_ROOT_USER": USER,
                "MINIO_ROOT_PASSWORD": PASSWORD,
                "MINIO_BROWSER": "off",
                "MINIO_UPDATE": "off",
                "HOME": str(folder),
            },
        )

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}"

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/minio/health/cluster", timeout=2) as answer:
                return bool(answer.status == 200)
        except urllib.error.URLError as error:
            return "CERTIFICATE" in str(error)  # it answers, to those who know its authority
        except OSError:
            return False
