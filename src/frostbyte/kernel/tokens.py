"""Access tokens: short-lived EdDSA JWTs (RFC 7519, RFC 8037) for one audience.

A plane signs for its own people, the control plane for its operators, each with its own keys; a token of one is nothing
to the other. One algorithm is accepted, whatever a token's header says.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any, Final

import msgspec

from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import Forbidden, Invalid, Unauthenticated
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.scopes import Role as Role
from frostbyte.kernel.scopes import Scope as Scope
from frostbyte.kernel.signing import KeySource, Unreadable, VerifyingKey, WrongSignature, opened

LONGEST: Final = timedelta(days=30)
"""No token lives longer."""
KIND: Final = "JWT"
"""The `typ` of a token's header (RFC 7519, section 5.1)."""
_REMEMBERED: Final = 1_024
"""Tokens whose signature was found good, by their hash."""


class Realm(msgspec.Struct, frozen=True):
    """Where a token is good: one plane, or the control plane of one environment."""

    who: str
    """What signs, in a sentence."""
    claim: str
    """The claim that names it besides the audience."""
    name: str
    rights: type[Scope] | type[Role]

    @property
    def audience(self) -> str:
        """What `aud` and `iss` have to be."""
        return f"frostbyte:{'plane' if self.rights is Scope else 'control'}:{self.name}"

    @property
    def foreign(self) -> str:
        """The code for a token that names another plane or environment under the right audience."""
        return "token_foreign_tenant" if self.rights is Scope else "token_foreign_environment"


def plane_realm(tenant_id: str) -> Realm:
    """Where the tokens of a tenant's plane are good."""
    return Realm("plane", "tenant", tenant_id, Scope)


def control_realm(environment: str) -> Realm:
    """Where the tokens of an environment's operators are good."""
    return Realm("control plane", "environment", environment, Role)


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, as far as their token or key proves it."""

    subject: str
    scopes: frozenset[Scope | Role]
    token_id: str
    """The token's `jti`, or the id of the API key."""

    def require(self, scope: Scope | Role) -> None:
        """Raises Forbidden("scope_missing")."""
        if not self.has(scope):
            raise Forbidden(
                "scope_missing",
                f"This token does not have the scope '{scope.value}'.",
                "Ask whoever administers it for a token with that scope.",
            )

    def has(self, scope: Scope | Role) -> bool:
        """Whether the token has the scope."""
        return scope in self.scopes


class TokenSigner:
    """Makes tokens.

    Args:
        keys: the current one signs.
        realm: where the tokens are good.
        clock: the server's clock.
    """

    def __init__(self, keys: KeySource, realm: Realm, clock: Clock) -> None:
        self._keys = keys
        self._realm = realm
        self._clock = clock

    def mint(self, subject: str, scopes: frozenset[Scope | Role], lifetime: timedelta) -> tuple[str, dict[str, Any]]:
        """(token, its claims).

        Raises:
            Invalid: `token_request`: no scopes, scopes of something else, or it would live too long.
        """
        ours = all(isinstance(scope, self._realm.rights) for scope in scopes)
        if not scopes or not ours or not timedelta(0) < lifetime <= LONGEST:
            raise Invalid(
                "token_request",
                "A token needs at least one scope and a lifetime of at most 30 days.",
                "Name scopes, and a shorter lifetime.",
            )
        now = int(self._clock.now().timestamp())
        claims = {
            "iss": self._realm.audience,
            "aud": self._realm.audience,
            self._realm.claim: self._realm.name,
            "sub": subject,
            "scopes": sorted(scope.value for scope in scopes),
            "jti": str(new_id()),
            "iat": now,
            "exp": now + int(lifetime.total_seconds()),
        }
        return self._keys().current.sign(claims, KIND), claims


class TokenVerifier:
    """Accepts the tokens of one realm.

    Args:
        keys: the current and the previous one are accepted.
        realm: where the tokens have to be good.
        clock: the server's clock.
    """

    def __init__(self, keys: KeySource, realm: Realm, clock: Clock) -> None:
        self._keys = keys
        self._realm = realm
        self._clock = clock
        self._opened: dict[tuple[bytes, tuple[VerifyingKey, ...]], dict[str, Any]] = {}

    def verify(self, token: str) -> Caller:
        """Who asks. Whether the token was revoked, the caller of this has to look up.

        Raises:
            Unauthenticated: `token_malformed`, `token_signature_wrong`, `token_expired`, `token_wrong_audience`,
                `token_foreign_tenant`, `token_foreign_environment`.
        """
        try:
            claims = self._claims(token, self._keys().accepted)
        except WrongSignature:
            raise _refused("token_signature_wrong", f"The token was not signed by this {self._realm.who}.") from None
        except Unreadable:
            raise self._malformed() from None
        return self._checked(claims)

    def _claims(self, token: str, accepted: tuple[VerifyingKey, ...]) -> dict[str, Any]:
        """What a token says, by its signature: good once under a set of keys is good again under the same. Raises as
        `opened`."""
        name = (hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest(), accepted)
        claims = self._opened.get(name)
        if claims is None:
            claims, _ = opened(token, accepted, KIND)
            if len(self._opened) >= _REMEMBERED:
                self._opened.clear()
            self._opened[name] = claims
        return claims

    def _checked(self, claims: dict[str, Any]) -> Caller:
        realm = self._realm
        if not claims.keys() >= {"iss", "aud", "sub", "scopes", "jti", "iat", "exp"}:
            raise self._malformed()
        if claims["aud"] != realm.audience or claims["iss"] != realm.audience:
            raise _refused("token_wrong_audience", "The token is for another audience.")
        if realm.claim not in claims:
            raise self._malformed()
        if claims[realm.claim] != realm.name:
            raise _refused(realm.foreign, f"The token is for another {realm.claim}.")
        scopes, words = claims["scopes"], {right.value: right for right in realm.rights}
        numbers = type(claims["iat"]) is int and type(claims["exp"]) is int  # a bool is an int to isinstance
        known = isinstance(scopes, list) and all(isinstance(scope, str) and scope in words for scope in scopes)
        if not numbers or not known or not isinstance(claims["sub"], str) or not isinstance(claims["jti"], str):
            raise self._malformed()
        now = self._clock.now().timestamp()
        if claims["exp"] <= now:
            raise _refused("token_expired", "The token has expired.")
        if claims["iat"] > now + 60 or claims["exp"] - claims["iat"] > LONGEST.total_seconds():
            raise _refused("token_malformed", f"The token's times are not ones that a {realm.who} gives out.")
        return Caller(subject=claims["sub"], scopes=frozenset(words[scope] for scope in scopes), token_id=claims["jti"])

    def _malformed(self) -> Unauthenticated:
        return _refused("token_malformed", f"The token is not one that a {self._realm.who} gives out.")


def _refused(code: str, message: str) -> Unauthenticated:
    return Unauthenticated(code, message, "Get a new token: `frostbyte token mint`, or ask your administrator.")
