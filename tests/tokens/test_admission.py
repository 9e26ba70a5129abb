"""Tokens and keys of machines: given out, checked, revoked, audited; and nothing kept that opens anything."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostbyte.adapters.memory.clock import ManualClock
from frostbyte.adapters.memory.signing_keys import MemoryTokenKeys
from frostbyte.adapters.memory.unit_of_work import MemoryStore
from frostbyte.adapters.registry.memory import MemoryRegistry
from frostbyte.kernel import api_keys
from frostbyte.kernel.admission import Admission
from frostbyte.kernel.errors import Invalid, NotFound, Unauthenticated
from frostbyte.kernel.records import ApiKeyRow, EventRow
from frostbyte.kernel.tokens import Realm, Role, Scope, control_realm, plane_realm

HOUR = timedelta(hours=1)


class Door:
    """An admission on stores in memory."""

    def __init__(self, realm: Realm) -> None:
        self.clock = ManualClock(datetime(2026, 5, 1, tzinfo=UTC))
        self.store: Any = MemoryStore() if realm.rights is Scope else MemoryRegistry()
        self.open = Admission(MemoryTokenKeys(self.clock).keys, realm, self.store.unit_of_work, self.clock, "acme")
        self.right: Any = Scope.QUERY if realm.rights is Scope else Role.VIEWER

    def events(self) -> list[EventRow]:
        """What was audited."""
        with self.store.unit_of_work() as uow:
            found: list[EventRow] = uow.audit.unsequenced(100)
        return found

    def key(self, name: str = "scanner", lifetime: timedelta | None = None) -> dict[str, Any]:
        """A key for a machine."""
        return self.open.create_key(name, frozenset({self.right}), lifetime, actor="ann")

    def refused(self, credential: str) -> str:
        """The code by which it is refused."""
        with pytest.raises(Unauthenticated) as refused:
            self.open.caller(credential)
        assert credential not in refused.value.message + refused.value.remedy
        return refused.value.code


@pytest.fixture(params=["plane", "control plane"])
def door(request: pytest.FixtureRequest) -> Door:
    """A plane's, and the control plane's."""
    return Door(plane_realm("acme") if request.param == "plane" else control_realm("production"))


def test_a_token_is_made_used_and_revoked_and_all_but_the_use_is_audited(door: Door) -> None:
    made = door.open.mint("bob", frozenset({door.right}), HOUR, actor="ann")
    assert door.open.caller(made["token"]).subject == "bob"
    door.open.revoke(made["jti"], actor="ann")
    door.open.revoke(made["jti"], actor="ann")
    assert door.refused(made["token"]) == "token_revoked"
    events = door.events()
    assert [(event.type, event.actor, event.resource_id) for event in events] == [
        ("TOKEN_MINTED", "ann", made["jti"]),
        ("TOKEN_REVOKED", "ann", made["jti"]),
    ]
    assert events[0].details == {"token_id": made["jti"], "scopes": [door.right.value], "subject": "bob"}
    assert made["token"] not in str(events)


def test_a_machine_is_let_in_by_its_key_with_its_scopes_alone(door: Door) -> None:
    made = door.key()
    caller = door.open.caller(made["key"])
    assert (caller.subject, caller.scopes, caller.token_id) == ("key:scanner", {door.right}, made["key_id"])
    assert not caller.has(Scope.ADMIN)
    assert made["key"].startswith(f"fbk_{made['key_id']}_")
    assert [(event.type, event.actor, event.resource_id) for event in door.events()] == [
        ("API_KEY_CREATED", "ann", made["key_id"])
    ]
    [listed] = door.open.keys()["api_keys"]
    assert listed["last_used_at"] == "2026-05-01T00:00:00.000000Z"
    assert "key" not in listed
    assert made["key"] not in str(listed) + str(door.events())


def test_a_revoked_key_stays_revoked(door: Door) -> None:
    made, other = door.key(), door.key()
    door.open.revoke_key(made["key_id"], actor="ann")
    door.open.revoke_key(made["key_id"], actor="eve")
    assert door.refused(made["key"]) == "api_key_revoked"
    assert door.open.caller(other["key"]).subject == "key:scanner"
    assert Counter(event.type for event in door.events()) == {"API_KEY_CREATED": 2, "API_KEY_REVOKED": 1}
    with pytest.raises(NotFound):
        door.open.revoke_key("0" * 12, actor="ann")


def test_a_key_ends_when_it_was_said_to(door: Door) -> None:
    made = door.key(lifetime=HOUR)
    door.clock.advance(3599)
    assert door.open.caller(made["key"]).subject == "key:scanner"
    door.clock.advance(1)
    assert door.refused(made["key"]) == "api_key_expired"


def test_the_last_use_is_noted_at_most_once_a_minute(door: Door) -> None:
    made = door.key()
    noted = []
    for seconds in (0, 30, 29, 2, 59, 2):
        door.clock.advance(seconds)
        door.open.caller(made["key"])
        noted.append(door.open.keys()["api_keys"][0]["last_used_at"][14:19])
    assert noted == ["00:00", "00:00", "00:00", "01:01", "01:01", "02:02"]


def test_wrong_requests_are_refused(door: Door) -> None:
    foreign: Any = Role.ADMIN if door.right is Scope.QUERY else Scope.ADMIN
    for scopes, lifetime in ((frozenset(), None), ({foreign}, None), ({door.right}, timedelta(0))):
        with pytest.raises(Invalid) as refused:
            door.open.create_key("x", frozenset(scopes), lifetime, actor="ann")
        assert refused.value.code == "api_key_request"
    assert door.events() == []


def test_keys_are_listed_in_pages(door: Door) -> None:
    made = sorted(door.key(f"m{number}")["key_id"] for number in range(5))
    found, cursor, pages = [], "", 0
    while cursor is not None:
        page = door.open.keys(after=cursor, limit=2)
        found += [row["key_id"] for row in page["api_keys"]]
        cursor, pages = page["cursor"], pages + 1
    assert (found, pages) == (made, 3)


def test_a_key_of_one_place_is_nothing_in_another() -> None:
    doors = [Door(plane_realm("acme")), Door(plane_realm("other")), Door(control_realm("production"))]
    for here in doors:
        made = here.key()
        for there in doors:
            if there is not here:
                assert there.refused(made["key"]) == "api_key_wrong"


KEY = api_keys.new_key()


@settings(max_examples=100, deadline=None)
@given(
    st.text(max_size=80).map(lambda text: "fbk_" + text)
    | st.integers(0, 58).map(lambda at: KEY.text[:at] + "~" + KEY.text[at + 1 :])
)
def test_whatever_looks_like_a_key_is_refused(text: str) -> None:
    door = Door(plane_realm("acme"))
    with pytest.raises(Unauthenticated):
        door.open.caller(text)


def test_one_wrong_character_is_enough() -> None:
    door = Door(plane_realm("acme"))
    key = door.key()["key"]
    for at in range(len("fbk_") + 13, len(key)):
        assert door.refused(key[:at] + ("a" if key[at] != "a" else "b") + key[at + 1 :]) == "api_key_wrong"


def test_a_key_is_256_random_bits_and_a_hash_is_all_that_is_kept() -> None:
    keys = [api_keys.new_key() for _ in range(200)]
    assert len({key.text for key in keys}) == len({key.key_id for key in keys}) == 200
    digits = Counter(key.text[-43:][1:] for key in keys)
    spread = Counter(character for secret in digits for character in secret)
    assert len(spread) == 62, "every digit is used"
    assert max(spread.values()) < 2 * 200 * 42 / 62
    for key in keys:
        assert api_keys.id_of(key.text) == key.key_id
        assert key.sha256 == hashlib.sha256(key.text.encode()).digest()
        assert api_keys.fits(key.text, key.sha256)
    assert set(ApiKeyRow.__struct_fields__) & {"key", "text", "secret"} == set()
