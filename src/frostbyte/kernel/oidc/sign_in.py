"""The way of a sign-in: out to the issuer with a state, back with a code, and what becomes of it.

Nothing is kept for a sign-in that was begun: what has to be known when the browser comes back, it brings itself, in a
cookie that the server signed. So whoever only begins costs nothing. A sign-in that ended well counts once: its id is
entered where revoked tokens are, and refused from then on by every process.
"""

from __future__ import annotations

import hashlib
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from frostbyte.kernel.accounts.records import By
from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import Forbidden, Unauthenticated
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.oidc.id_tokens import Expected, UnknownKey, checked, subject, wrong
from frostbyte.kernel.oidc.mapping import role_of
from frostbyte.kernel.oidc.settings import OidcSettings
from frostbyte.kernel.ports.issuer import Issuer
from frostbyte.kernel.ports.unit_of_work import AccessUnitOfWorkFactory
from frostbyte.kernel.records import RevocationRow
from frostbyte.kernel.signing import KeySource, Unreadable, WrongSignature, opened
from frostbyte.kernel.tokens import Realm

PATIENCE: Final = timedelta(minutes=10)
"""How long somebody may take at the issuer."""
KIND: Final = "oidc-sign-in+jwt"
"""The `typ` of the cookie's header: neither session nor token passes for it, nor it for them."""
_NOBODY: Final = "unknown"
_LONGEST: Final = 4096
"""Characters of a code or a state from outside."""


class Begun(msgspec.Struct, frozen=True):
    """A sign-in that begins."""

    address: str
    """Where to send the browser."""
    cookie: str
    """What the browser has to bring back."""


class Returned(msgspec.Struct, frozen=True, kw_only=True):
    """What a browser came back with: anything, from anybody."""

    state: str = ""
    code: str = ""
    error: str = ""
    """The issuer's word for why not (RFC 6749, section 4.1.2.1)."""
    issuer: str = ""
    """`iss` (RFC 9207)."""
    cookie: str = ""


