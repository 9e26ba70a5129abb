"""Tokens that lie, each told by a stable code; and tokens of the plane, made and revoked over HTTP."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from frostbyte.adapters.memory.signing_keys import MemoryTokenKeys
from frostbyte.adapters.secrets.token_keys import FileTokenKeys
from frostbyte.kernel.settings import load
from frostbyte.kernel.tokens import LONGEST, Scope, TokenSigner, plane_realm

Refused = Callable[[Any, int, str], dict[str, Any]]


def plane_key(api: Any) -> Ed25519PrivateKey:
    """The plane's own signing key: what a thief of the key could do is bounded too."""
    keys = FileTokenKeys(api.plane.settings.signing_folder, api.plane.clock).keys()
    return Ed25519PrivateKey.from_private_bytes(keys.current.seed)


def claims(api: Any, **changed: Any) -> dict[str, Any]:
    """A good token's claims, changed; None leaves a claim out."""
    tenant = api.plane.settings.tenant_id
    now = int(api.plane.clock.now().timestamp())
    good = {
        "iss": plane_realm(tenant).audience,
        "aud": plane_realm(tenant).audience,
        "tenant": tenant,
        "sub": "mallory",
        "scopes": ["query"],
        "jti": str(uuid4()),
        "iat": now,
        "exp": now + 600,
    }
    return {name: value for name, value in (good | changed).items() if value is not None}


