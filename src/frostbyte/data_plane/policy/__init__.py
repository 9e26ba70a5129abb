"""The policy stage: personal data, classification, prompt injection; then chunks (promises 2 and 5).

`clear` judges a canonical document and returns a `Cleared` verdict, which is stored (`encode`) and read back by later
stages (`load_cleared`); `release` is a reviewer's decision about withheld chunks. Rules are files: `RuleSet.load`.
"""

from frostbyte.data_plane.policy.clear import POLICY_VERSION, clear, policy_version, redact_query, redactions, shown
from frostbyte.data_plane.policy.comparing import Difference, compare, total
from frostbyte.data_plane.policy.judging import Case, DirectJudge, Judge, judge
from frostbyte.data_plane.policy.port import NameFinder, NameSpan
from frostbyte.data_plane.policy.ruleset import FILES, LABELS, RuleBook, RuleSet
from frostbyte.data_plane.policy.verdict import (
    Cleared,
    FormulaRedaction,
    Redaction,
    WithheldCell,
    WithheldChunk,
    encode,
    load_cleared,
    pii_counts,
    release,
)

__all__ = [
    "FILES",
    "LABELS",
    "POLICY_VERSION",
    "Case",
    "Cleared",
    "Difference",
    "DirectJudge",
    "FormulaRedaction",
    "Judge",
    "NameFinder",
    "NameSpan",
    "Redaction",
    "RuleBook",
    "RuleSet",
    "WithheldCell",
    "WithheldChunk",
    "clear",
    "compare",
    "encode",
    "judge",
    "load_cleared",
    "pii_counts",
    "policy_version",
    "redact_query",
    "redactions",
    "release",
    "shown",
    "total",
]
