"""A folder in OCI's image layout, and a registry that gives what is in one: as small as Docker lets them be."""

from __future__ import annotations

import gzip
import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Folder:
    """An OCI layout as a builder writes it: layers gzipped, an index for several architectures inside."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "blobs" / "sha256").mkdir(parents=True)
        (path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        self.entries: list[dict[str, Any]] = []

    def blob(self, data: bytes, kind: str, **more: object) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        (self.path / "blobs" / "sha256" / digest).write_bytes(data)
        return {
            "mediaType": f"application/vnd.oci.image.{kind}",
            "digest": f"sha256:{digest}",
            "size": len(data),
            **more,
        }

    def manifest(self, layers: list[bytes], architecture: str) -> dict[str, Any]:
        diff_ids = [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]
        root = {"type": "layers", "diff_ids": diff_ids}
        config = {"architecture": architecture, "os": "linux", "config": {}, "rootfs": root}
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": self.blob(json.dumps(config).encode(), "config.v1+json"),
            "layers": [self.blob(gzip.compress(layer, mtime=0), "layer.v1.tar+gzip") for layer in layers],
        }
        platform = {"architecture": architecture, "os": "linux"}
        return self.blob(json.dumps(manifest).encode(), "manifest.v1+json", platform=platform)

    def add(self, name: str, layers: Mapping[str, list[bytes]]) -> None:
        """An image of this name, with its layers by architecture."""
        several = [self.manifest(one, architecture) for architecture, one in layers.items()]
        index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": several}
        entry = self.blob(json.dumps(index).encode(), "index.v1+json")
        self.entries.append({**entry, "annotations": {"org.opencontainers.image.ref.name": name}})
        (self.path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": self.entries}))


@contextmanager
def registry(folder: Folder) -> Iterator[str]:
    """Gives the folder's images by their names, on loopback (OCI distribution-spec, pull). Yields `host:port`."""

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            data, kind = self._found()
            self.send_response(200 if data is not None else 404)
            self.send_header("Content-Type", kind)
            none = b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}'
            self.send_header("Content-Length", str(len(none if data is None else data)))
            if data is not None:
                self.send_header("Docker-Content-Digest", f"sha256:{hashlib.sha256(data).hexdigest()}")
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(none if data is None else data)

        do_HEAD = do_GET

        def _found(self) -> tuple[bytes | None, str]:
            if self.path == "/v2/":
                return b"{}", "application/json"
            name, _, last = self.path.removeprefix("/v2/").rpartition("/")
            digest = last
            if name.endswith("/manifests") and not last.startswith("sha256:"):
                wanted = f"{name.removesuffix('/manifests')}:{last}"
                names = {entry["annotations"]["org.opencontainers.image.ref.name"]: entry for entry in folder.entries}
                digest = names[wanted]["digest"] if wanted in names else "none"
            path = folder.path / "blobs" / "sha256" / digest.removeprefix("sha256:")
            if not path.is_file():
                return None, "application/json"
            data = path.read_bytes()
            kind = json.loads(data)["mediaType"] if name.endswith("/manifests") else "application/octet-stream"
            return data, kind

        def log_message(self, *words: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
