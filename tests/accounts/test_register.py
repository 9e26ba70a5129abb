"""Accounts: made with a link, set up once, changed, disabled, recovered; and never without an administrator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from accounts.conftest import PASSWORD, House
from frostbyte.kernel.accounts.register import LINK_LIFETIME
from frostbyte.kernel.accounts.roles import CONTROL, PLANE
from frostbyte.kernel.audit.events import event_bytes
from frostbyte.kernel.errors import FrostbyteError
from frostbyte.kernel.tokens import Role, Scope


def refused(act: Callable[[], object]) -> str:
    """The code by which it is refused."""
    with pytest.raises(FrostbyteError) as caught:
        act()
    return caught.value.code


def state(house: House, name: str) -> Any:
    """How an account is listed."""
    return next(row["state"] for row in house.register.list()["accounts"] if row["name"] == name)


def test_an_account_is_made_with_a_link_and_set_up_with_it_once(house: House) -> None:
    made = house.register.create(" Ann@Example.org ", "admin", actor="installation")
    page, _, link = made["link"].partition("#")
    assert page == "/console/set-up"
    assert len(link) == 43
    assert (made["name"], made["state"]) == ("ann@example.org", "invited")
    opened = house.door.open(link)
    assert (opened.name, opened.role) == ("ann@example.org", "admin")
    assert opened.secret in opened.address
    assert opened.address.startswith("otpauth://totp/")
    assert house.door.open(f" {link}\n").secret == opened.secret, "however often it is opened"
    house.secrets["ann@example.org"] = opened.secret
    name = "ann@example.org"
    assert refused(lambda: house.door.set_up(link, PASSWORD, "000000")) == "code_wrong"
    assert refused(lambda: house.door.set_up(link, "x" * 20, house.code(name))) == "password_plain"
    signed = house.door.set_up(link, PASSWORD, house.code(name))
    assert house.sessions.visit(signed.cookie).caller.subject == name
    assert refused(lambda: house.door.open(link)) == "link_not_good"
    assert refused(lambda: house.door.set_up(link, PASSWORD, house.code(name, 1))) == "link_not_good"
    assert state(house, name) == "active"
    assert house.said() == [
        ("ACCOUNT_CREATED", "installation"),
        ("ACCOUNT_SET_UP", name),
        ("SIGNED_IN", name),
    ]
    assert link.encode() not in b"".join(map(event_bytes, house.events()))


def test_a_link_ends_by_itself_and_with_the_next_one(house: House) -> None:
    made = house.register.create("ann", "admin", actor="installation")
    first = made["link"].partition("#")[2]
    account = house.register.list()["accounts"][0]
    second = house.register.link(account_id(made), actor="bob")["link"].partition("#")[2]
    assert account["link_until"] is not None
    assert refused(lambda: house.door.open(first)) == "link_not_good"
    house.door.open(second)
    house.clock.advance(LINK_LIFETIME.total_seconds())
    assert refused(lambda: house.door.open(second)) == "link_not_good"
    assert house.register.list()["accounts"][0]["link_until"] is None
    for made_up in ("", "x", "x" * 43):
        assert refused(lambda made_up=made_up: house.door.open(made_up)) == "link_not_good"


def account_id(made: dict[str, Any]) -> Any:
    """Of an account that was made."""
    from uuid import UUID

    return UUID(made["account_id"])


def test_what_was_set_up_stays_until_the_new_link_is_used(house: House) -> None:
    identity, first = house.person()
    link = house.register.link(identity, actor="bob")["link"]
    house.sign_in()
    house.clock.advance(30)
    old = house.code()
    house.set_up("ann", link, "another four words here")
    assert refused(lambda: house.sessions.visit(first.cookie)) == "session_over"
    house.clock.advance(30)
    assert refused(house.sign_in) == "sign_in_wrong"
    assert refused(lambda: house.sign_in(password="another four words here", code=old)) == "sign_in_wrong"
    house.sign_in(password="another four words here")


def test_a_role_that_changes_ends_the_sessions_at_once(house: House) -> None:
    house.person("boss")
    identity, signed = house.person()
    role = "auditor"
    assert house.register.set_role(identity, "admin", actor="boss")["role"] == "admin"
    house.sessions.visit(signed.cookie)
    assert house.register.set_role(identity, role, actor="boss")["role"] == role
    assert refused(lambda: house.sessions.visit(signed.cookie)) == "session_over"
    assert house.sessions.visit(house.sign_in().cookie).role == role
    changed = [event.details for event in house.events() if event.type == "ACCOUNT_CHANGED"]
    assert changed == [{"subject": "ann", "role": role, "previous": "admin"}]


def test_a_disabled_account_lets_nobody_in_until_it_is_recovered(house: House) -> None:
    house.person("boss")
    identity, signed = house.person()
    house.register.disable(identity, actor="boss")
    house.register.disable(identity, actor="boss")
    assert state(house, "ann") == "disabled"
    assert refused(lambda: house.sessions.visit(signed.cookie)) == "session_over"
    assert refused(house.sign_in) == "account_disabled"
    assert refused(lambda: house.sign_in(password="wrong")) == "sign_in_wrong", "who proves nothing is told nothing"
    assert refused(lambda: house.register.link(identity, actor="boss")) == "account_is_disabled"
    assert refused(lambda: house.register.create("ann", "admin", actor="boss")) == "account_exists"
    link = house.register.recover(identity, actor="boss")["link"]
    assert state(house, "ann") == "invited"
    house.clock.advance(30)
    assert refused(house.sign_in) == "sign_in_wrong", "nothing of before opens it"
    house.set_up("ann", link)
    assert [event.type for event in house.events()].count("ACCOUNT_CHANGED") == 1


def test_recovering_frees_who_was_slowed_and_ends_what_was_open(house: House) -> None:
    identity, signed = house.person()
    for _ in range(5):
        refused(lambda: house.sign_in(password="guess"))
    assert refused(house.sign_in) == "sign_in_slowed"
    link = house.register.recover(identity, actor="local-operator")["link"]
    assert refused(lambda: house.sessions.visit(signed.cookie)) == "session_over"
    house.set_up("ann", link)
    house.clock.advance(30)
    house.sign_in()


@pytest.mark.parametrize("how", ["disable", "demote"])
def test_the_last_administrator_stays(house: House, how: str) -> None:
    identity, signed = house.person()
    house.register.create("waits", "admin", actor="ann")

    def act() -> object:
        if how == "disable":
            return house.register.disable(identity, actor="ann")
        return house.register.set_role(identity, "auditor", actor="ann")

    assert refused(act) == "last_administrator"
    assert house.sessions.visit(signed.cookie).role == "admin", "nothing of it happened"
    house.person("boss")
    act()


@pytest.mark.parametrize(
    "name", ["", "a b", "-ann", "ann/", "é", "x" * 101, "plane", "control", "Local-Operator", "a:b"]
)
def test_names_that_the_audit_could_not_tell_apart_are_refused(house: House, name: str) -> None:
    assert refused(lambda: house.register.create(name, "admin", actor="ann")) == "account_name"


def test_what_is_not_there_is_said(house: House) -> None:
    assert refused(lambda: house.register.create("ann", "king", actor="ann")) == "account_role"
    for act in (house.register.link, house.register.recover, house.register.disable):
        assert refused(lambda act=act: act(uuid4(), actor="ann")) == "account_not_found"
    assert refused(lambda: house.register.set_role(uuid4(), "admin", actor="ann")) == "account_not_found"


def test_accounts_are_listed_page_by_page(house: House) -> None:
    for name in ("c", "a", "b"):
        house.register.create(name, "admin", actor="ann")
    page = house.register.list(limit=2)
    assert [row["name"] for row in page["accounts"]] == ["a", "b"]
    rest = house.register.list(after=page["cursor"], limit=2)
    assert [row["name"] for row in rest["accounts"]] == ["c"]
    assert rest["cursor"] is None


def test_roles_give_what_the_owner_s_document_says() -> None:
    assert PLANE["vendor"] == {Scope.INGEST}
    assert PLANE["admin"] == set(Scope)
    assert not PLANE["auditor"] & {Scope.INGEST, Scope.SOURCE, Scope.ERASE, Scope.ADMIN}
    assert all(Scope.ADMIN not in scopes for role, scopes in PLANE.items() if role != "admin")
    assert dict(CONTROL.items()) == {role.value: {role} for role in Role}
