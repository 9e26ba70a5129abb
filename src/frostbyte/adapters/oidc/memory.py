"""An issuer in memory: it signs, gives out codes that count once, checks the challenge, and changes its keys."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as new_ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as new_rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import Unauthenticated, Unavailable
from frostbyte.kernel.oidc.sign_in import challenge
from frostbyte.kernel.ports.issuer import Provider

_CODE_SECONDS: Final = 60
_TOKEN_SECONDS: Final = 300
_Private = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey


class _Key(msgspec.Struct, frozen=True):
    kid: str
    algorithm: str
    private: Any


class _Given(msgspec.Struct, frozen=True, kw_only=True):
    """What a code stands for."""

    client_id: str
    return_address: str
    challenge: str
    nonce: str
    claims: dict[str, Any]
    ends: float


class MemoryIssuer:
    """See kernel.ports.issuer.Issuer; what people and a client's server do at it besides is here too.

    Args:
        clock: when codes and tokens are made.
        issuer: its name, and the beginning of its addresses.
        client_id: who may ask it.
        client_secret: what that client shows; '' for a client without one.
        algorithm: what it signs by: RS256, ES256 or EdDSA.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        issuer: str = "https://issuer.example",
        client_id: str = "frostbyte",
        client_secret: str = "",
        algorithm: str = "ES256",
    ) -> None:
        self.issuer = issuer
        self.client_id = client_id
        self.client_secret = client_secret
        self.people: dict[str, dict[str, Any]] = {}
        """Who is known: claims by name. `sub` is among them."""
        self._clock = clock
        self._codes: dict[str, _Given] = {}
        self._keys = [_new(algorithm)]

    def provider(self) -> Provider:
        """See the port."""
        return Provider(
            issuer=self.issuer,
            authorization_endpoint=f"{self.issuer}/authorize",
            token_endpoint=f"{self.issuer}/token",
            jwks_uri=f"{self.issuer}/keys",
            id_token_signing_alg_values_supported=("RS256", "ES256", "EdDSA"),
            token_endpoint_auth_methods_supported=("client_secret_basic", "client_secret_post", "none"),
            response_types_supported=("code",),
            code_challenge_methods_supported=("S256",),
            authorization_response_iss_parameter_supported=True,
        )

    def keys(self, *, anew: bool = False) -> Sequence[Mapping[str, Any]]:
        """See the port."""
        return [_public(key) for key in self._keys]

    def rotate(self, algorithm: str = "ES256", *, keep: bool = False) -> None:
        """Sign with a new key from now on; with `keep` the one before is still shown."""
        self._keys = [_new(algorithm), *(self._keys[:1] if keep else ())]

    def answered(self, asked: str, person: str) -> str:
        """Where a browser is sent that came to `asked`, after somebody signed in; `access_denied` for nobody known.

        Raises:
            ValueError: it was not asked as it has to be; nobody is sent anywhere (RFC 6749, section 4.1.2.1).
        """
        told = {name: values[0] for name, values in parse_qs(urlsplit(asked).query).items()}
        wanted = {"response_type": "code", "client_id": self.client_id, "code_challenge_method": "S256"}
        if any(told.get(name) != value for name, value in wanted.items()) or "redirect_uri" not in told:
            raise ValueError("not asked as it has to be")
        if "openid" not in told.get("scope", "").split():
            raise ValueError("no scope openid")
        back = {"state": told.get("state", ""), "iss": self.issuer}
        if person not in self.people:
            return f"{told['redirect_uri']}?{urlencode({**back, 'error': 'access_denied'})}"
        code = secrets.token_urlsafe(24)
        self._codes[code] = _Given(
            client_id=self.client_id,
            return_address=told["redirect_uri"],
            challenge=told["code_challenge"],
            nonce=told.get("nonce", ""),
            claims=self.people[person],
            ends=self._now() + _CODE_SECONDS,
        )
        return f"{told['redirect_uri']}?{urlencode({**back, 'code': code})}"

    def redeemed(self, code: str, verifier: str, return_address: str) -> str:
        """See the port."""
        return self.exchanged(self.client_id, self.client_secret, code, verifier, return_address)

    def exchanged(self, client_id: str, client_secret: str, code: str, verifier: str, return_address: str) -> str:
        """The ID token for a code, for the client that shows itself. Raises as `redeemed`."""
        shown = secrets.compare_digest(client_secret.encode(), self.client_secret.encode())
        if client_id != self.client_id or not shown:
            raise Unavailable("oidc_client_refused", "This client is not known.", "Show its id and secret.")
        given = self._codes.pop(code, None)  # whatever becomes of it, it counts once
        if (
            given is None
            or given.ends <= self._now()
            or given.return_address != return_address
            or given.challenge != challenge(verifier)
        ):
            raise Unauthenticated("oidc_code_refused", "This code is not good.", "Begin the sign-in once more.")
        return self.signed(self.claims(given.nonce) | given.claims)

    def claims(self, nonce: str) -> dict[str, Any]:
        """What every token says."""
        now = int(self._now())
        return {
            "iss": self.issuer,
            "aud": self.client_id,
            "iat": now,
            "exp": now + _TOKEN_SECONDS,
            "nonce": nonce,
        }

    def signed(self, claims: dict[str, Any]) -> str:
        """A token with these claims."""
        key = self._keys[0]
        said = json.dumps(claims).encode()
        return jwt.PyJWS().encode(said, key.private, algorithm=key.algorithm, headers={"kid": key.kid})

    def _now(self) -> float:
        return self._clock.now().timestamp()


def _new(algorithm: str) -> _Key:
    kid = secrets.token_hex(8)
    private: _Private
    if algorithm == "RS256":
        private = new_rsa(65_537, 2048)
    elif algorithm == "ES256":
        private = new_ec(SECP256R1())
    else:
        private = Ed25519PrivateKey.generate()
    return _Key(kid, algorithm, private)


def _public(key: _Key) -> dict[str, Any]:
    public = key.private.public_key()
    if key.algorithm == "RS256":
        shown = RSAAlgorithm.to_jwk(public, as_dict=True)
    elif key.algorithm == "ES256":
        shown = ECAlgorithm.to_jwk(public, as_dict=True)
    else:
        shown = OKPAlgorithm.to_jwk(public, as_dict=True)
    named = {"kid": key.kid, "use": "sig", "alg": key.algorithm}
    return {name: value for name, value in shown.items() if name != "key_ops"} | named
