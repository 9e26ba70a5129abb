"""Whether a plane's audit log is as it was signed, and goes on from where somebody has last seen it."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from frostbyte.cli import verifier
from frostbyte.cli.client import Client
from frostbyte.cli.findings import Finding, Level
from frostbyte.kernel.audit.checkpoint import Checkpoint, open_checkpoint, public_key
from frostbyte.kernel.audit.merkle import verify_consistency
from frostbyte.kernel.errors import FrostbyteError

NEWEST: Final = 50_000
"""Events that are read and verified unless all are asked for: some 35 MB and a few seconds."""
_REMEDY: Final = "Change nothing, keep this report, and export the log for your auditor: frostbyte audit export."
_PROCESSES: Final = 2


class LogCheck:
    """The audit log of one plane.

    Args:
        client: may read the audit.
        key: the log's verifier key, from elsewhere than the plane's answers.
    """

    def __init__(self, client: Client, key: str) -> None:
        self._client = client
        self._key = key
        self.checkpoint = ""
        """What a person keeps for the next check, once the log was found intact."""

    def intact(self, *, whole: bool = False) -> Finding:
        """Read the newest events, or all, and verify them against the signed checkpoint."""
        return _told("audit_intact", lambda: self._intact(whole))

    def continues(self, held: str) -> Finding:
        """Whether the log contains, as its beginning, what a checkpoint says that was kept from before."""
        return _told("audit_continues", lambda: self._continues(held))

    def _newest(self) -> Checkpoint:
        page = self._client.json("GET", "/audit/checkpoints", params={"limit": 1})
        return open_checkpoint(str(page["latest"] or ""), public_key(self._key))

    def _intact(self, whole: bool) -> Finding:
        size = self._newest().size
        first = 0 if whole else max(0, size - NEWEST)
        with tempfile.TemporaryDirectory(prefix="frostbyte-log-") as folder:
            archive = Path(folder) / "export.tar"
            asked = self._client.stream("POST", "/audit/export", body={"first": first})
            with asked as response, archive.open("wb") as file:
                for block in response.iter_bytes():
                    file.write(block)
            verdict = verifier.verify_export(archive, self._key, jobs=_PROCESSES)
        if not verdict.ok:
            named = "; ".join(f"{one.name} at {one.where}" for one in verdict.failures[:3])
            return Finding("audit_intact", Level.FAIL, f"The audit log is not as it was signed: {named}.", _REMEDY)
        self.checkpoint = verdict.keep
        rest = f" The {first} before them are covered by the checkpoint and were not read." if first else ""
        return Finding("audit_intact", Level.OK, f"{verdict.checked[0]}, signed and chained.{rest}")

    def _continues(self, held: str) -> Finding:
        key = public_key(self._key)
        old, new = open_checkpoint(_bare(held), key), self._newest()
        told = f"the checkpoint of {old.size} events that was kept"
        if old.size > new.size:
            message = f"The log has {new.size} events, fewer than {told}: it was cut, or set back."
            return Finding("audit_continues", Level.FAIL, message, _REMEDY)
        asked = {"old_size": old.size, "new_size": new.size}
        path = self._client.json("GET", "/audit/consistency", params=asked)["path"] if old.size < new.size else []
        if not verify_consistency(old.size, new.size, old.root, new.root, [bytes.fromhex(value) for value in path]):
            message = f"The log does not begin with {told}: its history was changed."
            return Finding("audit_continues", Level.FAIL, message, _REMEDY)
        return Finding("audit_continues", Level.OK, f"The log of {new.size} events goes on from {told}.")


def _bare(held: str) -> str:
    """The note without the comments that a verifier writes above it."""
    return re.sub(r"^#.*\n", "", held, flags=re.MULTILINE).strip("\n") + "\n"


def _told(name: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except FrostbyteError as error:
        return Finding(name, Level.FAIL, f"{error.message} ({error.code})", error.remedy or _REMEDY)
    except (verifier.Unreadable, LookupError, TypeError, ValueError) as error:
        message = f"What the plane shows of its log cannot be read ({type(error).__name__})."
        return Finding(name, Level.FAIL, message, _REMEDY)


def facts(checkpoint: str) -> dict[str, Any]:
    """What a checkpoint to keep says, for programs; {} for ''."""
    if not checkpoint:
        return {}
    note = verifier.Note.read(_bare(checkpoint))
    return {"origin": note.origin, "size": note.size, "root": note.root.hex()}
