"""How well the classification gate judges, on its tuning documents and on those that were held back from tuning.

    python -m bench.judging.classification [--confusion]

Accuracy: documents whose label is the set's. Calibration: documents by their confidence in ten bands; the expected
calibration error is the mean difference between a band's confidence and its accuracy, weighted by its documents.
"Badly scanned": the same documents with characters confused and lost, seeded by their ids.
Review: documents below the default threshold go to a person; what stays is judged by itself. Time: CPU seconds of the
process over all held-back documents, and for one of 200 pages. `--confusion` prints both confusion tables besides.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Final

import msgspec

from bench.judging.classification_fit import TUNING, Sample, samples
from bench.table import Line, show
from frostbyte.data_plane.policy import RuleSet
from frostbyte.data_plane.policy.class_rules import LABELS
from frostbyte.data_plane.policy.classify import Classification, classify
from frostbyte.kernel.tenancy import TenantConfig

HELD_BACK: Final = Path(__file__).parents[1] / "sets" / "classification" / "held_back.jsonl"
CHECK: Final = HELD_BACK.with_name("check.jsonl")
"""Short documents that somebody wrote without having seen the rules; looked at since."""


Judged = list[tuple[Sample, Classification]]

_ACCURACY: Final = 0.9
_ERROR: Final = 0.07
_SPOILT: Final = 0.08
_CONFUSED: Final = dict(zip("lioemsatnuc ", ("1", "l", "0", "c", "rn", "5", "o", "f", "h", "v", "e", ""), strict=True))


def judge(documents: list[Sample], rules: RuleSet) -> Judged:
    """Every document with its verdict."""
    return [(document, classify(document.title, document.text, rules)) for document in documents]


def badly_scanned(document: Sample) -> Sample:
    """The document as bad OCR gives it: 8 of 100 characters taken for others, run together or lost."""
    draws = random.Random(document.id)

    def spoilt(text: str) -> str:
        return "".join(_CONFUSED.get(char.lower(), char) if draws.random() < _SPOILT else char for char in text)

    return msgspec.structs.replace(document, title=spoilt(document.title), text=spoilt(document.text))


def accuracy(judged: Judged) -> float:
    """Share of right labels; 1 for nothing."""
    return sum(document.label == found.label for document, found in judged) / len(judged) if judged else 1.0


def bands(judged: Judged) -> list[tuple[int, float, float]]:
    """By tenth of confidence: documents, mean confidence, accuracy."""
    parted: dict[int, Judged] = {}
    for item in judged:
        parted.setdefault(min(9, int(item[1].confidence * 10)), []).append(item)
    return [
        (len(band), sum(found.confidence for _, found in band) / len(band), accuracy(band))
        for _, band in sorted(parted.items())
    ]


def calibration_error(judged: Judged) -> float:
    """Expected calibration error over ten bands."""
    return sum(count * abs(sure - right) for count, sure, right in bands(judged)) / max(1, len(judged))


def confusion(judged: Judged) -> str:
    """Rows are what a document is, columns what it was taken for."""
    counts = Counter((document.label, found.label) for document, found in judged)
    rows = ["| is / taken for | " + " | ".join(LABELS) + " |", "|---" * (len(LABELS) + 1) + "|"]
    for label in LABELS:
        rows.append(f"| {label} | " + " | ".join(str(counts[label, other] or "") for other in LABELS) + " |")
    return "\n".join(rows)


def lines(name: str, judged: Judged) -> list[Line]:
    """A set's figures."""
    threshold = TenantConfig().classification_threshold
    sure = [item for item in judged if item[1].confidence >= threshold]
    wrong = [item for item in judged if item[0].label != item[1].label]
    caught = sum(1 for item in wrong if item[1].confidence < threshold)
    parts = ", ".join(f"{count} at {sure_:.2f}: {right:.2f}" for count, sure_, right in bands(judged))
    pairs = Counter((document.label, found.label) for document, found in wrong)
    mixed = ", ".join(f"{count} {label} for {other}" for (label, other), count in sorted(pairs.items())) or "none"
    held = name == "held back"
    return [
        Line(
            measure=f"classification, {name}: accuracy",
            ours=accuracy(judged),
            unit="",
            target=f">= {_ACCURACY}" if held else "",
            met=accuracy(judged) >= _ACCURACY if held else None,
            note=f"{len(judged)} documents of {len(LABELS)} classes in English and German; taken for another: {mixed}",
        ),
        Line(
            measure=f"classification, {name}: expected calibration error",
            ours=calibration_error(judged),
            unit="",
            target=f"<= {_ERROR}" if held else "",
            met=calibration_error(judged) <= _ERROR if held else None,
            note=f"documents at mean confidence: accuracy; {parts}",
        ),
        Line(
            measure=f"classification, {name}: accuracy without review",
            ours=accuracy(sure),
            unit="",
            target="",
            met=None,
            note=f"{len(judged) - len(sure)} of {len(judged)} below {threshold} go to review, "
            f"with {caught} of the {len(wrong)} that are wrong",
        ),
    ]


def speed(documents: list[Sample], rules: RuleSet) -> list[Line]:
    """CPU time a document."""
    began = time.process_time()
    judge(documents, rules)
    each = (time.process_time() - began) / max(1, len(documents))
    long = "\n".join(document.text for document in documents)
    long = long * (200 * 3000 // max(1, len(long)) + 1)
    times = []
    for _ in range(5):
        began = time.process_time()
        classify("", long, rules)
        times.append(time.process_time() - began)
    return [
        Line(measure="classification: a short document", ours=each * 1000, unit="ms CPU", target="", met=None),
        Line(measure="classification: 200 pages", ours=min(times) * 1000, unit="ms CPU", target="", met=None),
    ]


def main() -> int:
    """Measure."""
    rules = RuleSet.load()
    for name, path in (("tuning", TUNING), ("held back", HELD_BACK), ("to check by", CHECK)):
        judged = judge(samples(path), rules)
        show(lines(name, judged))
        if "--confusion" in sys.argv:
            print(confusion(judged), file=sys.stderr)
    scanned = judge([badly_scanned(document) for document in samples(HELD_BACK)], rules)
    show(lines("held back, badly scanned", scanned))
    show(speed(samples(HELD_BACK), rules))
    return 0


if __name__ == "__main__":
    sys.exit(main())
