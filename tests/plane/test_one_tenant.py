"""Promise 1: a plane serves the tenant of its settings and no other."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from frostbyte.adapters.memory.signing_keys import MemoryTokenKeys
from frostbyte.bootstrap.data import build
from frostbyte.kernel.clock import SystemClock
from frostbyte.kernel.errors import Conflict, FrostbyteError, Unauthenticated
from frostbyte.kernel.settings import load
from frostbyte.kernel.tokens import Scope, TokenSigner, TokenVerifier, plane_realm

pytestmark = pytest.mark.slow


def test_a_data_folder_belongs_to_one_tenant(tmp_path: Path) -> None:
    build(load({"FROSTBYTE_DATA_DIR": str(tmp_path / "p"), "FROSTBYTE_TENANT_ID": "acme"})).close()
    with pytest.raises(FrostbyteError) as refused:
        build(load({"FROSTBYTE_DATA_DIR": str(tmp_path / "p"), "FROSTBYTE_TENANT_ID": "other"}))
    assert "acme" in refused.value.message or "tenant" in refused.value.message


def test_two_planes_never_share_a_folder(tmp_path: Path) -> None:
    first = build(load({"FROSTBYTE_DATA_DIR": str(tmp_path / "p")}))
    try:
        with pytest.raises(Conflict) as refused:
            build(load({"FROSTBYTE_DATA_DIR": str(tmp_path / "p")}))
        assert refused.value.code == "data_dir_in_use"
    finally:
        first.close()


def test_a_token_of_another_tenant_is_refused_even_under_the_same_key() -> None:
    clock = SystemClock()
    keys = MemoryTokenKeys(clock).keys
    token, _ = TokenSigner(keys, plane_realm("acme"), clock).mint("ann", frozenset({Scope.QUERY}), timedelta(minutes=5))
    assert TokenVerifier(keys, plane_realm("acme"), clock).verify(token).subject == "ann"
    with pytest.raises(Unauthenticated):
        TokenVerifier(keys, plane_realm("other"), clock).verify(token)