def compact(header: object, body: object, signature: bytes = b"") -> str:
    """A token put together by hand."""

    def encoded(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    return ".".join((encoded(json.dumps(header).encode()), encoded(json.dumps(body).encode()), encoded(signature)))


def hs256(api: Any) -> str:
    """Signed with the public key as an HMAC secret, for verifiers that let a token choose."""
    public = (
        plane_key(api)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    unsigned = compact({"alg": "HS256", "typ": "JWT"}, claims(api)).rstrip(".")
    mac = hmac.new(public, unsigned.encode(), hashlib.sha256).digest()
    return unsigned + "." + base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


def signed(api: Any, **changed: Any) -> str:
    """Signed by the plane's own key."""
    return jwt.encode(claims(api, **changed), plane_key(api), algorithm="EdDSA")


def foreign(api: Any) -> str:
    """A good token of another tenant's plane."""
    return TokenSigner(MemoryTokenKeys(api.plane.clock).keys, plane_realm("other"), api.plane.clock).mint(
        "mallory", frozenset(Scope), timedelta(hours=1)
    )[0]


def far(api: Any) -> int:
    """The plane's time in seconds."""
    return int(api.plane.clock.now().timestamp())


HOSTILE: dict[str, tuple[Callable[[Any], str], str]] = {
    "expired": (lambda api: signed(api, iat=far(api) - 700, exp=far(api) - 1), "token_expired"),
    "other tenant's key": (foreign, "token_signature_wrong"),
    "foreign tenant, plane's key": (lambda api: signed(api, tenant="other"), "token_foreign_tenant"),
    "wrong audience": (lambda api: signed(api, aud="frostbyte:control"), "token_wrong_audience"),
    "wrong issuer": (lambda api: signed(api, iss="frostbyte:plane:other"), "token_wrong_audience"),
    "list of audiences": (lambda api: signed(api, aud=[plane_realm("demo").audience]), "token_wrong_audience"),
    "unsigned": (lambda api: compact({"alg": "EdDSA"}, claims(api)), "token_signature_wrong"),
    "alg none": (lambda api: compact({"alg": "none"}, claims(api)), "token_signature_wrong"),
    "alg None": (lambda api: compact({"alg": "None", "typ": "JWT"}, claims(api)), "token_signature_wrong"),
    "hs256 with the public key": (hs256, "token_signature_wrong"),
    "too long a life": (
        lambda api: signed(api, exp=far(api) + int(LONGEST.total_seconds()) + 10),
        "token_malformed",
    ),
    "made in the future": (lambda api: signed(api, iat=far(api) + 900, exp=far(api) + 1800), "token_malformed"),
    "no scopes": (lambda api: signed(api, scopes=None), "token_malformed"),
    "scopes that do not exist": (lambda api: signed(api, scopes=["root"]), "token_malformed"),
    "scopes that are no words": (lambda api: signed(api, scopes=[["query"]]), "token_malformed"),
    "times that are no numbers": (lambda api: signed(api, exp=True), "token_malformed"),
    "no jti": (lambda api: signed(api, jti=None), "token_malformed"),
    "no exp": (lambda api: signed(api, exp=None), "token_malformed"),
    "nonsense": (lambda api: "nonsense", "token_malformed"),
    "three dots": (lambda api: "...", "token_malformed"),
    "body is a list": (lambda api: compact({"alg": "EdDSA"}, ["x"]), "token_signature_wrong"),
    "a deep header": (
        lambda api: base64.urlsafe_b64encode(b'{"alg":' + b"[" * 20_000).rstrip(b"=").decode() + ".e30.AA",
        "token_malformed",
    ),
    "very long": (lambda api: "a" * 60_000, "token_malformed"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_tokens(name: str, api: Any, refused: Refused) -> None:
    make, code = HOSTILE[name]
    token = make(api)
    answer = api.call("GET", "/documents", token=token)
    body = refused(answer, 401, code)
    assert answer.headers["www-authenticate"] == "Bearer"
    assert token[:20] not in json.dumps(body)


def test_the_same_claims_unchanged_are_good(api: Any) -> None:
    assert api.call("GET", "/documents", token=signed(api)).status_code == 200


@pytest.mark.parametrize("header", ["", "Bearer", "Basic dXNlcjpwYXNz", "bearer"])
def test_other_ways_to_authenticate(header: str, api: Any, refused: Refused) -> None:
    refused(api.client.get("/api/v1/documents", headers={"Authorization": header}), 401, "token_missing")


def test_a_token_in_the_address_is_not_looked_at(api: Any, refused: Refused) -> None:
    refused(api.client.get(f"/api/v1/documents?access_token={api.everything}"), 401, "token_missing")


def test_mint_use_revoke(api: Any, refused: Refused) -> None:
    made = api.call("POST", "/tokens", json={"subject": "reader-1", "scopes": ["query"], "ttl_seconds": 60})
    assert made.status_code == 201
    body = made.json()
    assert body["scopes"] == ["query"]
    assert api.call("GET", "/documents", token=body["token"]).status_code == 200
    refused(api.call("GET", "/config", token=body["token"]), 403, "scope_missing")
    assert api.call("DELETE", f"/tokens/{body['jti']}").status_code == 204
    assert api.call("DELETE", f"/tokens/{body['jti']}").status_code == 204, "revoking twice is not an error"
    refused(api.call("GET", "/documents", token=body["token"]), 401, "token_revoked")


@pytest.mark.parametrize(
    "wrong",
    [
        {"subject": "x", "scopes": []},
        {"subject": "x", "scopes": ["root"]},
        {"subject": "x", "scopes": ["query"], "ttl_seconds": int(LONGEST.total_seconds()) + 1},
        {"subject": "x\n", "scopes": ["query"]},
        {"subject": "", "scopes": ["query"]},
        {"subject": "x", "scopes": ["query"], "tenant": "other"},
    ],
)
def test_token_requests_that_are_refused(wrong: dict[str, Any], api: Any, refused: Refused) -> None:
    refused(api.call("POST", "/tokens", json=wrong), 422, "request_invalid")


@pytest.mark.parametrize("lifetime", [timedelta(0), timedelta(seconds=-1), LONGEST + timedelta(seconds=1)])
def test_the_signer_bounds_lifetimes_itself(lifetime: timedelta, api: Any) -> None:
    with pytest.raises(Exception, match="lifetime") as error:
        api.plane.tokens.mint("x", frozenset({Scope.QUERY}), lifetime)
    assert getattr(error.value, "code", "") == "token_request"


def test_secrets_in_settings_are_not_shown() -> None:
    secret = "postgresql://u:canary-5521@h/d"  # what a password in a setting looks like
    settings = load({"FROSTBYTE_DATABASE_URL": secret, "FROSTBYTE_EMBEDDING_API_KEY": "canary-5521"})
    assert "canary-5521" not in repr(settings)
