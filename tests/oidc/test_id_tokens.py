"""ID tokens: everything that may be wrong with one, each by a token that somebody really signed."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from hypothesis import given, settings
from hypothesis import strategies as st
from jwt.algorithms import RSAAlgorithm
from jwt.warnings import InsecureKeyLengthWarning

from frostbyte.adapters.memory.clock import ManualClock
from frostbyte.adapters.oidc.memory import MemoryIssuer
from frostbyte.kernel.errors import Unauthenticated
from frostbyte.kernel.oidc.id_tokens import Expected, UnknownKey, checked, subject

START = datetime(2026, 5, 1, tzinfo=UTC)
NOW = START.timestamp()
NONCE = "n" * 43
CASES = json.loads((Path(__file__).parent / "id_tokens.json").read_text(encoding="utf-8"))
ISSUERS = {
    algorithm: MemoryIssuer(ManualClock(START), algorithm=algorithm) for algorithm in ("RS256", "ES256", "EdDSA")
}
EXPECTED = Expected("https://issuer.example", "frostbyte", NONCE)


def good(issuer: MemoryIssuer) -> dict[str, Any]:
    """Claims that nothing is wrong with."""
    return issuer.claims(NONCE) | {"sub": "a-1"}


def changed(claims: dict[str, Any], case: dict[str, Any]) -> dict[str, Any]:
    """Claims as a case has them: `set` values, `seconds` from now, `without` names."""
    claims = claims | case.get("set", {}) | {name: NOW + away for name, away in case.get("seconds", {}).items()}
    return {name: value for name, value in claims.items() if name not in case.get("without", [])}


@pytest.mark.parametrize("algorithm", ISSUERS)
def test_a_token_by_each_algorithm_is_believed(algorithm: str) -> None:
    issuer = ISSUERS[algorithm]
    claims = checked(issuer.signed(good(issuer)), issuer.keys(), EXPECTED, NOW)
    assert claims["sub"] == "a-1"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["is"])
def test_claims_are_judged_as_the_table_says(case: dict[str, Any]) -> None:
    issuer = ISSUERS["EdDSA"]
    token = issuer.signed(changed(good(issuer), case))
    if "because" not in case:
        assert checked(token, issuer.keys(), EXPECTED, NOW)["iss"] == EXPECTED.issuer
        return
    with pytest.raises(Unauthenticated) as refused:
        checked(token, issuer.keys(), EXPECTED, NOW)
    assert refused.value.code == "oidc_token_wrong"
    assert case["because"] in refused.value.message
    assert token not in refused.value.message + refused.value.remedy


def test_a_token_of_another_key_under_the_same_id_is_refused() -> None:
    ours, other = ISSUERS["ES256"], MemoryIssuer(ManualClock(START))
    shown = [{**ours.keys()[0], "kid": other.keys()[0]["kid"]}]
    with pytest.raises(Unauthenticated, match="signature"):
        checked(other.signed(good(other)), shown, EXPECTED, NOW)


def test_a_changed_token_is_refused() -> None:
    issuer = ISSUERS["EdDSA"]
    head, _, signature = issuer.signed(good(issuer)).split(".")
    body = base64.urlsafe_b64encode(json.dumps(good(issuer) | {"sub": "admin"}).encode()).rstrip(b"=").decode()
    with pytest.raises(Unauthenticated, match="signature"):
        checked(f"{head}.{body}.{signature}", issuer.keys(), EXPECTED, NOW)


def _part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _hs256(issuer: MemoryIssuer) -> str:
    """Signed with the issuer's public key as the secret of a MAC: the oldest trick."""
    key = issuer.keys()[0]
    said = f"{_part({'alg': 'HS256', 'kid': key['kid']})}.{_part(good(issuer))}"
    mac = hmac.new(json.dumps(key).encode(), said.encode(), hashlib.sha256).digest()
    return f"{said}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


@pytest.mark.parametrize(
    ("made", "because"),
    [
        (_hs256, "algorithm"),
        (lambda issuer: f"{_part({'alg': 'none'})}.{_part(good(issuer))}.", "algorithm"),
        (lambda issuer: f"{_part({'alg': ['EdDSA']})}.{_part(good(issuer))}.AA", "algorithm"),
        (
            lambda issuer: f"{_part({'alg': 'EdDSA', 'crit': ['b64'], 'b64': False})}.{_part(good(issuer))}.AA",
            "no signed token",
        ),
        (lambda issuer: "a.b.c.d.e", "no signed token"),
        (lambda issuer: "", "no signed token"),
        (lambda issuer: "x" * 70_000, "longer"),
    ],
)
def test_what_is_not_signed_as_it_should_be_is_refused(made: Callable[[MemoryIssuer], str], because: str) -> None:
    issuer = ISSUERS["EdDSA"]
    with pytest.raises(Unauthenticated, match=because):
        checked(made(issuer), issuer.keys(), EXPECTED, NOW)


