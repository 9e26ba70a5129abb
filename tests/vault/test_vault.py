"""Keys wrap, bind, rotate and die; objects stream, seek and answer ranges."""

import hashlib
import io
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostbyte.adapters.memory.blobs import MemoryBlobs
from frostbyte.kernel.errors import FrostbyteError, Kind, NotFound
from frostbyte.kernel.sealing import FRAME, HEADER, SEALED_FRAME, SealBroken
from frostbyte.kernel.vault import DocumentKey, TenantKeys, Vault

KEYS = TenantKeys(id_key=b"i" * 32, term_key=b"t" * 32, wrapping_keys={1: b"w" * 32})


@pytest.fixture
def vault() -> Vault:
    return Vault(MemoryBlobs(), KEYS)


def test_a_stored_key_comes_back_and_its_bytes_are_not_in_the_store(vault: Vault) -> None:
    key = vault.new_key()
    vault.store_key("keys/a.0", key)
    assert vault.load_key("keys/a.0") == key
    assert key.raw not in vault.blobs.get("keys/a.0")


def test_a_destroyed_key_is_gone_for_every_vault_at_once(vault: Vault) -> None:
    other = Vault(vault.blobs, KEYS)
    vault.store_key("keys/a.0", vault.new_key())
    other.load_key("keys/a.0")
    vault.destroy_key("keys/a.0")
    vault.destroy_key("keys/a.0")
    for one in (vault, other):
        with pytest.raises(FrostbyteError) as caught:
            one.load_key("keys/a.0")
        assert (caught.value.code, caught.value.kind) == ("key_destroyed", Kind.GONE)


