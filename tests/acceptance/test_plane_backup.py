"""A plane's backup: incremental, tried, restored elsewhere; and what was erased is in none of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pyrage
import pytest
from typer.testing import CliRunner

from acceptance.conftest import sample
from acceptance.test_plane_import import answers, chunks, document, send, settle
from frostbyte.adapters.objects.local import LocalBlobs
from frostbyte.adapters.postgres.snapshot import PostgresSnapshot
from frostbyte.bootstrap import backup_target, vaulting
from frostbyte.bootstrap.data import Plane, build
from frostbyte.bootstrap.database import access
from frostbyte.bootstrap.restoring import identity, restoring
from frostbyte.bootstrap.vaulting import Vaulting
from frostbyte.cli.app import app
from frostbyte.cli.output import _console
from frostbyte.data_plane.lifecycle.backup import SEGMENT, Taken
from frostbyte.data_plane.restore import Imported
from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.backup.mirror import Mirror
from frostbyte.kernel.backup.repository import Verdict
from frostbyte.kernel.backup.retention import Keep
from frostbyte.kernel.errors import Conflict, FrostbyteError, Invalid, Unavailable
from frostbyte.kernel.records import State
from frostbyte.kernel.settings import Settings, load
from frostbyte.kernel.vault import Vault

pytestmark = pytest.mark.slow

FREEZER = b"1. Storage\n\nThe heliotrope samples are kept at minus eighty degrees in the reserve freezer.\n"
OTHERS = [f"{n}. Supplier\n\nSupplier {n} keeps the samples until the termination.\n".encode() for n in range(6)]


class Site:
    """A plane, the place of its backups, and who may open them."""

    def __init__(self, folder: Path, embedder: str = "none") -> None:
        self.folder, self.embedder = folder, embedder
        secret = pyrage.x25519.Identity.generate()
        self.identity = folder / "identity.txt"
        self.identity.write_text(f"{secret}\n", encoding="ascii")
        (folder / "vault").mkdir()
        self.environment = {
            "FROSTBYTE_BACKUP_URL": f"file://{folder}/vault",
            "FROSTBYTE_BACKUP_RECIPIENTS": str(secret.to_public()),
        }
        self.backups = backup_target.load(self.environment)
        self.settings = self.settings_of(folder / "plane")
        self.plane = build(self.settings)
        self.store = LocalBlobs(folder / "vault")

    def settings_of(self, folder: Path) -> Settings:
        # Searching by words alone: a model takes seconds to load, and vectors are objects like the others.
        return load(
            {
                "FROSTBYTE_DATA_DIR": str(folder),
                "FROSTBYTE_WORKERS": "1",
                "FROSTBYTE_EMBEDDING_ENDPOINT": self.embedder,
            }
        )

    def work(self, use: Callable[[Vaulting], Any]) -> Any:
        with vaulting.vaulting(self.settings, self.backups) as found:
            return use(found)

    def take(self) -> Taken:
        settle(self.plane)
        taken: Taken = self.work(lambda found: found.backup.take(found.repository, actor="operator"))
        return taken

    def verify(self, name: str = "", *, whole: bool = True) -> Verdict:
        verdict: Verdict = self.work(
            lambda found: found.rehearsal.run(found.repository, vaulting.chosen(found.repository, name), whole=whole)
        )
        return verdict

    def mirrored(self) -> dict[str, bytes]:
        return dict(self.work(lambda found: Mirror(found.repository.target, found.repository.key).entries()))

    def restore(self, folder: Path, name: str = "", *, keys: bool = False, accept_loss: bool = False) -> Imported:
        settings = self.settings_of(folder)
        if keys:
            shutil.copytree(self.settings.keys_folder, settings.keys_folder)
            for path in settings.keys_folder.glob("log.key"):
                path.unlink()
        unseal = None if keys else identity(self.identity)
        source = vaulting.source(settings, self.backups, name, unseal, accept_loss=accept_loss)
        with restoring(settings) as work:
            return work.run(source, actor="operator")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.plane.close()


def running(site: Site, folder: Path, undo: ExitStack) -> Plane:
    plane = build(site.settings_of(folder))
    undo.callback(plane.close)
    settle(plane)
    return plane


def test_an_old_backup_restores_all_but_what_was_erased_since(site: Site, tmp_path: Path) -> None:
    plane = site.plane
    doc = send(plane, "freezer.txt", FREEZER)
    others = [send(plane, f"{number}.txt", content) for number, content in enumerate(OTHERS[:5])]
    note = send(plane, "note.pdf", sample("supplier-note.pdf"))
    first = site.take()
    assert (first.documents, first.stored, first.missing) == (7, 7, ())
    held = [item for item in plane.review.queue()["chunks"] if item["doc_id"] == str(note)]
    plane.review.release(UUID(held[0]["chunk_id"]), actor="reviewer")
    later = send(plane, "later.txt", b"1. Later\n\nThis one came after the first backup; its supplier is new.\n")
    settle(plane)
    before = answers(plane)
    receipt = plane.erasure.erase(doc, actor="officer", reason="request")
    assert receipt["backups"] == {"status": "pending", "gone_at": None}
    key = document(plane, others[0]).key_object
    erased_key = f"keys/{doc}.0"
    assert {key, erased_key} <= site.mirrored().keys()
    second = site.take()
    assert (second.documents, second.stored) == (7, 2), "the released one and the new one"
    assert second.written < first.written
    assert second.mirror.removed == 1
    receipt = plane.erasure.receipt(UUID(receipt["erasure_id"]))
    assert receipt["backups"]["status"] == "gone"
    assert receipt["backups"]["gone_at"] >= receipt["key_destroyed_at"]
    assert erased_key not in site.mirrored()
    for name in (first.snapshot, second.snapshot):
        assert site.verify(name).ok

    done = site.restore(tmp_path / "old", first.snapshot)
    assert (done.documents, done.erased) == (6, 1)
    with ExitStack() as undo:
        old = running(site, tmp_path / "old", undo)
        assert document(old, doc).state is State.ERASED
        assert not list(old.vault.blobs.names(f"keys/{doc}"))
        assert not list(old.vault.blobs.names(f"normalized/{doc}"))
        assert old.ports.vectors.count(doc) == 0
        assert "heliotrope" not in json.dumps(answers(old))
        with old.store.unit_of_work() as uow:
            assert uow.documents.get(later) is None
            (erasure,) = uow.erasures.of_document(doc)
        assert str(erasure.erasure_id) == receipt["erasure_id"]

    done = site.restore(tmp_path / "new", keys=True)
    assert (done.documents, done.erased) == (7, 0)
    with ExitStack() as undo:
        new = running(site, tmp_path / "new", undo)
        assert [row.withheld for row in chunks(new, note)] == [row.withheld for row in chunks(plane, note)]
        for question, mine in answers(new).items():
            assert {hit[:2] for hit in mine} == {hit[:2] for hit in before[question] if "heliotrope" not in hit[1]}
        with pytest.raises(FrostbyteError) as caught:
            new.vault.load_key(erased_key)
        assert caught.value.code == "key_destroyed"


def test_the_sealed_parts_of_an_erased_document_open_for_nobody(site: Site) -> None:
    doc = send(site.plane, "freezer.txt", FREEZER)
    settle(site.plane)
    key = site.plane.vault.load_key(document(site.plane, doc).key_object)
    first = site.take()
    site.plane.erasure.erase(doc, actor="officer", reason="request")
    site.work(lambda found: found.backup.mirror(found.repository, actor="operator"))

    def everything(found: Vaulting) -> bytes:
        reader = found.repository.read(found.repository.snapshot(first.snapshot))
        held = [reader.body(pack) for pack in reader.snapshot.packs]
        mirror = Mirror(found.repository.target, found.repository.key).entries()
        return b"".join((*held, *mirror.values()))

    seen = site.work(everything)
    assert key.raw not in seen
    assert b"heliotrope" not in seen
    assert b"freezer.txt" not in seen, "nor is its name there"
    assert all(b"heliotrope" not in site.store.get(name) for name in site.store.names(""))


def test_nothing_new_is_nothing_stored(site: Site) -> None:
    for number, content in enumerate(OTHERS[:4]):
        send(site.plane, f"{number}.txt", content)
    first = site.take()
    again = site.take()
    assert (again.documents, again.stored, again.lost_packs, again.vanished) == (4, 0, 0, "")
    assert again.mirror.written == 0
    assert again.written < first.written / 2
    names = set(site.store.names("packs/"))
    assert site.verify().ok
    assert set(site.store.names("packs/")) == names


def test_where_nothing_changed_no_document_is_looked_at(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs = [send(site.plane, f"{number}.txt", content) for number, content in enumerate(OTHERS[:3])]
    looked: list[str] = []
    documents, pieces = PostgresSnapshot.documents, PostgresSnapshot.pieces

    def looking(self: PostgresSnapshot, page: int = 500) -> Any:
        looked.append("rows")
        return documents(self, page)

    def reading(self: PostgresSnapshot, table: Any) -> Any:
        looked.append(table.name)
        return pieces(self, table)

    monkeypatch.setattr(PostgresSnapshot, "documents", looking)
    monkeypatch.setattr(PostgresSnapshot, "pieces", reading)

    def taken() -> tuple[Taken, set[str]]:
        looked.clear()
        return site.take(), {"rows", "documents", "chunks", "receipts"} & set(looked)

    first, seen = taken()
    assert (first.documents, first.stored, seen) == (3, 3, {"rows", "documents", "chunks", "receipts"})
    for _ in range(2):
        last, seen = taken()
        assert (last.documents, last.stored, seen) == (3, 0, set())
        assert last.size > first.size
    site.work(lambda found: found.repository.prune(Keep(daily=1, weekly=0, monthly=0)))
    assert site.work(lambda found: found.repository.snapshots()) == [last.snapshot]
    assert site.verify(last.snapshot).ok
    assert site.restore(tmp_path / "elsewhere", keys=True).documents == 3

    site.plane.erasure.erase(docs[0], actor="officer", reason="request")
    changed, seen = taken()
    assert (changed.documents, changed.stored) == (2, 0)
    assert {"rows", "documents"} <= seen
    found = access("", "", "", site.settings.data_dir / "postgres")
    with psycopg.connect(found.owner, autocommit=True) as connection:
        connection.execute("DELETE FROM backup_runs WHERE snapshot = %s", [changed.snapshot])
    if found.server is not None:
        found.server.stop()
    back, seen = taken()
    assert (back.documents, back.stored) == (2, 0)
    assert {"rows", "documents", "chunks"} <= seen, "a database that does not know the snapshot is read"
    assert site.verify(back.snapshot).ok


def test_a_long_log_is_stored_once(site: Site) -> None:
    plane = site.plane
    with plane.store.unit_of_work() as uow:
        uow.audit.append_many(
            [
                make_event("demo", EventType.SOURCE_READ, plane.clock, "tester", "document", f"d{number}", {})
                for number in range(2 * SEGMENT + 100)
            ]
        )
        uow.commit()
    first = site.take()

    def segments(name: str) -> dict[str, Any]:
        return {
            member.name: [place.sha256 for place in member.pieces]
            for member in site.work(lambda found: found.repository.snapshot(name)).members
            if member.name.startswith("database/audit_events.")
        }

    assert len(segments(first.snapshot)) == 3
    second = site.take()
    one, two = segments(first.snapshot), segments(second.snapshot)
    assert [one[name] == two[name] for name in sorted(one)] == [True, True, False]
    verdict = site.verify(second.snapshot)
    assert verdict.ok, verdict
    assert verdict.facts["events"] > 2 * SEGMENT


def test_a_restored_plane_is_backed_up_on_and_the_one_before_is_refused(site: Site, tmp_path: Path) -> None:
    plane = site.plane
    kept, erased = send(plane, "a.txt", OTHERS[0]), send(plane, "b.txt", OTHERS[1])
    first = site.take()
    newer = send(plane, "c.txt", OTHERS[2])
    second = site.take()
    plane.erasure.erase(erased, actor="officer", reason="request")
    site.work(lambda found: found.backup.mirror(found.repository, actor="operator"))
    site.restore(tmp_path / "next", first.snapshot, keys=True)
    settings = site.settings_of(tmp_path / "next")
    with ExitStack() as undo:
        running(site, tmp_path / "next", undo)
        with vaulting.vaulting(settings, site.backups) as found:
            third = found.backup.take(found.repository, actor="operator")
            assert third.mirror.spared >= 1, "the newer document's key stays, for the newer snapshot"
            names = Mirror(found.repository.target, found.repository.key).entries().keys()
            assert f"keys/{newer}.0" in names
            assert f"keys/{erased}.0" not in names
            for name in (first.snapshot, second.snapshot, third.snapshot):
                verdict = found.rehearsal.run(found.repository, found.repository.snapshot(name), whole=True)
                assert verdict.ok, (name, verdict)
    with pytest.raises(Conflict) as caught:
        site.take()
    assert caught.value.code == "backup_overtaken"
    site.restore(tmp_path / "newest", second.snapshot)
    with ExitStack() as undo:
        newest = running(site, tmp_path / "newest", undo)
        assert document(newest, erased).state is State.ERASED
        assert document(newest, newer).state is document(newest, kept).state is State.INDEXED


class Killed(BaseException):
    pass


def places_of_death() -> list[str]:
    return ["packs/", "mirror/", "mirror/head", "snapshots/"]


@pytest.mark.parametrize("after", [False, True])
def test_killed_at_any_write_the_next_run_goes_on(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    from frostbyte.kernel.backup.target import Target

    docs = [send(site.plane, f"{number}.txt", content) for number, content in enumerate(OTHERS[:4])]
    real = Target.put
    for place in places_of_death():

        def dying(self: Target, name: str, data: bytes, place: str = place) -> None:
            if name.startswith(place) and not after:
                raise Killed
            real(self, name, data)
            if name.startswith(place):
                raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(Target, "put", dying)
            with pytest.raises(Killed):
                site.take()
        names = site.work(lambda found: found.repository.snapshots())
        assert len(names) == (place == "snapshots/" and after)
    taken = site.take()
    assert taken.documents == len(docs)
    assert taken.stored == 0, "what the cut-off runs have stored is named again"
    assert site.verify(taken.snapshot).ok
    assert site.restore(tmp_path / "elsewhere").documents == len(docs)


def test_two_at_once(site: Site) -> None:
    settle(site.plane)

    def second(_: Vaulting) -> None:
        with pytest.raises(Conflict) as caught:
            site.take()
        assert caught.value.code == "backup_running"

    site.work(second)
    site.take()


def test_what_the_target_loses_or_changes_is_said_and_stored_again(site: Site) -> None:
    docs = [send(site.plane, f"{number}.txt", content) for number, content in enumerate(OTHERS[:4])]
    first = site.take()
    assert site.verify().ok
    pack = max(site.store.names("packs/"), key=site.store.size)
    whole = site.store.get(pack)
    site.store.put(pack, whole[:-1] + bytes([whole[-1] ^ 1]))
    verdict = site.verify(first.snapshot)
    assert (verdict.ok, verdict.code) == (False, "backup_damaged")
    site.store.delete(pack)
    assert site.verify(first.snapshot, whole=False).code == "backup_damaged"
    healed = site.take()
    assert (healed.lost_packs, healed.stored) == (1, len(docs))
    assert site.verify(healed.snapshot).ok
    (shard,) = [name for name in site.store.names("mirror/") if name != "mirror/head"]
    site.store.put(shard, site.store.get(shard)[:-1])
    assert site.verify(healed.snapshot).code == "backup_damaged"
    again = site.take()
    assert again.mirror.healed == 1
    assert site.verify(again.snapshot).ok
    site.store.delete(f"snapshots/{again.snapshot}")
    assert site.take().vanished == again.snapshot


def test_a_plane_that_lost_its_keys_does_not_make_the_backup_lose_them(site: Site, tmp_path: Path) -> None:
    docs = [send(site.plane, f"{number}.txt", content) for number, content in enumerate(OTHERS[:3])]
    site.take()
    for name in list(site.plane.vault.blobs.names("keys/")):
        site.plane.vault.blobs.delete(name)
    lost = site.take()
    assert lost.mirror.spared == 3
    assert site.restore(tmp_path / "elsewhere").documents == 3
    with ExitStack() as undo:
        plane = running(site, tmp_path / "elsewhere", undo)
        name, _, _, blocks = plane.documents.source(docs[0], actor="tester")
        assert (name, b"".join(blocks)) == ("0.txt", OTHERS[0])


def test_keys_that_are_lost_everywhere_are_given_up_only_by_word(site: Site, tmp_path: Path) -> None:
    docs = [send(site.plane, f"{number}.txt", content) for number, content in enumerate(OTHERS[:3])]
    settle(site.plane)
    site.plane.vault.blobs.delete(document(site.plane, docs[0]).key_object)
    site.take()
    assert site.verify().code == "backup_keys_lost"
    with pytest.raises(Invalid) as caught:
        site.restore(tmp_path / "elsewhere")
    assert caught.value.code == "backup_keys_lost"
    assert site.restore(tmp_path / "elsewhere", accept_loss=True).documents == 2
    with ExitStack() as undo:
        plane = running(site, tmp_path / "elsewhere", undo)
        with plane.store.unit_of_work() as uow:
            (erasure,) = uow.erasures.of_document(docs[0])
        assert (document(plane, docs[0]).state, erasure.reason) == (State.ERASED, "backup_lost")


def test_another_tenants_backup_and_other_identities_are_refused(site: Site, tmp_path: Path) -> None:
    site.take()
    stranger = load({"FROSTBYTE_DATA_DIR": str(tmp_path / "x"), "FROSTBYTE_TENANT_ID": "globex"})
    with pytest.raises(Conflict) as caught:
        vaulting.source(stranger, site.backups, "", identity(site.identity))
    assert caught.value.code == "backup_foreign"
    other = tmp_path / "other.txt"
    other.write_text(f"{pyrage.x25519.Identity.generate()}\n", encoding="ascii")
    with pytest.raises(Invalid) as wrong:
        vaulting.source(site.settings, site.backups, "", identity(other))
    assert wrong.value.code == "export_identity"


def test_a_rotated_wrapping_key_and_new_recipients_reach_the_backup(site: Site, tmp_path: Path) -> None:
    from frostbyte.adapters.secrets.files import FileSecrets

    doc = send(site.plane, "freezer.txt", FREEZER)
    site.take()
    secrets = FileSecrets(site.settings.keys_folder)
    secrets.add_wrapping_key()
    vault = Vault(site.plane.vault.blobs, secrets.tenant_keys())
    key = document(site.plane, doc).key_object
    before = site.mirrored()[key]
    assert vault.rewrap(key)
    secret = pyrage.x25519.Identity.generate()
    site.backups = backup_target.load(site.environment | {"FROSTBYTE_BACKUP_RECIPIENTS": str(secret.to_public())})
    site.take()
    assert site.mirrored()[key] != before
    with pytest.raises(Invalid):
        site.restore(tmp_path / "elsewhere")
    site.identity.write_text(f"{secret}\n", encoding="ascii")
    assert site.restore(tmp_path / "elsewhere").documents == 1


def test_a_full_target_fails_the_run_and_says_so_in_the_audit(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    send(site.plane, "freezer.txt", FREEZER)
    first = site.take()
    send(site.plane, "other.txt", OTHERS[0])

    def full(self: LocalBlobs, name: str, data: bytes) -> None:
        raise Unavailable("disk_full", "Full.", "Free space.")

    with monkeypatch.context() as patch:
        patch.setattr(LocalBlobs, "put", full)
        settings = site.settings
        with vaulting.vaulting(settings, site.backups) as found, pytest.raises(Unavailable) as caught:
            found.backup.take(found.repository, actor="operator")
    assert caught.value.code == "backup_target_full"
    settle(site.plane)
    with site.plane.store.unit_of_work() as uow:
        events = [item.event for item in uow.audit.events(limit=1000) if item.event.type == "BACKUP_TAKEN"]
        latest = uow.backups.latest()
    assert [event.details["status"] for event in events] == ["begun", "whole", "begun", "failed"]
    assert events[-1].details["code"] == "backup_target_full"
    assert latest is not None
    assert latest.snapshot == first.snapshot


def test_by_command(site: Site, tmp_path: Path) -> None:
    for number, content in enumerate(OTHERS[:3]):
        send(site.plane, f"{number}.txt", content)
    settle(site.plane)

    def run(*words: str, folder: Path = site.settings.data_dir) -> Any:
        given = {"FROSTBYTE_DATA_DIR": str(folder), "FROSTBYTE_EMBEDDING_ENDPOINT": "none"}
        _console.cache_clear()  # one a process, and here each command has a screen of its own
        done = CliRunner().invoke(app, ["plane", "backup", *words], env=site.environment | given)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout) if "--json" in words else done.stdout

    said = run("take", "--json")
    assert said["verified"]["ok"] is True
    assert said["taken"]["documents"] == 3
    assert said["pruned"]["kept"] == [said["taken"]["snapshot"]]
    assert run("mirror", "--json")["removed"] == 0
    (row,) = run("list", "--identity", str(site.identity), "--json", folder=tmp_path / "nothing")
    assert (row["documents"], row["verified"]["ok"]) == (3, True)
    assert said["taken"]["snapshot"] in run("list")
    assert run("verify", "--whole", "--json")["facts"]["opened"] == 3
    assert "1 stay" in run("prune")
    restored = run("restore", "--identity", str(site.identity), "--json", folder=tmp_path / "elsewhere")
    assert (restored["documents"], restored["erased"], restored["given_up"]) == (3, 0, 0)
    run("restore", "--identity", str(site.identity), folder=tmp_path / "elsewhere")  # again: it is done already
