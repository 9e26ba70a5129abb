"""The injection gate: how much a passage reads like orders to a language model, 0..1.

What is spoken to (a model, a machine that reads), what is ordered (to override, reveal, send, rate, pretend) and how
it is concealed are separate pieces of evidence. Words that say much alone are rules; words that people use, too, are
parts, and count where they stand together. How a sentence is worded as a whole is one more piece (`wording.py`): it
speaks for an order that no rule knows, and against a weak rule that a harmless sentence happens to meet. Finds combine
as independent evidence: 1 - product(1 - score).

Rules are matched on several views of a text, because an attacker chooses how to write: folded (case, accents,
letters of other scripts that look Latin) and with disguises undone (`disguises.py`). A find in text that a person
cannot see, or in a disguise, weighs more than the same words in plain sight; one that is quoted as an example weighs
less.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from frostbyte.data_plane.document import Page
from frostbyte.data_plane.policy import disguises, wording
from frostbyte.data_plane.policy.chances import Look
from frostbyte.data_plane.policy.injection_rules import REVERSED, TURNED, InjectionRule, InjectionRules, Part
from frostbyte.data_plane.policy.reading import Folder, Reading, plain
from frostbyte.data_plane.policy.wording import Cut

DISGUISE: Final = 0.2
"""Added to a rule's score when it only matched behind an encoding or a spelling trick."""

HIDDEN_WEIGHT: Final = 0.5
"""Part of the missing certainty that hiding a suspicious passage removes: 0.4 becomes 0.7."""

HIDDEN_ALONE: Final = 0.2
"""Score of text that is hidden by how it is drawn, before any rule; below the default flag."""

QUOTED: Final = 0.2
"""What is left of a score when the words are quoted as an example (`such as "ignore all ..."`)."""

_DRAWN_HIDDEN: Final = frozenset({"white", "tiny", "off_page", "invisible", "transparent", "covered", "hidden_text"})
_UNSEEN: Final = _DRAWN_HIDDEN | {"alternative_text", "metadata"}
"""Where orders to people do not stand. Comments and deleted text are full of them."""

_LOOKALIKES: Final = str.maketrans(
    "аеорсухіјѕԁԛԝһӏᴀʙᴄᴅᴇɪᴊᴋʟᴍɴᴏᴘʀᴛᴜᴠᴡʏᴢвкмнтгпиαβεικνορτυχγωηɡɑıƖ",
    "aeopcyxijsdqwhlabcdeijklmnoprtuvwyzbkmhtrpuabeiknoptuxywngail",
)
_FOREIGN: Final = re.compile(r"([^\x00-\x7f]+)")
_TAGS: Final = re.compile("[\U000e0020-\U000e007e]{4,}")
_ZERO_WIDTH: Final = re.compile(r"(?<=[A-Za-z])[\u200b-\u200d\u2060\ufeff]+(?=[A-Za-z])")
_BIDI: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
_VARIATION: Final = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{4,}")
_MIXED: Final = re.compile(r"[A-Za-z][\u0370-\u03ff\u0400-\u04ff]+|[\u0370-\u03ff\u0400-\u04ff][A-Za-z]+")
_CYRILLIC: Final = re.compile("[\u0400-\u04ff]")
_TRICKS: Final = re.compile(
    "[\u0370-\u03ff\u0400-\u04ff\u200b-\u200d\u202a-\u202e\u2060\u2066-\u2069\ufe00-\ufe0f\ufeff"
    "\U000e0020-\U000e007e\U000e0100-\U000e01ef]"
)
"""Stands in whatever the five before find."""
_LONGEST_WORD: Final = 40
_CLOSE: Final = 100
"""Tricks with characters at most this far apart are reported as one."""

_REACH: Final = 220
"""How far around a word a pattern is tried."""
_BESIDE: Final = 120
"""How much further than `within` a part may reach."""

_CLEAR: Final = 0.3
"""The least score of a wording behind an encoding."""

_AROUND: Final = 60
"""How far on each side of a find its `unless` is looked for."""

