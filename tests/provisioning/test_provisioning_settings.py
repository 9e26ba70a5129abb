"""What provisioning is told, and what it refuses to be told."""

from __future__ import annotations

from pathlib import Path

import pytest

from frostbyte.control_plane.provisioning.settings import from_environment
from frostbyte.control_plane.settings import load
from frostbyte.kernel.errors import FrostbyteError, Invalid, Unavailable

DOMAIN = "pipeline.example.com"


def test_nothing_is_asked_for(tmp_path: Path) -> None:
    told = load({"FROSTBYTE_CONTROL_DATA_DIR": str(tmp_path)}).provisioning
    assert told.endpoint == "https://api.hetzner.cloud/v1"
    assert told.token_of("eu-1") == ""
    with pytest.raises(Unavailable) as missing:
        told.required_token("eu-1")
    assert missing.value.code == "cloud_token_missing"
    assert "FROSTBYTE_HCLOUD_TOKEN_FILE" in missing.value.remedy


def test_a_project_has_its_own_token_and_nobody_else_reads_it(tmp_path: Path) -> None:
    told = from_environment(tmp_path, DOMAIN, {"FROSTBYTE_HCLOUD_TOKEN": "general-token"})
    assert told.required_token("eu-1") == "general-token"
    path = told.token_file("eu-1")
    path.parent.mkdir(parents=True)
    path.write_text("token-of-eu-1\n")
    path.chmod(0o640)
    with pytest.raises(Invalid) as opened:
        told.token_of("eu-1")
    assert opened.value.code == "secret_permissions"
    path.chmod(0o600)
    assert told.token_of("eu-1") == "token-of-eu-1"
    assert told.token_of("eu-2") == "general-token"
    assert "general-token" not in repr(told)
    with pytest.raises(Invalid):
        told.token_file("../eu-1")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HCLOUD_TOKEN", "two words"),
        ("HCLOUD_ENDPOINT", "http://example.com/v1"),
        ("HCLOUD_ENDPOINT", "ftp://127.0.0.1"),
        ("DNS_PROVIDER", "Cloud Flare"),
        ("DNS_ZONE", "example.org"),
        ("OPERATORS", "0.0.0.0/0"),
        ("OPERATORS", "somewhere"),
        ("OPERATOR_KEYS", "/nowhere/keys.pub"),
        ("LOCATIONS", "nbg1,nbg1"),
        ("LOCATIONS", "Nuremberg!"),
    ],
)
def test_what_cannot_be_meant_is_refused(name: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(FrostbyteError) as refused:
        from_environment(tmp_path, DOMAIN, {f"FROSTBYTE_{name}": value})
    assert refused.value.code == "settings_invalid"
    assert f"FROSTBYTE_{name}" in refused.value.message
    assert value not in f"{refused.value.message} {refused.value.remedy}" or name == "OPERATORS"


def test_everything_can_be_told(tmp_path: Path) -> None:
    keys = tmp_path / "people.pub"
    keys.write_text("# the night shift\nssh-ed25519 AAAA one\n\nssh-ed25519 AAAB two\n")
    told = from_environment(
        tmp_path,
        DOMAIN,
        {
            "FROSTBYTE_HCLOUD_ENDPOINT": "http://127.0.0.1:8099/v1/",
            "FROSTBYTE_OPERATORS": "198.51.100.0/24, 2001:db8::/32",
            "FROSTBYTE_OPERATOR_KEYS": str(keys),
            "FROSTBYTE_LOCATIONS": "fsn1, nbg1",
        },
    )
    assert told.endpoint == "http://127.0.0.1:8099/v1"
    assert told.dns_zone == "example.com"
    assert told.operators == ("198.51.100.0/24", "2001:db8::/32")
    assert told.operator_keys == ("ssh-ed25519 AAAA one", "ssh-ed25519 AAAB two")
    assert told.locations == ("fsn1", "nbg1")
    assert told.releases == tmp_path / "releases"
