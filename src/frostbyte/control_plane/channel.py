"""The port to a plane: its control channel, as the control plane's use cases see it.

Every call may take seconds and each has its bounds; none is tried again by itself. Beside what is listed, all of them
raise `Unavailable`: `plane_unreachable` (no answer in time), `plane_certificate_wrong` (it is not the tenant's, or it
does not take ours), `plane_foreign_tenant` (another tenant's plane answers), `plane_answer_wrong` (the answer is none
of a plane's, or larger than it may be).
"""

from __future__ import annotations

from typing import Protocol

from frostbyte.kernel.channel import PlaneCheckpoints, PlaneHealth, PlaneStanding, PlaneUpkeep
from frostbyte.kernel.records import Upkeep


class PlaneChannel(Protocol):
    """One tenant's plane. Threads may share it."""

    def standing(self) -> PlaneStanding:
        """How it stands, with a fresh nonce: the one of every earlier answer is worth nothing from now on."""
        ...

    def put(self, directive: str) -> PlaneStanding:
        """Have it act on a signed directive; its standing after it did.

        Raises:
            NonceOld: `directive_nonce`, with the nonce to sign again with.
            Conflict: `directive_stale`: it has acted on a newer one, or on another of this version; `plane_closed`.
            Forbidden: `directive_signature_wrong`, `directive_foreign_tenant`.
            Invalid: `directive_malformed`.
        """
        ...

    def events(self, after: int, limit: int) -> bytes:
        """Lines of its audit log as an export has them, of events numbered above `after` and under a checkpoint.

        Args:
            after: -1 for the beginning.
            limit: events, 1 to 10,000; fewer may come where they are long. None come where there are none yet.
        """
        ...

    def checkpoints(self, after_size: int) -> PlaneCheckpoints:
        """Its signed checkpoints over more than `after_size` events, at most 1,000."""
        ...

    def cosign(self, size: int, line: str) -> None:
        """Leave a cosignature beside its checkpoint of that size; the same one twice is once.

        Raises:
            Invalid: `cosignature_wrong`: no checkpoint of that size, or not by the witness key that it was told.
        """
        ...

    def health(self) -> PlaneHealth:
        """How it does."""
        ...

    def upkeep(self, *, tried: bool = False) -> PlaneUpkeep:
        """How far it has come with standing still, and what it holds.

        Args:
            tried: have it try each of its parts first, without changing anything; a frozen plane may be asked.
        """
        ...

    def keep(self, upkeep: Upkeep, *, updated_to: str = "") -> PlaneUpkeep:
        """Have it take nothing new (`reading`), write nothing down (`frozen`), or everything again (`open`).

        A frozen plane is not made to read. It answers at once: its log is at its end when `settled` says so.

        Args:
            updated_to: with `open`, what the plane became; its log says so in the same moment.
        """
        ...

    def close(self) -> None:
        """Let go of the connections."""
        ...
