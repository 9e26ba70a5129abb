"""Capitalised words in a row: what may be a name by its form, before anything around it is asked.

Words join over blanks, particles, initials and nicknames; titles and words that are no names part them. A surname
that stands first, with a comma, is put together with what follows. The words are in rules/people.toml.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Final

from frostbyte.data_plane.policy import forms
from frostbyte.data_plane.policy.columns import Columns
from frostbyte.data_plane.policy.port import Span

UPPER: Final = r"[^\W\d_a-zß-öø-ÿăąćčđęěğıłńňőřśşšťűźżž]"
"""A character class for what may begin a name."""
TOKEN: Final = re.compile(rf"(?<![\w@.]){UPPER}(?:[^\W\d_]|['’-](?=[^\W\d_]))*(?![\w@])|(?<=[A-Z]\.){UPPER}(?=\.)")
_GAP: Final = re.compile(
    r" |\. ?| (?:al|el|ul)-|"
    r"\.?(?: (?:von|van|zu|zum|zur|vom|de|del|della|di|da|dos|das|du|le|la|el|al|bin|ibn|ter|ten|den|der|y|af)){1,2} "
)
_FOREIGN_GAP: Final = re.compile(r" (?:(?:da|dos|di|della|van|van de[nr]|ibn|al) |(?:al|el|ul)-)")
"""What stands within names only, whatever stands before it."""
_NOBLE_GAP: Final = re.compile(
    r"(?:Graf|Gräfin|Freiherr|Freifrau|Baron|Baronin|Ritter|Edler|Prinz|Prinzessin) v(?:on|\.) (?:und zu )?"
)
"""What stands before a nobleman's house: "Ottokar Graf von Rehmstedt"."""
_NICKNAME: Final = re.compile(rf" [\"“„‘'][^\W\d_]{{2,14}}[\"”“’'] (?={UPPER})")
"""What one is called, between given name and surname."""
_ENDS: Final = re.compile(r"[ .]?(?:[\n\t|;]| {2}|$)")
_SURNAME_BEFORE: Final = re.compile(rf"{UPPER}[^\W\d_]+, ?$")
_GIVEN_ENDS: Final = re.compile(r"(?: [A-Z]\.?)?(?:[\t|\n]| {2}|$)")
_COMMA: Final = re.compile(r", ?")
_NOUN: Final = re.compile(
    r".{4,}(?:ungs?|ungen|heit|heiten|keit|keiten|schaft|schaften|ismus|nummer|betrag|kosten|arbeiten|tion|tions|tionen|ments|leiter|leiterin|ärztin|assistentin|beauftragter?|arzt)|.+-(?:nr|no|id|nummer|number|steuer|mandat)"
)
"""Words whose ending is that of a thing."""
CELL_ENDS: Final = re.compile(r"[ .]?(?:[\n\r\t|,;()]|$| {2}| [-–/] )")
LEFT: Final = 64


@lru_cache(maxsize=1)
def vocabulary() -> dict[str, frozenset[str]]:
    """The words of rules/people.toml, by list."""
    text = files("frostbyte.data_plane.policy.rules").joinpath("people.toml").read_text("utf-8")
    return {
        key: frozenset(part.strip() for part in value.split("|")) if "|" in value else frozenset(value.split())
        for key, value in tomllib.loads(text).items()
    }


@dataclass(frozen=True, slots=True)
class Run:
    """Capitalised words in a row, without titles and words that are no names."""

    tokens: tuple[Span, ...]
    words: tuple[str, ...]
    """The tokens in lower case."""
    titled: str
    """'strong' or 'weak' if a title stands before it, else ''."""
    inverted: bool = False
    """Whether the surname stands first, with a comma."""

    @property
    def start(self) -> int:
        """Where the first token begins."""
        return self.tokens[0][0]

    @property
    def end(self) -> int:
        """Where the last token ends."""
        return self.tokens[-1][1]


