"""The way of a sign-in, and everything that may come back in place of what was sent out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from frostbyte.adapters.oidc.memory import MemoryIssuer
from frostbyte.kernel.errors import Forbidden, FrostbyteError, Unauthenticated
from frostbyte.kernel.oidc.id_tokens import subject
from frostbyte.kernel.oidc.sign_in import PATIENCE, Returned, challenge
from frostbyte.kernel.ports.issuer import Provider
from frostbyte.kernel.rotation import Rotation
from oidc.browsing import query
from oidc.conftest import Signing


def refused(signing: Signing, returned: dict[str, str]) -> FrostbyteError:
    """How it is refused."""
    with pytest.raises(FrostbyteError) as error:
        signing.here.finish(Returned(**returned))
    for secret in (value for name, value in returned.items() if name in ("code", "cookie", "state") and value):
        assert secret not in error.value.message + error.value.remedy
    return error.value


def test_somebody_signs_in_and_gets_the_page_that_was_wanted(signing: Signing) -> None:
    found = signing.here.finish(Returned(**signing.returned(to="/console/review")))
    assert (found.role, found.to) == ("reviewer", "/console/review")
    assert found.subject == subject("https://issuer.example", "a-1")


def test_the_issuer_is_asked_as_the_specification_says(signing: Signing) -> None:
    begun, again = signing.here.begin("/console/"), signing.here.begin("/console/")
    asked = query(begun.address)
    assert begun.address.startswith("https://issuer.example/authorize?")
    assert asked["response_type"] == "code"
    assert asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"] == "https://acme.example/console/sign-in/oidc/return"
    assert asked["client_id"] == "frostbyte"
    assert asked["scope"] == "openid"
    for name in ("state", "nonce", "code_challenge"):
        assert len(asked[name]) == 43
        assert asked[name] != query(again.address)[name]


def test_the_challenge_is_the_specification_s() -> None:
    assert challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_an_authorization_address_with_a_query_keeps_it(signing: Signing) -> None:
    class Asking(MemoryIssuer):
        def provider(self) -> Provider:
            return Provider(
                issuer=self.issuer, authorization_endpoint="https://i.example/a?p=1", token_endpoint="", jwks_uri=""
            )

    begun = signing.at("acme", Asking(signing.clock)).begin("/console/")
    assert begun.address.startswith("https://i.example/a?p=1&response_type=code&")


def test_a_sign_in_counts_once(signing: Signing) -> None:
    returned = signing.returned()
    signing.here.finish(Returned(**returned))
    assert refused(signing, returned).code == "oidc_used"


def test_a_code_counts_once_even_under_another_sign_in(signing: Signing) -> None:
    first, second = signing.returned(), signing.returned()
    signing.here.finish(Returned(**first))
    assert refused(signing, second | {"code": first["code"]}).code == "oidc_code_refused"


def test_a_code_of_somebody_else_s_sign_in_is_of_no_use(signing: Signing) -> None:
    """Code injection: a stolen code, brought back under a sign-in of the thief's own."""
    victim, thief = signing.returned("ann"), signing.returned("bob")
    assert refused(signing, thief | {"code": victim["code"]}).code == "oidc_code_refused"


def test_a_sign_in_that_another_browser_began_is_refused(signing: Signing) -> None:
    """Login CSRF: a link with the attacker's own state and code, opened by somebody else."""
    attacker, victim = signing.returned("bob"), signing.here.begin("/console/")
    assert refused(signing, attacker | {"cookie": ""}).code == "oidc_state_wrong"
    assert refused(signing, attacker | {"cookie": victim.cookie}).code == "oidc_state_wrong"
    assert refused(signing, attacker | {"state": ""}).code == "oidc_state_wrong"
    assert refused(signing, attacker | {"state": "\udc80x"}).code == "oidc_state_wrong"
    assert refused(signing, attacker | {"state": "s" * 10_000}).code == "oidc_state_wrong"