_LONGEST_QUOTE: Final = 200
_QUOTES: Final = re.compile(rf"[\"“”„«»‘’‚`]([^\"“”„«»‘’‚`\n]{{4,{_LONGEST_QUOTE}}})[\"“”«»‘’`]")
_MENTION: Final = re.compile(
    r"\b(?:such as|for example|for instance|e\.g\.|example|phrases?|wording|sentences?|strings?|prompts?|attacks?|"
    r"attackers?|malicious|injections?|injected|jailbreaks?|suspicious|hidden|filters?|payloads?|patterns?|reports?|"
    r"detect(?:s|ed|ion)?|warn(?:s|ing)?|like|wie|etwa|beispiel(?:e|sweise)?|z\. ?b\.|satze?|angriffe?[ns]?|"
    r"angreifer|eingeschleust\w*|verdachtig\w*|formulierung(?:en)?|wortlaut|muster|meld\w{1,4}|erkenn\w{1,4}|"
    r"tests?|testers?|search term|suchwort|observed|blocked|found|fanden|fund|"
    r"said|says|whispered|cried|shouted|replied|asked|told|testified|sagte|rief|flusterte|fragte|meinte)\b"
)
_MENTION_REACH: Final = 160


@dataclass(frozen=True, slots=True, order=True)
class Suspicion:
    """One find at a document-wide range of canonical positions."""

    start: int
    end: int
    rule: str
    score: float


def find(reading: Reading, rules: InjectionRules) -> list[Suspicion]:
    """Everything suspicious in a folded reading, at its canonical positions."""
    folded = fold(reading)
    spans = list(wording.sentences(folded.text)) if rules.wording else []
    cut = Cut.of(folded.text)
    look = rules.index.look(cut)
    worded = _worded(cut, rules, spans)
    known = _unless_harmless(folded.text, list(_judge(folded, rules, look=look)), rules, spans)
    plainly = _unless_quoted(folded, known, worded)
    plainly += worded
    seen = {rule for _, _, rule, _ in plainly}
    found = [_at(folded, start, end, rule, score) for start, end, rule, score in plainly]
    found += [item for item in _disguised(folded, rules, cut, look) if item.rule not in seen]
    for start, end, text in disguises.decoded(reading.text):
        low, high = reading.span(start, end)
        inner = fold(plain(text))
        orders = [*_judge(inner, rules), *_clearly_worded(inner.text, rules)]
        found += [Suspicion(low, high, rule, _more(score)) for _, _, rule, score in orders]
    return sorted(set(found))


def find_unseen(reading: Reading, rules: InjectionRules) -> list[Suspicion]:
    """What is suspicious only because nobody sees it; beside what `find` finds."""
    folded = fold(reading)
    worded = _worded(Cut.of(folded.text), rules, list(wording.sentences(folded.text)))
    return [
        _at(folded, start, end, rule, score)
        for start, end, rule, score in (*_judge(folded, rules.unseen, every=True), *worded)
    ]


def find_marks(text: str, base: int, rules: InjectionRules) -> list[Suspicion]:
    """Tricks with characters that a folded reading no longer has: invisible ones, and words of two scripts."""
    found: list[Suspicion] = []
    if text.isascii() or _TRICKS.search(text) is None:
        return found
    for run in _TAGS.finditer(text):
        hidden = "".join(chr(ord(char) - 0xE0000) for char in run.group())
        inner = score(value for _, _, _, value in _judge(fold(plain(hidden)), rules))
        found.append(Suspicion(base + run.start(), base + run.end(), "invisible_tags", max(0.75, inner)))
    for pattern, rule, least, value in (
        (_ZERO_WIDTH, "zero_width_in_words", 3, 0.35),
        (_BIDI, "direction_override", 2, 0.35),
        (_VARIATION, "variation_selectors", 1, 0.5),
        (_MIXED, "mixed_scripts", 2, 0.35),
    ):
        runs = [run for run in pattern.finditer(text) if rule != "mixed_scripts" or _posing(text, run, rules)]
        if len(runs) >= least:
            found += [Suspicion(base + start, base + end, rule, value) for start, end in _near(runs)]
    return found


