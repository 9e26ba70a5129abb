"""The embedder's parts and the embedder itself, with a model small enough to be computed by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from frostbyte.adapters.embeddings.gguf import Model, load
from servers.tiny_model import TinyModel


@pytest.fixture(scope="session")
def tiny() -> TinyModel:
    return TinyModel()


@pytest.fixture(scope="session")
def tiny_file(tiny: TinyModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("model") / "tiny.gguf")


@pytest.fixture(scope="session")
def model(tiny_file: Path) -> Model:
    return load(tiny_file, lanes=2)
