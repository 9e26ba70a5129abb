"""Who knows people that this server does not: an issuer of OpenID Connect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """What an issuer says about itself (OpenID Connect Discovery 1.0, section 3; RFC 8414), as far as it is needed."""

    issuer: str
    authorization_endpoint: str
    """Where browsers are sent."""
    token_endpoint: str
    """Where a code is exchanged."""
    jwks_uri: str
    """Where its keys are."""
    id_token_signing_alg_values_supported: tuple[str, ...] = ("RS256",)
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    response_types_supported: tuple[str, ...] = ("code",)
    code_challenge_methods_supported: tuple[str, ...] = ()
    """Empty where it does not say; a code challenge is sent in any case."""
    authorization_response_iss_parameter_supported: bool = False
    """Whether it names itself when it sends a browser back (RFC 9207)."""


class Issuer(Protocol):
    """An issuer as the server reaches it. Browsers reach it by themselves."""

    def provider(self) -> Provider:
        """What it says about itself; checked, and not older than an hour.

        Raises:
            Unavailable: `oidc_unreachable`, `oidc_unsuitable`.
        """
        ...

    def keys(self, *, anew: bool = False) -> Sequence[Mapping[str, Any]]:
        """The keys that it signs with (JWK, RFC 7517), unchecked.

        Args:
            anew: asked now; else they may be ten minutes old.

        Raises:
            Unavailable: `oidc_unreachable`, `oidc_unsuitable`.
        """
        ...

    def redeemed(self, code: str, verifier: str, return_address: str) -> str:
        """The ID token for a code, as it came: nothing of it is checked.

        Args:
            code: what the browser brought back.
            verifier: what the code challenge was made of (RFC 7636).
            return_address: where the browser was sent back to.

        Raises:
            Unauthenticated: `oidc_code_refused`: it does not know the code, or not any more, or for somebody else.
            Unavailable: `oidc_unreachable`, `oidc_unsuitable`; `oidc_client_refused`: it does not know this server.
        """
        ...
