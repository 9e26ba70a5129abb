"""Fits the weights of the classification gate to its tuning documents, and writes them into its rule file.

    python -m bench.judging.classification_fit [--check]

What is fitted: a multinomial log-linear model over the features of rules/classification.toml, by Newton's method with
a Gaussian prior. The prior's mean says that a feature speaks for the class it was written for (`_PRIOR`), so that a
word that no tuning document holds keeps a sensible weight. A class of many documents weighs more than one of few, but
by the root only. Each document is seen whole, without its title, as its beginning, as its end, with others of its
class behind it and with a printed foot; and each of these also with a share of its features taken away (`_TAKEN`): a
document of somebody else will hold fewer of the words that we know. The strength of the prior is chosen, and
temperature and `unknown` are fitted, by predictions for such views of documents that were left out (five folds). All
draws are seeded: the same documents and rules give the same file. `--check` only says how well that went.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from frostbyte.data_plane.policy import class_reading
from frostbyte.data_plane.policy.class_rules import LABELS
from frostbyte.data_plane.policy.classify import length_strength, strengths
from frostbyte.data_plane.policy.ruleset import RuleSet

Matrix = NDArray[np.float64]

TUNING: Final = Path(__file__).parents[1] / "sets" / "classification" / "tuning.jsonl"
RULES: Final = Path(class_reading.__file__).parent / "rules" / "classification.toml"

_PRIOR: Final = 1.5
_STRENGTHS: Final = (0.15, 0.3)
_TAKEN: Final = (0.5, 0.5, 0.7)
_PARTS: Final = 6
_VIEWS: Final = _PARTS * (len(_TAKEN) + 1)
"""How many views there are of a document."""
_FOLDS: Final = 5
_DOUBT: Final = 0.02
_STIFF: Final = 20.0
"""How much stronger the prior is for bias and length: that nothing, or much, was read says little."""
_UNKNOWN: Final = 2.5
"""`unknown` is at least this: so a title word alone stays below the review threshold. The fit would let it decide."""
_SMALL: Final = 0.1
"""Weights nearer to zero are left out of the file."""


_FEET: Final = {
    "en": (
        "This message may contain confidential information. If you are not the intended recipient, please delete it.",
        "Confidential, for internal use only. Page 1 of 3. Printed 12.03.2024.",
        "Registered office: 4 Mill Lane. Company no. 0044120. VAT no. GB 000 0000 00. Tel. 0100 440 220",
        "All rights reserved. Version 1.2, March. No part may be reproduced without permission. www.example.org",
    ),
    "de": (
        "Diese Nachricht kann vertrauliche Informationen enthalten. Sind Sie nicht gemeint, löschen Sie sie bitte.",
        "Vertraulich, nur für den internen Gebrauch. Seite 1 von 3. Ausdruck vom 12.03.2024.",
        "Sitz der Gesellschaft: Seebruck, Amtsgericht Seebruck HRB 0000, Geschäftsführer: A. Beispiel, USt-IdNr. "
        "DE000000000, Bankverbindung: IBAN DE00 0000 0000, Tel. 0100 440220",
        "Alle Rechte vorbehalten. Stand: März, Version 1.2. Nachdruck nur mit Genehmigung. www.example.org",
    ),
}
"""What stands at the foot of pages and mails, whatever they are."""


class Sample(msgspec.Struct, frozen=True):
    """A labelled document."""

    id: str
    label: str
    language: str
    title: str
    text: str


def samples(path: Path) -> list[Sample]:
    """The documents of a set."""
    return [msgspec.json.decode(line, type=Sample) for line in path.read_bytes().splitlines() if line.strip()]


@dataclass(frozen=True)
class Data:
    """Documents as numbers. `features`: documents by parts by columns (a feature each, then length, then one)."""

    features: Matrix
    targets: NDArray[np.int64]

    def some(self, which: NDArray[np.int64]) -> Data:
        """These documents."""
        return Data(self.features[which], self.targets[which])


def data(documents: list[Sample], rules: RuleSet) -> Data:
    """What the gate sees of these documents, whole and in parts."""
    rows = []
    for number, document in enumerate(documents):
        title, text = document.title, document.text
        third = max(1, len(text) // 3)
        kin = [other for other in documents[number % _FOLDS :: _FOLDS] if other.label == document.label]
        long = "\n\n".join([text, *(other.text for other in kin if other is not document)])
        foot = _FEET[document.language][number % 4]
        parts = (
            (title, text),
            ("", text),
            (title, text[:third]),
            ("", text[third:]),
            (title, long),
            (title, f"{text}\n\n{foot}"),
        )
        readings = [class_reading.read(*part) for part in parts]
        rows.append([[*strengths(reading, rules), length_strength(reading), 1.0] for reading in readings])
    return Data(np.array(rows), np.array([LABELS.index(document.label) for document in documents]))


def views(seen: Data, seed: int) -> tuple[Matrix, NDArray[np.int64]]:
    """All parts of all documents, as they are and thinned; block after block, the whole documents first."""
    draws = np.random.default_rng(seed)
    blocks = []
    for taken in (0.0, *_TAKEN):
        for part in range(_PARTS):
            rows = seen.features[:, part]
            mask = draws.random(rows.shape) >= taken
            mask[:, -2:] = True
            blocks.append(rows * mask)
    return np.vstack(blocks), np.tile(seen.targets, _VIEWS)


def prior(rules: RuleSet) -> Matrix:
    """What is thought of the features before any document was seen."""
    mean = np.zeros((len(rules.classes) + 2, len(LABELS)))
    for number, rule in enumerate(rules.classes):
        if rule.label:
            mean[number, LABELS.index(rule.label)] = _PRIOR
    mean[-2, LABELS.index("other")] = 2 * _PRIOR
    return mean


def fit(seen: Data, mean: Matrix, strength: float, seed: int) -> Matrix:
    """The weights with the highest posterior: features by classes."""
    rows, targets = views(seen, seed)
    classes, wide = len(LABELS), rows.shape[1]
    weights = mean.copy()
    goal = np.eye(classes)[targets]
    often = np.bincount(targets, minlength=classes)
    worth = np.sqrt(often.mean() / np.maximum(often, 1))[targets][:, None] / _VIEWS
    stiff = np.full((wide, 1), strength)
    stiff[-2:] *= _STIFF
    for _ in range(20):
        shares = softmax(rows @ weights)
        slope = rows.T @ (worth * (shares - goal)) + stiff * (weights - mean)
        bend = np.zeros((classes * wide, classes * wide))
        for one in range(classes):
            for other in range(one, classes):
                part = worth[:, 0] * shares[:, one] * ((one == other) - shares[:, other])
                block = rows.T @ (rows * part[:, None])
                bend[one * wide : (one + 1) * wide, other * wide : (other + 1) * wide] = block
                bend[other * wide : (other + 1) * wide, one * wide : (one + 1) * wide] = block
        bend += np.diag(np.tile(stiff[:, 0], classes))
        step = np.linalg.solve(bend, slope.T.ravel()).reshape(classes, wide).T
        weights -= step
        if np.abs(step).max() < 1e-3:
            break
    return weights


def softmax(sums: Matrix) -> Matrix:
    """Shares of the classes, a row a document."""
    powers = np.exp(sums - sums.max(axis=1, keepdims=True))
    shares: Matrix = powers / powers.sum(axis=1, keepdims=True)
    return shares


def held_out(seen: Data, mean: Matrix, strength: float) -> tuple[Matrix, NDArray[np.int64], NDArray[np.bool_]]:
    """Sums for views of documents that the weights have not seen (the last column is their length), their classes, and
    which views are whole."""
    order = np.arange(len(seen.targets))
    sums, targets, whole = [], [], []
    for fold in range(_FOLDS):
        out = order[fold::_FOLDS]  # `data` puts none of another fold behind a document
        weights = fit(seen.some(np.setdiff1d(order, out)), mean, strength, 2 + fold)
        rows, true = views(seen.some(out), 20 + fold)
        sums.append(np.hstack([rows @ weights, rows[:, -2:-1]]))
        targets.append(true)
        whole.append(np.arange(len(true)) < len(out))
    return np.vstack(sums), np.concatenate(targets), np.concatenate(whole)


def loss(sums: Matrix, targets: NDArray[np.int64], temperature: float, unknown: float) -> float:
    """Mean negative log probability of the true class."""
    wider = np.hstack([sums[:, :-1], unknown * (1 - sums[:, -1:])])
    shares = softmax(wider / temperature)
    spread = (_DOUBT + (1 - _DOUBT) * shares[:, -1]) / len(LABELS)
    true = (1 - _DOUBT) * shares[np.arange(len(targets)), targets] + spread
    return float(-np.log(true).mean())


def main() -> int:
    """Fit, say how well, write."""
    rules = RuleSet.load()
    seen = data(samples(TUNING), rules)
    mean = prior(rules)
    found: list[tuple[float, float, float, float]] = []
    for strength in _STRENGTHS:
        sums, targets, whole = held_out(seen, mean, strength)
        right = sums[:, :-1].argmax(axis=1) == targets
        best = min(
            (loss(sums, targets, t / 20, u / 4), t / 20, u / 4)
            for t in range(8, 40, 2)
            for u in range(int(4 * _UNKNOWN), 25, 2)
        )
        found.append((*best, strength))
        print(
            f"prior {strength}: loss {best[0]:.4f} at temperature {best[1]} and unknown {best[2]}, "
            f"right {right[whole].mean():.3f} of whole documents, {right.mean():.3f} of all views"
        )
    _, temperature, unknown, strength = min(found)
    if "--check" not in sys.argv:
        weights = fit(seen, mean, strength, 2)
        source = written(RULES.read_text("utf-8"), weights, rules)
        for name, value in (("temperature", temperature), ("unknown", unknown), ("doubt", _DOUBT)):
            source = re.sub(rf"^{name} = .*$", f"{name} = {value}", source, count=1, flags=re.MULTILINE)
        RULES.write_text(source, "utf-8")
    return 0


def written(source: str, weights: Matrix, rules: RuleSet) -> str:
    """The rule file with these weights in it."""
    lines: dict[str, Any] = {
        rule.id: _table(row - row.mean() * (not rule.label)) for rule, row in zip(rules.classes, weights, strict=False)
    }
    for name, row in (("bias", weights[-1]), ("length", weights[-2])):
        source = re.sub(rf"^{name} = .*$", f"{name} = {_table(row)}", source, count=1, flags=re.MULTILINE)
    for name, table in lines.items():
        at = source.index(f'id = "{name}"\n')
        begin = source.index("\nweights = ", at) + 1
        source = f"{source[:begin]}weights = {table}{source[source.index(chr(10), begin) :]}"
    return source


def _table(row: Matrix) -> str:
    parts = [
        f"{label} = {json.dumps(round(float(w), 2))}" for label, w in zip(LABELS, row, strict=True) if abs(w) >= _SMALL
    ]
    return f"{{ {', '.join(parts)} }}" if parts else "{}"


if __name__ == "__main__":
    sys.exit(main())
