"""One file on its way in: hashed, looked at and sealed while it flows, in constant memory."""

from __future__ import annotations

import hashlib
from types import TracebackType
from typing import Final, Protocol

from frostbyte.data_plane.intake import sniff
from frostbyte.data_plane.intake.manifest import Entry, media_type, mismatch, settle_type
from frostbyte.data_plane.intake.outcomes import (
    MIB,
    QUOTA_REACHED,
    FileOutcome,
    not_allowed,
    outage,
    too_large,
)
from frostbyte.data_plane.intake.sniff import Refusal, Sniffer
from frostbyte.kernel.errors import Conflict, Unavailable
from frostbyte.kernel.tenancy import TenantConfig
from frostbyte.kernel.vault import DocumentKey, SealedWriter, Vault

BUFFER: Final = MIB
"""Bytes that are gathered before they are hashed, sealed and written."""


class Registrar(Protocol):
    """Writes the outcome down; the batch's session."""

    def accept(self, sink: FileSink) -> FileOutcome:
        """The whole file lies durable under `sink.raw_object`: receipt, event and job, or a duplicate."""
        ...

    def reject(self, sink: FileSink, refusal: Refusal) -> FileOutcome:
        """Nothing of the file is kept but a receipt."""
        ...

    def known(self, sink: FileSink) -> FileOutcome | None:
        """The outcome if a document with these bytes is here already, else None."""
        ...


class FileSink:
    """Takes one file's bytes. A file that cannot be accepted is drained, not refused in the middle.

    Attributes:
        filename: the cleaned name.
        entry: what the manifest says of it, if there is one.
        position: its place in the batch, 0-based.
        raw_object: where its sealed bytes go.
        key: its data key.
        size: bytes so far.
        mime: its type, after `finish`.
    """

    def __init__(
        self,
        registrar: Registrar,
        vault: Vault,
        config: TenantConfig,
        *,
        filename: str,
        entry: Entry | None,
        position: int,
        raw_object: str,
        room: int,
        refusal: Refusal | None,
    ) -> None:
        self.filename = filename
        self.entry = entry
        self.position = position
        self.raw_object = raw_object
        self.key: DocumentKey = vault.new_key()
        self.size = 0
        self.mime = ""
        self._registrar = registrar
        self._vault = vault
        self._config = config
        self._room = room
        self._limit = config.max_file_size_mb * MIB
        self._hash = hashlib.sha256()
        self._sniffer = Sniffer()
        self._waiting: list[bytes] = []
        self._waiting_size = 0
        self._writer: SealedWriter | None = None
        self._stored = False
        self._refusal: Refusal | None = None
        self._done = False
        if refusal is not None:
            self._refuse(refusal)

    @property
    def digest(self) -> bytes:
        """Raw sha256 of the bytes; only after `finish` began."""
        return self._hash.digest()

    @property
    def refused(self) -> bool:
        """Whether it is known already that the file will be rejected; the sender may be told to stop."""
        return self._refusal is not None

    def write(self, data: bytes) -> None:
        """Take the next bytes. Bad content never raises: `finish` says what became of the file.

        Raises:
            Conflict: `upload_finished`.
        """
        self._check_open()
        self.size += len(data)
        if self.size > self._limit and self._refusal in (None, QUOTA_REACHED):
            self._refuse(too_large(self._config.max_file_size_mb))
        if self._refusal is not None:
            if self._refusal is QUOTA_REACHED:
                self._hash.update(data)
            return
        self._waiting.append(data)
        self._waiting_size += len(data)
        if self._waiting_size >= BUFFER:
            self._flush()

    def finish(self) -> FileOutcome:
        """All bytes were given: store the file durably and write its receipt, or reject it.

        Raises:
            Unavailable: `database_unavailable`: no receipt was promised; the file may be sent again.
        """
        self._check_open()
        self._done = True
        self._flush()
        if self._refusal is QUOTA_REACHED and self._as_announced():
            known = self._registrar.known(self)  # what is here already takes no more room
            if known is not None:
                return known
        if self._refusal is None:
            self._judge()
        if self._refusal is None:
            return self._registrar.accept(self)
        self._drop()
        return self._registrar.reject(self, self._refusal)

    def abort(self) -> None:
        """The upload broke off: nothing remains. Harmless after `finish`."""
        if not self._done:
            self._done = True
            self._drop()

    def __enter__(self) -> FileSink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()

    def _as_announced(self) -> bool:
        """Whether the manifest is right about everything but the type."""
        entry = self.entry
        if entry is None:
            return True
        said = media_type(entry.mime_type)
        return mismatch(entry, mime=said, size=self.size, sha256=self._hash.hexdigest()) is None

    def _flush(self) -> None:
        data = self._waiting[0] if len(self._waiting) == 1 else b"".join(self._waiting)
        self._waiting.clear()
        self._waiting_size = 0
        if self._refusal is not None or not data:
            return
        self._hash.update(data)
        self._sniffer.feed(data)
        if self._sniffer.refusal is not None:
            self._refuse(self._sniffer.refusal)
        elif self.size > self._room:
            self._refuse(QUOTA_REACHED)
        else:
            self._store(data)

    def _store(self, data: bytes) -> None:
        try:
            if self._writer is None:
                self._writer = self._vault.writer(self.raw_object, self.key)
            self._writer.write(data)
        except Unavailable as error:
            self._refuse(outage(error))

    def _judge(self) -> None:
        """Find the type, compare with the manifest, make the object durable."""
        self._sniffer.finish()
        if self._sniffer.refusal is not None:
            self._refuse(self._sniffer.refusal)
            return
        mime = self._sniffer.mime
        if not mime:
            if not self._commit():
                return
            with self._vault.reader(self.raw_object, self.key) as file:
                found = sniff.look_closer(file, self.size)
            if isinstance(found, Refusal):
                self._refuse(found)
                return
            mime = found
        self.mime = settle_type(self.entry, mime)
        refusal = None
        if self.entry is not None:
            refusal = mismatch(self.entry, mime=self.mime, size=self.size, sha256=self._hash.hexdigest())
        if self.mime not in self._config.mime_allowlist:
            refusal = not_allowed(self._config.mime_allowlist)
        if refusal is not None:
            self._refuse(refusal)
        else:
            self._commit()

    def _commit(self) -> bool:
        """Make the sealed bytes durable; False if the store could not."""
        if self._stored:
            return True
        try:
            if self._writer is not None:
                self._writer.commit()
        except Unavailable as error:
            self._refuse(outage(error))
            return False
        self._stored = True
        return True

    def _refuse(self, refusal: Refusal) -> None:
        self._refusal = refusal
        self._waiting.clear()
        self._waiting_size = 0
        self._drop()

    def _drop(self) -> None:
        if self._stored:
            self._vault.delete(self.raw_object)
        elif self._writer is not None:
            self._writer.abort()
        self._writer = None
        self._stored = False

    def _check_open(self) -> None:
        if self._done:
            raise Conflict("upload_finished", "This file was already finished or dropped.", "Send it as a new file.")
