"""Sessions: signed, renewed while they are used, over in every process at once, and nobody else's."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.conftest import House
from frostbyte.kernel.accounts.records import By
from frostbyte.kernel.accounts.sessions import IDLE, KIND, LONGEST, RENEWED_AFTER, Sessions
from frostbyte.kernel.errors import FrostbyteError, Unauthenticated
from frostbyte.kernel.tokens import KIND as TOKEN
from frostbyte.kernel.tokens import Scope, TokenVerifier, control_realm, plane_realm


def refused(act: Callable[[], object]) -> str:
    """The code by which it is refused."""
    with pytest.raises(FrostbyteError) as caught:
        act()
    return caught.value.code


def test_a_session_lives_while_it_is_used_and_no_longer_than_a_day_s_work(house: House) -> None:
    cookie = house.sessions.begin("ann", "admin")
    visit = house.sessions.visit(cookie)
    assert visit.ends_at - house.clock.now() == IDLE
    assert house.sessions.renewed(cookie) is None, "it is young"
    spent = 0.0
    while spent < LONGEST.total_seconds() - IDLE.total_seconds():
        spent += (IDLE.total_seconds()) - 1
        house.clock.advance(IDLE.total_seconds() - 1)
        cookie = house.sessions.renewed(cookie) or cookie
        assert house.sessions.visit(cookie).csrf == visit.csrf, "pages that are open go on"
    house.clock.advance(LONGEST.total_seconds() - spent)
    assert refused(lambda: house.sessions.visit(cookie)) == "session_over"


def test_a_session_that_is_not_used_is_over(house: House) -> None:
    cookie = house.sessions.begin("ann", "admin")
    house.clock.advance(IDLE.total_seconds())
    assert refused(lambda: house.sessions.visit(cookie)) == "session_over"
    assert refused(lambda: house.sessions.renewed(cookie)) == "session_over"
    house.clock.advance(RENEWED_AFTER.total_seconds())
    assert house.sessions.open_ones() == [] or house.sessions.open_ones()[0].seen_at is not None


def test_an_ended_session_is_over_in_every_process_and_cannot_be_renewed(house: House) -> None:
    cookie = house.sessions.begin("ann", "admin")
    other = Sessions(house.keys.keys, house.realm, house.store.unit_of_work, house.clock, "acme")
    house.clock.advance(RENEWED_AFTER.total_seconds())
    newer = house.sessions.renewed(cookie)
    assert newer is not None
    assert newer != cookie
    house.sessions.end(newer)
    for one in (cookie, newer):
        assert refused(lambda one=one: other.visit(one)) == "session_over"
        assert other.renewed(one) is None or one is newer
    house.sessions.end(newer)
    assert [event.type for event in house.events()] == ["SIGNED_IN", "SIGNED_OUT"], "twice is once"


def test_others_sessions_are_ended_but_not_by_another_person(house: House) -> None:
    mine, also, theirs = (house.sessions.begin(name, "admin") for name in ("ann", "ann", "bob"))
    visit, other = house.sessions.visit(mine), house.sessions.visit(theirs)
    assert len(house.sessions.open_ones("ann")) == 2
    assert len(house.sessions.open_ones()) == 3
    end = house.sessions.end_one
    assert refused(lambda: end(other.session_id, actor="ann", of="ann")) == "session_not_found"
    house.sessions.visit(theirs)
    assert house.sessions.end_others(visit) == 1
    assert refused(lambda: house.sessions.visit(also)) == "session_over"
    house.sessions.visit(mine)
    end(other.session_id, actor="ann")
    assert refused(lambda: house.sessions.visit(theirs)) == "session_over"
    assert refused(lambda: end(uuid4(), actor="ann")) == "session_not_found"


def test_who_came_another_way_is_another_even_under_the_same_name(house: House) -> None:
    identity, signed = house.person()
    elsewhere = house.sessions.begin("ann", "admin", by=By.OIDC)
    house.register.recover(identity, actor="boss")
    assert refused(lambda: house.sessions.visit(signed.cookie)) == "session_over"
    house.sessions.visit(elsewhere)


def test_a_cookie_is_no_token_and_no_token_is_a_cookie(house: House) -> None:
    cookie = house.sessions.begin("ann", "admin")
    verifier = TokenVerifier(house.keys.keys, house.realm, house.clock)
    with pytest.raises(Unauthenticated):
        verifier.verify(cookie)
    signing = house.keys.keys().current
    claims = {"aud": house.realm.audience, house.realm.claim: house.realm.name, "sid": "x", "iat": 0, "exp": 2**40}
    assert refused(lambda: house.sessions.visit(signing.sign(claims, TOKEN))) == "session_wrong"
    assert refused(lambda: house.sessions.visit(signing.sign(claims, KIND))) == "session_over", "no such session"


def test_another_plane_s_session_is_nothing_here(house: House) -> None:
    cookie = house.sessions.begin("ann", "admin")
    other = control_realm("staging") if house.realm.rights is not Scope else plane_realm("other")
    for realm in (other, control_realm("acme"), plane_realm("production")):
        sessions = Sessions(house.keys.keys, realm, house.store.unit_of_work, house.clock, "acme")
        assert refused(lambda sessions=sessions: sessions.visit(cookie)) == "session_wrong"


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=80) | st.from_regex(r"[\w-]{1,20}\.[\w-]{1,20}\.[\w-]{1,20}", fullmatch=True))
def test_anything_may_come_as_a_cookie(text: str) -> None:
    house = House(plane_realm("acme"))
    assert refused(lambda: house.sessions.visit(text)) == "session_wrong"
    house.sessions.end(text)
    assert house.events() == []
