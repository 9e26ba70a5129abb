"""`frostbyte serve embedder` as a process, with the tiny model or another."""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final

from servers.process import ServerProcess, free_port
from servers.tiny_model import TinyModel

MODEL: Final = "nomic-embed-tiny"


class EmbedderServer(ServerProcess):
    """An embedder on a free port.

    Args:
        folder: for its log and the model's file.
        model: the tiny model to serve.
        file: a model's file to serve in its place.
        settings: further `FROSTBYTE_*` variables.
    """

    def __init__(
        self, folder: Path, *, model: TinyModel | None = None, file: Path | None = None, **settings: str
    ) -> None:
        self.port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        self.file = file or (model or TinyModel()).write(folder / "tiny.gguf")
        super().__init__(
            "embedder",
            [sys.executable, "-m", "frostbyte", "serve", "embedder"],
            folder=folder,
            ready=self._answers,
            environment={
                "FROSTBYTE_MODEL_FILE": str(self.file),
                "FROSTBYTE_EMBEDDING_MODEL": MODEL,
                "FROSTBYTE_EMBEDDER_LISTEN": f"127.0.0.1:{self.port}",
                "FROSTBYTE_EMBEDDER_LANES": "1",
                "FROSTBYTE_LOG_LEVEL": "info",
            }
            | settings,
        )

    @property
    def url(self) -> str:
        """Without a route."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def endpoint(self) -> str:
        """FROSTBYTE_EMBEDDING_ENDPOINT of a plane that uses it."""
        return f"{self.url}/v1/embeddings"

    def get(self, path: str) -> Any:
        """An answer's JSON, or its text."""
        with urllib.request.urlopen(f"{self.url}{path}", timeout=5) as answer:
            data = answer.read()
        return json.loads(data) if data.startswith(b"{") else data.decode()

    def _answers(self) -> bool:
        try:
            return bool(self.get("/health")["status"] == "ok")
        except (urllib.error.URLError, OSError):
            return False
