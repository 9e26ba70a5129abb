"""An intake over stores in memory, and files that were made here."""

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

from frostbyte.adapters.memory.blobs import MemoryBlobs
from frostbyte.adapters.memory.clock import ManualClock
from frostbyte.adapters.memory.unit_of_work import MemoryStore
from frostbyte.adapters.postgres import PostgresStore
from frostbyte.data_plane.intake import BatchResult, FileOutcome, Intake, Manifest
from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.ports.blobs import BlobWriter
from frostbyte.kernel.records import DocumentRow, EventRow, Stage
from frostbyte.kernel.tenancy import TenantConfig
from frostbyte.kernel.vault import TenantKeys, Vault

KEYS = TenantKeys(id_key=b"i" * 32, term_key=b"t" * 32, wrapping_keys={1: b"w" * 32})

PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer<<>>\n%%EOF\n"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
TIFF = b"II*\x00" + bytes(40)
TXT = b"A letter.\nIt has two lines, and a comma.\n"
CSV = b"name;amount\nalpha;1,50\nbeta;2,75\n"
EXE = b"MZ\x90\x00\x03" + bytes(range(256)) * 8


def zipped(parts: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return out.getvalue()


def ooxml(main: str, part: str = "/word/document.xml", *, first: dict[str, bytes] | None = None) -> bytes:
    types = f'<?xml version="1.0"?><Types><Override PartName="{part}" ContentType="{main}"/></Types>'
    return zipped((first or {}) | {"[Content_Types].xml": types.encode(), part[1:]: b"<x/>"})


_OFFICE = "application/vnd.openxmlformats-officedocument."
DOCX = ooxml(_OFFICE + "wordprocessingml.document.main+xml")
XLSX = ooxml(_OFFICE + "spreadsheetml.sheet.main+xml", "/xl/workbook.xml")


class FaultyBlobs(MemoryBlobs):
    """Full whenever a name begins with one of `full`."""

    def __init__(self) -> None:
        super().__init__()
        self.full: tuple[str, ...] = ()

    def put(self, name: str, data: bytes) -> None:
        if name.startswith(self.full):
            raise Unavailable("disk_full", "The disk is full.", "Free space.")
        super().put(name, data)

    def writer(self, name: str) -> BlobWriter:  # type: ignore[override]
        if name.startswith(self.full):
            raise Unavailable("disk_full", "The disk is full.", "Free space.")
        return super().writer(name)


@dataclass
class Bench:
    """Everything a test looks at."""

    store: MemoryStore | PostgresStore
    blobs: FaultyBlobs
    vault: Vault
    clock: ManualClock
    intake: Intake

    def configure(self, **values: object) -> None:
        self.intake._defaults = TenantConfig(**values)  # type: ignore[arg-type]

    def send(
        self,
        *files: tuple[str, bytes],
        subject: str = "vendor",
        key: str = "",
        manifest: Manifest | None = None,
        cut: int = 1000,
    ) -> BatchResult:
        session = self.intake.open_batch(subject, idempotency_key=key, manifest=manifest)
        if not session.replayed:
            for name, data in files:
                with session.file(name) as sink:
                    for at in range(0, len(data), cut):
                        sink.write(data[at : at + cut])
                    sink.finish()
        return session.close()

    def one(self, data: bytes, name: str = "file", **options: object) -> FileOutcome:
        (outcome,) = self.send((name, data), **options).files  # type: ignore[arg-type]
        return outcome

    def documents(self) -> list[DocumentRow]:
        with self.store.unit_of_work() as uow:
            return uow.documents.page(limit=1000)

    def events(self) -> list[EventRow]:
        with self.store.unit_of_work() as uow:
            return uow.audit.unsequenced(10_000)

    def event_types(self) -> list[str]:
        return [event.type for event in self.events()]

    def change(self, change: Callable[[DocumentRow], DocumentRow]) -> None:
        """What a stage would commit, for all documents."""
        with self.store.unit_of_work() as uow:
            for row in uow.documents.page(limit=1000):
                uow.documents.put(change(row))
            uow.commit()


def new_bench(store: MemoryStore | PostgresStore) -> Bench:
    """A plane's door, empty."""
    blobs, clock = FaultyBlobs(), ManualClock()
    vault = Vault(blobs, KEYS)
    intake = Intake(tenant_id="acme", unit_of_work=store.unit_of_work, vault=vault, clock=clock, first_stage=Stage.SCAN)
    return Bench(store, blobs, vault, clock, intake)
