"""Fixtures for everybody who tries scripts: a signer, a small bundle, a host that has nothing yet."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from offline.miniature import Host, Miniature, Signer

sys.path.append(str(Path(__file__).parent))  # the stand-in's modules import each other as they lie beside it


@pytest.fixture(scope="session")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    """The key that signs, and what the operator was given of it."""
    return Signer(tmp_path_factory.mktemp("signer"))


@pytest.fixture(scope="session")
def miniature(tmp_path_factory: pytest.TempPathFactory, signer: Signer) -> Path:
    """A bundle of version 1.0. Do not write into it: copy it."""
    return Miniature().write(tmp_path_factory.mktemp("medium"), signer)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host without a plane."""
    return Host(tmp_path / "host")
