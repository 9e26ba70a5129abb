"""The injection gate: how much a passage reads like orders to a language model, 0..1.

Rules are matched on several views of a text, because an attacker chooses how to write: folded (case, accents,
letters of other scripts that look Latin), spaced out (`i g n o r e`), with digits for letters, decoded (base64, hex,
ROT13, reversed, invisible tag characters). Finds combine as independent evidence: 1 - product(1 - score). A find in
text that a person cannot see, or in a disguise, weighs more than the same words in plain sight.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from frostbyte.data_plane.document import Page
from frostbyte.data_plane.policy.reading import INVISIBLE, Reading
from frostbyte.data_plane.policy.ruleset import InjectionRule

DISGUISE: Final = 0.2
"""Added to a rule's score when it only matched behind an encoding or a spelling trick."""

HIDDEN_WEIGHT: Final = 0.5
"""Part of the missing certainty that hiding a suspicious passage removes: 0.4 becomes 0.7."""

HIDDEN_ALONE: Final = 0.2
"""Score of text that is hidden by how it is drawn, before any rule; below the default flag."""

_DISGUISED: Final = "disguised"
_SQUEEZED: Final = "squeezed"
"""Views of a text: with a disguise undone; with all gaps lost too."""

_DRAWN_HIDDEN: Final = frozenset({"white", "tiny", "off_page", "invisible", "transparent", "covered", "hidden_text"})

_LOOKALIKES: Final = str.maketrans(
    "аеорсухіјѕԁԛԝһӏᴀʙᴄᴅᴇɪᴊᴋʟᴍɴᴏᴘʀᴛᴜᴠᴡʏᴢвкмнтгпиαβεικνορτυχγωηɡɑıƖ",
    "aeopcyxijsdqwhlabcdeijklmnoprtuvwyzbkmhtrpuabeiknoptuxywngail",
)
_DIGIT_LETTERS: Final = str.maketrans("0134578@$!|", "oieastbasil")
_LETTERED: Final = re.compile(r"(?<=[a-z])[0134578@$!|]{1,4}|[0134578@$!|]{1,4}(?=[a-z])")
_FOREIGN: Final = re.compile(r"[^\x00-\x7f]+")
_SPACED: Final = re.compile(r"(?<!\w)(?:\w[ .\-_*]{1,2}){4,200}\w(?!\w)")
_BASE64: Final = re.compile(r"(?<![A-Za-z0-9+/=_-])[A-Za-z0-9+/_-]{20,}(?:\s{1,2}[A-Za-z0-9+/_-]{16,}){0,40}={0,2}")
_HEX: Final = re.compile(r"(?<![0-9A-Fa-f])(?:(?:0x|\\x|%)?[0-9A-Fa-f]{2}[\s,:]?){14,}")
_ESCAPES: Final = re.compile(r"(?:\\u[0-9A-Fa-f]{4}|&#x?[0-9A-Fa-f]{2,6};){8,}")
_TAGS: Final = re.compile("[\U000e0020-\U000e007e]{4,}")
_ZERO_WIDTH: Final = re.compile(r"(?<=[A-Za-z])[\u200b-\u200d\u2060\ufeff]+(?=[A-Za-z])")
_BIDI: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
_VARIATION: Final = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{4,}")
_MIXED: Final = re.compile(r"[A-Za-z][\u0370-\u03ff\u0400-\u04ff]+|[\u0370-\u03ff\u0400-\u04ff][A-Za-z]+")
_CLOSE: Final = 100
"""Tricks with characters at most this far apart are reported as one."""

_ANY_INVISIBLE: Final = re.compile(f"[{INVISIBLE}]")


@dataclass(frozen=True, slots=True, order=True)
class Suspicion:
    """One find at a document-wide range of canonical positions."""

    start: int
    end: int
    rule: str
    score: float


def find(reading: Reading, rules: Sequence[InjectionRule]) -> list[Suspicion]:
    """Everything suspicious in a folded reading, at its canonical positions."""
    folded = fold(reading)
    plain = list(_match(folded, rules))
    seen = {item.rule for item in plain}
    tricks = [item for view, mode in _views(folded) for item in _match(view, rules, mode) if item.rule not in seen]
    decoded = [
        item for start, end, text in _decoded(reading.text) for item in _hidden_rules(text, rules, reading, start, end)
    ]
    mirrored = [item for view in (_rot13(folded), _reversed(folded)) for item in _match(view, rules, _DISGUISED)]
    return sorted({*plain, *tricks, *decoded, *mirrored})


def find_marks(text: str, base: int, rules: Sequence[InjectionRule]) -> list[Suspicion]:
    """Tricks with characters that a folded reading no longer has: invisible ones, and words of two scripts."""
    found: list[Suspicion] = []
    if text.isascii():
        return found
    for run in _TAGS.finditer(text):
        hidden = "".join(chr(ord(char) - 0xE0000) for char in run.group())
        inner = score(item.score for item in _match(fold(Reading(hidden, range(len(hidden)))), rules))
        found.append(Suspicion(base + run.start(), base + run.end(), "invisible_tags", max(0.75, inner)))
    for pattern, rule, least, value in (
        (_ZERO_WIDTH, "zero_width_in_words", 3, 0.35),
        (_BIDI, "direction_override", 2, 0.35),
        (_VARIATION, "variation_selectors", 1, 0.5),
        (_MIXED, "mixed_scripts", 2, 0.35),
    ):
        runs = list(pattern.finditer(text))
        if len(runs) >= least:
            found += [Suspicion(base + start, base + end, rule, value) for start, end in _near(runs)]
    return found