class SignedIn(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody whom the issuer knows, and who may be here."""

    subject: str
    """`oidc:` and a hash: see id_tokens.subject."""
    role: str
    to: str
    """The page that was wanted."""


class OidcSignIn:
    """Signs people in by an issuer's word.

    Args:
        settings: which issuer, and what it is believed.
        issuer: the way to it.
        keys: sign and check the cookie of a sign-in that was begun.
        realm: where that cookie is good.
        unit_of_work: a transaction with what was revoked, and the audit log.
        clock: the server's clock.
        owner: what the log calls the tenant or the control plane.
    """

    def __init__(
        self,
        settings: OidcSettings,
        issuer: Issuer,
        keys: KeySource,
        realm: Realm,
        unit_of_work: AccessUnitOfWorkFactory,
        clock: Clock,
        owner: str,
    ) -> None:
        self.settings = settings
        self._issuer = issuer
        self._keys = keys
        self._audience = f"{realm.audience}:oidc"
        self._unit_of_work = unit_of_work
        self._clock = clock
        self._owner = owner

    def begin(self, to: str) -> Begun:
        """Begin a sign-in.

        Args:
            to: the page of this server that is wanted; whoever calls this has checked it.

        Raises:
            Unavailable: `oidc_unreachable`, `oidc_unsuitable`.
        """
        provider = self._issuer.provider()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        now = int(self._clock.now().timestamp())
        claims = {
            "aud": self._audience,
            "jti": str(new_id()),
            "exp": now + int(PATIENCE.total_seconds()),
            "state": state,
            "nonce": nonce,
            "verifier": verifier,
            "to": to,
        }
        asked = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": self.settings.return_address,
            "scope": " ".join(self.settings.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge(verifier),
            "code_challenge_method": "S256",
        }
        place = provider.authorization_endpoint
        address = f"{place}{'&' if '?' in place else '?'}{urlencode(asked)}"
        return Begun(address, self._keys().current.sign(claims, KIND))

    def finish(self, returned: Returned) -> SignedIn:
        """Who came back.

        Raises:
            Unauthenticated: `oidc_state_wrong`: this browser did not begin it; `oidc_too_late`, `oidc_used`,
                `oidc_denied`; `oidc_code_refused` and `oidc_token_wrong`: the issuer's word is not good.
            Forbidden: `oidc_no_role`.
            Unavailable: `oidc_unreachable`, `oidc_unsuitable`, `oidc_client_refused`.
        """
        begun = self._begun(returned)
        self._from_the_issuer(returned.issuer)
        if returned.error or not returned.code or len(returned.code) > _LONGEST:
            raise _denied(returned.error)
        settings = self.settings
        token = self._issuer.redeemed(returned.code, begun["verifier"], settings.return_address)
        try:
            claims = self._checked(token, Expected(settings.issuer, settings.client_id, begun["nonce"]))
        except Unauthenticated as error:
            self._refuse(begun["jti"], _NOBODY, error.code)
            raise
        self._once(begun["jti"])
        role, who = role_of(claims, settings), subject(settings.issuer, claims["sub"])
        if role is None:
            refusal = _no_role()
            self._refuse(begun["jti"], who, refusal.code)
            raise refusal
        return SignedIn(subject=who, role=role, to=begun["to"])

    def _begun(self, returned: Returned) -> Mapping[str, Any]:
        """What this browser began."""
        try:
            claims, _ = opened(returned.cookie, self._keys().accepted, KIND)
        except (WrongSignature, Unreadable):
            raise _not_begun() from None
        if claims.get("aud") != self._audience or len(returned.state) > _LONGEST:
            raise _not_begun()
        if not secrets.compare_digest(returned.state.encode("utf-8", "replace"), str(claims["state"]).encode()):
            raise _not_begun()
        if claims["exp"] <= self._clock.now().timestamp():
            raise Unauthenticated(
                "oidc_too_late", "This sign-in was begun more than ten minutes ago.", "Begin it once more."
            )
        with self._unit_of_work(reading=True) as uow:
            if uow.access.revoked(claims["jti"]):
                raise _used()
        return claims

    def _from_the_issuer(self, named: str) -> None:
        """The answer may name another issuer, whose code ours must not be shown (RFC 9207, section 2.4)."""
        if named != self.settings.issuer and (
            named or self._issuer.provider().authorization_response_iss_parameter_supported
        ):
            raise wrong("the answer does not come from the issuer that was asked")

    def _checked(self, token: str, expected: Expected) -> dict[str, Any]:
        """The token's claims. If no key fits, the issuer may have new ones: it is asked once more."""
        now = self._clock.now().timestamp()
        try:
            return checked(token, self._issuer.keys(), expected, now)
        except UnknownKey:
            pass
        try:
            return checked(token, self._issuer.keys(anew=True), expected, now)
        except UnknownKey:
            raise wrong("the issuer shows no key that it could be signed with") from None

    def _once(self, sign_in_id: str) -> None:
        now = self._clock.now()
        row = RevocationRow(token_id=sign_in_id, revoked_at=now, expires_at=now + 2 * PATIENCE, actor="sign-in")
        with self._unit_of_work() as uow:
            if not uow.access.revoke(row):
                raise _used()
            uow.commit()

    def _refuse(self, sign_in_id: str, who: str, code: str) -> None:
        """Write down whom the issuer vouched for in vain. What comes without its word is anybody's, and is not kept."""
        details = {"code": code, "mode": By.OIDC} | ({} if who == _NOBODY else {"subject": who})
        with self._unit_of_work() as uow:
            uow.audit.append(
                make_event(self._owner, EventType.SIGN_IN_REFUSED, self._clock, who, "session", sign_in_id, details)
            )
            uow.commit()


def challenge(verifier: str) -> str:
    """What is shown of a verifier before the code is exchanged (RFC 7636, section 4.2)."""
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _not_begun() -> Unauthenticated:
    return Unauthenticated(
        "oidc_state_wrong",
        "This sign-in was not begun in this browser, or another was begun after it.",
        "Begin it once more, in one window.",
    )


def _no_role() -> Forbidden:
    return Forbidden(
        "oidc_no_role",
        "The issuer knows you, but nothing that it says about you gives you a role here.",
        "Ask whoever administers this server which group you have to be in.",
    )


def _used() -> Unauthenticated:
    return Unauthenticated("oidc_used", "This sign-in was completed before; it counts once.", "Begin it once more.")


def _denied(error: str) -> Unauthenticated:
    """Of the issuer's words only one that the specification lists is told: the rest may be anybody's text."""
    if error == "access_denied":
        why = "the issuer did not let you in, or you did not agree"
    elif error in ("temporarily_unavailable", "server_error"):
        why = "the issuer has a trouble of its own"
    elif error in ("login_required", "interaction_required", "consent_required", "account_selection_required"):
        why = "the issuer wants you to do something there first"
    elif error in ("invalid_request", "unauthorized_client", "unsupported_response_type", "invalid_scope"):
        why = f"the issuer does not accept how it was asked ({error})"
    else:
        why = "the issuer sent no code"
    return Unauthenticated(
        "oidc_denied", f"You were not signed in: {why}.", "Try again, or ask whoever runs the issuer."
    )