@pytest.mark.parametrize(
    "change",
    [
        {"use": "enc"},
        {"alg": "ES256"},
        {"kty": "EC"},
        {"crv": "Ed448"},
        {"kid": "another"},
        {"key_ops": ["sign"]},
        {"key_ops": "verify"},
        {"x": "AA"},
        {"x": None},
    ],
    ids=str,
)
def test_a_key_that_does_not_fit_is_no_key(change: dict[str, Any]) -> None:
    issuer = ISSUERS["EdDSA"]
    with pytest.raises(UnknownKey):
        checked(issuer.signed(good(issuer)), [{**issuer.keys()[0], **change}], EXPECTED, NOW)


def test_without_an_id_the_key_has_to_be_the_only_one_of_its_kind() -> None:
    issuer = ISSUERS["EdDSA"]
    private = issuer._keys[0].private
    token = jwt.encode(good(issuer), private, algorithm="EdDSA")
    assert checked(token, [*ISSUERS["RS256"].keys(), *issuer.keys()], EXPECTED, NOW)
    other = MemoryIssuer(ManualClock(START), algorithm="EdDSA")
    with pytest.raises(UnknownKey):
        checked(token, [*other.keys(), *issuer.keys()], EXPECTED, NOW)


def test_a_key_that_can_be_factored_is_not_believed() -> None:
    private = generate_private_key(65_537, 1024)
    shown = [{**RSAAlgorithm.to_jwk(private.public_key(), as_dict=True), "kid": "k"}]
    with pytest.warns(InsecureKeyLengthWarning):
        token = jwt.encode(good(ISSUERS["RS256"]), private, algorithm="RS256", headers={"kid": "k"})
    with pytest.raises(Unauthenticated, match="too short"):
        checked(token, shown, EXPECTED, NOW)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(
    claims=st.dictionaries(
        st.sampled_from(["iss", "aud", "azp", "exp", "iat", "nbf", "nonce", "sub", "x"]), JSON, max_size=9
    )
)
@settings(max_examples=50, deadline=None)
def test_whatever_is_signed_is_refused_in_words_or_says_all_that_it_has_to(claims: dict[str, Any]) -> None:
    issuer = ISSUERS["EdDSA"]
    try:
        found = checked(issuer.signed(claims), issuer.keys(), EXPECTED, NOW)
    except Unauthenticated as error:
        found = {"refused": error.code}
    assert found.get("refused", "oidc_token_wrong") == "oidc_token_wrong"
    assert "refused" in found or (found["iss"], found["nonce"]) == (EXPECTED.issuer, NONCE)


@given(
    token=st.text(max_size=60)
    | st.binary(max_size=60).map(lambda raw: base64.urlsafe_b64encode(raw).decode() + ".e30.e30"),
    keys=st.lists(
        st.dictionaries(st.sampled_from(["kty", "crv", "x", "kid", "alg", "use", "n", "e"]), JSON, max_size=6),
        max_size=3,
    ),
)
@settings(max_examples=50, deadline=None)
def test_no_text_and_no_key_breaks_it(token: str, keys: list[dict[str, Any]]) -> None:
    with pytest.raises((Unauthenticated, UnknownKey)):
        checked(token, keys, EXPECTED, NOW)


@given(key=st.dictionaries(st.sampled_from(["crv", "x", "alg", "use", "key_ops", "y", "d"]), JSON, max_size=5))
@settings(max_examples=40, deadline=None)
def test_no_key_that_an_issuer_shows_breaks_it(key: dict[str, Any]) -> None:
    issuer = ISSUERS["EdDSA"]
    with contextlib.suppress(Unauthenticated, UnknownKey):
        checked(issuer.signed(good(issuer)), [{**issuer.keys()[0], **key}], EXPECTED, NOW)


def test_a_person_has_one_name_at_each_issuer_and_none_of_it_is_the_issuer_s() -> None:
    names = {
        subject(issuer, sub) for issuer in ("https://a.example", "https://b.example") for sub in ("1", "ann@b.example")
    }
    assert len(names) == 4
    assert all(name.startswith("oidc:") and len(name) == 37 and "ann" not in name for name in names)
