"""What a plane is told, and what it refuses to be told."""

from __future__ import annotations

from pathlib import Path

import pytest

from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.settings import NO_EMBEDDER, load


@pytest.mark.parametrize("address", ["", "http://127.0.0.1:8090", "https://embed.example.org/v1", NO_EMBEDDER])
def test_an_embedder_is_an_address_or_nothing_or_none(address: str) -> None:
    assert load({"FROSTBYTE_EMBEDDING_ENDPOINT": address}).embedding_endpoint == address


@pytest.mark.parametrize("address", ["nowhere", "ftp://embed.example.org", "http://", "None"])
def test_any_other_embedder_is_refused_and_the_variable_named(address: str) -> None:
    with pytest.raises(Invalid) as caught:
        load({"FROSTBYTE_EMBEDDING_ENDPOINT": address})
    assert caught.value.code == "settings_invalid"
    assert "FROSTBYTE_EMBEDDING_ENDPOINT" in caught.value.message
    assert NO_EMBEDDER in caught.value.message


def test_an_authority_that_is_not_there_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        load({"FROSTBYTE_CA_FILE": str(tmp_path / "ca.crt")})
    assert "FROSTBYTE_CA_FILE" in caught.value.message
    (tmp_path / "ca.crt").write_text("-----BEGIN CERTIFICATE-----")
    assert load({"FROSTBYTE_CA_FILE": str(tmp_path / "ca.crt")}).ca_file


CHANNEL_FILES = ("CHANNEL_CERTIFICATE", "CHANNEL_KEY", "CHANNEL_CLIENT_CA", "CONTROL_KEYS")


@pytest.mark.parametrize("missing", ["CHANNEL_LISTEN", *CHANNEL_FILES])
def test_the_control_channel_is_set_as_a_whole(missing: str, tmp_path: Path) -> None:
    given = {"FROSTBYTE_CHANNEL_LISTEN": "10.7.1.2:8443"}
    for name in CHANNEL_FILES:
        (tmp_path / name).write_text("pem")
        given[f"FROSTBYTE_{name}"] = str(tmp_path / name)
    whole = load(given)
    assert (whole.channel_listen, whole.control_keys) == (("10.7.1.2", 8443), str(tmp_path / "CONTROL_KEYS"))
    assert load({}).channel_listen is None
    del given[f"FROSTBYTE_{missing}"]
    with pytest.raises(Invalid) as caught:
        load(given)
    assert caught.value.code == "settings_invalid"
