"""Judges in child processes, other ones than those that parse: these never touch a document's raw bytes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import msgspec

from frostbyte.adapters.children import frames
from frostbyte.adapters.children.pool import ChildPool
from frostbyte.adapters.judging.troubles import TROUBLES
from frostbyte.adapters.judging.work import JudgeRequest
from frostbyte.data_plane import policy

_COMMAND: Final = (sys.executable, "-m", "frostbyte.adapters.judging.child")


class JudgePool:
    """Implements `policy.Judge` with child processes.

    Args:
        rules: the rules in force, asked for with each document; children load the same ones.
        names: what finds names here, or None; children then use none either.
        command: what to start instead of our child; for tests.
        options: as for `ChildPool`.
    """

    def __init__(
        self,
        rules: Callable[[], policy.RuleSet],
        names: policy.NameFinder | None,
        *,
        command: Sequence[str] = _COMMAND,
        **options: Any,
    ) -> None:
        self._rules = rules
        self._names = names
        self._children = ChildPool(command, TROUBLES, **options)

    def judge(self, document: bytes, case: policy.Case) -> bytes:
        """See `policy.Judge.judge`."""
        rules = self._rules()
        request = JudgeRequest(
            case=case,
            policy=policy.policy_version(rules, self._names),
            rules=rules.version,
            rules_folder=str(rules.folder) if rules.folder is not None else None,
            names=self._names is not None,
        )
        return self._children.ask(msgspec.json.encode(request), _pieces(document))

    def close(self) -> None:
        """See `policy.Judge.close`."""
        self._children.close()

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the children that live."""
        return self._children.pids


def _pieces(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), frames.FRAME_BYTES):
        yield data[start : start + frames.FRAME_BYTES]
