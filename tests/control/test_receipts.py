"""The receipt of a tenant's destruction: noted while it happens, signed once, kept, and checked without us."""

import json
import threading
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from control.registry_rows import NOW, Registry, operation, prepared
from control.test_journal_contract import OWNER, audited, begun, entry_row, run_row, write
from frostbyte.adapters.memory.clock import ManualClock
from frostbyte.adapters.vault.memory import MemoryVault
from frostbyte.bootstrap.authorities import Authorities, HostCertificates
from frostbyte.control_plane.provisioning.doing.hosts import Storage
from frostbyte.control_plane.provisioning.doing.told import Told
from frostbyte.control_plane.provisioning.hosting import Project
from frostbyte.control_plane.provisioning.journal import Direction, EntryRow, EntryState, RunRow, RunState
from frostbyte.control_plane.provisioning.receipt import LogEnd, Part, ReceiptKind, ReceiptState, check, read
from frostbyte.control_plane.provisioning.receipts import Destroying, Erasing, Receipts
from frostbyte.control_plane.provisioning.resources import HostRole
from frostbyte.control_plane.provisioning.steps import Action, Outcome, Step
from frostbyte.control_plane.registry.records import OperationKind, OperationRow
from frostbyte.kernel.audit.checkpoint import Signer, public_key
from frostbyte.kernel.audit.events import EventType
from frostbyte.kernel.errors import Conflict, FrostbyteError, Invalid, NotFound, Unavailable

SIGNER = Signer(bytes(range(32)), "frostbyte/control/production")
KEY = public_key(SIGNER.verifier_key)
LOG = LogEnd(
    log_key="k", size=7, root="ab" * 32, checkpoint="o\n7\nx\n\n\u2014 o x\n", sources_read=2, last_source_at="2026-02"
)
OFFLINE = "age1lq9mz58yuqv5ct2zgm8w0lpdlyr3jhxj2l8l9zn3zpw6ckuzcvxs8f7vhd"


class Office:
    """A control plane in which `acme` is taken down by an operation."""

    def __init__(self, store: Any, folder: Path) -> None:
        self.store, self.clock = store, ManualClock()
        self.vault = MemoryVault(OFFLINE)
        self.certificates = HostCertificates(Authorities(folder / "authorities"))
        self.destroying = Destroying(store.unit_of_work, self.vault, self.certificates, self.clock)
        self.receipts = Receipts(store.unit_of_work, SIGNER, lambda tenant: [LOG], self.clock)
        self.run: RunRow = begun(store)
        self.operation: OperationRow = operation(kind=OperationKind.DEPROVISION)
        write(store, lambda uow: uow.operations.add(self.operation))

    def entry(self, key: str, kind: str, resource_id: str, *, gone: bool) -> EntryRow:
        """A step that made something, which is gone again or kept."""
        row = entry_row(self.run, key, kind=kind, name=f"fb-acme-{key}")
        states: list[dict[str, Any]] = [{}, {"state": EntryState.DONE, "resource_id": resource_id}]
        if gone:
            states += [{"state": state, "resource_id": resource_id} for state in (EntryState.UNDOING, EntryState.GONE)]
        for values in states:
            row = entry_row(self.run, key, kind=kind, name=f"fb-acme-{key}", **values)
            write(self.store, lambda uow: audited(uow, row))  # noqa: B023  # called at once
        return row

    def destroyed(self) -> None:
        """Everything of the tenant is taken away."""
        self.vault.seal(OWNER, {"postgres": "canary-secret"})
        self.certificates.servers(OWNER, {"gateway": ["10.7.1.10"]})
        self.entry("server.db", "server", "42", gone=True)
        self.destroying.note(
            OWNER, self.operation.operation_id, Part.STORES, ["database: removed database tenant_acme"]
        )
        self.destroying.keys(OWNER, self.operation.operation_id)
        self.destroying.certificates(OWNER, self.operation.operation_id)


@pytest.fixture
def office(registry: Registry, tmp_path: Path) -> Office:
    return Office(registry, tmp_path)


def test_a_receipt_says_what_was_destroyed(office: Office) -> None:
    recipient = office.vault.recipients(OWNER)[0]
    office.destroyed()
    office.entry("volume", "volume", "43", gone=False)
    row = office.receipts.issue(office.operation.operation_id)
    kind, said = read(row.note, KEY)
    assert kind is ReceiptKind.DESTRUCTION
    assert [(one["kind"], one["name"], one["id"]) for one in said["resources"]] == [
        ("server", "fb-acme-server.db", "42")
    ]
    assert [one["id"] for one in said["kept"]] == ["43"]
    assert said["data"] == "kept"
    assert [one["what"] for one in said["stores"]] == ["database: removed database tenant_acme"]
    assert f"identity {recipient}" in [one["what"] for one in said["keys"]]
    assert {"ca.key", "gateway/private.key"} <= {one["what"] for one in said["certificates"]}
    assert said["logs"] == [{"log_key": "k", "size": 7, "root": "ab" * 32, "checkpoint": LOG.checkpoint}]
    assert said["handed_out"] == {"sources": 2, "last_at": "2026-02"}
    assert "canary-secret" not in row.note


