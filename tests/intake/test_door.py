"""What a receipt promises, what a second upload changes (nothing), and what a refused file leaves (a receipt)."""

import hashlib
import threading
import time
from typing import Any

import pytest
from msgspec.structs import replace

from frostbyte.data_plane.intake import Entry, Manifest
from frostbyte.kernel.batches import complete_batches_of
from frostbyte.kernel.errors import Conflict, FrostbyteError, Invalid, Kind, Unavailable
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.records import Outcome, Stage, State
from intake.door_bench import CSV, DOCX, EXE, PDF, PNG, TIFF, TXT, XLSX, Bench

pytestmark = pytest.mark.parametrize("bench", ["memory", "postgres"], indirect=True)

SEVEN = {"PDF": PDF, "DOCX": DOCX, "XLSX": XLSX, "TXT": TXT, "CSV": CSV, "PNG": PNG, "TIFF": TIFF}


@pytest.mark.parametrize("name", SEVEN)
def test_an_accepted_file_is_sealed_and_has_receipt_event_and_job(bench: Bench, name: str) -> None:
    data = SEVEN[name]
    outcome = bench.one(data, "invoice.bin")
    assert (outcome.outcome, outcome.filename, outcome.size, outcome.code) == (
        Outcome.ACCEPTED, "invoice.bin", len(data), ""
    )  # fmt: skip
    (row,) = bench.documents()
    assert (row.doc_id, row.state, row.stage, row.incarnation) == (outcome.doc_id, State.RECEIVED, Stage.SCAN, 0)
    key = bench.vault.load_key(row.key_object)
    assert bench.vault.get(row.raw_object, key) == data
    assert key.open_name(row.sealed_name) == "invoice.bin"
    with bench.store.unit_of_work() as uow:
        receipt, job = uow.batches.receipt(outcome.receipt_id), uow.jobs.get(row.doc_id)
    assert receipt is not None
    assert (receipt.doc_id, receipt.position) == (row.doc_id, 0)
    assert job is not None
    assert (job.stage, job.incarnation) == (Stage.SCAN, 0)
    received, ingested = bench.events()
    assert (received.type, ingested.type) == ("BATCH_RECEIVED", "DOCUMENT_INGESTED")
    assert ingested.details["output_hash"] == key.commitment("raw", hashlib.sha256(data).digest())
    assert (row.last_event_id, row.last_output) == (ingested.event_id, ingested.details["output_hash"])


def test_neither_names_nor_hashes_nor_text_are_in_rows_or_events(bench: Bench) -> None:
    bench.send(("secret-name.txt", TXT), ("secret-name.exe", EXE))
    with bench.store.unit_of_work() as uow:
        rows: list[Any] = [*uow.documents.page(), *uow.audit.unsequenced(100)]
        for outcome in bench.send(("secret-name.exe", EXE)).files:
            rows.append(uow.batches.receipt(outcome.receipt_id))
    text = repr(rows)
    assert "secret-name" not in text
    assert hashlib.sha256(TXT).hexdigest() not in text
    stored = b"".join(bench.blobs.get(name) for name in bench.blobs.names(""))
    assert b"secret-name" not in stored
    assert TXT[:9] not in stored


def test_the_same_bytes_again_are_a_duplicate_whatever_they_are_called(bench: Bench) -> None:
    first, second = bench.one(TXT, "a.txt"), bench.one(TXT, "b.txt")
    assert (second.outcome, second.doc_id, second.state) == (Outcome.DUPLICATE, first.doc_id, State.RECEIVED)
    assert second.receipt_id != first.receipt_id
    assert len(bench.documents()) == 1
    assert len(list(bench.blobs.names("raw/"))) == 1
    assert bench.event_types().count("DOCUMENT_INGESTED") == 1


def test_a_file_twice_in_one_upload_is_one_document(bench: Bench) -> None:
    result = bench.send(("a", TXT), ("b", TXT))
    assert [file.outcome for file in result.files] == [Outcome.ACCEPTED, Outcome.DUPLICATE]
    assert len(bench.documents()) == 1


