"""No token of one audience, tenant, environment, key or kind is accepted as another; nothing from outside crashes."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostbyte.adapters.memory.clock import ManualClock
from frostbyte.adapters.memory.signing_keys import MemoryTokenKeys
from frostbyte.kernel.errors import Invalid, Unauthenticated
from frostbyte.kernel.signing import SigningKey, Unreadable, WrongSignature, opened, verifying_key
from frostbyte.kernel.tokens import (
    KIND,
    Realm,
    Role,
    Scope,
    TokenSigner,
    TokenVerifier,
    control_realm,
    plane_realm,
)

CLOCK = ManualClock()
KEYS = [MemoryTokenKeys(CLOCK, SigningKey(bytes([number]) * 32)) for number in range(1, 4)]
HOUR = timedelta(hours=1)
NAMES = st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True) | st.sampled_from(["acme", "control", "plane", "production"])
REALMS = st.builds(plane_realm, NAMES) | st.builds(control_realm, NAMES)


def minted(realm: Realm, keys: MemoryTokenKeys, subject: str = "ann") -> str:
    """A token of this realm, by these keys, for everything."""
    return TokenSigner(keys.keys, realm, CLOCK).mint(subject, frozenset(realm.rights), HOUR)[0]


@settings(max_examples=150, deadline=None)
@given(made=REALMS, asked=REALMS, signed=st.sampled_from(KEYS), trusted=st.sampled_from(KEYS))
def test_a_token_is_good_in_its_realm_under_its_key_and_nowhere_else(
    made: Realm, asked: Realm, signed: MemoryTokenKeys, trusted: MemoryTokenKeys
) -> None:
    token = minted(made, signed)
    verifier = TokenVerifier(trusted.keys, asked, CLOCK)
    if (made, signed) == (asked, trusted):
        assert verifier.verify(token).scopes == frozenset(made.rights)
    else:
        with pytest.raises(Unauthenticated) as refused:
            verifier.verify(token)
        assert (refused.value.code == "token_signature_wrong") is (signed is not trusted)


@pytest.mark.parametrize("name", ["acme", "production"])
def test_plane_and_environment_of_one_name_and_key_do_not_mix(name: str) -> None:
    for made, asked in ((plane_realm(name), control_realm(name)), (control_realm(name), plane_realm(name))):
        with pytest.raises(Unauthenticated) as refused:
            TokenVerifier(KEYS[0].keys, asked, CLOCK).verify(minted(made, KEYS[0]))
        assert refused.value.code == "token_wrong_audience"


def test_rights_of_one_realm_are_not_minted_for_another() -> None:
    for realm, foreign in ((plane_realm("acme"), Role.ADMIN), (control_realm("production"), Scope.ADMIN)):
        with pytest.raises(Invalid) as refused:
            TokenSigner(KEYS[0].keys, realm, CLOCK).mint("ann", frozenset({foreign}), HOUR)
        assert refused.value.code == "token_request"


def forged(header: object, payload: object, signature: bytes) -> str:
    """A compact JWS put together by hand."""
    parts = (json.dumps(header).encode(), json.dumps(payload).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
headers = st.fixed_dictionaries(
    {},
    optional={
        "alg": st.sampled_from(["EdDSA", "none", "HS256", "ES256"]) | json_values,
        "typ": st.just(KIND) | json_values,
        "kid": st.sampled_from([keys.keys().current.kid for keys in KEYS]) | json_values,
        "crit": json_values,
        "b64": json_values,
        "jwk": json_values,
        "jku": json_values,
        "zip": json_values,
    },
)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(
    token=st.text(max_size=200)
    | st.binary(max_size=200).map(lambda data: data.decode("latin-1"))
    | st.builds(forged, headers | json_values, json_values, st.binary(max_size=80)),
    realm=REALMS,
)
def test_whatever_comes_is_refused_by_a_known_code(token: str, realm: Realm) -> None:
    with pytest.raises(Unauthenticated) as refused:
        TokenVerifier(KEYS[0].keys, realm, CLOCK).verify(token)
    assert refused.value.code in {"token_malformed", "token_signature_wrong"}


@settings(max_examples=100, deadline=None)
@given(at=st.integers(0, 10**6), to=st.integers(0, 127).map(chr))
def test_a_token_with_one_character_changed_is_refused_or_the_same_token(at: int, to: str) -> None:
    realm = plane_realm("acme")
    token = minted(realm, KEYS[0])
    at %= len(token)
    changed = token[:at] + to + token[at + 1 :]
    if changed == token:
        return
    try:
        caller = TokenVerifier(KEYS[0].keys, realm, CLOCK).verify(changed)
    except Unauthenticated:
        return
    # base64 without padding leaves bits of the last character unused; what was signed is the same to the bit
    assert at == len(token) - 1
    assert caller == TokenVerifier(KEYS[0].keys, realm, CLOCK).verify(token)


@settings(max_examples=80, deadline=None)
@given(
    claims=st.dictionaries(st.sampled_from(["iss", "aud", "tenant", "sub", "scopes", "jti", "iat", "exp"]), json_values)
)
def test_claims_of_any_shape_under_the_right_key_never_crash(claims: dict[str, Any]) -> None:
    realm = plane_realm("acme")
    key = KEYS[0].keys().current
    good = {"iss": realm.audience, "aud": realm.audience, "tenant": "acme"}
    with pytest.raises(Unauthenticated):
        TokenVerifier(KEYS[0].keys, realm, CLOCK).verify(key.sign(claims, KIND))
    with pytest.raises(Unauthenticated):
        TokenVerifier(KEYS[0].keys, realm, CLOCK).verify(key.sign(claims | good | {"iat": "now"}, KIND))


def test_what_a_key_signed_as_one_kind_is_nothing_of_another() -> None:
    key = KEYS[0].keys().current
    directive = key.sign({"state": "active"}, "frostbyte-directive")
    assert opened(directive, [key.public], "frostbyte-directive") == ({"state": "active"}, key.kid)
    with pytest.raises(Unreadable):
        opened(directive, [key.public], KIND)
    with pytest.raises(Unreadable):
        opened(minted(plane_realm("acme"), KEYS[0]), [key.public], "frostbyte-directive")
    with pytest.raises(WrongSignature):
        opened(directive, [], "frostbyte-directive")


@settings(max_examples=50, deadline=None)
@given(st.binary(min_size=32, max_size=32).map(SigningKey), st.text(max_size=60))
def test_verifying_keys_are_read_back_and_nothing_else_is(key: SigningKey, other: str) -> None:
    text = str(key.public)
    assert verifying_key(text) == key.public
    for wrong in (other, text[:-1], text + "A", text.replace("ed25519", "x25519"), f"ed25519:{other}", text + "="):
        with pytest.raises(ValueError, match="key"):
            verifying_key(wrong)