def test_once_for_an_operation_and_audited(office: Office) -> None:
    office.destroyed()
    rows = []
    threads = [
        threading.Thread(target=lambda: rows.append(office.receipts.issue(office.operation.operation_id)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len({row.receipt_id for row in rows}) == 1
    assert len(rows) == 3
    with office.store.unit_of_work() as uow:
        events = [event for event in uow.audit.unsequenced(1000) if event.type == EventType.TENANT_RECEIPT_ISSUED]
    assert [event.details["output_hash"] for event in events] == [rows[0].sha256]


def test_a_receipt_is_pending_until_the_recovery_identity_is_destroyed(office: Office) -> None:
    office.destroyed()
    office.receipts.issue(office.operation.operation_id)
    shown = office.receipts.show("acme")
    assert shown.checked.state is ReceiptState.PENDING
    assert shown.checked.said["recovery"] == [OFFLINE]
    with pytest.raises(Conflict) as refused:
        office.receipts.confirm("acme", "alice", "age1another")
    assert refused.value.code == "recovery_not_named"
    done = office.receipts.confirm("acme", "alice", OFFLINE)
    assert done.checked.state is ReceiptState.FINAL
    assert office.receipts.confirm("acme", "bob", OFFLINE).document == done.document
    assert done.checked.confirmed is not None
    assert done.checked.confirmed["actor"] == "alice"
    with office.store.unit_of_work() as uow:
        types = [event.type for event in uow.audit.unsequenced(1000)]
    assert types.count(EventType.TENANT_RECOVERY_DESTROYED) == 1


def test_without_a_recovery_identity_it_is_final(office: Office) -> None:
    office.vault = MemoryVault()
    office.destroying = Destroying(office.store.unit_of_work, office.vault, office.certificates, office.clock)
    office.destroyed()
    office.receipts.issue(office.operation.operation_id)
    assert office.receipts.show("acme").checked.state is ReceiptState.FINAL


def test_what_a_killed_run_destroyed_is_in_the_receipt(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.vault.seal(OWNER, {"postgres": "x"})
    real = office.vault.destroy

    def killed(owner: Any) -> Any:
        real(owner)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(office.vault, "destroy", killed)
        with pytest.raises(KeyboardInterrupt):
            office.destroying.keys(OWNER, office.operation.operation_id)
    office.destroying.keys(OWNER, office.operation.operation_id)
    _, said = read(office.receipts.issue(office.operation.operation_id).note, KEY)
    assert said["recovery"] == [OFFLINE]
    assert len(said["keys"]) == 2  # the identity and the file, though nobody came back to tell


def test_it_is_checked_offline_and_every_change_is_found(office: Office) -> None:
    office.destroyed()
    office.receipts.issue(office.operation.operation_id)
    document = json.loads(json.dumps(office.receipts.confirm("acme", "alice", OFFLINE).document))
    checked = check(document["notes"], KEY)
    assert checked.state is ReceiptState.FINAL
    assert dict(checked.said) == document["receipt"]
    first, second = document["notes"]
    stranger = public_key(Signer(bytes(32), "frostbyte/control/production").verifier_key)
    for notes, key, code in (
        ([first.replace('"42"', '"43"'), second], KEY, "note_signature_wrong"),
        ([first, second], stranger, "note_signature_wrong"),
        ([second], KEY, "receipt_malformed"),
        ([first, second, second], KEY, "receipt_malformed"),
        ([SIGNER.sign(3, bytes(32))], KEY, "receipt_malformed"),
        (["nothing"], KEY, "checkpoint_malformed"),
    ):
        with pytest.raises(Invalid) as refused:
            check(notes, key)
        assert refused.value.code == code


def test_a_confirmation_of_another_receipt_does_not_count(office: Office) -> None:
    office.destroyed()
    office.receipts.issue(office.operation.operation_id)
    note = office.receipts.show("acme").rows[0].note
    _, said = read(note, KEY)
    other = SIGNER.note(f'{ReceiptKind.RECOVERY.value}\n{{"receipt_sha256":"{"0" * 64}"}}\n')
    with pytest.raises(Invalid, match="not one receipt"):
        check([note, other], KEY)
    assert said["tenant_id"] == "acme"


def test_nothing_of_it_is_changed_or_removed(office: Office) -> None:
    office.destroyed()
    row = office.receipts.issue(office.operation.operation_id)
    with pytest.raises(FrostbyteError) as refused:
        write(office.store, lambda uow: uow.receipts.add(row))
    assert refused.value.code in ("row_exists", "registry_refused")  # no second one, and none without its event


def test_a_tenant_without_one_says_so(registry: Registry, tmp_path: Path) -> None:
    prepared(registry)
    receipts = Receipts(registry.unit_of_work, SIGNER, lambda tenant: [], ManualClock())  # type: ignore[arg-type]
    with pytest.raises(NotFound) as refused:
        receipts.show("acme")
    assert refused.value.code == "receipt_missing"
    with pytest.raises(NotFound):
        receipts.show("nobody")


# -- the stores of a tenant that goes ------------------------------------------------------------------------------


class Machines:
    """Hosts of which one answers as it is told."""

    def __init__(self, said: str | FrostbyteError) -> None:
        self.said, self.asked = said, list[str]()

    def up(self, host: Any, folder: str, services: Any = (), *, seconds: float) -> None:
        self.asked.append(f"up {' '.join(services)}")

    def task(self, host: Any, folder: str, service: str, words: Any = (), *, seconds: float) -> str:
        self.asked.append(f"task {service}")
        if isinstance(self.said, FrostbyteError):
            raise self.said
        return self.said


class Drawing:
    """A renderer that knows one project."""

    def project(self, role: HostRole) -> Project:
        return Project(folder="/opt/f", services=("pg",), stores=("pg",), tasks=("storage",), erasing="storage-destroy")


class Going:
    """The context of a run that takes acme down."""

    def __init__(self, run_id: UUID) -> None:
        self.owner, self.run_id = OWNER, run_id

    def outcome(self, key: str) -> Outcome:
        return Outcome(facts={"name": "fb-acme-db", "address": "10.7.1.20", "host_key": "ssh-ed25519 AAAA"})

    def stopped(self) -> bool:
        return False


ERASED = json.dumps({"removed": ["objects: removed 3 objects"], "checked_empty": ["objects", "database"]}, indent=2)
STORAGE = Step(key="storage", action=Action.STORAGE, spec={"host": "db", "role": "db", "via": []})


def erased(office: Office, said: str | FrostbyteError, *, destroy: bool = True) -> Machines:
    """What the hosts were asked when the step that made the stores was undone."""
    run_id = office.operation.operation_id
    going = run_row(direction=Direction.DOWN, fence=9, request={"destroy_data": destroy}, run_id=run_id)
    ended = replace(office.run, state=RunState.SUCCEEDED, ended_at=NOW, holder="", leased_until=None)
    write(office.store, lambda uow: uow.journal.put_run(ended))
    write(office.store, lambda uow: uow.journal.begin(going))
    machines, told = Machines(said), Told(office.store.unit_of_work)
    erasing = Erasing(office.destroying)
    Storage(machines, told, Drawing(), erasing).undo(STORAGE, Outcome(), Going(going.run_id))  # type: ignore[arg-type]
    return machines


def noted(office: Office) -> list[str]:
    with office.store.unit_of_work() as uow:
        return [what for row in uow.receipts.noted(office.operation.operation_id) for what in row.what]


def test_stores_are_emptied_before_their_host_goes(office: Office) -> None:
    assert erased(office, ERASED).asked == ["up pg", "task storage-destroy"]
    assert noted(office) == ["objects: removed 3 objects", "objects: seen to be empty", "database: seen to be empty"]


def test_data_that_nobody_said_to_destroy_is_left_alone(office: Office) -> None:
    assert erased(office, ERASED, destroy=False).asked == []


def test_a_host_that_is_gone_already_is_not_waited_for(office: Office) -> None:
    gone = Unavailable("host_unreachable", "It does not answer.", "")
    assert erased(office, gone).asked[-1] == "task storage-destroy"
    assert noted(office) == []


@pytest.mark.parametrize("said", ["", "done", '{"removed": ["x"], "checked_empty": []}', "[]"])
def test_a_store_that_is_not_seen_to_be_empty_keeps_the_receipt_away(office: Office, said: str) -> None:
    with pytest.raises(Conflict) as refused:
        erased(office, said)
    assert refused.value.code == "stores_not_erased"
    assert noted(office) == []


def test_a_store_that_cannot_be_emptied_is_told(office: Office) -> None:
    with pytest.raises(Conflict) as refused:
        erased(office, Conflict("host_command_failed", "tenant_remains", ""))
    assert refused.value.code == "host_command_failed"


def test_the_database_keeps_receipts_as_they_are(postgres: Any, tmp_path: Path) -> None:
    office = Office(postgres, tmp_path)
    office.destroyed()
    office.receipts.issue(office.operation.operation_id)
    with office.store._pool.connection() as connection:
        for statement in ("UPDATE receipts SET note = 'x'", "DELETE FROM receipts", "DELETE FROM destroyed"):
            with pytest.raises(Exception, match=r"permission denied|refused"):
                connection.execute(statement)
            connection.rollback()
