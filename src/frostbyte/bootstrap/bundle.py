"""What bundles are made with: where images come from, how files are fetched, and the schema of this version."""

from __future__ import annotations

from pathlib import Path

from frostbyte.adapters.downloads import HttpDownloads
from frostbyte.adapters.engine.docker import DockerEngine
from frostbyte.adapters.engine.layout import OciLayout
from frostbyte.adapters.postgres.schema import packaged
from frostbyte.kernel.ports.downloads import Downloads
from frostbyte.kernel.ports.engine import Engine


def engine(layout: Path | None = None) -> Engine:
    """Where images come from: a folder in OCI's layout, or Docker's engine."""
    return OciLayout(layout) if layout is not None else DockerEngine()


def downloads() -> Downloads:
    """How files are fetched."""
    return HttpDownloads()


def migrations() -> dict[str, bytes]:
    """The schema of a plane's database, by the names of its files."""
    return {item.name: item.text.encode() for item in packaged()}
