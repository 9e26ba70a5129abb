"""`frostbyte serve vectors` with a key: a stand-in for a Qdrant server, whatever it is called with."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import jwt

from servers.process import ServerProcess, free_port

KEY = "test-vectors-key-Wm3Tq90xLb27Rz5e"


class VectorsServer(ServerProcess):
    """`url` and `key` are the administrator's; `token` makes others."""

    def __init__(self, folder: Path, *, environment: Mapping[str, str] | None = None) -> None:
        self.port = free_port()
        self.key = KEY
        command = [sys.executable, "-m", "frostbyte", "serve", "vectors"]
        command += ["--listen", f"127.0.0.1:{self.port}", "--data", str(folder / "data")]
        given = {"FROSTBYTE_VECTORS_API_KEY": KEY} | dict(environment or {})
        super().__init__("vectors", command, folder=folder, ready=self._answers, environment=given)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def token(self, access: Any, *, seconds: int = 3600, key: str = KEY) -> str:
        """A token as an administrator signs it."""
        return jwt.encode({"access": access, "exp": int(time.time()) + seconds}, key, algorithm="HS256")

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=2).status_code == 200
        except httpx.TransportError:
            return False
