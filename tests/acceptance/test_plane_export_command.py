"""`frostbyte plane export` of a plane that runs on servers: by a pipe or into a file, whole or not at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyrage
import pytest

from acceptance.conftest import eventually
from frostbyte.bootstrap.data import Plane, build
from frostbyte.bootstrap.exporting import recipient
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.settings import load
from servers.buckets import administrator
from servers.minio import PASSWORD, USER, MinioServer
from servers.postgres import PostgresServer

pytestmark = pytest.mark.slow

RECIPIENT = str(pyrage.x25519.Identity.generate().to_public())
LARGE = b"".join(b"%d;item %d;%d.50\n" % (number, number * 7, number % 97) for number in range(300_000))
"""A table of six million bytes: it is read from the store by parts."""


@pytest.fixture(scope="module")
def told(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer, minio_server: MinioServer
) -> dict[str, str]:
    """The settings of a plane on servers, its vectors in process."""
    bucket = f"test-{uuid4().hex}"
    administrator(minio_server).make_bucket(bucket)
    return {
        "FROSTBYTE_DATA_DIR": str(tmp_path_factory.mktemp("served") / "plane"),
        "FROSTBYTE_WORKERS": "1",
        "FROSTBYTE_EMBEDDING_ENDPOINT": "none",
        "FROSTBYTE_DATABASE_URL": postgres_server.database(f"export_{uuid4().hex}"),
        "FROSTBYTE_OBJECTS_URL": minio_server.url,
        "FROSTBYTE_OBJECTS_BUCKET": bucket,
        "FROSTBYTE_OBJECTS_ACCESS_KEY": USER,
        "FROSTBYTE_OBJECTS_SECRET_KEY": PASSWORD,
    }


@pytest.fixture(scope="module")
def plane(told: dict[str, str]) -> Iterator[Plane]:
    """It runs, sequencer and all, and has one small document and a large one that nobody has looked at yet."""
    made = build(load(told))
    session = made.intake.open_batch("tester")
    for name, content in (("small.txt", b"1. Travel\n\nTravel costs are refunded.\n"), ("large.csv", LARGE)):
        sink = session.file(name)
        sink.write(content)
        assert sink.finish().doc_id is not None
        if name == "small.txt":
            while made.runner.run_one():
                pass
    session.close()
    made.runner.stop()
    made.start()
    yield made
    made.close()


def frostbyte(told: dict[str, str], *words: str | Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "frostbyte", *map(str, words)]
    return subprocess.run(command, env={**os.environ, **told}, capture_output=True, check=False, timeout=120, **options)


def ends(plane: Plane) -> list[dict[str, Any]]:
    with plane.store.unit_of_work() as uow:
        return [item.event.details for item in uow.audit.events(type="EXPORT_ENDED")]


def test_by_a_pipe_while_the_plane_runs(plane: Plane, told: dict[str, str], tmp_path: Path) -> None:
    done = frostbyte(told, "plane", "export", "--recipient", RECIPIENT, "--actor", "officer", "-o", "-")
    assert done.returncode == 0, done.stderr
    assert b"is whole" in done.stderr

    checked = frostbyte(told, "plane", "export-check", "-", "--own", "--json", input=done.stdout)
    assert checked.returncode == 0, checked.stderr
    said = json.loads(checked.stdout)
    assert (said["documents"], said["missing"], said["signature"]) == (2, [], "checked")
    assert said["bytes"] > len(LARGE)
    eventually(lambda: ends(plane)[-1:] != [] and ends(plane)[-1]["manifest_hash"] == said["seal_sha256"])

    packed = tmp_path / "export.tar"
    packed.write_bytes(done.stdout)
    verified = frostbyte(told, "audit", "verify", packed, "--key", plane.signer.verifier_key)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    listed = json.loads(frostbyte(told, "plane", "export-list", "--json").stdout)
    assert [(row["actor"], row["erased_since"]) for row in listed] == [("officer", 0)]
    other = frostbyte(told, "plane", "export-check", packed, "--key", _another_key())
    assert (other.returncode, b"note_signature_wrong" in other.stderr) == (6, True)
    packed.write_bytes(done.stdout[:-1024])
    cut = frostbyte(told, "plane", "export-check", packed)
    assert (cut.returncode, b"archive_incomplete" in cut.stderr) == (6, True)


def _another_key() -> str:
    from frostbyte.kernel.audit.checkpoint import Signer

    return Signer(bytes(32), "frostbyte/demo/plane").verifier_key


def test_into_a_file_that_is_there_only_when_it_is_whole(plane: Plane, told: dict[str, str], tmp_path: Path) -> None:
    target = tmp_path / "plane.tar"
    part = tmp_path / "plane.tar.part"
    part.write_bytes(b"of an earlier one that was killed")
    done = frostbyte(told, "plane", "export", "--recipient", RECIPIENT, "-o", target, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["documents"] == 2
    assert (target.stat().st_mode & 0o777, part.exists()) == (0o600, False)
    before = target.read_bytes()
    again = frostbyte(told, "plane", "export", "--recipient", RECIPIENT, "-o", target)
    assert (again.returncode != 0, b"export_exists" in again.stderr, target.read_bytes() == before) == (True,) * 3


def test_nobody_reads_on(plane: Plane, told: dict[str, str]) -> None:
    command = [sys.executable, "-m", "frostbyte", "plane", "export", "--recipient", RECIPIENT, "-o", "-"]
    with subprocess.Popen(
        command, env={**os.environ, **told}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1000)
        process.stdout.close()
        said = process.stderr.read()
        assert process.wait(60) not in (0, 3)
    assert b"export_unwritable" in said
    assert b"Traceback" not in said
    eventually(lambda: ends(plane)[-1]["status"] == "failed")
    assert not plane.store.snapshot_read()


def test_nothing_is_begun_without_a_recipient(plane: Plane, told: dict[str, str]) -> None:
    before = len(ends(plane))
    done = frostbyte(told, "plane", "export", "--recipient", "age1", "-o", "-")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"export_recipient" in done.stderr
    assert len(ends(plane)) == before


WRONG = {
    "empty": "",
    "ssh": "ssh-ed25519 AAAA",
    "private": str(pyrage.x25519.Identity.generate()),
    "cut": RECIPIENT[:-1],
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_a_recipient_is_a_public_key_of_age(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        recipient(text)
    assert caught.value.code == "export_recipient"
    assert not text or text not in str(caught.value)