def test_a_cookie_of_another_plane_or_of_another_kind_is_refused(signing: Signing) -> None:
    begun = signing.at("other").begin("/console/")
    back = query(signing.issuer.answered(begun.address, "ann"))
    returned = {"state": back["state"], "code": back["code"], "issuer": back["iss"], "cookie": begun.cookie}
    assert refused(signing, returned).code == "oidc_state_wrong"
    key = signing.keys.keys().current
    claims = {"aud": "frostbyte:plane:acme:oidc", "jti": "1", "exp": 1e10, "state": "s" * 43, "to": "/"}
    assert refused(signing, {"state": "s" * 43, "cookie": key.sign(claims, "JWT")}).code == "oidc_state_wrong"


def test_a_sign_in_is_over_after_ten_minutes(signing: Signing) -> None:
    returned = signing.returned()
    signing.clock.advance(PATIENCE.total_seconds())
    assert refused(signing, returned).code == "oidc_too_late"


@pytest.mark.parametrize(
    ("error", "says"),
    [
        ("access_denied", "did not let you in"),
        ("server_error", "trouble of its own"),
        ("login_required", "do something there"),
        ("invalid_scope", "(invalid_scope)"),
        ("<script>alert(1)</script>", "sent no code"),
    ],
)
def test_what_the_issuer_refuses_is_told_in_words(signing: Signing, error: str, says: str) -> None:
    returned = signing.returned()
    found = refused(signing, {**returned, "code": "", "error": error})
    assert found.code == "oidc_denied"
    assert says in found.message
    assert "<" not in found.message


def test_nobody_known_there_is_refused_and_a_code_of_no_length_too(signing: Signing) -> None:
    assert refused(signing, signing.returned("nobody")).code == "oidc_denied"
    assert refused(signing, signing.returned() | {"code": "c" * 5000}).code == "oidc_denied"


def test_the_answer_of_another_issuer_is_refused_before_its_code_is_shown(signing: Signing) -> None:
    """Mix-up (RFC 9207): and where the issuer always names itself, an answer without a name is no better."""
    for named in ("https://evil.example", ""):
        returned = signing.returned()
        assert refused(signing, returned | {"issuer": named}).code == "oidc_token_wrong"
        assert signing.here.finish(Returned(**returned)).role == "reviewer"  # the code was not spent


def test_without_a_role_nobody_gets_in_and_the_sign_in_is_spent(signing: Signing) -> None:
    returned = signing.returned("bob")
    found = refused(signing, returned)
    assert found.code == "oidc_no_role"
    assert isinstance(found, Forbidden)
    assert refused(signing, returned).code == "oidc_used"


def events(signing: Signing) -> list[tuple[str, dict[str, Any]]]:
    """(who, details) of what was audited."""
    with signing.store.unit_of_work() as uow:
        found = uow.audit.unsequenced(100)
    assert {event.type for event in found} <= {"SIGN_IN_REFUSED"}
    return [(event.actor, event.details) for event in found]


def test_whom_the_issuer_vouched_for_in_vain_is_audited_and_strangers_are_not(signing: Signing) -> None:
    bob = subject("https://issuer.example", "b-2")
    for stranger in (signing.returned("nobody"), {}, signing.returned() | {"code": "?"}):
        refused(signing, stranger)
    assert events(signing) == []
    refused(signing, signing.returned("bob"))
    assert events(signing) == [(bob, {"code": "oidc_no_role", "mode": "oidc", "subject": bob})]
    returned = signing.returned()
    signing.issuer.rotate()
    signing.issuer.issuer = "https://another.example"
    refused(signing, returned)
    assert events(signing)[1:] == [("unknown", {"code": "oidc_token_wrong", "mode": "oidc"})]


def test_without_a_mapping_nobody_gets_in() -> None:
    signing = Signing(roles=())
    assert refused(signing, signing.returned()).code == "oidc_no_role"


