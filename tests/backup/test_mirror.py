"""The mirror has what there is, and of what there was nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from backup.conftest import KEY, Clocked
from frostbyte.adapters.memory.blobs import MemoryBlobs
from frostbyte.kernel.backup import mirror as module
from frostbyte.kernel.backup.mirror import Mirror, Mirrored
from frostbyte.kernel.backup.target import Target
from frostbyte.kernel.errors import Conflict, Invalid
from frostbyte.kernel.ports.blobs import BlobStore

Values = Callable[[Sequence[str]], Mapping[str, tuple[str, bytes]]]


def values_of(there: dict[str, bytes], mark: Callable[[bytes], str] = bytes.hex) -> Values:
    return lambda names: {name: (mark(there[name]), there[name]) for name in names if name in there}


def bring(store: BlobStore, there: dict[str, bytes], *, spare: Iterable[str] = (), epoch: int = 0) -> Mirrored:
    return Mirror(Target(store), KEY).replace(
        {name: value.hex() for name, value in there.items()},
        values_of(there),
        spare=lambda names: [name for name in names if name in spare],
        epoch=epoch,
        written_at="2026-01-01T00:00:00Z",
        facts={"count": len(there)},
    )


def held(store: BlobStore) -> dict[str, bytes]:
    return Mirror(Target(store), KEY).entries()


CONTENTS = st.dictionaries(st.from_regex(r"keys/[a-z]{1,3}", fullmatch=True), st.binary(min_size=1, max_size=9))


@given(st.lists(CONTENTS, min_size=1, max_size=5))
@hypothesis_settings(max_examples=25)
def test_it_is_what_there_is_whatever_there_was(states: list[dict[str, bytes]]) -> None:
    store = MemoryBlobs()
    for state in states:
        bring(store, state)
        assert held(store) == state
        gone = {value for other in states for value in other.values()} - set(state.values())
        assert not any(value in store.get(name) for value in gone if len(value) > 6 for name in store.names(""))
        assert len(list(store.names("mirror/"))) <= 2


def test_it_grows_by_shards_and_only_those_that_differ_are_written(store: Clocked) -> None:
    there = {f"keys/{number}": number.to_bytes(40, "big") for number in range(5 * module.SHARD)}
    assert bring(store, there).added == len(there)
    assert len(list(store.names("mirror/"))) == 9
    assert bring(store, there).written == 0
    del there["keys/77"]
    there["keys/new"] = b"new"
    done = bring(store, there)
    assert (done.added, done.removed, done.entries) == (1, 1, len(there))
    assert 0 < done.written < 400_000
    assert held(store) == there
    more = there | {f"more/{number}": b"x" for number in range(5 * module.SHARD)}
    bring(store, more)
    assert held(store) == more


def test_what_was_wrapped_anew_is_fetched_anew(store: Clocked) -> None:
    bring(store, {"keys/a": b"one", "keys/b": b"two"})
    assert bring(store, {"keys/a": b"ONE", "keys/b": b"two"}).added == 1
    assert held(store) == {"keys/a": b"ONE", "keys/b": b"two"}


def test_what_is_spared_stays_until_it_is_not(store: Clocked) -> None:
    bring(store, {"keys/a": b"one", "keys/b": b"two"})
    done = bring(store, {"keys/a": b"one"}, spare=["keys/b"])
    assert (done.spared, done.removed) == (1, 0)
    assert held(store) == {"keys/a": b"one", "keys/b": b"two"}
    assert bring(store, {"keys/a": b"one"}).removed == 1
    assert held(store) == {"keys/a": b"one"}


def test_a_value_that_went_meanwhile_is_looked_for_again(store: Clocked) -> None:
    mirror = Mirror(Target(store), KEY)
    one = values_of({"keys/a": b"a"}, lambda _: "1")
    mirror.replace({"keys/a": "1", "keys/b": "1"}, one, written_at="", facts={})
    assert mirror.entries() == {"keys/a": b"a"}
    other = values_of({"keys/b": b"b"}, lambda _: "1")
    mirror.replace({"keys/a": "1", "keys/b": "1"}, other, written_at="", facts={})
    assert mirror.entries() == {"keys/a": b"a", "keys/b": b"b"}


def test_a_value_that_is_not_yet_what_is_wanted_is_looked_for_again(store: Clocked) -> None:
    mirror = Mirror(Target(store), KEY)
    mirror.replace({"keys/a": "2"}, values_of({"keys/a": b"old"}, lambda _: "1"), written_at="", facts={})
    assert mirror.entries() == {"keys/a": b"old"}
    mirror.replace({"keys/a": "2"}, values_of({"keys/a": b"new"}, lambda _: "2"), written_at="", facts={})
    assert mirror.entries() == {"keys/a": b"new"}


class Killed(BaseException):
    pass


@pytest.mark.parametrize("operations", range(8))
def test_killed_at_any_write_it_is_as_before_or_as_after(store: Clocked, operations: int) -> None:
    before, after = {"keys/a": b"one", "keys/b": b"two"}, {"keys/b": b"two", "keys/c": b"three"}
    bring(store, before)

    class Mortal(Target):
        left = operations

        def count(self) -> None:
            if self.left == 0:
                raise Killed
            self.left -= 1

        def put_proven(self, name: str, data: bytes) -> None:
            self.count()
            super().put_proven(name, data)
            self.count()

        def delete(self, name: str) -> None:
            self.count()
            super().delete(name)

    try:
        Mirror(Mortal(store), KEY).replace(
            {name: value.hex() for name, value in after.items()}, values_of(after), written_at="", facts={}
        )
        ended = True
    except Killed:
        ended = False
    assert held(store) in ([after] if ended else [before, after])
    bring(store, after)
    assert held(store) == after
    assert len(list(store.names("mirror/"))) == 2, "nothing of what was cut off is left"


def test_a_lost_or_damaged_shard_is_made_anew_of_what_there_is(store: Clocked) -> None:
    there = {"keys/a": b"one", "keys/b": b"two"}
    bring(store, there)
    (shard,) = [name for name in store.names("mirror/") if name != "mirror/head"]
    store.delete(shard)
    with pytest.raises(Invalid):
        held(store)
    assert bring(store, there).healed == 1
    assert held(store) == there
    (shard,) = [name for name in store.names("mirror/") if name != "mirror/head"]
    store.put(shard, bytes(store.size(shard)))
    with pytest.raises(Invalid):
        held(store)
    mirror = Mirror(Target(store), KEY)
    marks = {name: value.hex() for name, value in there.items()}
    assert mirror.replace(marks, values_of(there), written_at="", facts={}).healed == 0, (
        "it looks no further than it has to"
    )
    assert mirror.replace(marks, values_of(there), written_at="", facts={}, distrust=True).healed == 1
    assert held(store) == there
    store.put("mirror/head", b"x")
    with pytest.raises(Invalid) as caught:
        bring(store, there)
    assert caught.value.code == "backup_damaged"


def test_where_nothing_differs_no_shard_is_looked_at_but_what_is_left_over_goes(
    store: Clocked, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = {"keys/a": b"one", "keys/b": b"two"}
    bring(store, there)
    store.put("mirror/" + "0" * 64, b"of a run that was cut off")

    def never(*_: object, **__: object) -> None:
        raise AssertionError

    with monkeypatch.context() as patch:
        patch.setattr(module, "_Change", never)
        done = bring(store, there, epoch=3)
        with pytest.raises(AssertionError):
            bring(store, there | {"keys/c": b"three"}, epoch=3)
    assert (done.entries, done.added, done.removed, done.spared, done.written) == (2, 0, 0, 0, 0)
    assert len(list(store.names("mirror/"))) == 2
    assert held(store) == there
    with pytest.raises(Conflict):
        bring(store, there, epoch=2)
    bring(store, {"keys/a": b"one"}, spare=["keys/b"], epoch=3)
    assert bring(store, {"keys/a": b"one"}, epoch=3).removed == 1, "what is spared is asked for again each time"


def test_the_plane_before_a_restored_one_is_refused(store: Clocked) -> None:
    bring(store, {"keys/a": b"one"}, epoch=2)
    with pytest.raises(Conflict) as caught:
        bring(store, {}, epoch=1)
    assert caught.value.code == "backup_overtaken"
    assert held(store) == {"keys/a": b"one"}
    assert Mirror(Target(store), KEY).facts() == ("2026-01-01T00:00:00Z", {"count": 1})
