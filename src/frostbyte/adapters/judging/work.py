"""What is asked of a judge in a child, and doing it. The rules are loaded once, and again when others are asked for."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from frostbyte.adapters.judging.troubles import TROUBLES
from frostbyte.adapters.names.rampart import installed
from frostbyte.data_plane import policy
from frostbyte.data_plane.document import Record
from frostbyte.data_plane.garbage import uncollected
from frostbyte.kernel.errors import FrostbyteError


class JudgeRequest(Record, frozen=True, kw_only=True):
    """Judge the document that follows."""

    case: policy.Case
    policy: str
    """`policy_version` of the rules and the name engine that must judge."""
    rules_folder: str | None
    rules: str
    """Their version; the plane has run their examples."""
    names: bool
    """Whether a name engine takes part."""


class Bench:
    """Keeps what is dear to load from one document to the next."""

    def __init__(self) -> None:
        self._rules: tuple[str | None, policy.RuleSet] | None = None
        self._names = installed()

    def perform(self, asked: bytes, data: bytearray, progress: Callable[[], None]) -> bytes:
        """The verdict on a document.

        Raises:
            StageFailed, Unavailable: as `policy.Judge` says; nothing else leaves.
        """
        progress()
        try:
            request = msgspec.json.decode(asked, type=JudgeRequest)
            names = self._names if request.names else None
            rules = self._set(request, names)
            with uncollected():
                return policy.judge(bytes(data), request.case, rules, names)
        except FrostbyteError:
            raise
        except MemoryError:
            raise TROUBLES.out_of_memory() from None
        except Exception as error:  # noqa: BLE001 - whatever a document provokes ends visibly; its text may be content
            raise TROUBLES.crashed(_place(error)) from None

    def _set(self, request: JudgeRequest, names: policy.NameFinder | None) -> policy.RuleSet:
        folder = request.rules_folder
        if self._rules is None or self._rules[0] != folder or not _fits(request, self._rules[1], names):
            rules = policy.RuleSet.load(Path(folder) if folder is not None else None, proven=request.rules)
            if not _fits(request, rules, names):
                raise TROUBLES.other_rules()
            self._rules = (folder, rules)
        return self._rules[1]


def _fits(request: JudgeRequest, rules: policy.RuleSet, names: policy.NameFinder | None) -> bool:
    return policy.policy_version(rules, names) == request.policy


def _place(error: BaseException) -> str:
    frames: list[Any] = traceback.extract_tb(error.__traceback__)
    last = next((frame for frame in reversed(frames) if "frostbyte" in frame.filename), frames[-1])
    return f"{type(error).__name__} at {last.filename.rsplit('/', 1)[-1]}:{last.lineno}"
