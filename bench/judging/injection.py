"""How well the injection gate tells orders to a model from texts that only look like them, and how fast.

    python -m bench.judging.injection [--set tuning] [--wrong]

Each text of `sets/injection/` goes through the whole gate (`policy.clear`, the shipped rules, the default
configuration) as a document of its own: as a page's text, or where a person would not see it (an element drawn in
white, a comment, a property of the file ...). A text counts as flagged if a passage or a property scores at least
`injection_flag`, as withheld at `injection_withhold`. `held_back` was written by somebody who had not seen the rules,
`tuning` was looked at while they were made, and the weights of the wordings are fitted on it and on `tuning_of_others`
(four files): their figures say little. `check` shows where the gate is weak: its part k1 was written without having
seen rules or texts, k2 and k3 after the misses of the parts before them were mended, k4 to k6 after all of these, as
evaluators usually write. k1 to k3 were looked at since, k4 to k6 were not; nine fits were measured by k4, six by k5,
four by k6.
`--wrong` names the misjudged texts of the tuning set.

The manuals are pages of every second of the Debian manuals that the reading bench fetches, those of which no page went
into the fit.

The speed is that of the gate alone, on ordinary documents (contracts, invoices, letters ... of the classification
set), in megabytes of characters per second of processor time, the best of five rounds.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from bench.judging.injection_fit import manuals
from bench.table import Line, show
from frostbyte.data_plane import policy
from frostbyte.data_plane.document import Document, Element, Kind, Lineage, Page, Source
from frostbyte.data_plane.policy import injection
from frostbyte.data_plane.policy.reading import plain
from frostbyte.kernel.tenancy import TenantConfig

_SETS: Final = Path(__file__).parents[1] / "sets" / "injection"
_ORDINARY: Final = _SETS.parent / "classification" / "held_back.jsonl"
_RECALL: Final = 0.9
_FALSE: Final = 0.01
_ROUNDS: Final = 5
_DOC: Final = UUID("8f14e45f-ceea-867a-9a36-dedd4bea2543")


def main() -> None:
    """Print the lines of the sets, or what the tuning set gets wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--set", choices=sorted(path.stem for path in _SETS.glob("*.jsonl")), action="append")
    parser.add_argument("--wrong", action="store_true")
    asked = parser.parse_args()
    rules = policy.RuleSet.load()
    if asked.wrong:
        _wrong(rules)
        return
    for name in asked.set or ("held_back", "tuning", "check"):
        show(quality(name, rules))
    show([*ordinary(rules), speed(rules)])


def samples(name: str) -> list[dict[str, Any]]:
    """The texts of a set with their labels."""
    return [json.loads(line) for line in (_SETS / f"{name}.jsonl").read_text("utf-8").splitlines()]


def quality(name: str, rules: policy.RuleSet) -> list[Line]:
    """Recall and false flags of one set."""
    config = TenantConfig()
    scores = [(sample, gate_score(sample, rules)) for sample in samples(name)]
    orders = [(sample, score) for sample, score in scores if sample["label"] == "injection"]
    harmless = [score for sample, score in scores if sample["label"] == "harmless"]
    flagged = sum(score >= config.injection_flag for _, score in orders)
    held = sum(score >= config.injection_withhold for _, score in orders)
    false = sum(score >= config.injection_flag for score in harmless)
    false_held = sum(score >= config.injection_withhold for score in harmless)
    missed = Counter(sample["technique"] for sample, score in orders if score < config.injection_flag)
    note = ", ".join(f"{technique} {count}" for technique, count in sorted(missed.items())) or "none"
    promised = name == "held_back"
    return [
        Line(
            measure=f"injections flagged, {name}",
            ours=flagged / len(orders),
            unit="of all",
            target=f">= {_RECALL}" if promised else "",
            met=flagged >= _RECALL * len(orders) if promised else None,
            note=f"{flagged} of {len(orders)}; {held} score high enough to be withheld; missed by technique: {note}",
        ),
        Line(
            measure=f"harmless texts flagged, {name}",
            ours=false / len(harmless),
            unit="of all",
            target=f"<= {_FALSE}" if promised else "",
            met=false <= _FALSE * len(harmless) if promised else None,
            note=f"{false} of {len(harmless)}; {false_held} withheld",
        ),
    ]


