"""Signing in by an issuer's word, wired: for a plane and for the control plane alike."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from frostbyte.adapters.oidc.http import HttpIssuer
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import FrostbyteError
from frostbyte.kernel.oidc.id_tokens import ALGORITHMS, usable_for
from frostbyte.kernel.oidc.settings import OidcSettings
from frostbyte.kernel.oidc.sign_in import OidcSignIn
from frostbyte.kernel.ports.unit_of_work import AccessUnitOfWorkFactory
from frostbyte.kernel.signing import KeySource
from frostbyte.kernel.tokens import Realm


def oidc_sign_in(
    settings: OidcSettings | None,
    keys: KeySource,
    realm: Realm,
    unit_of_work: AccessUnitOfWorkFactory,
    clock: Clock,
    *,
    owner: str,
    proxy: str = "",
) -> OidcSignIn | None:
    """What signs people in by an issuer's word; None where no issuer is named.

    Nothing is asked of the issuer yet: a server starts without it, and who has an account of its own gets in.
    """
    if settings is None:
        return None
    return OidcSignIn(settings, HttpIssuer(settings, proxy=proxy), keys, realm, unit_of_work, clock, owner)


def looked_at(settings: OidcSettings, proxy: str = "") -> dict[str, Any]:
    """The issuer, asked as a sign-in would ask it; `problems` are sentences, none if all is well.

    Raises:
        Unavailable: `oidc_unreachable`, `oidc_unsuitable`.
    """
    issuer = HttpIssuer(settings, proxy=proxy)
    try:
        provider, keys = issuer.provider(), issuer.keys()
        known = _knows_us(issuer, settings)
    finally:
        issuer.close()
    algorithms = [name for name in provider.id_token_signing_alg_values_supported if name in ALGORITHMS]
    usable = [key for key in keys if any(usable_for(key, name) for name in algorithms)]
    asked = (settings.issuer, provider.token_endpoint, provider.jwks_uri)
    problems = [
        *([] if usable else ["It shows no key for any algorithm that is accepted."]),
        *([known] if known else []),
        *([] if settings.roles else ["No value of a claim gives a role: nobody gets in."]),
    ]
    return {
        "issuer": provider.issuer,
        "authorization_endpoint": provider.authorization_endpoint,
        "algorithms": algorithms,
        "keys": len(usable),
        "client": f"{settings.client_id}, {'not accepted' if known else 'known there'}",
        "return_address": settings.return_address,
        "ways_out": sorted({_host_and_port(address) for address in asked}),
        "claim": settings.claim,
        "roles": [{"value": value, "role": role} for value, role in settings.roles],
        "problems": problems,
    }


def _knows_us(issuer: HttpIssuer, settings: OidcSettings) -> str:
    """Why the issuer does not take this client; '' if it does: then all it refuses is a code that it never gave."""
    try:
        issuer.redeemed("no-code-of-yours", "v" * 43, settings.return_address)
    except FrostbyteError as error:
        return "" if error.code == "oidc_code_refused" else error.message
    return "It accepts a code that it never gave out."


def _host_and_port(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
