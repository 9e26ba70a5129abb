"""A witness in this process: for tests, and for planes that share a host with their ledger."""

from __future__ import annotations

from frostbyte.kernel.audit import merkle
from frostbyte.kernel.audit.checkpoint import Checkpoint, Cosigner, PublicKey, open_checkpoint
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import Conflict, FrostbyteError


class MemoryWitness:
    """See kernel.ports.witness.Witness. It remembers one log until the process ends.

    Args:
        cosigner: the witness's key.
        log: the key of the log that it watches.
        clock: for the time of cosignatures.
    """

    def __init__(self, cosigner: Cosigner, log: PublicKey, clock: Clock) -> None:
        self._cosigner = cosigner
        self._log = log
        self._clock = clock
        self._seen: Checkpoint | None = None
        self.name = cosigner.public_key.name

    def cosign(self, note: str, old_size: int, proof: list[bytes]) -> str:
        """See the port; `witness_refused` also where the note is not signed by the log or `old_size` is not ours."""
        try:
            shown = open_checkpoint(note, self._log)
        except FrostbyteError as error:
            raise refused() from error
        seen = self._seen or Checkpoint(origin=shown.origin, size=0, root=merkle.EMPTY_ROOT)
        if old_size != seen.size or not merkle.verify_consistency(seen.size, shown.size, seen.root, shown.root, proof):
            raise refused()
        self._seen = shown
        return self._cosigner.cosign(note, int(self._clock.now().timestamp()))

    def last_size(self) -> int:
        """See the port."""
        return self._seen.size if self._seen else 0


def refused() -> Conflict:
    """What a witness answers to a checkpoint that does not continue what it saw."""
    return Conflict(
        "witness_refused",
        "A witness refused the checkpoint: it is not a continuation of what it saw before.",
        "Stop and find out whether the audit log was set back or copied: `frostbyte audit verify --since`.",
    )
