"""Passwords: which are taken, what is kept, and what a guess costs."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostbyte.kernel.accounts import passwords
from frostbyte.kernel.accounts.passwords import USUAL, Bench, Cost
from frostbyte.kernel.errors import Invalid, Unavailable

CHEAP = Cost(log_n=2, r=1, p=1)


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(st.text(min_size=1, max_size=300), st.text(min_size=1, max_size=300))
def test_what_fits_is_the_same_password_and_nothing_else(one: str, other: str) -> None:
    kept = passwords.stored(one, CHEAP)
    assert passwords.fits(one, kept, CHEAP) is (len(one) <= passwords.LONGEST)
    if passwords._normal(one) != passwords._normal(other):
        assert not passwords.fits(other, kept, CHEAP)


def test_a_guess_costs_what_is_advised_and_what_was_kept_says_how_it_was_made() -> None:
    assert 128 * USUAL.r * 2**USUAL.log_n == 32 << 20
    assert USUAL.p == 3
    kept = passwords.stored("four words and a horse")
    assert kept.startswith("scrypt$15$8$3$")
    assert passwords.fits("four words and a horse", kept, CHEAP), "whatever is the cost of today"
    assert passwords.stored("four words and a horse", CHEAP) != passwords.stored("four words and a horse", CHEAP)


def test_accents_may_be_composed_either_way() -> None:
    assert passwords.fits("Cafe\u0301 au lait, dix", passwords.stored("Caf\u00e9 au lait, dix", CHEAP), CHEAP)


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("elevenchars", "password_short"),
        ("x" * 257, "password_long"),
        ("Ann.Smith-2026", "password_plain"),
        ("aaaabbbbccccdddd", "password_plain"),
    ],
)
def test_bad_ones_are_refused_with_what_to_do(password: str, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        passwords.check(password, "ann.smith")
    assert caught.value.code == code
    assert caught.value.remedy
    assert password not in caught.value.message + caught.value.remedy


@pytest.mark.parametrize(
    "password", ["twelve chars", "x1y2z" * 51, "ein Pferd über vier Wörter", "correct horse battery"]
)
def test_long_ones_are_taken_whatever_they_are_made_of(password: str) -> None:
    passwords.check(password, "ann.smith")


def test_an_account_without_a_password_lets_nobody_in() -> None:
    assert not passwords.fits("", "", CHEAP)


def test_strangers_wait_for_each_other_and_known_browsers_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_WAIT_SECONDS", 0.05)
    bench, reached, leave = Bench(), threading.Event(), threading.Event()

    def occupy() -> None:
        with bench.place(known=False):
            reached.set()
            leave.wait(20)

    thread = threading.Thread(target=occupy)
    thread.start()
    assert reached.wait(20)
    with bench.place(known=True):
        pass
    with pytest.raises(Unavailable) as caught, bench.place(known=False):
        pass
    assert caught.value.code == "sign_in_busy"
    leave.set()
    thread.join(20)
    with bench.place(known=False):
        pass