def _posing(text: str, run: re.Match[str], rules: InjectionRules) -> bool:
    """Whether letters of another script pose as Latin ones. Greek ones stand in formulas, too: only in known words."""
    if rules.wording is None or _CYRILLIC.search(run.group()):
        return True
    start, end = run.span()
    while start and text[start - 1].isalpha() and end - start < _LONGEST_WORD:
        start -= 1
    while end < len(text) and text[end].isalpha() and end - start < _LONGEST_WORD:
        end += 1
    return bool(rules.wording.lexicon.meanings("".join(map(_plain_letter, text[start:end]))))


def _near(runs: Sequence[re.Match[str]]) -> Iterator[tuple[int, int]]:
    """The ranges of runs, with those that stand close together as one."""
    start, end = runs[0].span()
    for run in runs[1:]:
        if run.start() > end + _CLOSE:
            yield start, end
            start = run.start()
        end = run.end()
    yield start, end


def hidden_marks(page: Page, base: int, rules: InjectionRules) -> list[Suspicion]:
    """Elements that nobody sees: that alone if it is how they are drawn, and orders in them."""
    found: list[Suspicion] = []
    for element in page.elements:
        if element.hidden not in _UNSEEN:
            continue
        text = page.reading(element.start, element.end)
        if not text.strip():
            continue
        low, high = base + element.start, base + element.end
        if element.hidden in _DRAWN_HIDDEN:
            found.append(Suspicion(low, high, "hidden_element", HIDDEN_ALONE))
        found += [replace(item, start=low, end=high) for item in find_unseen(plain(text), rules)]
    return found


def score(scores: Iterable[float]) -> float:
    """Independent pieces of evidence together: 1 - product(1 - s), rounded to four digits."""
    rest = 1.0
    for value in scores:
        rest *= 1.0 - value
    return round(1.0 - rest, 4)


def score_range(
    start: int, end: int, found: Iterable[Suspicion], hidden: Iterable[tuple[int, int]]
) -> tuple[float, list[Suspicion]]:
    """The score of `[start, end)` and what it rests on; each rule counts once.

    Args:
        hidden: ranges that a person does not see, at the same positions as `found`.
    """
    here = [item for item in found if item.start < end and item.end > start]
    best: dict[str, float] = {}
    for item in here:
        best[item.rule] = max(best.get(item.rule, 0.0), item.score)
    total = score(best.values())
    concealed = any(first < end and last > start for first, last in hidden)
    if concealed and any(rule != "hidden_element" for rule in best):
        total = score((total, HIDDEN_WEIGHT))
    return total, here


def fold(reading: Reading) -> Reading:
    """Lower case, accents off, look-alike letters as Latin; one character stays one character, except ß."""
    if reading.text.isascii():
        return Reading(reading.text.lower(), reading.at)
    return Reading(*_FOLDER.folded(reading.text, reading.at))


def _plain_letter(char: str) -> str:
    """A letter in lower case, without accents, as Latin if it looks so."""
    char = char.lower()
    if char == "ß":
        return "ss"
    stripped = "".join(c for c in unicodedata.normalize("NFKD", char) if not unicodedata.combining(c))
    return stripped.translate(_LOOKALIKES) or ""


_FOLDER: Final = Folder(_FOREIGN, _plain_letter, str.lower)


_Find = tuple[int, int, str, float]
"""(start, end, rule, score) at positions of the view's own text."""


