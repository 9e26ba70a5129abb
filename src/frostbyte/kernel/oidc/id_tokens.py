"""ID tokens: what an issuer says about somebody who signed in there (OpenID Connect Core 1.0, sections 2 and 3.1.3.7).

Three algorithms are accepted, each with its own kind of key; what a header says only chooses among the keys that the
issuer shows. A token that is signed with a shared secret, encrypted or not signed at all is none.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from frostbyte.kernel.errors import Unauthenticated

ALGORITHMS: Final[Mapping[str, tuple[str, str]]] = {
    "RS256": ("RSA", ""),
    "ES256": ("EC", "P-256"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""What a signature may be made with, and the kind and curve of key that it needs (RFC 7518, RFC 8037)."""
_JWS: Final = jwt.PyJWS(algorithms=list(ALGORITHMS))
SKEW: Final = 60
"""Seconds that the clocks of issuer and server may differ."""
OLDEST: Final = 600
"""Seconds since a token was made. It comes right from the issuer, so an older one is somebody's find."""
_LONGEST: Final = 64 * 1024
"""Characters of a token: people with a thousand groups have tokens of some dozen kilobytes."""
_SHORTEST_RSA: Final = 2048
"""Bits (RFC 7518, section 3.3)."""
_LONGEST_SUBJECT: Final = 255
"""Characters (OpenID Connect Core 1.0, section 2)."""


class UnknownKey(Exception):
    """The issuer shows no key that fits the token: it may have a new one."""


class Expected:
    """What an ID token has to say.

    Args:
        issuer: who made it.
        client_id: for whom.
        nonce: for which sign-in.
    """

    def __init__(self, issuer: str, client_id: str, nonce: str) -> None:
        self.issuer = issuer
        self.client_id = client_id
        self.nonce = nonce


def checked(token: str, keys: Sequence[Mapping[str, Any]], expected: Expected, now: float) -> dict[str, Any]:
    """The claims of a token that is what it has to be.

    Args:
        token: as it came.
        keys: the issuer's (JWK).
        expected: what it has to say.
        now: seconds since 1970.

    Raises:
        UnknownKey: no key fits.
        Unauthenticated: `oidc_token_wrong`, saying what is wrong with it.
    """
    claims = _opened(token, keys)
    _addressed(claims, expected)
    _timed(claims, now)
    return claims


def subject(issuer: str, sub: str) -> str:
    """What somebody is called here: the same at each sign-in, another for everybody else of this and any other issuer.

    It is made of a hash, because a `sub` may be an e-mail address, and audit and logs hold none. No token's subject and
    no account's name has a colon.
    """
    digest = hashlib.sha256(f"{issuer}\n{sub}".encode()).hexdigest()
    return f"oidc:{digest[:32]}"


def _opened(token: str, keys: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    if len(token) > _LONGEST:
        raise wrong("it is longer than any such token is")
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.InvalidTokenError, ValueError, RecursionError):
        raise wrong("it is no signed token") from None  # or its header has `crit`, of which nothing is known here
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise wrong("it is not signed by an algorithm that is accepted")
    key = _key(keys, algorithm, kid)
    try:
        claims = json.loads(_JWS.decode(token, key, algorithms=[algorithm]))
    except (jwt.InvalidTokenError, ValueError, RecursionError):
        raise wrong("its signature is not the issuer's") from None
    if not isinstance(claims, dict):
        raise wrong("it says nothing about anybody")
    return claims


def _key(keys: Sequence[Mapping[str, Any]], algorithm: str, kid: Any) -> Any:
    """The one key that may have signed. Without an id it has to be the only one of its kind (section 10.1)."""
    fitting = [key for key in keys if usable_for(key, algorithm) and (kid is None or key.get("kid") == kid)]
    if len(fitting) != 1:
        raise UnknownKey
    try:
        # The public half only, whatever else an issuer may show by mistake.
        named = {name: value for name, value in fitting[0].items() if name in ("kty", "crv", "n", "e", "x", "y")}
        key = jwt.PyJWK(named, algorithm=algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError):
        raise UnknownKey from None
    if isinstance(key, RSAPublicKey) and key.key_size < _SHORTEST_RSA:
        raise wrong("it is signed with a key that is too short")
    return key


def usable_for(key: Mapping[str, Any], algorithm: str) -> bool:
    """Whether what an issuer shows is a key for checking signatures by one of ALGORITHMS."""
    kind, curve = ALGORITHMS[algorithm]
    operations = key.get("key_ops")
    return (
        key.get("kty") == kind
        and (not curve or key.get("crv") == curve)
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and (operations is None or (isinstance(operations, list) and "verify" in operations))
    )


def _addressed(claims: Mapping[str, Any], expected: Expected) -> None:
    """By whom, for whom, about whom, and for which sign-in."""
    if claims.get("iss") != expected.issuer:
        raise wrong("it is of another issuer")
    audience, party = claims.get("aud"), claims.get("azp")
    audiences = [audience] if isinstance(audience, str) else audience if isinstance(audience, list) else []
    if expected.client_id not in audiences:
        raise wrong("it is for another client")
    if (party is not None or len(audiences) > 1) and party != expected.client_id:
        raise wrong("it was made for another client")
    nonce, sub = claims.get("nonce"), claims.get("sub")
    if not isinstance(nonce, str) or not secrets.compare_digest(nonce.encode(), expected.nonce.encode()):
        raise wrong("it is of another sign-in")
    if not isinstance(sub, str) or not 0 < len(sub) <= _LONGEST_SUBJECT:
        raise wrong("it does not say about whom it is")


def _timed(claims: Mapping[str, Any], now: float) -> None:
    made, ends = _moment(claims.get("iat")), _moment(claims.get("exp"))
    begins = _moment(claims.get("nbf", claims.get("iat")))
    if made is None or ends is None or begins is None:
        raise wrong("it does not say when it was made and ends")
    if ends <= now - SKEW:
        raise wrong("it has expired")
    if max(made, begins) > now + SKEW:
        raise wrong("it is of the future: the clocks of issuer and server differ")
    if made < now - OLDEST - SKEW:
        raise wrong("it is too old: the clocks of issuer and server differ, or somebody kept it")


def _moment(value: Any) -> float | None:
    """Seconds since 1970. A bool is an int to isinstance, and NaN is not below anything."""
    return value if type(value) in (int, float) and 0 <= value < 1e12 else None


def wrong(why: str) -> Unauthenticated:
    """The error for a token that is not believed."""
    return Unauthenticated(
        "oidc_token_wrong",
        f"What the issuer said about you is not believed: {why}.",
        "Sign in again. If it stays so, tell whoever runs this server.",
    )
