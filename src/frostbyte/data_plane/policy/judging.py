"""Judging as the flow asks for it: a stored document and its case in, a stored verdict out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol
from uuid import UUID

from frostbyte.data_plane.chunking import Cutting
from frostbyte.data_plane.document import Record, decode_document
from frostbyte.data_plane.policy.clear import clear
from frostbyte.data_plane.policy.port import NameFinder
from frostbyte.data_plane.policy.ruleset import RuleSet
from frostbyte.data_plane.policy.verdict import encode
from frostbyte.kernel.tenancy import TenantConfig


class Case(Record, frozen=True, kw_only=True):
    """What a verdict depends on besides the document and the rules."""

    doc_id: UUID
    generation: str
    config: TenantConfig
    config_version: int
    cutting: Cutting = Cutting()


class Judge(Protocol):
    """Judges documents: in this process, or in children that may die. Safe to call from several threads."""

    def judge(self, document: bytes, case: Case) -> bytes:
        """The verdict as it is stored (read it with `load_cleared`).

        Args:
            document: a canonical document's JSON, as `document.encode` wrote it.
            case: whose document it is, and under which configuration it is judged.

        Raises:
            Unavailable: `pii_engine_missing`, `policy_unavailable`: the document waits (promise 2).
            StageFailed: `account_open`, `policy_crashed`, `policy_memory`, `policy_timeout`.
        """
        ...

    def close(self) -> None:
        """End every child. It cannot be used afterwards."""
        ...


def judge(document: bytes, case: Case, rules: RuleSet, names: NameFinder | None) -> bytes:
    """Judge in this process; raises as `clear` does."""
    cleared = clear(
        decode_document(document),
        doc_id=case.doc_id,
        generation=case.generation,
        config=case.config,
        config_version=case.config_version,
        rules=rules,
        names=names,
        cutting=case.cutting,
    )
    return encode(cleared)


class DirectJudge:
    """Implements `Judge` in this process.

    Args:
        rules: the rules in force, asked for with each document.
        names: what finds names and addresses, or None.
    """

    def __init__(self, rules: Callable[[], RuleSet], names: NameFinder | None) -> None:
        self._rules = rules
        self._names = names

    def judge(self, document: bytes, case: Case) -> bytes:
        """See `Judge.judge`."""
        return judge(document, case, self._rules(), self._names)

    def close(self) -> None:
        """Nothing to end."""
