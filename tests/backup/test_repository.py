"""Snapshots come back as they were; what is stored once is not stored again; what is lost or changed is said."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backup.conftest import KEY, Clocked
from frostbyte.adapters.memory.blobs import MemoryBlobs
from frostbyte.kernel.backup import packs
from frostbyte.kernel.backup.repository import GRACE_SECONDS, Repository, Snapshot, Verdict, sealed_key
from frostbyte.kernel.backup.retention import Keep
from frostbyte.kernel.backup.target import Target
from frostbyte.kernel.clock import SystemClock
from frostbyte.kernel.errors import Conflict, Invalid, NotFound, Unavailable
from frostbyte.kernel.ports.blobs import BlobStore

Made = Callable[[BlobStore], Repository]
START = datetime(2026, 1, 1, 2, tzinfo=UTC)


def take(
    repository: Repository, members: dict[str, list[bytes]], parent: Snapshot | None = None, day: int = 0
) -> Snapshot:
    with repository.begin(parent) as writer:
        for name, blocks in members.items():
            writer.member(name, blocks)
        return writer.commit(taken_at=START + timedelta(days=day), facts={"day": day})


def all_of(repository: Repository, snapshot: Snapshot) -> dict[str, bytes]:
    reader = repository.read(snapshot)
    return {name: reader.whole(name) for name in reader.names()}


@settings(max_examples=40)
@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,8}/[a-z]{1,8}", fullmatch=True), st.lists(st.binary(max_size=3000), max_size=6)
    )
)
def test_whatever_is_stored_comes_back(members: dict[str, list[bytes]]) -> None:
    repository = Repository.create(
        Target(MemoryBlobs()), owner="tenant/acme", key_of=lambda _: KEY, seal_key=bytes, clock=SystemClock()
    )
    take(repository, members)
    found = repository.latest()
    assert found is not None
    assert all_of(repository, found) == {name: b"".join(blocks) for name, blocks in members.items()}


def test_large_members_have_many_packs_and_nothing_lies_there_in_plain_text(store: Clocked, made: Made) -> None:
    words = b"the heliotrope samples are in the reserve freezer " * 400
    data = [os.urandom(3 << 20) for _ in range(3)] + [words]
    snapshot = take(made(store), {"a/b": data})
    assert len(snapshot.packs) >= 2
    assert all_of(made(store), snapshot) == {"a/b": b"".join(data)}
    for name in store.names(""):
        assert b"heliotrope" not in store.get(name)
        assert store.size(name) <= 9 << 20
    assert snapshot.written < snapshot.size + 20_000
    assert snapshot.size < sum(map(len, data)) - len(words) // 2, "rows of tables are compressed"


def test_a_second_snapshot_stores_what_is_new_and_needs_no_other(store: Clocked, made: Made) -> None:
    blocks = [os.urandom(200_000) for _ in range(20)]
    first = take(made(store), {"a/b": blocks, "a/c": [b"old"]})
    changed = [*blocks[:7], b"changed", *blocks[7:]]
    second = take(made(store), {"a/b": changed, "a/c": [b"new"]}, first, day=1)
    assert second.written < 5000 < 4_000_000 < first.written
    store.delete(f"snapshots/{first.name}")
    assert all_of(made(store), second) == {"a/b": b"".join(changed), "a/c": b"new"}


def test_a_member_may_stay_as_it_was_without_being_read(store: Clocked, made: Made) -> None:
    first = take(made(store), {"log/0": [b"segment"]})
    with made(store).begin(first) as writer:
        assert writer.keep_member("log/0")
        assert not writer.keep_member("log/1")
        second = writer.commit(taken_at=START + timedelta(days=1), facts={})
    assert all_of(made(store), second) == {"log/0": b"segment"}
    assert second.written == 0


def test_packs_that_a_kept_member_tells_of_are_needed_and_counted(store: Clocked, made: Made) -> None:
    with made(store).begin(None) as writer:
        place = writer.put(bytes(5000), tag=b"bundle")
        writer.settle()
        writer.member("rows", [os.urandom(3000)])
        writer.member("catalog", [writer.table[place.pack]])
        first = writer.commit(taken_at=START, facts={})
        assert not writer.crowded([place.pack], 0.9)
    with made(store).begin(first) as writer:
        assert writer.keep_member("catalog")
        slots = writer.keep_packs([place.pack], place.size)
        second = writer.commit(taken_at=START + timedelta(days=1), facts={})
    assert [second.packs[slot] for slot in slots] == [first.packs[place.pack]]
    assert second.size == place.size + 32
    made(store).prune(Keep(daily=1, weekly=0, monthly=0))
    store.now = 2 * GRACE_SECONDS
    assert made(store).prune(Keep(daily=1, weekly=0, monthly=0)).packs == 0, "both packs are of use"
    assert made(store).read(second).piece(second.packs[slots[0]], place) == bytes(5000)
    with made(store).begin(second) as writer:
        writer.keep(first.packs[1], first.members[1].pieces[0])
        assert writer.crowded([0], 0.4), "32 bytes of 3,032"


def test_the_last_one_taken_is_the_latest_within_a_second_and_with_a_clock_set_back(store: Clocked, made: Made) -> None:
    taken = [take(made(store), {"a": [str(number).encode()]}).name for number in range(8)]
    taken.append(take(made(store), {"a": [b"back"]}, day=-1).name)
    assert made(store).snapshots() == taken
    latest = made(store).latest()
    assert latest is not None
    assert all_of(made(store), latest) == {"a": b"back"}


def test_what_the_target_has_lost_is_known_and_stored_again(store: Clocked, made: Made) -> None:
    first = take(made(store), {"log/0": [b"segment"]})
    store.delete(packs.name_of(first.packs[0]))
    with pytest.raises(Invalid, match="damaged"):
        all_of(made(store), first)
    with made(store).begin(first) as writer:
        assert writer.lost == {first.packs[0]}
        assert not writer.keep_member("log/0")
        writer.member("log/0", [b"segment"])
        second = writer.commit(taken_at=START + timedelta(days=1), facts={})
    assert all_of(made(store), second) == {"log/0": b"segment"}


def test_a_run_that_was_cut_off_is_gone_on_with(store: Clocked, made: Made) -> None:
    data = {bytes([number]): os.urandom(900_000) for number in range(12)}
    with made(store).begin(None) as writer:
        for tag, content in data.items():
            writer.put(content, tag=tag)
        writer.settle()  # and then the process was killed
    assert made(store).snapshots() == []
    repository = made(store)
    with repository.begin(None) as writer:
        found = {tag: writer.keep(pack, place) for tag, pack, place in writer.strays()}
        assert found.keys() == data.keys()
        snapshot = writer.commit(taken_at=START, facts={})
        assert snapshot.written == 0
        reader = repository.read(snapshot)
        for tag, place in found.items():
            assert reader.piece(writer.table[place.pack], place) == data[tag]


def test_every_flipped_byte_of_a_pack_and_every_cut_is_found(store: Clocked, made: Made) -> None:
    snapshot = take(made(store), {"a/b": [b"some rows of a table\n" * 20]})
    name = packs.name_of(snapshot.packs[0])
    whole = store.get(name)
    for at in range(0, len(whole), 3):
        store.put(name, whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(Invalid) as caught:
            all_of(made(store), snapshot)
        assert caught.value.code == "backup_damaged"
        store.put(name, whole[:at])
        with pytest.raises(Invalid):
            all_of(made(store), snapshot)
    store.put(name, whole)
    assert all_of(made(store), snapshot)


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data[:40] + b"x" + data[41:], lambda _: b""])
def test_a_changed_list_is_no_snapshot(store: Clocked, made: Made, change: Callable[[bytes], bytes]) -> None:
    snapshot = take(made(store), {"a/b": [b"x"]})
    other = take(made(store), {"a/b": [b"y"]}, day=1)
    name = f"snapshots/{snapshot.name}"
    whole = store.get(name)
    store.put(name, change(whole))
    with pytest.raises(Invalid) as caught:
        made(store).snapshot(snapshot.name)
    assert caught.value.code == "backup_damaged"
    store.put(name, store.get(f"snapshots/{other.name}"))
    with pytest.raises(Invalid):
        made(store).snapshot(snapshot.name)  # one snapshot in another's place


def opened(store: BlobStore, owner: str = "tenant/acme", key: bytes = KEY) -> Repository:
    return Repository.open(Target(store), owner=owner, key_of=lambda _: key)


def test_somebody_elses_and_other_keys_and_formats_are_refused(store: Clocked, made: Made) -> None:
    with pytest.raises(NotFound) as nothing:
        opened(store)
    assert nothing.value.code == "backup_none"
    made(store)
    assert opened(store).owner == "tenant/acme"
    with pytest.raises(Conflict) as foreign:
        opened(store, owner="tenant/globex")
    assert foreign.value.code == "backup_foreign"
    with pytest.raises(Invalid) as key:
        opened(store, key=bytes(32))
    assert key.value.code == "backup_key"
    store.put("repository/head", store.get("repository/head").replace(b"backup/1", b"backup/2"))
    with pytest.raises(Invalid) as later:
        opened(store)
    assert later.value.code == "backup_format"
    store.put("repository/head", b"{")
    with pytest.raises(Invalid) as broken:
        opened(store)
    assert broken.value.code == "backup_damaged"


def test_a_head_that_is_lost_is_not_written_over(store: Clocked, made: Made) -> None:
    take(made(store), {"a/b": [b"x"]})
    store.delete("repository/head")
    with pytest.raises(Conflict) as caught:
        made(store)
    assert caught.value.code == "backup_place_taken"


def test_who_has_the_identity_alone_gets_the_key(store: Clocked, made: Made) -> None:
    made(store)
    told = sealed_key(Target(store), bytes)
    assert (told.key, told.owner) == (KEY, "tenant/acme")
    assert opened(store, key=told.key).id == told.repository
    other = MemoryBlobs()
    made(other)
    store.put("repository/key.age", other.get("repository/key.age"))
    with pytest.raises(Invalid):
        sealed_key(Target(store), bytes)


class Full(Clocked):
    """A store that is full after some bytes."""

    room = 3 << 20

    def put(self, name: str, data: bytes) -> None:
        self.room -= len(data)
        if self.room < 0:
            raise Unavailable("disk_full", "Full.", "Free space.")
        super().put(name, data)


def test_a_full_target_is_said_in_its_own_words_and_leaves_what_was_whole(made: Made) -> None:
    store = Full()
    first = take(made(store), {"a/b": [b"x"]})
    with pytest.raises(Unavailable) as caught:
        take(made(store), {"a/b": [os.urandom(1 << 20)] * 12}, first, day=1)
    assert caught.value.code == "backup_target_full"
    assert "document" not in caught.value.message
    assert made(store).snapshots() == [first.name]
    assert all_of(made(store), first) == {"a/b": b"x"}


class Forgetful(Clocked):
    """Says yes, and keeps the half of it."""

    lying = ""

    def put(self, name: str, data: bytes) -> None:
        super().put(name, data[: len(data) // 2] if self.lying and name.startswith(self.lying) else data)


class Garbling(Forgetful):
    """Says yes, and keeps something else that is as long."""

    def put(self, name: str, data: bytes) -> None:
        MemoryBlobs.put(self, name, bytes(len(data)) if self.lying and name.startswith(self.lying) else data)


@pytest.mark.parametrize(
    ("kind", "lying"), [(Forgetful, "packs/"), (Forgetful, "snapshots/"), (Garbling, "snapshots/")]
)
def test_a_target_that_lies_is_found_out_while_it_is_written(kind: type[Forgetful], lying: str, made: Made) -> None:
    store = kind()
    repository = made(store)
    store.lying = lying
    with pytest.raises(Unavailable) as caught:
        take(repository, {"a/b": [b"x"]})
    assert caught.value.code == "backup_target_lies"


def test_a_target_that_removes_nothing_is_found_out(made: Made) -> None:
    class Keeping(Clocked):
        def delete(self, name: str) -> None:
            return

    store = Keeping()
    target = Target(store)
    target.delete("packs/aa/x")  # it is not there: fine
    store.put("packs/aa/x", b"")
    with pytest.raises(Unavailable) as caught:
        target.delete("packs/aa/x")
    assert caught.value.code == "backup_target_lies"


def test_pruning_never_removes_what_a_kept_snapshot_needs(store: Clocked, made: Made) -> None:
    repository = made(store)
    shared, parent, contents = os.urandom(100_000), None, {}
    for day in range(40):
        members = {"a/shared": [shared], "a/own": [os.urandom(5000)]}
        parent = take(repository, members, parent, day)
        contents[parent.name] = {name: b"".join(blocks) for name, blocks in members.items()}
        repository.judge(parent.name, Verdict(at="", ok=day != 20))
    before = len(list(packs.listed(repository.target)))
    assert repository.prune(Keep()).packs == 0, "what may belong to a run that is under way stays for a day"
    store.now += GRACE_SECONDS
    pruned = repository.prune(Keep())
    assert pruned.forgotten == ()
    assert set(pruned.kept) == set(repository.snapshots())
    assert 8 <= len(pruned.kept) <= 12
    assert before - pruned.packs == len(list(packs.listed(repository.target)))
    assert pruned.packs > 20
    for name in pruned.kept:
        assert all_of(repository, repository.snapshot(name)) == contents[name]
    assert {name.rpartition("/")[2] for name in store.names("verdicts/")} == set(pruned.kept)


@pytest.mark.parametrize("cut_off_after", range(8))
def test_pruning_may_be_killed_at_any_removal(store: Clocked, made: Made, cut_off_after: int) -> None:
    class Killed(BaseException):
        pass

    class Mortal(Target):
        left = cut_off_after

        def delete(self, name: str) -> None:
            if self.left == 0:
                raise Killed
            self.left -= 1
            super().delete(name)

    repository, parent, contents = made(store), None, {}
    for day in range(5):
        members = {"a/own": [os.urandom(500)]}
        parent = take(repository, members, parent, day)
        contents[parent.name] = b"".join(members["a/own"])
        repository.judge(parent.name, Verdict(at="", ok=True))
    store.now += GRACE_SECONDS
    keep = Keep(daily=2, weekly=0, monthly=0)
    repository.target = Mortal(store)
    with suppress(Killed):
        repository.prune(keep)
    repository = made(store)
    for name in repository.snapshots():
        assert all_of(repository, repository.snapshot(name))["a/own"] == contents[name]
    repository.prune(keep)
    assert len(list(packs.listed(repository.target))) == 2


def test_nothing_is_pruned_where_a_snapshot_that_stays_cannot_be_read(store: Clocked, made: Made) -> None:
    repository = made(store)
    for day in range(3):
        last = take(repository, {"a/own": [os.urandom(500)]}, None, day)
    store.put(f"snapshots/{last.name}", b"x")
    store.now += GRACE_SECONDS
    before = list(store.names(""))
    with pytest.raises(Invalid):
        repository.prune(Keep(daily=1, weekly=0, monthly=0))
    assert list(store.names("")) == before


def test_a_verdict_is_kept_beside_its_snapshot(store: Clocked, made: Made) -> None:
    repository = made(store)
    snapshot = take(repository, {"a/b": [b"x"]})
    assert repository.verdict(snapshot.name) is None
    said: dict[str, Any] = {"at": "2026-01-01T00:00:00Z", "ok": False, "code": "backup_damaged", "seconds": 1.5}
    repository.judge(snapshot.name, Verdict(**said))
    assert repository.verdict(snapshot.name) == Verdict(**said)
