"""From what an issuer says about somebody to a role here. Without a mapping nobody gets in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from frostbyte.kernel.oidc.settings import OidcSettings

_MOST: Final = 10_000
"""Values of a claim that are looked at."""


def role_of(claims: Mapping[str, Any], settings: OidcSettings) -> str | None:
    """The role that the claims of an ID token give; None for none.

    Of several that fit it is the one that the mapping names first. An e-mail address counts only if the issuer says
    that it is verified: at many issuers people write theirs themselves.
    """
    if settings.claim == "email" and claims.get("email_verified") is not True:
        return None
    said = frozenset(_values(_found(claims, settings.claim)))
    return next((role for value, role in settings.roles if value in said), None)


def _found(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its name, dots and all; else by the way to it, from claim to claim within it."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(part)
    return found


def _values(found: Any) -> Sequence[str]:
    if isinstance(found, str):
        return [found]
    return [value for value in found[:_MOST] if isinstance(value, str)] if isinstance(found, list) else []
