"""The archive of a plane: what is written comes back, other tools read it, and no change of it goes unseen."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostbyte.kernel.archive import contents, file
from frostbyte.kernel.archive.contents import Head, Tail
from frostbyte.kernel.archive.file import ArchiveReader, ArchiveWriter, Sealed
from frostbyte.kernel.audit.checkpoint import Signer
from frostbyte.kernel.errors import Invalid

EXPORT = UUID("0190a0b0-0000-7000-8000-000000000001")
SIGNER = Signer(bytes(range(32)), "frostbyte/demo/plane")
OTHER = Signer(bytes(32), "frostbyte/demo/plane")
HEAD = Head(
    export_id=EXPORT,
    tenant_id="demo",
    created_at="2026-11-27T03:00:00.000000Z",
    version="0.1.0",
    schema=1,
    migrations={"001_first.sql": "0" * 64},
    tables=(contents.TableHead(name="documents", columns=("doc_id",)),),
    origin=SIGNER.origin,
    public_key=SIGNER.verifier_key,
    checkpoint="",
    log_size=0,
    recipient="age1x",
    documents=1,
)


def written(*members: tuple[str, bytes]) -> tuple[bytes, Sealed]:
    """An archive of a head and these."""
    sink = io.BytesIO()
    writer = ArchiveWriter(sink)
    writer.add_json(file.HEAD, HEAD)
    for name, data in members:
        writer.add(name, data)
    writer.add_json(contents.TAIL, Tail(objects=0))
    sealed = writer.seal(EXPORT, "demo", SIGNER.note)
    return sink.getvalue(), sealed


def read(data: bytes, key: str | None = SIGNER.verifier_key) -> tuple[dict[str, bytes], Sealed]:
    """All members and the seal."""
    reader = ArchiveReader(io.BytesIO(data))
    found = {member.name: member.whole() for member in reader}
    return found, reader.sealed(key)


MEMBERS = (
    ("objects/raw/a.b", b"x" * 512),
    ("objects/normalized/" + "d" * 90 + ".view", b"y" * 513),
    (contents.table_part("documents", 0), b""),
)


def test_what_is_written_comes_back() -> None:
    data, sealed = written(*MEMBERS)
    found, again = read(data)
    assert again == sealed
    assert sealed.members == 5
    assert sealed.size == sum(map(len, found.values()))
    assert found.items() >= dict(MEMBERS).items()
    reader = ArchiveReader(io.BytesIO(data))
    members = iter(reader)
    assert contents.read_head(next(members)) == HEAD
    *_, last = members
    assert last.name == contents.TAIL


def test_other_tools_list_unpack_and_check_it(tmp_path: Path) -> None:
    data, _ = written(*MEMBERS)
    packed = tmp_path / "export.tar"
    packed.write_bytes(data)
    folder = tmp_path / "out"
    with tarfile.open(packed) as opened:
        assert next(item.name for item in opened.getmembers()) == file.HEAD
        opened.extractall(folder, filter="data")
    subprocess.run(["sha256sum", "-c", "--strict", "--quiet", file.SUMS], cwd=folder, check=True)
    note = (folder / file.SEAL).read_text(encoding="utf-8")
    assert hashlib.sha256((folder / file.SUMS).read_bytes()).hexdigest() in note


def test_every_changed_byte_is_seen() -> None:
    data, _ = written(*MEMBERS)
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 0x01
        with pytest.raises(Invalid):
            read(bytes(changed))


def test_every_cut_is_seen_and_called_one() -> None:
    data, _ = written(*MEMBERS)
    for end in range(len(data)):
        with pytest.raises(Invalid) as caught:
            read(data[:end])
        assert caught.value.code == "archive_incomplete"


@pytest.mark.parametrize("what", ["more behind", "member dropped", "members swapped", "sealed by another", "no head"])
def test_an_archive_that_was_put_together_anew_is_refused(what: str) -> None:
    data, _ = written(*MEMBERS)
    head_end = data.index(b"objects/raw/a.b")
    first, second = data[head_end : head_end + 1024], data[head_end + 1024 : head_end + 1024 + 512 + 1024]
    rest = data[head_end + len(first) + len(second) :]
    key: str | None = None
    if what == "more behind":
        data += b"\0"
    elif what == "member dropped":
        data = data[:head_end] + second + rest
    elif what == "members swapped":
        data = data[:head_end] + second + first + rest
    elif what == "no head":
        data = data[head_end:]
    else:
        key = OTHER.verifier_key
    with pytest.raises(Invalid) as caught:
        read(data, key)
    assert caught.value.code == ("note_signature_wrong" if key else "archive_broken")


def test_nothing_is_vouched_for_before_the_end() -> None:
    data, _ = written(*MEMBERS)
    reader = ArchiveReader(io.BytesIO(data))
    next(iter(reader))
    with pytest.raises(Invalid, match="before its seal"):
        reader.sealed()


def test_a_source_may_give_little_at_a_time() -> None:
    data, sealed = written(*MEMBERS)

    class Pipe(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(size or 0, 7))

    reader = ArchiveReader(Pipe(data))
    assert len(list(reader)) == 5
    assert reader.sealed(SIGNER.verifier_key) == sealed


def test_a_member_of_another_length_than_said_is_never_sealed() -> None:
    for blocks in ((b"ab",), (b"abc", b"d"), ()):
        writer = ArchiveWriter(io.BytesIO())
        with pytest.raises(ValueError, match="as long"):
            writer.stream(file.HEAD, 3, blocks)
        with pytest.raises(ValueError):
            writer.seal(EXPORT, "demo", SIGNER.note)


def test_members_pass_through_a_block_at_a_time() -> None:
    """A member of 9 GiB: longer than eight octal digits can say, and never at hand as a whole."""

    class Sizes:
        def __init__(self) -> None:
            self.total = self.most = 0
            self.headers: list[bytes] = []

        def write(self, data: bytes) -> None:
            self.total += len(data)
            self.most = max(self.most, len(data))
            if len(data) == file.BLOCK:
                self.headers.append(data)

    size, block, sizes = 9 << 30, bytes(1 << 28), Sizes()

    def blocks() -> Iterator[bytes]:
        for _ in range(size // len(block)):
            yield block

    class Quick:
        """Stands for the digest, which this test is not about."""

        def update(self, data: bytes) -> None:
            pass

        def hexdigest(self) -> str:
            return "0" * 64

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("frostbyte.kernel.archive.file.hashlib.sha256", Quick)
        ArchiveWriter(sizes).stream("objects/raw/large", size, blocks())
    assert (sizes.total, sizes.most) == (size + file.BLOCK, len(block))
    assert tarfile.TarInfo.frombuf(sizes.headers[0], "utf-8", "strict").size == size


_PART = st.text("abcXYZ019_-.", min_size=1, max_size=80).filter(lambda part: not part.startswith("."))


@settings(max_examples=200, deadline=None)
@given(st.lists(_PART, min_size=1, max_size=4).map("/".join), st.integers(0, 1 << 70))
def test_a_header_is_what_tar_reads_and_we_read_back(name: str, size: int) -> None:
    try:
        block = file.header(name, size)
    except Invalid:
        assert len(name) > 100
        return
    told = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    assert (told.name, told.size, told.isreg()) == (name, size, True)
    assert file._read_header(block) == (name, size)


@given(st.binary(max_size=2048))
def test_arbitrary_bytes_are_refused_in_words(data: bytes) -> None:
    with pytest.raises(Invalid):
        read(data)


@pytest.mark.parametrize("name", ["/a", "a/../b", ".a", "a//b", "a b", "ä", "", "a/"])
def test_names_that_could_leave_a_folder_are_never_written(name: str) -> None:
    with pytest.raises(Invalid):
        file.header(name, 0)