def test_a_sender_does_not_learn_that_another_sent_the_same(bench: Bench) -> None:
    bench.one(TXT, "a.txt", subject="first")
    bench.change(lambda row: replace(row, state=State.INDEXED, stage=None))
    other = bench.one(TXT, "b.txt", subject="second")
    assert (other.outcome, other.state) == (Outcome.ACCEPTED, None)
    assert bench.one(TXT, subject="second").outcome is Outcome.DUPLICATE
    with bench.store.unit_of_work() as uow:
        stored = uow.batches.receipt(other.receipt_id)
    assert stored is not None
    assert stored.outcome is Outcome.ACCEPTED
    assert len(bench.documents()) == 1


def test_a_failed_document_stays_failed_and_says_so(bench: Bench) -> None:
    bench.one(TXT)
    bench.change(lambda row: replace(row, state=State.FAILED, stage=None, code="parse_failed"))
    again = bench.one(TXT)
    assert (again.outcome, again.state) == (Outcome.DUPLICATE, State.FAILED)
    assert bench.documents()[0].state is State.FAILED


@pytest.mark.parametrize("raised", [0, 1])
def test_an_erased_document_comes_back_as_a_new_incarnation(bench: Bench, raised: int) -> None:
    bench.one(TXT)
    (old,) = bench.documents()
    bench.change(lambda row: replace(row, state=State.ERASED, incarnation=raised))
    bench.vault.destroy_key(old.key_object)
    again = bench.one(TXT, "back.txt", subject="other")
    (new,) = bench.documents()
    assert (again.outcome, new.incarnation, new.state) == (Outcome.ACCEPTED, 1, State.RECEIVED)
    assert new.key_object != old.key_object
    assert bench.vault.get(new.raw_object, bench.vault.load_key(new.key_object)) == TXT
    last = bench.events()[-1]
    assert (last.previous_event_id, last.details["input_hash"]) == (old.last_event_id, old.last_output)
    assert last.details["output_hash"] != old.last_output


def test_a_rejected_file_leaves_a_receipt_an_event_and_no_bytes(bench: Bench) -> None:
    outcome = bench.one(EXE, "tool.pdf")
    assert (outcome.outcome, outcome.code, outcome.doc_id) == (Outcome.REJECTED, "unsupported_type", None)
    assert "CSV, DOCX, PDF, PNG, TIFF, TXT, XLSX" in outcome.remedy
    assert outcome.filename == "tool.pdf"
    assert list(bench.blobs.names("raw/")) == []
    assert bench.documents() == []
    assert bench.event_types() == ["BATCH_RECEIVED", "DOCUMENT_REJECTED", "BATCH_COMPLETED"]
    assert bench.events()[1].details["code"] == "unsupported_type"


def test_one_bad_file_does_not_stop_the_others(bench: Bench) -> None:
    result = bench.send(("a", TXT), ("b", EXE), ("c", b""), ("d", PDF))
    assert [file.code for file in result.files] == ["", "unsupported_type", "empty_file", ""]
    assert [file.filename for file in result.accepted] == ["a", "d"]


def test_limits_are_said_file_by_file(bench: Bench) -> None:
    bench.configure(max_file_size_mb=1, max_batch_size=2)
    result = bench.send(("large", TXT * 40_000), ("small", TXT), ("third", PDF), cut=100_000)
    assert [file.code for file in result.files] == ["file_too_large", "", "batch_too_large"]
    assert list(bench.blobs.names("raw/")) == [bench.documents()[0].raw_object]


def test_a_type_that_the_tenant_leaves_out_is_rejected(bench: Bench) -> None:
    bench.configure(mime_allowlist=("application/pdf",))
    outcome = bench.one(TXT)
    assert outcome.code == "type_not_allowed"
    assert "PDF" in outcome.remedy
    assert bench.one(PDF).code == ""


def test_the_quota_stops_new_content_but_not_what_is_here(bench: Bench) -> None:
    bench.one(TXT)
    bench.configure(storage_quota_gb=1)
    bench.change(lambda row: replace(row, size=1024**3))
    assert bench.one(PDF).code == "quota_reached"
    assert bench.one(TXT).outcome is Outcome.DUPLICATE


