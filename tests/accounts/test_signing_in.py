"""Signing in: what is right begins a session, what is wrong says nothing, and guessing becomes slow, for strangers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from accounts.conftest import PASSWORD, House
from frostbyte.kernel.accounts import attempts
from frostbyte.kernel.accounts.signing_in import STRANGERS, SignedIn
from frostbyte.kernel.audit.events import event_bytes
from frostbyte.kernel.errors import FrostbyteError, Unauthenticated


def refused(act: Callable[[], object]) -> str:
    """The code by which it is refused."""
    with pytest.raises(FrostbyteError) as caught:
        act()
    return caught.value.code


def test_who_has_all_three_is_signed_in_and_it_is_audited(house: House) -> None:
    house.person()
    signed = house.sign_in("  Ann ", code=house.code())
    visit = house.sessions.visit(signed.cookie)
    assert (visit.caller.subject, visit.role) == ("ann", "admin")
    assert [event.type for event in house.events()][-1] == "SIGNED_IN"
    assert house.events()[-1].details == {"subject": "ann", "mode": "password", "role": "admin"}


@pytest.mark.parametrize("wrong", ["name", "password", "code"])
def test_what_was_wrong_is_not_said(house: House, wrong: str) -> None:
    house.person()
    given = {"name": "ann", "password": PASSWORD, "code": house.code()}
    given[wrong] = {"name": "bob", "password": "another word", "code": "000000"}[wrong]
    with pytest.raises(Unauthenticated) as caught:
        house.door.sign_in(**given)
    assert caught.value.code == "sign_in_wrong"
    assert "Name, password or code" in caught.value.message
    event = house.events()[-1]
    assert event.type == "SIGN_IN_REFUSED"
    assert event.actor == ("unknown" if wrong == "name" else "ann"), "what was typed as a name may be a password"
    assert b"bob" not in event_bytes(event)


def test_a_code_counts_once_in_every_process_and_also_at_once(house: House) -> None:
    house.person()
    code = house.code()
    doors = [house.door, house.another_process(), house.another_process()]
    outcomes: list[str] = []

    def enter(number: int) -> None:
        try:
            doors[number].sign_in("ann", PASSWORD, code)
            outcomes.append("in")
        except FrostbyteError as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=enter, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(outcomes) == ["in", "sign_in_wrong", "sign_in_wrong"]
    house.clock.advance(30)
    assert refused(lambda: house.sign_in(code=code)) == "sign_in_wrong", "a late one that was used"
    house.sign_in()


@pytest.mark.parametrize(("steps", "good"), [(-2, False), (-1, False), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_wrong_by_one_step_and_nothing_goes_back(house: House, steps: int, good: bool) -> None:
    house.person()
    if good:
        house.sign_in(code=house.code(steps=steps))
    else:  # -1 is the step that setting the account up used
        assert refused(lambda: house.sign_in(code=house.code(steps=steps))) == "sign_in_wrong"


def test_guessing_becomes_slow_and_ends_nobody_else(house: House) -> None:
    _, signed = house.person()
    house.person("bob", "admin")
    for _ in range(attempts.FREE):
        assert refused(lambda: house.sign_in(password="guess")) == "sign_in_wrong"
    waits = []
    while len(waits) < 14:
        with pytest.raises(FrostbyteError) as caught:
            house.sign_in(password="guess")
        if isinstance(caught.value, attempts.Slowed):
            waits.append(caught.value.retry_after)
            house.clock.advance(caught.value.retry_after)
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900, 900]
    assert refused(lambda: house.sign_in(password="guess")) == "sign_in_wrong"
    assert refused(house.sign_in) == "sign_in_slowed", "who is right waits as well: else guesses could be told"
    house.sign_in("bob")
    house.sign_in("ann", known_by=signed.device)
    house.clock.advance(900)
    house.sign_in()
    assert refused(lambda: house.sign_in(password="guess")) == "sign_in_wrong", "counted from the beginning again"
    assert refused(lambda: house.sign_in(password="guess")) == "sign_in_wrong"


def test_a_known_browser_is_known_for_its_person_alone_and_has_a_count_too(house: House) -> None:
    _, signed = house.person()
    house.person("bob", "admin")
    for _ in range(attempts.FREE):
        refused(lambda: house.sign_in(password="guess", known_by=signed.device))
    assert refused(lambda: house.sign_in(known_by=signed.device)) == "sign_in_slowed"
    for _ in range(attempts.FREE):
        refused(lambda: house.sign_in("bob", "guess", known_by=signed.device))
    assert refused(lambda: house.sign_in("bob")) == "sign_in_slowed", "as a stranger's"
    for forged in ("x" * 64, signed.device[:-1], "é" * 64, signed.device[::-1]):
        assert refused(lambda forged=forged: house.sign_in("bob", known_by=forged)) == "sign_in_slowed"


def test_names_that_do_not_exist_are_slowed_alike(house: House) -> None:
    for _ in range(attempts.FREE):
        assert refused(lambda: house.door.sign_in("nobody-here", "guess", "000000")) == "sign_in_wrong"
    assert refused(lambda: house.door.sign_in("nobody-here", "guess", "000000")) == "sign_in_slowed"


def test_strangers_together_have_a_limit_that_known_browsers_do_not_meet(house: House) -> None:
    _, signed = house.person()
    for number in range(STRANGERS["strangers"]):
        assert refused(lambda number=number: house.door.sign_in(f"n{number}", "guess", "0")) == "sign_in_wrong"
    assert refused(house.sign_in) == "rate_limited"
    house.sign_in(known_by=signed.device)


def test_attempts_of_yesterday_are_forgotten(house: House) -> None:
    house.person()
    for _ in range(attempts.FREE):
        refused(lambda: house.sign_in(password="guess"))
    house.clock.advance(timedelta(days=1, seconds=1).total_seconds())
    refused(lambda: house.sign_in(password="guess"))
    house.sign_in()


def test_what_is_kept_opens_nothing(house: House) -> None:
    house.person()
    with house.store.unit_of_work(reading=True) as uow:
        row = uow.accounts.credential("ann")
    assert PASSWORD not in row.password
    assert house.secrets["ann"].encode() not in row.totp
    stolen = house.another_process(b"another key" + bytes(21))
    assert refused(lambda: stolen.sign_in("ann", PASSWORD, house.code())) == "authenticator_unreadable"


def test_a_password_is_changed_with_the_present_one_and_a_code(house: House) -> None:
    _, first = house.person()
    visit = house.sessions.visit(first.cookie)
    other = house.sign_in()
    house.clock.advance(30)
    fresh = "another four words here"
    change = house.door.change_password
    assert refused(lambda: change(visit, "wrong", house.code(), fresh)) == "proof_wrong"
    assert refused(lambda: change(visit, PASSWORD, "000000", fresh)) == "proof_wrong"
    assert refused(lambda: change(visit, PASSWORD, house.code(), "short")) == "password_short"
    change(visit, PASSWORD, house.code(), fresh)
    assert house.sessions.visit(first.cookie).caller.subject == "ann", "the session that changed it goes on"
    assert refused(lambda: house.sessions.visit(other.cookie)) == "session_over"
    house.clock.advance(30)
    assert refused(house.sign_in) == "sign_in_wrong"
    house.sign_in(password=fresh)


def test_who_came_through_another_system_has_no_password_to_change(house: House) -> None:
    visit = house.sessions.visit(house.sessions.begin("ann", "admin"))
    assert refused(lambda: house.door.change_password(visit, "", "", "another four words")) == "no_account"


def test_no_secret_is_audited(house: House) -> None:
    _, signed = house.person()
    refused(lambda: house.door.sign_in("hunter2hunter2", "typed in the wrong field", "123456"))
    said = b"".join(map(event_bytes, house.events()))
    for secret in (PASSWORD, "hunter2", "typed in", house.secrets["ann"], signed.cookie, signed.device):
        assert secret.encode() not in said


def test_what_a_browser_is_given_says_nothing_of_its_owner(house: House) -> None:
    _, signed = house.person()
    assert isinstance(signed, SignedIn)
    assert "ann" not in signed.device
    assert len(signed.device) == 64
