"""Someone else who remembers our checkpoints."""

from __future__ import annotations

from typing import Protocol


class Witness(Protocol):
    """Cosigns checkpoints that are consistent with what it saw before (C2SP tlog-cosignature)."""

    name: str

    def cosign(self, note: str, old_size: int, proof: list[bytes]) -> str:
        """The cosignature line for the checkpoint `note`, after checking `proof` from `old_size`.

        Raises:
            Conflict: `witness_refused`: the checkpoint is not a continuation.
            Unavailable: `witness_unavailable`.
        """
        ...

    def last_size(self) -> int:
        """Size of the newest checkpoint it has seen of this log; 0 for none."""
        ...
