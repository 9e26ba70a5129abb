"""Witnesses over HTTP: the C2SP tlog-witness protocol (`add-checkpoint`)."""

from __future__ import annotations

import base64
from typing import Final

import httpx

from frostbyte.kernel.audit.checkpoint import PublicKey, add_signature, open_cosignature
from frostbyte.kernel.errors import Conflict, Unavailable

TIMEOUT_SECONDS: Final = 3.0
"""A checkpoint is signed every second: a witness that takes longer is left out of this one."""

MAX_ANSWER: Final = 16 * 1024
"""Bytes of an answer at most: a few signature lines."""


class HttpWitness:
    """See kernel.ports.witness.Witness.

    Args:
        url: the witness's submission prefix.
        key: its verifier key; signatures of any other are not taken.
        proxy: what leads to it, as `http://host:port`; '' reaches it directly.
        client: for tests; by default one of our own.
    """

    def __init__(self, url: str, key: PublicKey, client: httpx.Client | None = None, *, proxy: str = "") -> None:
        self._url = f"{url.rstrip('/')}/add-checkpoint"
        self._key = key
        self._client = client or httpx.Client(
            timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=False, proxy=proxy or None
        )
        self._size = 0
        self.name = key.name

    def cosign(self, note: str, old_size: int, proof: list[bytes]) -> str:
        """See the port. Where the witness saw another size than `old_size`, `last_size` knows it afterwards.

        Raises:
            Conflict: `witness_refused`.
            Unavailable: `witness_unavailable`: no usable answer, or another `old_size` is needed.
        """
        lines = "".join(base64.b64encode(value).decode() + "\n" for value in proof)
        try:
            answer = self._client.post(self._url, content=f"old {old_size}\n{lines}\n{note}".encode())
        except httpx.HTTPError as error:
            raise _unavailable() from error
        size = int(note.split("\n")[1])
        if answer.status_code == 409:
            return self._told_size(answer, old_size, size)
        if answer.status_code in (400, 403, 404, 422):
            raise _refused()
        if answer.status_code != 200 or len(answer.content) > MAX_ANSWER:
            raise _unavailable()
        for line in answer.text.splitlines():
            if line.startswith(f"\u2014 {self.name} ") and self._valid(note, line):
                self._size = size
                return line + "\n"
        raise _unavailable()

    def last_size(self) -> int:
        """See the port; 0 until the witness was asked for the first time."""
        return self._size

    def _valid(self, note: str, line: str) -> bool:
        return open_cosignature(add_signature(note, line), self._key) is not None

    def _told_size(self, answer: httpx.Response, old_size: int, size: int) -> str:
        """The witness has seen another size: learn it, so that the next call can prove from there."""
        text = answer.text.strip()
        seen = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
        if seen is None or seen == old_size or seen > size:
            raise _refused()
        self._size = seen
        raise _unavailable()


def _refused() -> Conflict:
    return Conflict(
        "witness_refused",
        "A witness refused the checkpoint: it does not continue what it saw, or the log is unknown there.",
        "Check that the log is registered there, and whether it was set back: `frostbyte audit verify --since`.",
    )


def _unavailable() -> Unavailable:
    return Unavailable(
        "witness_unavailable",
        "A witness gave no usable answer; the checkpoint goes without its cosignature.",
        "Nothing is lost: it is asked again. If it stays so, check the witness's address and key.",
    )