class CountedBlobs(MemoryBlobs):
    """Counts what is fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []

    def get(self, name: str) -> bytes:
        self.fetched.append(name)
        return super().get(name)


def test_an_answer_fetches_each_key_once_and_forgets_it() -> None:
    blobs = CountedBlobs()
    vault, other = Vault(blobs, KEYS), Vault(blobs, KEYS)
    keys = {name: vault.new_key() for name in ("keys/a.0", "keys/b.0")}
    for name, key in keys.items():
        vault.store_key(name, key)
    with vault.answering():
        assert [vault.load_key(name) for name in (*keys, *keys)] == [*keys.values(), *keys.values()]
        assert blobs.fetched == [*keys]
        assert other.load_key("keys/a.0") == keys["keys/a.0"]  # nobody opens with what another vault may open
        assert blobs.fetched == [*keys, "keys/a.0"]
        with pytest.raises(FrostbyteError):
            vault.load_key("keys/none.0")
    vault.destroy_key("keys/a.0")
    with vault.answering(), pytest.raises(FrostbyteError) as caught:
        vault.load_key("keys/a.0")
    assert caught.value.kind is Kind.GONE


def test_a_key_object_under_another_name_does_not_open(vault: Vault) -> None:
    vault.store_key("keys/a.0", vault.new_key())
    vault.blobs.put("keys/b.0", vault.blobs.get("keys/a.0"))
    with pytest.raises(SealBroken):
        vault.load_key("keys/b.0")


@pytest.mark.parametrize("damaged", [b"", b"FBK", b"FBK\x01\x00\x00\x00\x01short", b"XXX\x01" + bytes(70)])
def test_a_damaged_key_object_is_named(vault: Vault, damaged: bytes) -> None:
    vault.blobs.put("keys/a.0", damaged)
    with pytest.raises(SealBroken):
        vault.load_key("keys/a.0")


def test_the_wrapping_key_rotates_by_rewrapping(vault: Vault) -> None:
    key = vault.new_key()
    vault.store_key("keys/a.0", key)
    both = Vault(vault.blobs, replace(KEYS, wrapping_keys={1: b"w" * 32, 2: b"x" * 32}))
    assert both.rewrap("keys/a.0")
    assert not both.rewrap("keys/a.0")
    newest = Vault(vault.blobs, replace(KEYS, wrapping_keys={2: b"x" * 32}))
    assert newest.load_key("keys/a.0") == key
    with pytest.raises(FrostbyteError) as caught:
        vault.load_key("keys/a.0")
    assert caught.value.code == "wrapping_key_missing"


def test_keys_do_not_show_themselves() -> None:
    assert "119" not in repr(KEYS)
    assert repr(DocumentKey(b"secret")) == "DocumentKey()"
    assert "ww" not in repr(KEYS)


def test_names_are_sealed() -> None:
    key = Vault.new_key()
    sealed = key.seal_name("Müller.pdf")
    assert key.open_name(sealed) == "Müller.pdf"
    assert sealed != key.seal_name("Müller.pdf")
    with pytest.raises(SealBroken):
        Vault.new_key().open_name(sealed)
    with pytest.raises(SealBroken):
        key.open_name(b"")


def test_commitments_can_be_recomputed_and_reveal_nothing_alone() -> None:
    key, digest = Vault.new_key(), hashlib.sha256(b"text").digest()
    assert key.commitment("raw", digest) == hashlib.sha256(key.nonce("raw") + digest).hexdigest()
    assert key.commitment("raw", digest) != key.commitment("normalized", digest)
    assert key.commitment("raw", digest) != Vault.new_key().commitment("raw", digest)
    assert len(key.nonce("raw")) == 32


DATA = random.Random(1).randbytes(19 * FRAME + 123)


@settings(max_examples=100, deadline=None)
@given(st.integers(-1, len(DATA) + FRAME), st.integers(0, 4 * FRAME))
def test_ranges_are_those_of_the_plain_bytes(start: int, length: int) -> None:
    vault, key = Vault(MemoryBlobs(), KEYS), DocumentKey(b"k" * 32)
    vault.put("raw/a", key, DATA)
    assert vault.read_range("raw/a", key, start, length) == (DATA[start : start + length] if start >= 0 else b"")


@pytest.mark.parametrize("size", [0, 1, FRAME, 16 * FRAME, 16 * FRAME + 1, len(DATA)])
def test_written_bit_by_bit_it_streams_and_reads_back(vault: Vault, size: int) -> None:
    key, data = vault.new_key(), DATA[:size]
    with vault.writer("raw/a", key) as writer:
        for at in range(0, size, 100_000):
            writer.write(data[at : at + 100_000])
        writer.commit()
    assert b"".join(vault.stream("raw/a", key)) == data
    assert vault.get("raw/a", key) == data
    assert vault.plain_size("raw/a") == size


def test_a_writer_that_was_left_leaves_nothing(vault: Vault) -> None:
    with vault.writer("raw/a", vault.new_key()) as writer:
        writer.write(b"x" * 100_000)
    assert not vault.blobs.exists("raw/a")
    writer.abort()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0, 1, 2]), st.integers(0, len(DATA)), st.integers(0, 200_000)), max_size=8))
def test_the_reader_behaves_like_a_file(moves: list[tuple[int, int, int]]) -> None:
    vault, key = Vault(MemoryBlobs(), KEYS), DocumentKey(b"k" * 32)
    vault.put("raw/a", key, DATA)
    ours, theirs = vault.reader("raw/a", key), io.BytesIO(DATA)
    for whence, offset, length in moves:
        distance = -offset if whence == 2 else offset
        assert ours.seek(distance, whence) == theirs.seek(distance, whence)
        assert ours.read(length) == theirs.read(length)
        assert ours.tell() == theirs.tell()


def test_a_cut_object_never_ends_quietly(vault: Vault) -> None:
    key = vault.new_key()
    vault.put("raw/a", key, DATA)
    sealed = vault.blobs.get("raw/a")
    vault.blobs.put("raw/a", sealed[: HEADER + 17 * SEALED_FRAME])
    with pytest.raises(SealBroken):
        for _ in vault.stream("raw/a", key):
            pass
    with pytest.raises(SealBroken):
        vault.get("raw/a", key)


def test_a_missing_object_is_not_a_broken_one(vault: Vault) -> None:
    with pytest.raises(NotFound) as caught:
        vault.get("raw/none", vault.new_key())
    assert caught.value.code == "object_missing"