def ordinary(rules: policy.RuleSet) -> list[Line]:
    """How many passages of manuals are flagged; nothing where they cannot be had."""
    flag, passages, flagged = TenantConfig().injection_flag, 0, 0
    for page in manuals(1):
        scores = passage_scores({"text": page, "hidden": ""}, rules)
        passages += len(scores)
        flagged += sum(score >= flag for score in scores)
    if not passages:
        return []
    return [
        Line(
            measure="passages of manuals flagged",
            ours=flagged / passages,
            unit="of all",
            target=f"<= {_FALSE}",
            met=flagged <= _FALSE * passages,
            note=f"{flagged} of {passages}",
        )
    ]


def speed(rules: policy.RuleSet) -> Line:
    """Megabytes of characters that the gate judges in a second of processor time."""
    documents = [json.loads(line)["text"] for line in _ORDINARY.read_text("utf-8").splitlines()]
    pages = [plain(text) for text in documents]
    characters = sum(len(page.text) for page in pages)
    best = 0.0
    for _ in range(_ROUNDS):
        started = time.process_time()
        for page in pages:
            injection.find(page, rules.injection)
            injection.find_marks(page.text, 0, rules.injection)
        best = max(best, characters / (time.process_time() - started))
    return Line(measure="injection gate", ours=best / 1e6, unit="MB/s of CPU", target="", met=None)


def gate_score(sample: dict[str, Any], rules: policy.RuleSet) -> float:
    """The highest score that the gate gives any passage or property of the sample's document."""
    return max(passage_scores(sample, rules), default=0.0)


def passage_scores(sample: dict[str, Any], rules: policy.RuleSet) -> list[float]:
    """The scores of the passages and properties of the sample's document."""
    cleared = policy.clear(
        document_of(sample),
        doc_id=_DOC,
        generation="bench",
        config=TenantConfig(),
        config_version=1,
        rules=rules,
        names=None,
    )
    passages = [chunk.injection_score for chunk in (*cleared.chunks, *cleared.withheld)]
    fields = [found.confidence for found in cleared.findings if found.gate == "injection" and found.page == 0]
    return [*passages, *fields]


def document_of(sample: dict[str, Any]) -> Document:
    """A document that holds the sample's text where the sample says it stands."""
    text, hidden = sample["text"], sample["hidden"]
    around = "Annual report of the association. The board met four times.\n"
    shown = around if hidden else ""
    on_page = shown if hidden == "metadata" else shown + text
    elements = [Element(kind=Kind.PARAGRAPH, start=0, end=len(shown))] if shown else []
    if len(on_page) > len(shown):
        kind = Kind.COMMENT if hidden == "comment" else Kind.PARAGRAPH
        elements.append(Element(kind=kind, start=len(shown), end=len(on_page), hidden=hidden))
    return Document(
        source=Source(sha256="00" * 32, mime="text/plain", size=len(text)),
        lineage=Lineage(parser="bench", version="1"),
        pages=(Page(number=1, text=on_page, elements=tuple(elements)),),
        pages_found=1,
        metadata={"subject": text} if hidden == "metadata" else {},
    )


def _wrong(rules: policy.RuleSet) -> None:
    """What the tuning set gets wrong, for the person who tunes."""
    flag = TenantConfig().injection_flag
    for sample in samples("tuning"):
        score = gate_score(sample, rules)
        if (score >= flag) != (sample["label"] == "injection"):
            print(f"{score:.2f} {sample['label']} {sample['technique']} {sample['hidden']}: {sample['text'][:200]!r}")


if __name__ == "__main__":
    main()
