"""What every blob store promises, asked of the one in memory, the folder and a real MinIO alike."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from frostbyte.adapters.memory.blobs import MemoryBlobs
from frostbyte.adapters.objects.beside import HeadsBeside
from frostbyte.adapters.objects.local import LocalBlobs
from frostbyte.adapters.objects.prefixed import PrefixedBlobs
from frostbyte.data_plane.lifecycle.bundles import OneByOne
from frostbyte.kernel.errors import Conflict, Invalid, NotFound, Unavailable
from frostbyte.kernel.ports.blobs import BlobStore, Heads
from servers.buckets import bucket


@pytest.fixture(params=["memory", "local", "prefixed", "minio"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BlobStore]:
    if request.param == "memory":
        yield MemoryBlobs()
    elif request.param == "prefixed":
        yield PrefixedBlobs(MemoryBlobs(), "part/of-it")
    elif request.param == "local":
        yield LocalBlobs(tmp_path / "objects")
    else:
        yield from bucket(request.getfixturevalue("minio_server"))


@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 5000])
def test_what_is_put_is_got(blobs: BlobStore, data: bytes) -> None:
    blobs.put("raw/a", data)
    assert blobs.get("raw/a") == data
    assert blobs.size("raw/a") == len(data)
    assert blobs.exists("raw/a")


def test_put_replaces(blobs: BlobStore) -> None:
    blobs.put("raw/a", b"a long first version")
    blobs.put("raw/a", b"second")
    assert blobs.get("raw/a") == b"second"


@pytest.mark.parametrize(("start", "length"), [(0, 4), (3, 100), (10, 5), (99, 1), (0, 0)])
def test_ranges_end_with_the_object(blobs: BlobStore, start: int, length: int) -> None:
    blobs.put("raw/a", b"0123456789")
    assert blobs.get_range("raw/a", start, length) == b"0123456789"[start : start + length]


@pytest.mark.parametrize("length", [1, 4, 10, 99])
def test_the_head_comes_with_the_size_of_all(blobs: BlobStore, length: int) -> None:
    blobs.put("raw/a", b"0123456789")
    assert blobs.head("raw/a", length) == (b"0123456789"[:length], 10)
    blobs.put("raw/a", b"")
    assert blobs.head("raw/a", length) == (b"", 0)


@pytest.fixture(params=["asked", "beside"])
def heads(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Heads]:
    store = LocalBlobs(tmp_path / "objects")
    for name, data in HEADS.items():
        store.put(name, data)
    if request.param == "asked":
        yield OneByOne(store)
    else:
        with HeadsBeside(store, most=2, before=0) as beside:
            yield beside


HEADS = {"raw/a": b"0123456789", "raw/empty": b"", "normalized/large": bytes(range(256)) * 9000}


def test_heads_of_many_come_in_their_order_and_what_is_missing_is_none(heads: Heads) -> None:
    names = ["normalized/large", "raw/none", "raw/a", "raw/empty", "raw/a"]
    for length in (1, 4, 3 << 20):
        expected = [(HEADS[name][:length], len(HEADS[name])) if name in HEADS else None for name in names]
        assert heads.heads(names, length) == expected
    assert heads.heads([], 4) == []
    with pytest.raises(Invalid):
        heads.heads(["raw/a", "raw/../a"], 4)
    assert heads.heads(["raw/a"], 99) == [(b"0123456789", 10)], "a refusal breaks nothing"


def test_heads_are_safe_to_ask_for_from_several_threads(heads: Heads) -> None:
    with ThreadPoolExecutor(6) as threads:
        told = threads.map(lambda _: heads.heads(["raw/a", "raw/none"] * 50, 4), range(40))
    assert all(one == [(b"0123", 10), None] * 50 for one in told)


def test_who_reads_beside_is_started_when_it_is_worth_it_and_its_death_costs_nothing(tmp_path: Path) -> None:
    store = LocalBlobs(tmp_path / "objects")
    store.put("raw/a", b"0123456789")

    def readers() -> list[int]:
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                if str(tmp_path).encode() in path.read_bytes():
                    found.append(int(path.parent.name))
        return found

    with HeadsBeside(store, before=3) as beside:
        assert beside.heads(["raw/a"] * 3, 4) == [(b"0123", 10)] * 3
        assert readers() == []
        assert beside.heads(["raw/a"], 4) == [(b"0123", 10)]
        (reader,) = readers()
        os.kill(reader, signal.SIGKILL)
        assert beside.heads(["raw/a", "raw/none"], 4) == [(b"0123", 10), None]
        assert beside.heads(["raw/a"], 4) == [(b"0123", 10)]
        assert len(readers()) == 1
    assert readers() == []


def test_a_writer_shows_nothing_before_its_commit(blobs: BlobStore) -> None:
    with blobs.writer("raw/a") as writer:
        writer.write(b"one ")
        assert not blobs.exists("raw/a")
        assert list(blobs.names("raw/")) == []
        writer.write(b"two")
        writer.commit()
        assert blobs.get("raw/a") == b"one two"


def test_a_writer_that_is_left_leaves_nothing(blobs: BlobStore) -> None:
    blobs.put("raw/a", b"old")

    def upload() -> None:
        with blobs.writer("raw/a") as writer:
            writer.write(b"half of the n")
            raise RuntimeError("cut")

    with pytest.raises(RuntimeError, match="cut"):
        upload()
    assert blobs.get("raw/a") == b"old"
    assert list(blobs.names("")) == ["raw/a"]


def test_a_finished_writer_takes_nothing_more(blobs: BlobStore) -> None:
    with blobs.writer("raw/a") as writer:
        writer.commit()
        with pytest.raises(Conflict):
            writer.write(b"more")
        with pytest.raises(Conflict):
            writer.commit()


def test_delete_is_idempotent_and_final(blobs: BlobStore) -> None:
    blobs.put("raw/a", b"x")
    blobs.delete("raw/a")
    blobs.delete("raw/a")
    blobs.delete("never/was")
    assert not blobs.exists("raw/a")


def test_missing_objects_are_named(blobs: BlobStore) -> None:
    for ask in (
        blobs.get,
        blobs.size,
        blobs.age_seconds,
        lambda n: blobs.get_range(n, 0, 1),
        lambda n: blobs.head(n, 1),
    ):
        with pytest.raises(NotFound) as caught:
            ask("raw/none")
        assert caught.value.code == "object_missing"


def test_names_are_listed_by_prefix(blobs: BlobStore) -> None:
    for name in ("raw/b", "raw/a", "normalized/d1.g1.chunks", "normalized/d1.g2.chunks", "normalized/d2.g1.chunks"):
        blobs.put(name, b"x")
    assert list(blobs.names("raw/")) == ["raw/a", "raw/b"]
    assert list(blobs.names("normalized/d1.")) == ["normalized/d1.g1.chunks", "normalized/d1.g2.chunks"]
    assert list(blobs.names("nothing/")) == []
    assert len(list(blobs.names(""))) == 5


def test_age_grows_from_zero(blobs: BlobStore) -> None:
    blobs.put("raw/a", b"x")
    assert -0.1 <= blobs.age_seconds("raw/a") < 5


@pytest.mark.parametrize(
    "name", ["", "raw", "/etc/passwd", "raw/../../x", "raw/..", "raw/.hidden", "raw//a", "raw/a/", "raw/a\x00", "raw/ü",
             "raw/a b", "../raw/a", "raw/" + "a" * 256, "raw/a\n"],
)  # fmt: skip
def test_no_name_leaves_the_store(blobs: BlobStore, name: str) -> None:
    for ask in (blobs.get, blobs.delete, blobs.exists, blobs.writer, lambda n: blobs.put(n, b"x")):
        with pytest.raises(Invalid) as caught:
            ask(name)
        assert caught.value.code == "object_name"


# -- the folder alone ---------------------------------------------------------------------------------------------


def _record(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    calls: list[str] = []
    real = {name: getattr(os, name) for name in ("fsync", "rename", "unlink")}

    def fsync(descriptor: int) -> None:
        calls.append("fsync " + Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
        real["fsync"](descriptor)

    def rename(old: Path, new: Path) -> None:
        calls.append("rename " + Path(new).name)
        real["rename"](old, new)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "rename", rename)
    return calls


def test_the_file_is_synced_before_it_gets_its_name_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = LocalBlobs(tmp_path / "objects")
    calls = _record(monkeypatch)
    with blobs.writer("raw/a") as writer:
        writer.write(b"x")
        temporary = next(blobs.incoming.iterdir()).name
        writer.commit()
    # `raw` is new: the folder above it is synced so that `raw` itself survives.
    assert calls == [f"fsync {temporary}", "fsync objects", "rename a", "fsync raw"]
    calls.clear()
    blobs.delete("raw/a")
    assert calls == ["fsync raw"]


def test_what_a_killed_process_left_is_swept_and_a_living_writer_is_not(tmp_path: Path) -> None:
    root = tmp_path / "objects"
    code = (
        "import os, sys; from pathlib import Path; from frostbyte.adapters.objects.local import LocalBlobs\n"
        "w = LocalBlobs(Path(sys.argv[1])).writer('raw/killed'); w.write(b'x' * 100000); print(1, flush=True)\n"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(root)], check=False, stdout=subprocess.DEVNULL)
    assert len(list((root / ".incoming").iterdir())) == 1
    blobs = LocalBlobs(root)
    assert list(blobs.incoming.iterdir()) == []
    assert list(blobs.names("")) == []
    with blobs.writer("raw/alive") as writer:
        writer.write(b"half")
        LocalBlobs(root)
        writer.write(b" and half")
        writer.commit()
    assert blobs.get("raw/alive") == b"half and half"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("call", ["write", "fsync", "rename"])
def test_a_full_disk_is_said_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    blobs = LocalBlobs(tmp_path / "objects")
    blobs.put("raw/before", b"x")

    def full(*_: object) -> int:
        raise OSError(number, "full")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(Unavailable) as caught:
            blobs.put("raw/a", b"x" * 10)
    assert caught.value.code == "disk_full"
    assert list(blobs.names("")) == ["raw/before"]
    assert list(blobs.incoming.iterdir()) == []


def test_a_folder_that_cannot_be_used_is_an_outage(tmp_path: Path) -> None:
    (tmp_path / "objects").write_text("a file")
    with pytest.raises(Unavailable) as caught:
        LocalBlobs(tmp_path / "objects")
    assert caught.value.code == "objects_unavailable"
    assert str(tmp_path) not in caught.value.message


def test_files_are_private(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path / "objects")
    blobs.put("raw/a", b"x")
    assert (tmp_path / "objects/raw/a").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "objects/raw").stat().st_mode & 0o777 == 0o700
