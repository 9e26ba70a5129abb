"""Fits the weights by which the injection gate judges how a sentence is worded, and writes them into its rules.

    python -m bench.judging.injection_fit [--check]

Logistic regression with a quadratic penalty over the features of sentences (`wording.features`). The sentences come
from the tuning texts of the injection set and, as harmless ones, from the tuning texts of the other sets and from pages
of every second of the Debian manuals that the reading bench fetches (nothing of them is kept but numbers): technical
prose is full of orders about output, users and systems. A text that
gives orders has harmless sentences, too: after a first fit only its most suspicious sentence counts. Features that
stand in fewer than three sentences are left out. The sums that are worth the scores 0.3 and 0.7 are those which one in
`_FLAGGED` and one in `_WITHHELD` harmless texts of the injection set reach in predictions by weights that have not
seen them (five folds; all variants of one text and all texts of one
family, `id-1`, `id-2` ..., are in the same fold). The glance is a
model of the same kind over single words, fitted to foretell what the model would report; it lets the share `_LOOKED_AT`
of the harmless sentences through. There is no draw: the same texts give the same file. `--check` only says how well
that went, by technique too.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pypdfium2 as pdfium  # type: ignore[import-untyped]
from numpy.typing import NDArray

from bench.reading.pdf_corpus import documentation
from frostbyte.data_plane.policy import wording
from frostbyte.data_plane.policy.injection import fold
from frostbyte.data_plane.policy.reading import plain
from frostbyte.data_plane.policy.wording import Lexicon

Numbers = NDArray[np.float64]
Indices = NDArray[np.int64]

SETS: Final = Path(__file__).parents[1] / "sets"
WEIGHTS: Final = Path(wording.__file__).parent / "rules" / wording.SOURCES[1]

_FLAGGED: Final = 70
_WITHHELD: Final = 250
_LOOKED_AT: Final = 0.015
_WRAPS: Final = 4
"""A sentence in so many texts with different orders is not the order."""
_RARE: Final = 3
"""A feature stands in at least so many sentences."""
_SMALL: Final = 0.04
"""Weights nearer to zero are left out of the file."""
_NEAR: Final = 0.5
"""Sentences whose sum lies so far below the flag are still wanted at a glance."""
_PAGES: Final = 40
_PAGE: Final = 200
"""A page with fewer characters is not read."""
_ORDINARY: Final = 1.0
"""How much a page of an ordinary document weighs beside a text that was written to be told from orders."""
_PENALTY: Final = 2.0
_STEPS: Final = 250
_FOLDS: Final = 5
_MARKS: Final = re.compile(r"⟦[A-Z_]+\|([^⟧]*)⟧")
"""How the set of personal data marks a value."""


@dataclass(frozen=True)
class Text:
    """A labelled text as the features of its sentences."""

    group: str
    technique: str
    order: bool
    sentences: tuple[frozenset[str], ...]
    words: tuple[tuple[str, ...], ...]
    """The words of each sentence."""
    hard: bool
    """Whether it was written to be told from the others; else it is an ordinary document's paragraph."""

    def pairs(self) -> Iterator[tuple[frozenset[str], tuple[str, ...]]]:
        """Features and words, sentence by sentence."""
        return zip(self.sentences, self.words, strict=True)


def texts(lexicon: Lexicon, pages: Iterable[str] = ()) -> list[Text]:
    """All tuning texts, and harmless pages."""
    found = []
    files = sorted((SETS / "injection").glob("tuning*.jsonl"))
    for line in "".join(file.read_text("utf-8") for file in files).splitlines():
        sample: dict[str, Any] = json.loads(line)
        order, group = sample["label"] == "injection", sample["id"].partition("-")[0]
        found.append(Text(group, sample["technique"], order, *_read(sample["text"], lexicon), hard=True))
    for number, text in enumerate((*ordinary(), *pages)):
        found.append(Text(f"o{number}", "ordinary", False, *_read(text, lexicon), hard=False))
    return [text for text in _unwrapped(found) if text.sentences]


def _unwrapped(found: Sequence[Text]) -> Iterator[Text]:
    """The texts, with sentences that wrap many orders, as letters and reports around them, as harmless texts."""
    pairs = {(names, words, text.group) for text in found if text.order for names, words in text.pairs()}
    often = Counter((names, words) for names, words, _ in pairs)
    wraps = {pair for pair, many in often.items() if many >= _WRAPS}
    for text in found:
        kept = [pair for pair in text.pairs() if not text.order or pair not in wraps]
        names, words = (tuple(part) for part in zip(*kept, strict=True)) if kept else ((), ())
        yield replace(text, sentences=names, words=words)
    for number, (names, words) in enumerate(sorted(wraps, key=lambda pair: pair[1])):
        yield Text(f"wrap{number}", "wrap", False, (names,), (words,), hard=True)