def _near(runs: Sequence[re.Match[str]]) -> Iterator[tuple[int, int]]:
    """The ranges of runs, with those that stand close together as one."""
    start, end = runs[0].span()
    for run in runs[1:]:
        if run.start() > end + _CLOSE:
            yield start, end
            start = run.start()
        end = run.end()
    yield start, end


def hidden_marks(page: Page, base: int) -> list[Suspicion]:
    """Elements that are drawn so that nobody sees them."""
    return [
        Suspicion(base + element.start, base + element.end, "hidden_element", HIDDEN_ALONE)
        for element in page.elements
        if element.hidden in _DRAWN_HIDDEN and page.reading(element.start, element.end).strip()
    ]


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
    text = reading.text
    if text.isascii():
        return Reading(text.lower(), reading.at)
    parts: list[str] = []
    at: list[int] = []
    here = 0
    for run in _FOREIGN.finditer(text):
        parts.append(text[here : run.start()].lower())
        at.extend(reading.at[here : run.start()])
        for index in range(run.start(), run.end()):
            plain = _plain_letter(text[index])
            parts.append(plain)
            at.extend([reading.at[index]] * len(plain))
        here = run.end()
    parts.append(text[here:].lower())
    at.extend(reading.at[here:])
    return Reading("".join(parts), at)


@lru_cache(maxsize=4096)
def _plain_letter(char: str) -> str:
    """A letter in lower case, without accents, as Latin if it looks so."""
    char = char.lower()
    if char == "ß":
        return "ss"
    stripped = "".join(c for c in unicodedata.normalize("NFKD", char) if not unicodedata.combining(c))
    return stripped.translate(_LOOKALIKES) or ""


def _match(view: Reading, rules: Sequence[InjectionRule], mode: str = "") -> Iterator[Suspicion]:
    for rule in rules:
        if mode and not rule.encoded:
            continue
        if rule.needs and not any(word in view.text for word in rule.needs):
            continue
        for match in (rule.squeezed if mode == _SQUEEZED else rule.regex).finditer(view.text):
            if match.end() > match.start():
                low, high = view.at[match.start()], view.at[match.end() - 1]
                value = min(rule.score + DISGUISE, 0.98) if mode else rule.score
                yield Suspicion(min(low, high), max(low, high) + 1, rule.id, value)


def _views(folded: Reading) -> Iterator[tuple[Reading, str]]:
    """The text with spelling tricks undone."""
    text = folded.text
    if any(sign in text for sign in "0134578@$!|"):
        # A one stands for an i or an l; twice in a row it is mostly ll.
        for guessed in (text.replace("11", "ll"), text.replace("1", "l")):
            parts = list(guessed)
            for run in _LETTERED.finditer(guessed):
                parts[run.start() : run.end()] = run.group().translate(_DIGIT_LETTERS)
            view = "".join(parts)
            if view != text:
                yield Reading(view, folded.at), _DISGUISED
    for run in _SPACED.finditer(text):
        kept = [index for index in range(run.start(), run.end()) if text[index].isalnum()]
        yield Reading("".join(text[i] for i in kept), [folded.at[i] for i in kept]), _SQUEEZED


def _rot13(folded: Reading) -> Reading:
    return Reading(codecs.encode(folded.text, "rot13"), folded.at)


def _reversed(folded: Reading) -> Reading:
    return Reading(folded.text[::-1], list(reversed(folded.at)))


def _decoded(text: str) -> Iterator[tuple[int, int, str]]:
    """Readable text behind base64, hex and escapes, with where its encoded form stands."""
    for match in _BASE64.finditer(text):
        for run in (match.group(), *match.group().split()):
            plain = _unbase64(run)
            if plain:
                yield match.start(), match.end(), plain
                break
    for match in _HEX.finditer(text):
        digits = re.sub(r"0x|\\x|[%\s,:]", "", match.group())
        plain = _readable(bytes.fromhex(digits[: len(digits) // 2 * 2]))
        if plain:
            yield match.start(), match.end(), plain
    for match in _ESCAPES.finditer(text):
        codes = re.findall(r"\\u([0-9A-Fa-f]{4})|&#x([0-9A-Fa-f]{2,6});|&#(\d{2,6});", match.group())
        points = [int(decimal) if decimal else int(u or x, 16) for u, x, decimal in codes]
        yield match.start(), match.end(), "".join(chr(point) for point in points if point < 0x110000)


def _unbase64(run: str) -> str:
    data = re.sub(r"\s", "", run).rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        return _readable(base64.b64decode(data + "=" * (-len(data) % 4), validate=True))
    except (binascii.Error, ValueError):
        return ""


def _readable(data: bytes) -> str:
    """The bytes as text, or '' if they are none."""
    for encoding in ("utf-8", "utf-16-le"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        good = sum(char.isalpha() or char in " \n.,:;!?'\"-" for char in text)
        if len(text) >= 8 and good >= 0.85 * len(text):
            return text
    return ""


def _hidden_rules(
    text: str, rules: Sequence[InjectionRule], reading: Reading, start: int, end: int
) -> Iterator[Suspicion]:
    low, high = reading.span(start, end)
    view = fold(Reading(text, range(len(text))))
    for item in _match(view, rules):
        yield Suspicion(low, high, item.rule, min(item.score + DISGUISE, 0.98))


def clean(text: str) -> str:
    """A text without invisible characters (for titles and other short values)."""
    return _ANY_INVISIBLE.sub("", text)