class Runs:
    """The runs of one text, in order.

    Args:
        places: where addresses begin; what stands there is no given name behind a surname.
        columns: of the same text.
    """

    def __init__(self, text: str, places: Collection[int], columns: Columns) -> None:
        self._text = text
        self._places = places
        self._columns = columns

    def __iter__(self) -> Iterator[Run]:
        return self._surnames_first(self._runs())

    def _runs(self) -> Iterator[Run]:
        text = self._text
        row: list[Span] = []
        for match in TOKEN.finditer(text):
            if row and not self._joins(row[-1], match.start()):
                yield from self._split(row)
                row = []
            row.append(match.span())
        if row:
            yield from self._split(row)

    def _joins(self, last: Span, start: int) -> bool:
        gap = self._text[last[1] : start]
        if gap == " ":
            return True
        if len(gap) > 14:
            return False
        word = self._text[last[0] : last[1]]
        if len(gap) == 2 and _NICKNAME.search(self._text, max(0, last[0] - 2), start + LEFT):
            return self._nicknamed(last, start)
        if gap == "/":  # a passenger's name
            return word.isupper() and self._text[start : start + 2].isupper()
        if gap == "  ":  # a scan's or a typist's
            book = vocabulary()
            return len(word) > 1 and any(word.lower() in book[kind] for kind in ("given", "given_weak"))
        if gap in (". ", ".", ".-", ".  "):
            return len(word) == 1 or word.lower() in vocabulary()["abbreviations"]
        if gap in ("\n", "\r\n"):  # a line's end in prose, not in a list
            begin = self._text.rfind("\n", 0, last[0]) + 1
            return (
                last[1] - begin > 45
                and word.lower() in vocabulary()["given"]
                and self._text[start + 1 : start + 2].islower()
            )
        if _FOREIGN_GAP.fullmatch(gap) or _NOBLE_GAP.fullmatch(self._text[last[0] : start]):
            return True
        if _GAP.fullmatch(gap) is None:
            return False
        book = vocabulary()  # "Ausschluss der Haftung" is no "Friedrich von Bülow"
        known = {word.lower(), word.lower().partition("-")[0]}
        return len(word) == 1 or any(not known.isdisjoint(book[kind]) for kind in ("given", "given_weak", "titles"))

    def _nicknamed(self, last: Span, start: int) -> bool:
        """Whether a name in quotation marks begins or ends between two words: Bartholomew "Bart" Kessler."""
        opening = _NICKNAME.match(self._text, last[1])
        if opening is not None:
            return self._text[last[0] : last[1]].lower() in vocabulary()["given"]
        closing = _NICKNAME.match(self._text, last[0] - 2)
        return closing is not None and closing.end() == start and self._text[last[0] - 3 : last[0] - 2].isalpha()

    def _split(self, row: list[Span]) -> Iterator[Run]:
        """The runs between words that are no names; a title before a run is remembered, not kept."""
        book, titled = vocabulary(), ""
        part: list[Span] = []
        for index, (start, end) in enumerate(row):
            word = self._text[start:end].lower()
            bare = word.removesuffix("'s").removesuffix("’s")
            if bare in book["titles"] and not (part and bare in ("ra", "father", "judge", "dame", "pater", "pastor")):
                if part:
                    yield self._run(part, titled)
                    part = []
                titled = "weak" if bare in book["titles_weak"] and titled != "strong" else "strong"
            elif end - start <= 2 and forms.ends_in_code(self._text, end):  # "B-206"
                if part:
                    yield self._run(part, titled)
                part, titled = [], ""
            elif self._is_initial(row, index) or self._is_weak_given(row, index):
                part.append((start, end))
            elif part and bare == "st" and index + 1 < len(row) and self._text.startswith(". ", end):
                part.append((start, end))  # "Marguerite St. Clair"
            elif (
                bare in book["words"] or bare in book["before_names"] or _NOUN.fullmatch(bare)
            ) and not self._is_surname(part, titled, row, index):
                if part:
                    yield self._run(part, titled)
                part, titled = [], ""
            else:
                part.append((start, start + len(bare)))
        if part:
            yield self._run(part, titled)

    def _is_initial(self, row: list[Span], index: int) -> bool:
        """Whether a letter that is a word, too, abbreviates a given name ("A. Papadopoulos")."""
        start, end = row[index]
        if end - start != 1 or not self._text.startswith(".", end):
            return False
        before = self._text[slice(*row[index - 1])].lower() if index else ""
        if index + 1 == len(row):  # "Johansen, Kirsten A."
            return (
                index == 1
                and before in vocabulary()["given"]
                and _COMMA.search(self._text[: row[0][0]][-2:]) is not None
            )
        if self._text[end + 1 : end + 2] != " " or self._text[max(0, start - 3) : start] in ("i. ", "p. "):
            return False  # "i. A. Kern" signs for another
        return len(before) < 2 or before in vocabulary()["given"] or before in vocabulary()["titles"]  # not "Grade A."

    def _is_weak_given(self, row: list[Span], index: int) -> bool:
        """Whether a month or such is the given name behind a surname with a comma: "HOLLOWAY, JUNE E"."""
        start, end = row[index]
        word = self._text[start:end].lower()
        if index or not (word in vocabulary()["given"] or word in vocabulary()["given_weak"]):
            return False
        return _SURNAME_BEFORE.search(self._text, max(0, start - 20), start) is not None and (
            _GIVEN_ENDS.match(self._text, end) is not None
        )

    def _is_surname(self, part: list[Span], titled: str, row: list[Span], index: int) -> bool:
        """Whether a common word ends a name ("Anna Green", "Mr. Best")."""
        if index + 1 < len(row):
            return False
        word = self._text[row[index][0] : row[index][1]].lower()
        first = self._text[part[0][0] : part[0][1]].lower() if part else ""
        given = len(first) == 1 or first in vocabulary()["given"]
        return word in vocabulary()["surnames"] and (given or (titled == "strong" and not part))

    def _run(self, part: list[Span], titled: str) -> Run:
        return Run(tuple(part), tuple(self._text[a:b].lower() for a, b in part), titled)

    def _surnames_first(self, runs: Iterable[Run]) -> Iterator[Run]:
        """Runs, with "Surname, Given" as one where it opens a line or a cell."""
        book, held = vocabulary(), None
        for run in runs:
            if held is not None:
                gap = self._text[held.end : run.start]
                apart = run.start in self._places or (gap == "," and not self._columns.head(run.start)[0])
                if _COMMA.fullmatch(gap) and not apart and self._is_inverted(held, run, book):
                    yield Run((*held.tokens, *run.tokens), (*held.words, *run.words), held.titled, inverted=True)
                    held = None
                    continue
                yield held
            held = run
        if held is not None:
            yield held

    def _is_inverted(self, surname: Run, given: Run, book: dict[str, frozenset[str]]) -> bool:
        """Whether "Surname, Given" stands there, or "Surname, G." in a line or a cell of its own."""
        if len(given.words) == 1 and len(given.words[0]) == 1 and self._text.startswith(".", given.end):
            left = self._text[max(0, surname.start - 2) : surname.start]
            own = not left or left[-1] in "\n\t|;" or left in ("  ", ": ")
            return own and len(surname.words) == 1 and CELL_ENDS.match(self._text, given.end) is not None
        # What is a given name in one country is a surname in another: "Saleh, Omar" in a line or a cell of its own.
        left = self._text[max(0, surname.start - 2) : surname.start]
        own = (not left or left[-1] in "\n\t|;" or left == "  ") and _ENDS.match(self._text, given.end) is not None
        return _inverted(surname, given, book, own)


def _inverted(surname: Run, given: Run, book: dict[str, frozenset[str]], own: bool) -> bool:
    """Whether "Surname, Given Given" or "Surname, Given G." stands there, and not a list of people."""
    known = all(len(word) == 1 or word in book["given"] or word.split("-")[0] in book["given"] for word in given.words)
    single = len(surname.words) <= 2 and all(
        len(word) > 1 and (own or word not in book["given"]) for word in surname.words
    )
    return known and len(given.words[0]) > 1 and single and not given.titled
