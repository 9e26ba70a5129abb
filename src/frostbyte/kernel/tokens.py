"""Access tokens: short-lived EdDSA JWTs (RFC 7519, RFC 8037) for one audience and one tenant.

A plane signs for its own people with its own key. One algorithm is accepted, whatever a token's header says.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import Forbidden, Invalid, Unauthenticated
from frostbyte.kernel.ids import new_id

_ALGORITHM: Final = "EdDSA"
LONGEST: Final = timedelta(days=30)
"""No token lives longer."""
_CLAIMS: Final = ("iss", "aud", "tenant", "sub", "scopes", "jti", "iat", "exp")


class Scope(StrEnum):
    """What a token allows; docs/security.md maps every route to one."""

    INGEST = "ingest"
    QUERY = "query"
    SOURCE = "source"
    REVIEW = "review"
    ERASE = "erase"
    AUDIT = "audit"
    ADMIN = "admin"


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, as far as their token proves it."""

    subject: str
    scopes: frozenset[Scope]
    token_id: str

    def require(self, scope: Scope) -> None:
        """Raises Forbidden("scope_missing")."""
        if scope not in self.scopes:
            raise Forbidden(
                "scope_missing",
                f"This token does not have the scope '{scope.value}'.",
                "Ask whoever administers the plane for a token with it.",
            )

    def has(self, scope: Scope) -> bool:
        """Whether the token has the scope."""
        return scope in self.scopes


def audience(tenant_id: str) -> str:
    """The audience of a plane's tokens; the control plane's is another one."""
    return f"frostbyte:plane:{tenant_id}"


class TokenSigner:
    """Makes tokens for one plane."""

    def __init__(self, key: Ed25519PrivateKey, tenant_id: str, clock: Clock) -> None:
        self._key = key
        self._tenant_id = tenant_id
        self._clock = clock

    def mint(self, subject: str, scopes: frozenset[Scope], lifetime: timedelta) -> tuple[str, dict[str, Any]]:
        """(token, its claims).

        Raises:
            Invalid: `token_request`: no scopes, or it would live too long.
        """
        if not scopes or not timedelta(0) < lifetime <= LONGEST:
            raise Invalid(
                "token_request",
                "A token needs at least one scope and a lifetime of at most 30 days.",
                "Name scopes, and a shorter lifetime.",
            )
        now = int(self._clock.now().timestamp())
        claims = {
            "iss": audience(self._tenant_id),
            "aud": audience(self._tenant_id),
            "tenant": self._tenant_id,
            "sub": subject,
            "scopes": sorted(scope.value for scope in scopes),
            "jti": str(new_id()),
            "iat": now,
            "exp": now + int(lifetime.total_seconds()),
        }
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM), claims


class TokenVerifier:
    """Accepts the tokens of one plane."""

    def __init__(self, key: Ed25519PublicKey, tenant_id: str, clock: Clock) -> None:
        self._key = key
        self._tenant_id = tenant_id
        self._clock = clock

    def verify(self, token: str) -> Caller:
        """Who asks. Whether the token was revoked, the caller of this has to look up.

        Raises:
            Unauthenticated: `token_malformed`, `token_signature_wrong`, `token_expired`, `token_wrong_audience`,
                `token_foreign_tenant`.
        """
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=[_ALGORITHM],
                options={"verify_exp": False, "verify_iat": False, "verify_aud": False, "require": list(_CLAIMS)},
            )
        except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError):
            raise _refused("token_signature_wrong", "The token was not signed by this plane.") from None
        except (jwt.InvalidTokenError, RecursionError):  # the latter: a header nested without end
            raise _refused("token_malformed", "The token is not one that a plane gives out.") from None
        return self._checked(claims)

    def _checked(self, claims: dict[str, Any]) -> Caller:
        expected = audience(self._tenant_id)
        if claims["aud"] != expected or claims["iss"] != expected:
            raise _refused("token_wrong_audience", "The token is for another audience.")
        if claims["tenant"] != self._tenant_id:
            raise _refused("token_foreign_tenant", "The token is for another tenant.")
        scopes = claims["scopes"]
        numbers = type(claims["iat"]) is int and type(claims["exp"]) is int  # a bool is an int to isinstance
        words = isinstance(scopes, list) and all(isinstance(scope, str) and scope in set(Scope) for scope in scopes)
        if not numbers or not words or not isinstance(claims["sub"], str) or not isinstance(claims["jti"], str):
            raise _refused("token_malformed", "The token is not one that a plane gives out.")
        now = self._clock.now().timestamp()
        if claims["exp"] <= now:
            raise _refused("token_expired", "The token has expired.")
        if claims["iat"] > now + 60 or claims["exp"] - claims["iat"] > LONGEST.total_seconds():
            raise _refused("token_malformed", "The token's times are not ones that a plane gives out.")
        return Caller(subject=claims["sub"], scopes=frozenset(Scope(scope) for scope in scopes), token_id=claims["jti"])


def _refused(code: str, message: str) -> Unauthenticated:
    return Unauthenticated(code, message, "Get a new token: `frostbyte token mint`, or ask your administrator.")