class _View:
    """One text that rules are matched on; what its parts are is found once.

    A pattern is tried only around the words that give it a chance, and a part only near the part that is looked for
    first: `_REACH` characters each way, so no find is longer.
    """

    def __init__(self, text: str, rules: InjectionRules, look: Look | None) -> None:
        self.text = text
        self._rules = rules
        self._squeezed = look is None  # words are lost, so nothing is told from them
        self._chances, self._starts = (look.chances, look.starts) if look is not None else ({}, {})
        self._parts: dict[str, list[tuple[int, int]]] = {}

    def tried(self) -> Sequence[InjectionRule]:
        """The rules that have a chance at all."""
        return self._rules.rules if self._squeezed else self._rules.tried(self._chances)

    def spans(self, rule: InjectionRule) -> Iterator[tuple[int, int]]:
        """Where a rule holds, but for its `unless`."""
        if not rule.parts:
            yield from self._matches(rule, self._windows(rule))
            return
        first = self._first(rule.parts[0])
        others: list[list[tuple[int, int]]] = []
        for name in rule.parts[1:]:
            if not first:
                return
            about = _merged(first, rule.within + _BESIDE, len(self.text))
            spans = sorted(span for part in self._rules.parts[name] for span in self._matches(part, about))
            first = [span for span in first if _nearest(spans, *span, rule.within)]
            others.append(spans)
        for start, end in first:
            near = [_nearest(spans, start, end, rule.within) or (start, end) for spans in others]
            yield min(start, *(span[0] for span in near)), max(end, *(span[1] for span in near))

    def _first(self, name: str) -> list[tuple[int, int]]:
        if name not in self._parts:
            same = self._rules.parts[name]
            self._parts[name] = sorted(span for part in same for span in self._matches(part, self._windows(part)))
        return self._parts[name]

    def _matches(self, rule: InjectionRule | Part, windows: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        regex = rule.squeezed if self._squeezed else rule.regex
        starts = self._starts.get(rule.id)
        if starts is not None:
            yield from _matched_at(regex, self.text, windows, starts)
            return
        for start, end in windows:
            yield from (found.span() for found in regex.finditer(self.text, start, end) if found.group())

    def _windows(self, rule: InjectionRule | Part) -> list[tuple[int, int]]:
        """The stretches of the text in which the pattern has a chance."""
        places = [] if self._squeezed else self._chances.get(rule.id)
        if places is None:
            return []
        if not places:
            return [(0, len(self.text))]
        return _merged([(place, place) for place in places], _REACH, len(self.text))


def _matched_at(
    regex: re.Pattern[str], text: str, windows: Iterable[tuple[int, int]], starts: Sequence[int]
) -> Iterator[tuple[int, int]]:
    """What `finditer` gives in each window for a pattern that matches at none but these places (ordered)."""
    for start, end in windows:
        for place in starts[bisect_left(starts, start) : bisect_left(starts, end)]:
            if place >= start and (found := regex.match(text, place, end)):
                start = found.end()
                yield found.span()


def _merged(spans: Sequence[tuple[int, int]], reach: int, length: int) -> list[tuple[int, int]]:
    """What lies within `reach` of any of the spans (ordered by their start)."""
    windows: list[tuple[int, int]] = []
    for first, last in spans:
        start, end = max(0, first - reach), min(length, last + reach)
        if windows and start <= windows[-1][1]:
            windows[-1] = (windows[-1][0], max(end, windows[-1][1]))
        else:
            windows.append((start, end))
    return windows


def _nearest(spans: Sequence[tuple[int, int]], start: int, end: int, within: int) -> tuple[int, int] | None:
    """The span closest to `[start, end)` that is no piece of it and not further away than `within`."""
    index = bisect_left(spans, (start, 0))
    best: tuple[int, int] | None = None
    least = within + 1
    for other in spans[max(index - 4, 0) : index + 12]:
        away = max(other[0] - end, start - other[1], 0)
        if away < least and not start <= other[0] <= other[1] <= end:
            best, least = other, away
    return best


def _judge(
    view: Reading,
    rules: InjectionRules,
    *,
    encoded: bool = False,
    squeezed: bool = False,
    every: bool = False,
    look: Look | None = None,
) -> Iterator[_Find]:
    """What the rules find in a view.

    Args:
        look: what its words say, if that was asked.
    """
    text = view.text
    if look is None and not squeezed:
        look = rules.index.look(Cut.of(text))
    known = _View(text, rules, look)
    for rule in known.tried():
        if (encoded and not rule.encoded) or (rule.unseen and not every):
            continue
        for start, end in known.spans(rule):
            against = rule.unless_regex
            if against is None or not against.search(text, max(0, start - _AROUND), min(len(text), end + _AROUND)):
                yield start, end, rule.id, rule.score


def _worded(cut: Cut, rules: InjectionRules, spans: Sequence[tuple[int, int]]) -> list[_Find]:
    """Sentences that are worded like orders."""
    if rules.wording is None:
        return []
    return [(start, end, wording.RULE, value) for start, end, value in rules.wording.find(cut, spans)]


def _clearly_worded(text: str, rules: InjectionRules) -> list[_Find]:
    """The same for text that was decoded: what is left of other text there says nothing, so a hint is not enough."""
    return [found for found in _worded(Cut.of(text), rules, list(wording.sentences(text))) if found[3] >= _CLEAR]


def _unless_harmless(
    text: str, found: list[_Find], rules: InjectionRules, spans: Sequence[tuple[int, int]]
) -> list[_Find]:
    """Finds with less weight where the sentences around are worded like harmless ones."""
    if rules.wording is None:
        return found
    doubted = rules.wording.doubted
    return [
        (start, end, rule, value if rule in rules.firm else doubted(value, text, _across(spans, start, end)))
        for start, end, rule, value in found
    ]


def _across(spans: Sequence[tuple[int, int]], start: int, end: int) -> list[tuple[int, int]]:
    """The spans (ordered) that share a character with `[start, end)`."""
    index = max(bisect_left(spans, (start, 0)) - 4, 0)
    found = []
    while index < len(spans) and spans[index][0] < end:
        if spans[index][1] > start:
            found.append(spans[index])
        index += 1
    return found


def _disguised(folded: Reading, rules: InjectionRules, cut: Cut, look: Look) -> Iterator[Suspicion]:
    """What only shows when a spelling trick is undone."""
    mended = next(disguises.mended(folded), None)
    shape = disguises.shaped(cut.signs)
    views = [(view, False) for view in disguises.lettered(folded, rules.telling, shape)]
    views += [(mended, False)] if mended is not None else []
    views += [(view, True) for view in disguises.closed_up(folded, shape)]
    if TURNED in look.heard:
        views.append((disguises.rot13(folded), False))
    if REVERSED in look.heard:
        views.append((disguises.backwards(folded), False))
    for view, squeezed in views:
        if rules.telltale and not any(word in view.text for word in rules.telltale):
            continue
        for start, end, rule, value in _judge(view, rules, encoded=True, squeezed=squeezed):
            yield _at(view, start, end, rule, _more(value))
        if view is not mended and not squeezed:
            for start, end, rule, value in _clearly_worded(view.text, rules):
                yield _at(view, start, end, rule, _more(value))


def _at(view: Reading, start: int, end: int, rule: str, value: float) -> Suspicion:
    low, high = view.at[start], view.at[end - 1]
    return Suspicion(min(low, high), max(low, high) + 1, rule, value)


def _more(value: float) -> float:
    """The score of what only shows behind a disguise."""
    return min(value + DISGUISE, 0.98)


def _unless_quoted(folded: Reading, found: list[_Find], worded: list[_Find]) -> list[_Find]:
    """Finds with less weight where they stand in quotation marks and the text speaks about them.

    That holds only if nothing suspicious stands outside of quotation marks: an order that is followed by another one
    is no example. Nor is one in a sentence that is `worded` like an order with what it quotes left out.
    """
    if not found or worded:
        return found
    text = folded.text
    quotes = [quote.span(1) for quote in _QUOTES.finditer(text)]
    inside = [
        any(first <= start and end <= last for first, last in quotes) and _mentioned(text, start, end)
        for start, end, _, _ in found
    ]
    if not all(inside):
        return found
    return [(start, end, rule, round(value * QUOTED, 4)) for start, end, rule, value in found]


def _mentioned(text: str, start: int, end: int) -> bool:
    before = text[max(0, start - _MENTION_REACH) : start]
    return _MENTION.search(before) is not None or _MENTION.search(text, end, end + _MENTION_REACH // 2) is not None