def test_a_full_disk_rejects_the_file_and_keeps_every_promise(bench: Bench) -> None:
    for full in (("raw/",), ("keys/",), ("raw/", "keys/")):
        bench.blobs.full = full
        outcome = bench.one(TXT, "a.txt")
        assert (outcome.outcome, outcome.code, outcome.kind) == (Outcome.REJECTED, "disk_full", Kind.UNAVAILABLE)
        bench.blobs.full = ()
        assert bench.documents() == []
        assert list(bench.blobs.names("raw/")) == []
    assert bench.one(TXT).outcome is Outcome.ACCEPTED


def test_an_upload_that_is_cut_leaves_nothing(bench: Bench) -> None:
    session = bench.intake.open_batch("vendor")
    sink = session.file("a.txt")
    sink.write(TXT * 100_000)
    sink.abort()
    session.abandon()
    assert list(bench.blobs.names("")) == []
    assert bench.documents() == []
    with pytest.raises(Conflict):
        sink.write(b"more")
    with pytest.raises(Conflict):
        sink.finish()


def test_if_the_database_fails_nothing_is_promised_and_the_sweep_cleans_up(bench: Bench) -> None:
    sink = bench.intake.open_batch("vendor").file("a.txt")
    sink.write(TXT)
    real = bench.intake.unit_of_work

    def broken() -> Any:
        raise Unavailable("database_unavailable", "no database", "")

    bench.intake.unit_of_work = broken
    with pytest.raises(Unavailable):
        sink.finish()
    bench.intake.unit_of_work = real
    assert bench.documents() == []
    assert bench.one(TXT).outcome is Outcome.ACCEPTED


# -- batches ------------------------------------------------------------------------------------------------------


def test_an_upload_repeated_with_its_key_is_answered_and_not_read(bench: Bench) -> None:
    first = bench.send(("a.txt", TXT), ("b.exe", EXE), key="k1")
    events = len(bench.events())
    session = bench.intake.open_batch("vendor", idempotency_key="k1")
    assert session.replayed
    with pytest.raises(Conflict):
        session.file("a.txt")
    assert session.close() == type(first)(batch_id=first.batch_id, files=first.files, replayed=True)
    assert len(bench.events()) == events


def test_a_key_belongs_to_its_subject(bench: Bench) -> None:
    first = bench.send(("a.txt", TXT), key="k1")
    assert bench.send(("a.txt", TXT), key="k1", subject="other").batch_id != first.batch_id


def test_a_key_with_another_manifest_is_refused(bench: Bench) -> None:
    one, two = (Manifest(files=(Entry(file_id=i, filename="a.txt"),)) for i in "12")
    bench.send(("a.txt", TXT), key="k1", manifest=one)
    for other in (two, None):
        with pytest.raises(Conflict) as caught:
            bench.send(("a.txt", TXT), key="k1", manifest=other)
        assert caught.value.code == "idempotency_key_reused"
    assert bench.send(("a.txt", TXT), key="k1", manifest=one).replayed
    with pytest.raises(Invalid):
        bench.intake.open_batch("vendor", idempotency_key="k" * 256)


def test_an_upload_that_broke_off_is_continued_with_the_same_receipts(bench: Bench) -> None:
    session = bench.intake.open_batch("vendor", idempotency_key="k1")
    kept = []
    for name, data in (("a", TXT), ("b", EXE)):
        sink = session.file(name)
        sink.write(data)
        kept.append(sink.finish())
    session.abandon()
    result = bench.send(("a", TXT), ("b", EXE), ("c", PDF), key="k1")
    assert not result.replayed
    assert result.batch_id == session.batch_id
    assert list(result.files[:2]) == kept
    assert [file.filename for file in result.files] == ["a", "b", "c"]
    assert bench.event_types().count("BATCH_RECEIVED") == 1
    assert bench.event_types().count("DOCUMENT_INGESTED") == 2
    assert bench.event_types().count("DOCUMENT_REJECTED") == 1