def ordinary(part: str = "tuning") -> Iterator[str]:
    """Paragraphs of the other sets."""
    documents = []
    for name in ("classification", "pii"):
        lines = (SETS / name / f"{part}.jsonl").read_text("utf-8").splitlines()
        documents += [_MARKS.sub(r"\1", json.loads(line)["text"]) for line in lines]
    documents += [path.read_text("utf-8") for path in sorted((SETS / "retrieval" / part).glob("*.md"))]
    for document in documents:
        yield from (paragraph for paragraph in re.split(r"\n\s*\n", document) if paragraph.strip())


def manuals(part: int) -> Iterator[str]:
    """Pages of Debian manuals, at most `_PAGES` of each: of every second one (0), or of the others (1)."""
    documents, missing = documentation()
    if missing:
        print(missing, file=sys.stderr)
    for path in documents[part::2]:
        document = pdfium.PdfDocument(path)
        for number in range(0, len(document), max(1, len(document) // _PAGES)):
            text = document[number].get_textpage().get_text_range().replace("\r\n", "\n")
            if len(text) >= _PAGE:
                yield text


def _read(text: str, lexicon: Lexicon) -> tuple[tuple[frozenset[str], ...], tuple[tuple[str, ...], ...]]:
    """The features and the words of the sentences of a text."""
    folded = fold(plain(text)).text
    parts = [folded[start:end] for start, end in wording.sentences(folded)]
    features = tuple(frozenset(wording.features(part, lexicon)) for part in parts)
    return features, tuple(tuple(re.findall("[a-z]+", part)) for part in parts)


@dataclass(frozen=True)
class Rows:
    """Sentences as the numbers of their features, one after the other."""

    columns: Indices
    begins: Indices
    lengths: Indices
    scales: Numbers

    @staticmethod
    def of(found: Sequence[Collection[str]], known: dict[str, int], scaled: Sequence[float] | None = None) -> Rows:
        """Rows with a column for each known feature; the last column, of every row, is the bias.

        Args:
            scaled: what the features of each row are multiplied with, if that does not follow from how many are known.
        """
        bias = len(known)
        rows = [[*sorted(known[name] for name in names if name in known), bias] for names in found]
        lengths = np.array([len(row) for row in rows])
        factors = [wording.scale(len(row) - 1) for row in rows] if scaled is None else scaled
        scales = np.concatenate(
            [np.array([*[factor] * (len(row) - 1), 1.0]) for row, factor in zip(rows, factors, strict=True)]
        )
        return Rows(np.concatenate([np.array(row) for row in rows]), np.cumsum(lengths) - lengths, lengths, scales)

    def sums(self, weights: Numbers) -> Numbers:
        """The weighted features of each row."""
        summed: Numbers = np.add.reduceat(weights[self.columns] * self.scales, self.begins)
        return summed

    def back(self, errors: Numbers, wide: int) -> Numbers:
        """What each column has of the rows' errors."""
        shares = np.repeat(errors, self.lengths) * self.scales
        back: Numbers = np.bincount(self.columns, weights=shares, minlength=wide)
        return back


def fit(seen: Sequence[Text]) -> tuple[dict[str, int], Numbers]:
    """The columns of the features, and the weights with the bias as the last."""
    found = [names for text in seen for names in text.sentences]
    owners = np.repeat(np.arange(len(seen)), [len(text.sentences) for text in seen])
    orders = np.array([text.order for text in seen])[owners]
    counts = np.array([len(text.sentences) for text in seen], dtype=float)[owners]
    hard = np.array([text.hard for text in seen])[owners]
    worth = np.where(orders, 1 / counts, np.where(hard, 1.0, _ORDINARY) / np.sqrt(counts))
    often = Counter(name for names in found for name in names)
    known = {name: number for number, name in enumerate(sorted(n for n, many in often.items() if many >= _RARE))}
    rows = Rows.of(found, known)
    weights = _fitted(rows, orders.astype(float), worth, len(known) + 1)
    sums = rows.sums(weights)
    for owner in np.unique(owners[orders]):
        here = np.flatnonzero(owners == owner)
        worth[here] = 0.0
        worth[here[sums[here].argmax()]] = 1.0
    return known, _fitted(rows, orders.astype(float), worth, len(known) + 1)


def _fitted(rows: Rows, goals: Numbers, worth: Numbers, wide: int) -> Numbers:
    """The weights with the least loss, by Nesterov's gradient steps."""
    penalty = np.full(wide, _PENALTY)
    penalty[-1] = 0.01
    probe = np.ones(wide)
    length = 1.0
    for _ in range(20):
        probe = rows.back(worth * rows.sums(probe), wide)
        length = float(np.linalg.norm(probe))
        probe /= length
    step = 1 / (0.26 * length + _PENALTY)
    weights = ahead = np.zeros(wide)
    pace = 1.0
    for _ in range(_STEPS):
        likely = 1 / (1 + np.exp(-rows.sums(ahead)))
        after = ahead - step * (rows.back(worth * (likely - goals), wide) + penalty * ahead)
        faster = (1 + np.sqrt(1 + 4 * pace * pace)) / 2
        ahead = after + (pace - 1) / faster * (after - weights)
        weights, pace = after, faster
    return weights


def glance(seen: Sequence[Text], sums: Numbers, flag: float, lexicon: Lexicon) -> tuple[dict[str, float], float]:
    """Weights of single words, and the least sum that is worth a closer look.

    Args:
        sums: what the model says of each sentence.
    """
    spoken = [words for text in seen for words in text.words]
    features = [[name for word in words for name in wording.word_features(word, lexicon)] for words in spoken]
    often = Counter(name for names in features for name in set(names))
    known = {name: number for number, name in enumerate(sorted(n for n, many in often.items() if many >= 2 * _RARE))}
    goals = (sums > flag - _NEAR).astype(float)
    rows = Rows.of(features, known, [wording.scale(len(words)) for words in spoken])
    worth = np.where(goals > 0, (1 - goals).sum() / goals.sum() / 3, 1.0)
    weights = _fitted(rows, goals, worth, len(known) + 1)
    kept = {name: round(float(weights[at]), 2) for name, at in known.items() if abs(weights[at]) >= _SMALL}
    eyes = wording.Glance(lexicon, kept)
    looks = np.array([sum(eyes[word] for word in words) * wording.scale(len(words)) for words in spoken])
    harmless = np.repeat([not text.order for text in seen], [len(text.sentences) for text in seen])
    least = float(np.quantile(looks[harmless], 1 - _LOOKED_AT))
    print(f"the glance lets {(looks[sums > flag] >= least).mean():.3f} of the flagged sentences through")
    return kept, least


def held_out(seen: Sequence[Text]) -> Numbers:
    """For each text its highest sum, by weights that have seen none of its group."""
    groups = {group: number % _FOLDS for number, group in enumerate(dict.fromkeys(text.group for text in seen))}
    highest = np.zeros(len(seen))
    for turn in range(_FOLDS):
        known, weights = fit([text for text in seen if groups[text.group] != turn])
        for number, text in enumerate(seen):
            if groups[text.group] == turn:
                highest[number] = Rows.of(text.sentences, known).sums(weights).max()
    return highest


def main() -> int:
    """Fit, say how well, write."""
    lexicon = Lexicon.of(wording.sources()[0])
    seen = texts(lexicon, manuals(0))
    highest = held_out(seen)
    orders = np.array([text.order for text in seen])
    hard = np.array([text.hard for text in seen])
    harmless = np.sort(highest[hard & ~orders])[::-1]
    flag, withhold = (float(harmless[len(harmless) // one_in]) for one_in in (_FLAGGED, _WITHHELD))
    print(
        f"{orders.sum()} orders, {len(harmless)} look-alikes, {(~hard).sum()} paragraphs; flag {flag:.2f}, withhold "
        f"{withhold:.2f}: {(highest[orders] > flag).mean():.3f} and {(highest[orders] > withhold).mean():.3f} of the "
        f"orders, {(highest[~hard] > flag).mean():.4f} of the paragraphs"
    )
    if "--check" in sys.argv:
        for technique in sorted({text.technique for text in seen}):
            here = np.array([text.technique == technique for text in seen])
            print(f"{technique}: {(highest[here] > flag).sum()} of {here.sum()} flagged")
        return 0
    known, weights = fit(seen)
    kept = {name: round(float(weights[at]), 3) for name, at in known.items() if abs(weights[at]) >= _SMALL}
    made = f"bench/judging/injection_fit.py, {orders.sum()} orders and {(~orders).sum()} harmless texts of bench/sets"
    sums = Rows.of([names for text in seen for names in text.sentences], known).sums(weights)
    eyes, least = glance(seen, sums, flag, lexicon)
    numbers = {"worth": least, "bias": float(weights[-1]), "flag": flag, "withhold": withhold}
    rounded = {name: round(value, 3) for name, value in numbers.items()}
    file = {"made": made, **rounded, "glance": eyes, "weights": kept}
    WEIGHTS.write_text(json.dumps(file, ensure_ascii=False, indent=0) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
