"""Which issuer is believed, and in what: read strictly, and nobody gets in by default."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.oidc.mapping import role_of
from frostbyte.kernel.oidc.settings import OidcSettings, encrypted, load
from frostbyte.kernel.settings import Reader

ROLES = ("vendor", "user", "reviewer", "auditor", "admin")
GOOD = {
    "FROSTBYTE_OIDC_ISSUER": "https://issuer.example/realms/acme",
    "FROSTBYTE_OIDC_CLIENT_ID": "frostbyte",
    "FROSTBYTE_OIDC_ADDRESS": "https://Acme.example/",
}
CASES = json.loads((Path(__file__).parent / "mapping.json").read_text(encoding="utf-8"))


def read(**more: str) -> OidcSettings | None:
    return load(Reader(GOOD | {f"FROSTBYTE_OIDC_{name}": value for name, value in more.items()}), ROLES)


def test_without_an_issuer_there_is_none() -> None:
    assert load(Reader({}), ROLES) is None


def test_what_is_given_is_read(tmp_path: Path) -> None:
    secret, roles = tmp_path / "secret", tmp_path / "roles"
    secret.write_text("s3cret\n", encoding="utf-8")
    roles.write_text("CN=admins,OU=acme = admin\n\n/legal=reviewer\n", encoding="utf-8")
    found = read(CLIENT_SECRET_FILE=str(secret), ROLES_FILE=str(roles), SCOPES="groups openid email", CLAIM="a.b")
    assert found is not None
    assert found.client_secret == "s3cret"
    assert "s3cret" not in repr(found)
    assert found.roles == (("CN=admins,OU=acme", "admin"), ("/legal", "reviewer"))
    assert found.scopes == ("openid", "groups", "email")
    assert found.return_address == "https://acme.example/console/sign-in/oidc/return"
    bare = read(ROLES="a=user; b=admin")
    assert bare is not None
    assert (bare.claim, bare.roles) == ("groups", (("a", "user"), ("b", "admin")))
    alone = read()
    assert alone is not None
    assert alone.roles == ()
    assert alone.scopes == ("openid",)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ISSUER", "http://issuer.example"),
        ("ISSUER", "https://issuer.example/?a=b"),
        ("ISSUER", "https://issuer.example/#a"),
        ("ISSUER", "https://ann@issuer.example"),
        ("ISSUER", "https://"),
        ("ISSUER", "issuer.example"),
        ("CLIENT_ID", " "),
        ("ADDRESS", ""),
        ("ADDRESS", "https://acme.example/console"),
        ("ADDRESS", "http://acme.example"),
        ("ADDRESS", "https://acme.example:port"),
        ("ROLES", "admins"),
        ("ROLES", "=admin"),
        ("ROLES", "admins=owner"),
        ("ROLES", "a=user;a=admin"),
        ("SCOPES", 'openid "groups"'),
        ("CLIENT_SECRET_FILE", "/nowhere/at/all"),
        ("CA_FILE", "/nowhere/at/all"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(Invalid, match=f"FROSTBYTE_OIDC_{name} "):
        read(**{name: value})


@pytest.mark.parametrize("name", ["CLIENT_ID", "CLIENT_SECRET", "CLIENT_SECRET_FILE", "ADDRESS", "ROLES", "SCOPES"])
def test_settings_without_an_issuer_are_a_mistake(name: str) -> None:
    with pytest.raises(Invalid, match="FROSTBYTE_CONTROL_OIDC_"):
        load(Reader({f"FROSTBYTE_CONTROL_OIDC_{name}": "x"}), ROLES, "CONTROL_OIDC")


def test_plain_text_is_for_this_machine_alone() -> None:
    assert encrypted("http://localhost:8080/a")
    assert encrypted("http://127.0.0.1")
    assert encrypted("http://[::1]:1/")
    assert not encrypted("http://localhost.example")
    assert not encrypted("http://127.0.0.2.example")


@given(st.text(max_size=40) | st.text(max_size=30).map("https://{}".format))
def test_no_address_breaks_it(text: str) -> None:
    encrypted(text)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["is"])
def test_roles_are_given_as_the_table_says(case: dict[str, Any]) -> None:
    settings = OidcSettings(
        issuer="https://issuer.example",
        client_id="c",
        address="https://acme.example",
        claim=case.get("claim", "groups"),
        roles=tuple((value, role) for value, role in case["roles"]),
    )
    assert role_of(case["claims"], settings) == case["gives"]
