"""A text as the terms that it is found under, in English and German.

A word is found under its English and its German stem: the language of a passage is not known and both are cheap. The
German one has no umlauts (ä, ae and a are one letter there, as are ß and ss), because people type what their keyboard
has. What people look up exactly gets terms of its own, the same on both sides however it is written:

* an identifier whole, without its separators (`AB-12/7`, `AB 12/7`, `AB12/7`), besides its parts and each two
  neighbours (`Abs. 3`, `§ 12`, `17 April`);
* a number by its value (`1.250,00`, `1,250.00`, `1250`);
* a day by its date (`3. Juni 2026`, `June 3, 2026`, `03.06.2026`, `2026-06-03`).

Hints are terms that tell less: the groups of letters of a word. A German compound shares them with its parts, a
misspelt word with the right one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from threading import local
from typing import Final

import Stemmer
from msgspec import Struct

_TOKEN: Final = re.compile(r"(§+|\w+(?:[-./@:_,'’]\w+)*)")
_PART: Final = re.compile(r"[^\W\d_]+|\d+|§+")
# These begin with a digit, and ask for what stands before it only then: digits are looked for at the speed of C.
_AMOUNT: Final = re.compile(
    r"(\d(?<![\w.,]\d)(?:\d{0,2}(?:[.,'’\u00a0\u202f ]\d{3})+|\d*))(?:([.,])(\d{1,2}))?(?![\w]|[.,]\d)"
)
_YEAR: Final = re.compile(r"\d{4}")
_ISO: Final = re.compile(r"(\d(?<!\w\d)\d{3})-(\d{1,2})-(\d{1,2})\b")
_POINTS: Final = re.compile(r"(\d(?<!\w\d)\d?)\. ?(\d{1,2})\. ?(\d{4})\b")
_SLASHES: Final = re.compile(r"(\d(?<!\w\d)\d?)/(\d{1,2})/(\d{4})\b")
_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        (
            *("jan january januar jänner", "feb february februar", "mar march märz mrz maerz", "apr april", "may mai"),
            *("jun june juni", "jul july juli", "aug august", "sep sept september", "oct okt october oktober"),
            *("nov november", "dec dez december dezember"),
        ),
        1,
    )
    for name in names.split()
}
_MONTH: Final = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DAY_FIRST: Final = re.compile(rf"(\d(?<!\w\d)\d?)(?:\.|st|nd|rd|th)? (?:of )?({_MONTH})\.?,? (\d{{4}})\b")
_DAY_AND_YEAR: Final = re.compile(r"(\d(?<!\w\d)\d?)(?:st|nd|rd|th)?,? (\d{4})\b")
_MONTH_BEFORE: Final = re.compile(rf"\b({_MONTH})\.? \Z")
_LONGEST_MONTH: Final = 12
"""Characters, with what may stand behind it."""
_JOINED: Final = 8
"""Neighbouring tokens with digits that are taken as one identifier at most, such as the groups of an IBAN."""
_LONGEST: Final = 40
"""Letters of what counts as an identifier or as a word with hints."""
_GROUP: Final = 4
_STOP: Final = frozenset(
    "a about above after again all am an and any are as at be because been before being below between both but by can "
    "could did do does doing down during each few for from further had has have having he her here hers him his how i "
    "if in into is it its itself me more most my no nor not now of off on once only or other our out over own please "
    "same she should so some such than that the their them then there these they this those through to too under "
    "until up us very was we were what when where which while who whom whose why will with would you your "
    "ab aber alle allem allen aller alles als also am an andere anderen auch auf aus bei beim bin bis bitte da damit "
    "dann das dass daß dazu dein dem den denn der des deshalb dessen die dies diese diesem diesen dieser dieses doch "
    "dort du durch ein eine einem einen einer eines er es etwas euch euer für gegen gibt habe haben hat hatte hatten "
    "hier ich ihm ihn ihnen ihr ihre ihrem ihren ihrer im in ins ist ja jede jedem jeden jeder jedes jedoch kann kein "
    "keine keinem keinen keiner können könnte man mein mich mir mit muss müssen nach nicht noch nun nur ob oder ohne "
    "sehr sein seine seinem seinen seiner seit sich sie sind so soll sollen sollte sowie über um und uns unser unter "
    "vom von vor wann war waren warum was wegen weil welche welchem welchen welcher welches wem wen wenn wer werde "
    "werden weshalb wie wieder wieviel wieso will wir wird wirst wo woher wohin wollen worden wurde wurden zu zum zur "
    "zwischen darf dürfen".split()
)
_SAME: Final = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-")  # what typesetters put where people type "-"
    | dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff", "")  # invisible ones, which would cut a word in two
)
_OTHER: Final = re.compile(f"[{''.join(re.escape(chr(code)) for code in _SAME)}]")
_stemmers = local()


class Word(Struct, frozen=True, eq=False, gc=False):
    """A word, or what stands for several: its weight is shared by its forms."""

    forms: tuple[str, ...]
    hints: tuple[str, ...] = ()


class Token(Struct, frozen=True, eq=False):
    """What stands between blanks: a word, or several that belong together."""

    words: tuple[Word, ...]
    """Those of its parts that have a meaning."""
    parts: tuple[str, ...]
    digits: bool
    """Whether it may belong to an identifier: it holds a digit and is no plain word."""
    plain: bool
    """Whether nothing but its words comes of it."""
    within: tuple[Word, ...] = ()
    """What its parts are together: the whole of them, and each two neighbours one of which is a number."""


def words(text: str) -> Iterator[Word]:
    """The words of a text in order, then its identifiers, numbers and dates. Words without meaning are left out."""
    pieces = pieces_of(text)
    for piece in pieces[1::2]:
        yield from token(piece).words
    yield from further(pieces)
    yield from beyond(pieces)


def pieces_of(text: str) -> list[str]:
    """The text in lower case, cut: what stands before a token, a token, what stands before the next ... at the end."""
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    if _OTHER.search(plain):
        plain = plain.translate(_SAME)
    return _TOKEN.split(plain.casefold())


@lru_cache(maxsize=100_000)
def token(piece: str) -> Token:
    """What a token says."""
    parts = (piece,) if piece.isalpha() else tuple(_PART.findall(piece))
    digits = bool(parts) and (len(parts) > 1 or not parts[0].isalpha()) and any(map(_digit, parts))
    plain = len(parts) < 2 and not digits
    within = () if plain else tuple(_within(parts))
    return Token(tuple([_word(part) for part in parts if part not in _STOP]), parts, digits, plain, within)


def _within(parts: tuple[str, ...]) -> Iterator[Word]:
    whole = "".join(parts)
    if len(parts) > 1 and len(whole) <= _LONGEST:
        yield _word(whole) if whole.isalpha() else Word((whole,))
    for left, right in pairwise(parts):
        if _digit(left) or _digit(right):
            yield Word((f"{left} {right}",))


def further(pieces: Sequence[str]) -> Iterator[Word]:
    """What the tokens of a text say beside their words, each by itself."""
    for piece in pieces[1::2]:
        yield from token(piece).within


def beyond(pieces: Sequence[str]) -> Iterator[Word]:
    """What tokens are together, of which one at least is not plain: identifiers, numbers and dates."""
    tokens = list(map(token, pieces[1::2]))
    yield from _identifiers(tokens, pieces)
    if any(here.digits for here in tokens):
        plain = "".join(pieces)
        if plain.isalnum() and not plain.isdecimal():
            return  # one word with a number in it is neither an amount nor a date
        for term in (*_amounts(plain), *_dates(plain)):
            yield Word((term,))


def _identifiers(tokens: Sequence[Token], pieces: Sequence[str]) -> Iterator[Word]:
    """Runs of tokens with digits whole, and pairs of neighbours one of which is a number."""
    run: list[str] = []
    for number in _numbered(tokens):
        here = tokens[number]
        last = number - 1
        while last >= 0 and not tokens[last].parts:
            last -= 1
        near = last >= 0 and _near("".join(pieces[2 * last + 2 : 2 * number + 1]))
        if near:
            left, right = tokens[last].parts[-1], here.parts[0]
            if _digit(left) or _digit(right):
                yield Word((f"{left} {right}",))
        if not (near and here.digits) and len(run) > 1:
            yield Word(("".join(run),))
        run = [*(run if near and len(run) < _JOINED else ()), "".join(here.parts)] if here.digits else []
    if len(run) > 1:
        yield Word(("".join(run),))


def _numbered(tokens: Sequence[Token]) -> Iterator[int]:
    """Where tokens stand that are not plain, and the one behind each that has digits: most are one word of many."""
    for number in [number for number, here in enumerate(tokens) if not here.plain]:
        yield number
        if tokens[number].digits:
            behind = number + 1
            while behind < len(tokens) and not tokens[behind].parts:
                behind += 1
            if behind < len(tokens) and tokens[behind].plain:
                yield behind


def _near(between: str) -> bool:
    """Whether two tokens stand side by side on one line."""
    return len(between) <= 2 and "\n" not in between


def _digit(part: str) -> bool:
    return part[0].isdigit()


def _amounts(plain: str) -> Iterator[str]:
    """Numbers with grouped thousands or decimals, by their value."""
    for match in _AMOUNT.finditer(plain):
        whole = match[1] if match[1].isdigit() else "".join(filter(str.isdigit, match[1]))
        whole = whole.lstrip("0") or "0"
        decimals = (match[3] or "").rstrip("0")
        yield f"#{whole}.{decimals}" if decimals else f"#{whole}"


def _dates(plain: str) -> Iterator[str]:
    if not _YEAR.search(plain):
        return
    for match in _ISO.finditer(plain):
        yield from _date(match[1], match[2], match[3])
    for match in _POINTS.finditer(plain):
        yield from _date(match[3], match[2], match[1])
    for match in _SLASHES.finditer(plain):  # both readings: 03/06 is June in London and March in Boston
        yield from _date(match[3], match[2], match[1])
        if match[1] != match[2]:
            yield from _date(match[3], match[1], match[2])
    for match in _DAY_FIRST.finditer(plain):
        yield from _date(match[3], str(_MONTHS[match[2]]), match[1])
    for match in _DAY_AND_YEAR.finditer(plain):
        month = _MONTH_BEFORE.search(plain, max(match.start() - _LONGEST_MONTH, 0), match.start())
        if month is not None:
            yield from _date(match[2], str(_MONTHS[month[1]]), match[1])


def _date(year: str, month: str, day: str) -> Iterable[str]:
    if 1 <= int(month) <= 12 and 1 <= int(day) <= 31:
        yield f"@{int(year)}-{int(month)}-{int(day)}"


@lru_cache(maxsize=100_000)
def _word(part: str) -> Word:
    if not part.isalpha():
        return Word((part,))
    if not hasattr(_stemmers, "pair"):  # a stemmer keeps state: one pair a thread
        # Nothing is remembered there: this function remembers, and their way of forgetting is dear.
        _stemmers.pair = (Stemmer.Stemmer("english", 0), Stemmer.Stemmer("german", 0))
    english, german = (stemmer.stemWord(part) for stemmer in _stemmers.pair)
    english, folded = _accentless(english), _folded(german)
    forms = (english,) if english == folded else (english, folded)
    return Word(forms, _hints(_folded(part)))


def _accentless(word: str) -> str:
    if word.isascii():
        return word
    return "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c))


def _folded(word: str) -> str:
    """Without umlauts and accents, however they were written."""
    return _accentless(word).replace("ae", "a").replace("oe", "o").replace("ue", "u")


def _hints(word: str) -> tuple[str, ...]:
    if not _GROUP < len(word) <= _LONGEST:
        return (f"~{word}",) if len(word) == _GROUP else ()
    return tuple(dict.fromkeys([f"~{word[at : at + _GROUP]}" for at in range(len(word) - _GROUP + 1)]))