def test_continued_with_other_files_nothing_is_lost(bench: Bench) -> None:
    session = bench.intake.open_batch("vendor", idempotency_key="k1")
    sink = session.file("a")
    sink.write(TXT)
    sink.finish()
    result = bench.send(("p", PDF), ("a", TXT), key="k1")
    assert {(file.filename, file.outcome) for file in result.files} == {
        ("a", Outcome.ACCEPTED), ("p", Outcome.ACCEPTED), ("a", Outcome.DUPLICATE)
    }  # fmt: skip
    assert len(bench.documents()) == 2


@pytest.mark.parametrize("key", ["", "k1"])
def test_the_same_upload_twice_at_once_gives_each_document_once(bench: Bench, key: str) -> None:
    files = [(f"{n}.txt", TXT + b"%d\n" % n) for n in range(12)]
    results: list[Any] = []
    gate = threading.Barrier(4)

    def run() -> None:
        gate.wait()
        results.append(bench.send(*files, key=key))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    documents = bench.documents()
    assert len(documents) == 12
    for result in results:
        assert {file.doc_id for file in result.accepted} == {row.doc_id for row in documents}
    if key:
        assert len({result.batch_id for result in results}) == 1
        assert all(len(result.files) == 12 for result in results)
    for row in documents:
        vault = bench.vault
        assert hashlib.sha256(vault.get(row.raw_object, vault.load_key(row.key_object))).digest()
    assert len(list(bench.blobs.names("raw/"))) == 12
    assert bench.event_types().count("DOCUMENT_INGESTED") == 12


def test_a_batch_completes_with_its_last_document_and_not_before_it_is_closed(bench: Bench) -> None:
    session = bench.intake.open_batch("vendor")
    sink = session.file("a")
    sink.write(TXT)
    doc_id = sink.finish().doc_id
    assert doc_id is not None

    def end() -> int:
        bench.change(lambda row: replace(row, state=State.INDEXED, stage=None))
        with bench.store.unit_of_work() as uow:
            done = complete_batches_of(uow, bench.clock, "acme", doc_id)
            uow.commit()
        return done

    assert end() == 0  # more files may come
    session.close()
    assert bench.event_types().count("BATCH_COMPLETED") == 1
    assert end() == 0
    assert bench.events()[-1].details["indexed"] == 1


def test_a_batch_with_work_left_is_completed_by_the_last_document(bench: Bench) -> None:
    result = bench.send(("a", TXT), ("b", EXE))
    assert "BATCH_COMPLETED" not in bench.event_types()
    bench.change(lambda row: replace(row, state=State.FAILED, stage=None))
    doc_id = result.files[0].doc_id
    assert doc_id is not None
    with bench.store.unit_of_work() as uow:
        assert complete_batches_of(uow, bench.clock, "acme", doc_id) == 1
        assert complete_batches_of(uow, bench.clock, "acme", doc_id) == 0
        uow.commit()
    details = bench.events()[-1].details
    assert (details["files"], details["rejected"], details["failed"]) == (2, 1, 1)