def test_the_role_is_read_at_each_sign_in(signing: Signing) -> None:
    assert signing.here.finish(Returned(**signing.returned())).role == "reviewer"
    signing.issuer.people["ann"] = {"sub": "a-1", "groups": ["legal", "admins"]}
    assert signing.here.finish(Returned(**signing.returned())).role == "admin"
    signing.issuer.people["ann"] = {"sub": "a-1", "groups": []}
    assert refused(signing, signing.returned()).code == "oidc_no_role"


def test_new_keys_of_the_issuer_are_found(signing: Signing) -> None:
    class Remembering(MemoryIssuer):
        """As one over HTTP: keys are kept until they are asked for anew."""

        kept: Any = None
        asked = 0

        def keys(self, *, anew: bool = False) -> Any:
            if anew or self.kept is None:
                self.kept, self.asked = super().keys(), self.asked + 1
            return self.kept

    issuer = Remembering(signing.clock)
    issuer.people = signing.issuer.people
    signing.issuer, signing.here = issuer, signing.at("acme", issuer)
    assert signing.here.finish(Returned(**signing.returned())).role == "reviewer"
    for algorithm in ("ES256", "EdDSA", "RS256"):
        issuer.rotate(algorithm)
        assert signing.here.finish(Returned(**signing.returned())).role == "reviewer"
    assert issuer.asked == 4  # the first keys, and three times new ones: no more often


def test_a_key_that_the_issuer_does_not_show_is_not_believed(signing: Signing) -> None:
    class Lying(MemoryIssuer):
        def keys(self, *, anew: bool = False) -> Any:
            return MemoryIssuer(signing.clock).keys()

    issuer = Lying(signing.clock)
    issuer.people = signing.issuer.people
    signing.issuer, signing.here = issuer, signing.at("acme", issuer)
    assert "no key" in refused(signing, signing.returned()).message


def test_the_clock_of_the_issuer_may_be_a_minute_off_and_no_more(signing: Signing) -> None:
    signing.issuer._clock = Shifted(signing.clock, 60)
    assert signing.here.finish(Returned(**signing.returned())).role == "reviewer"
    signing.issuer._clock = Shifted(signing.clock, 61)
    assert "clocks" in refused(signing, signing.returned()).message


class Shifted:
    """A clock that goes before another by some seconds."""

    def __init__(self, clock: Any, seconds: int) -> None:
        self._clock, self._seconds = clock, seconds

    def now(self) -> Any:
        """Its moment."""
        return self._clock.now() + timedelta(seconds=self._seconds)


def test_two_that_come_back_at_once_get_one_session(signing: Signing) -> None:
    """Both read that it was not used; the issuer gives a token to each; one is refused by the database."""

    class Generous(MemoryIssuer):
        def redeemed(self, code: str, verifier: str, return_address: str) -> str:
            given = self._codes[code]
            if not self.inside:
                self.inside = True
                signing.here.finish(Returned(**returned))  # the other one, meanwhile
            return self.signed(self.claims(given.nonce) | given.claims)

        inside = False

    issuer = Generous(signing.clock)
    issuer.people = signing.issuer.people
    signing.issuer, signing.here = issuer, signing.at("acme", issuer)
    returned = signing.returned()
    assert refused(signing, returned).code == "oidc_used"


def test_the_keys_of_the_server_may_change_while_somebody_is_at_the_issuer(signing: Signing) -> None:
    returned = signing.returned()
    Rotation(signing.keys, signing.store.unit_of_work, signing.clock, "acme").rotate(actor="ann")
    assert signing.here.finish(Returned(**returned)).role == "reviewer"


def test_no_cookie_from_outside_breaks_it(signing: Signing) -> None:
    for cookie in ("", "a.b.c", "\x00", "e30.e30.e30", "x" * 100_000):
        with pytest.raises(Unauthenticated):
            signing.here.finish(Returned(state="s", code="c", cookie=cookie))
