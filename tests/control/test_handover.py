"""A base is told by one journal and adopted by another: whole or not at all, and again only what has changed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from frostbyte.control_plane.provisioning import handover
from frostbyte.control_plane.provisioning.handover import Base, Handed
from frostbyte.control_plane.provisioning.journal import EntryState, RunState
from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.control_plane.provisioning.steps import Action, Step
from frostbyte.control_plane.registry.projects import Projects
from frostbyte.kernel.clock import SystemClock
from frostbyte.kernel.errors import FrostbyteError, Invalid

OWNER = Owner(environment="production", project_id="north")


def one(key: str, action: str, kind: str, resource_id: str, **facts: Any) -> Handed:
    spec = {"host": key.rpartition(".")[2]}
    return Handed(
        key=key,
        action=action,
        kind=kind,
        name=OWNER.name(key.rpartition(".")[2]) if kind else "",
        spec=spec,
        spec_sha256=Step(key=key, action=Action(action), spec=spec).spec_sha256,
        needs=[],
        position=0,
        resource_id=resource_id,
        facts=facts,
    )


BASE = Base(
    format=1,
    environment="production",
    project_id="north",
    request={"expires_at": ""},
    entries=[
        one("primary_ip.edge", "primary_ip", "primary_ip", "7", address="198.18.0.1"),
        one("server.edge", "server", "server", "8", type="cx23"),
        one("settle.edge", "settle", "", "", host_key="ssh-ed25519 AAAA"),
    ],
)


@pytest.fixture
def registry(registry: Any) -> Any:
    Projects(registry.unit_of_work, "production", SystemClock()).create("north", actor="operator")
    return registry


def adopt(registry: Any, base: Base = BASE) -> int:
    return handover.adopt(registry.unit_of_work, SystemClock(), base, "operator")


def test_what_is_adopted_is_owned_and_told_again_the_same(registry: Any) -> None:
    assert adopt(registry) == 3
    with registry.unit_of_work() as uow:
        owned = {(row.kind, row.resource_id) for row in uow.journal.owned("production")}
        (run,) = uow.journal.runs(OWNER)
    assert owned == {("primary_ip", "7"), ("server", "8")}
    assert run.state is RunState.SUCCEEDED
    again = handover.read(handover.told(registry.unit_of_work, OWNER))
    assert sorted(again.entries, key=lambda row: row.key) == sorted(BASE.entries, key=lambda row: row.key)
    assert again.request == BASE.request


def test_again_it_changes_nothing_and_then_only_what_has_changed(registry: Any) -> None:
    adopt(registry)
    assert adopt(registry) == 0
    grown = replace(BASE, entries=[*BASE.entries[:2], replace(BASE.entries[2], facts={"host_key": "ssh-ed25519 BBBB"})])
    assert adopt(registry, grown) == 1
    with registry.unit_of_work() as uow:
        facts = {row.key: row.facts for row in uow.journal.entries(OWNER)}
    assert facts["settle.edge"] == {"host_key": "ssh-ed25519 BBBB"}


def test_what_was_taken_away_is_no_longer_owned(registry: Any) -> None:
    adopt(registry)
    assert adopt(registry, replace(BASE, entries=BASE.entries[:1])) == 2
    with registry.unit_of_work() as uow:
        states = {row.key: row.state for row in uow.journal.entries(OWNER)}
    assert states["server.edge"] is EntryState.GONE
    assert states["primary_ip.edge"] is EntryState.DONE


def test_a_base_with_an_entry_that_cannot_be_is_not_adopted_at_all(registry: Any) -> None:
    nameless = replace(BASE.entries[1], name="")
    with pytest.raises(FrostbyteError):
        adopt(registry, replace(BASE, entries=[BASE.entries[0], nameless]))
    with registry.unit_of_work() as uow:
        assert uow.journal.entries(OWNER) == []
        assert uow.journal.runs(OWNER) == []


@pytest.mark.parametrize("text", [b"", b"{}", b"[1]", msgspec.json.encode(replace(BASE, format=2))])
def test_what_describes_no_base_is_refused(text: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        handover.read(text)
    assert caught.value.code == "base_unreadable"