def test_two_documents_that_end_at_once_complete_their_batch_once(bench: Bench) -> None:
    result = bench.send(("a", TXT), ("b", PDF))
    gate = threading.Barrier(2)

    def end(doc_id: Any) -> None:
        with bench.store.unit_of_work() as uow:
            uow.lock_content(doc_id)
            row = uow.documents.get(doc_id, lock=True)
            assert row is not None
            uow.documents.put(replace(row, state=State.INDEXED, stage=None))
            gate.wait()  # each has ended its own and sees the other's still under way
            complete_batches_of(uow, bench.clock, "acme", doc_id)
            time.sleep(0.2)  # time enough for the other to look before this one is committed
            uow.commit()

    threads = [threading.Thread(target=end, args=(file.doc_id,)) for file in result.files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bench.event_types().count("BATCH_COMPLETED") == 1
    assert bench.events()[-1].details["indexed"] == 2


def test_a_batch_of_duplicates_is_complete_at_once(bench: Bench) -> None:
    bench.send(("a", TXT))
    bench.change(lambda row: replace(row, state=State.INDEXED, stage=None))
    bench.send(("a", TXT))
    assert bench.event_types()[-1] == "BATCH_COMPLETED"


def test_names_of_erased_documents_are_gone_from_stored_answers(bench: Bench) -> None:
    bench.send(("a.txt", TXT), key="k1")
    bench.vault.destroy_key(bench.documents()[0].key_object)
    assert bench.send(key="k1").files[0].filename == "(erased)"


def test_an_error_of_the_vault_is_never_swallowed_as_a_rejection(bench: Bench) -> None:
    bench.one(TXT)
    bench.blobs.put(bench.documents()[0].key_object, b"damaged")
    with pytest.raises(FrostbyteError) as caught:
        bench.one(TXT)
    assert caught.value.code == "object_damaged"


def part(bench: Bench, first: int, *files: tuple[str, bytes], more: bool = True, key: str = "k1") -> Any:
    """A part of an upload."""
    session = bench.intake.open_batch("vendor", idempotency_key=key, first=first)
    if not session.replayed:
        for name, data in files:
            with session.file(name) as sink:
                sink.write(data)
                sink.finish()
    return session.pause() if more else session.close()


def test_an_upload_comes_in_parts_and_is_complete_after_the_last(bench: Bench) -> None:
    one = part(bench, 0, ("a", TXT), ("b", EXE))
    two = part(bench, 2, ("c", PDF))
    assert one.batch_id == two.batch_id
    assert [file.filename for file in two.files] == ["c"]  # a part is answered by what it brought
    bench.change(lambda row: replace(row, state=State.INDEXED))
    with bench.store.unit_of_work() as uow:
        assert uow.batches.get(one.batch_id).completed_at is None  # type: ignore[union-attr]
    part(bench, 3, ("d", CSV), more=False)
    with bench.store.unit_of_work() as uow:
        assert uow.batches.get(one.batch_id).closed_at is not None  # type: ignore[union-attr]
    assert [file.filename for file in bench.intake.result(one.batch_id).files] == ["a", "b", "c", "d"]
    assert part(bench, 3, more=False).replayed
    assert bench.event_types().count("BATCH_RECEIVED") == 1


def test_a_part_whose_answer_was_lost_is_sent_again_and_is_one(bench: Bench) -> None:
    part(bench, 0, ("a", TXT))
    lost = part(bench, 1, ("b", EXE), ("c", PDF))
    again = part(bench, 1, ("b", EXE), ("c", PDF))
    assert again.files == lost.files
    assert len(bench.intake.result(lost.batch_id).files) == 3
    assert len(bench.documents()) == 2


def test_an_upload_that_its_sender_closed_takes_no_further_part(bench: Bench) -> None:
    one = part(bench, 0, ("a", TXT))
    late = bench.intake.open_batch("vendor", idempotency_key="k1", first=1)
    sink = late.file("b")
    sink.write(PDF)
    bench.intake.finish(one.batch_id)
    bench.intake.finish(one.batch_id)
    with pytest.raises(Conflict) as caught:
        sink.finish()
    assert caught.value.code == "batch_closed"
    assert [file.filename for file in bench.intake.result(one.batch_id).files] == ["a"]
    assert len(bench.documents()) == 1
    with pytest.raises(Conflict) as caught:
        bench.intake.finish(new_id())
    assert caught.value.code == "batch_missing"


def test_parts_are_told_by_their_key_and_have_no_manifest(bench: Bench) -> None:
    listed = Manifest(files=(Entry(file_id="1", filename="a"),))
    for key, manifest in (("", None), ("k1", listed)):
        with pytest.raises(Invalid) as caught:
            bench.intake.open_batch("vendor", idempotency_key=key, manifest=manifest, first=0)
        assert caught.value.code == "upload_parts"


def test_no_upload_gets_more_files_by_coming_in_parts(bench: Bench) -> None:
    bench.configure(max_batch_size=2)
    part(bench, 0, ("a", TXT), ("b", PDF))
    (file,) = part(bench, 2, ("c", CSV)).files
    assert file.code == "batch_too_large"
