"""The embedder's only wiring: what `frostbyte serve embedder` was told, and what it serves.

It needs nothing of a plane: no database, no keys, no tenant.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from frostbyte.adapters.embeddings.gguf import Batcher, Model, load
from frostbyte.adapters.embeddings.gguf.batching import MOST_WAITING
from frostbyte.kernel.settings import Reader, Settings, invalid

LONGEST: Final = 2048
"""Tokens that nomic-embed-text-v1.5 reads without stretching its positions."""


@dataclass(frozen=True, kw_only=True)
class EmbedderSettings:
    """What the embedder was told. The model's name is the plane's own FROSTBYTE_EMBEDDING_MODEL."""

    model_file: Path
    model_sha256: str = ""
    """'' serves whatever the file holds."""
    name: str = Settings.embedding_model
    host: str = "127.0.0.1"
    port: int = 8081
    lanes: int = 1
    longest: int = LONGEST
    waiting: int = MOST_WAITING
    api_key: str = field(default="", repr=False)
    certificate: str = ""
    """PEM, with its chain; '' for no TLS."""
    certificate_key: str = ""


@dataclass(frozen=True, kw_only=True)
class Served:
    """A loaded model behind its queue.

    Attributes:
        name: what requests call the model.
        most: tokens that one request may hold, and that may wait.
        api_key: what requests must carry as a bearer token; '' for nothing.
    """

    model: Model
    batcher: Batcher
    name: str
    most: int
    api_key: str = field(default="", repr=False)


def settings_from(environment: Mapping[str, str] | None = None) -> EmbedderSettings:
    """The settings of an embedder, from the environment.

    Raises:
        Invalid: `settings_invalid`, naming the variable.
    """
    given = Reader(os.environ if environment is None else environment)
    host, port = given.listen("127.0.0.1:8081", "EMBEDDER_LISTEN")
    file = given.text("MODEL_FILE", "")
    if not file:
        raise invalid("MODEL_FILE", "it must name the model's GGUF file")
    certificate, key = given.text("EMBEDDER_CERT", ""), given.text("EMBEDDER_CERT_KEY", "")
    if bool(certificate) != bool(key):
        raise invalid("EMBEDDER_CERT", "it and FROSTBYTE_EMBEDDER_CERT_KEY are set together")
    return EmbedderSettings(
        model_file=Path(file).expanduser().absolute(),
        model_sha256=given.sha256("MODEL_SHA256"),
        name=given.text("EMBEDDING_MODEL", Settings.embedding_model),
        host=host,
        port=port,
        lanes=given.number("EMBEDDER_LANES", 1, 64, processors()),
        longest=given.number("EMBEDDER_MAX_TOKENS", 8, 8192, LONGEST),
        waiting=given.number("EMBEDDER_MAX_WAITING_TOKENS", 512, 100_000_000, MOST_WAITING),
        api_key=given.secret("EMBEDDER_API_KEY"),
        certificate=certificate,
        certificate_key=key,
    )


def processors(groups: Path = Path("/sys/fs/cgroup")) -> int:
    """Processors that this process may keep busy: those that it may run on, within its container's quota.

    Args:
        groups: where a container finds its limits, in cgroups' second version or in the first.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for files in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        try:
            quota, period = " ".join((groups / file).read_text(encoding="ascii") for file in files).split()
            if int(quota) > 0:  # -1 is none
                allowed = min(allowed, max(1, int(quota) // int(period)))
        except (OSError, ValueError, ZeroDivisionError):
            pass  # no quota, or a system without such files
    return max(1, min(allowed, 64))


def build(settings: EmbedderSettings) -> Served:
    """Load the model and set up its queue. Close `batcher` to let go of it.

    Raises:
        Invalid: `model_unreadable`, `model_unsupported`, `model_changed`.
        ModelFailed: the model loads and does not work.
    """
    model = load(settings.model_file, sha256=settings.model_sha256, longest=settings.longest, lanes=settings.lanes)
    return Served(
        model=model,
        batcher=Batcher(model.lanes, most_waiting=settings.waiting),
        name=settings.name,
        most=settings.waiting,
        api_key=settings.api_key,
    )
