"""What the stages work with: the same in the plane's own process and in every worker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from frostbyte.adapters.children.troubles import Bounds
from frostbyte.adapters.judging import JudgePool
from frostbyte.adapters.names.rampart import installed
from frostbyte.adapters.parsing.pool import ParserPool
from frostbyte.bootstrap import stores
from frostbyte.data_plane import policy
from frostbyte.data_plane.flow import Ports
from frostbyte.data_plane.terms import TermHasher
from frostbyte.kernel.clock import SystemClock
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.ports.hints import Hints
from frostbyte.kernel.ports.unit_of_work import UnitOfWorkFactory
from frostbyte.kernel.ports.vectors import Collections
from frostbyte.kernel.settings import Settings
from frostbyte.kernel.vault import TenantKeys, Vault

_JUDGE_SECONDS: Final = 3600.0


def ports(
    settings: Settings,
    *,
    keys: TenantKeys,
    unit_of_work: UnitOfWorkFactory,
    vectors: Collections,
    hints: Hints,
    children: int,
) -> Ports:
    """The ports, with at most `children` parsers and as many judges. Nothing is started before it is used.

    Raises:
        Invalid: `rules_missing`, or what an adapter says of its settings.
    """
    scanner, allow_unscanned = stores.scanner(settings)
    rules, names = policy.RuleBook(_rules_folder(settings)), installed()
    return Ports(
        tenant_id=settings.tenant_id,
        unit_of_work=unit_of_work,
        vault=Vault(stores.blobs(settings), keys),
        scanner=scanner,
        reader=parsers(settings, children),
        judge=judge(settings, rules, names, children),
        rules=rules,
        names=names,
        embedder=stores.embedder(settings),
        vectors=vectors,
        terms=TermHasher(keys.term_key),
        clock=SystemClock(),
        hints=hints,
        allow_unscanned=allow_unscanned,
    )


def parsers(settings: Settings, size: int) -> ParserPool:
    """A pool of at most `size` parsers."""
    return ParserPool(
        size=size,
        timeout=settings.parse_seconds,
        bounds=Bounds(memory=settings.parse_memory_mb << 20, cpu_seconds=int(settings.parse_seconds) + 1),
    )


def judge(
    settings: Settings, rules: Callable[[], policy.RuleSet], names: policy.NameFinder | None, size: int
) -> JudgePool:
    """A pool of judges by these rules."""
    # A judge tells no progress while it works, so it may take as long as the largest document needs.
    return JudgePool(
        rules, names, size=size, timeout=_JUDGE_SECONDS, bounds=Bounds(memory=settings.parse_memory_mb << 20)
    )


def _rules_folder(settings: Settings) -> Path | None:
    if not settings.policy_dir:
        return None
    folder = Path(settings.policy_dir).expanduser().absolute()
    if not folder.is_dir():
        raise Invalid(
            "rules_missing", f"{folder} is no folder.", "Set FROSTBYTE_POLICY_DIR to the folder with the rules."
        )
    return folder
