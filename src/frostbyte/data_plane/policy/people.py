"""Names of people: capitalised words judged by what stands around them, and by the engine where that leaves doubt.

A run of capitalised words is a name at once where a title, a salutation, a label, a column's head or a given name
says so, and none at once where it holds a word of organisations, places or headings. Only the rest is put to the
engine, in short passages: it is right about most prose, but slow, and it knows neither lists nor letters in capitals.
The words are in rules/people.toml.
"""

from __future__ import annotations

import re
import sys
import tomllib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Final

from frostbyte.data_plane.policy.columns import Columns

UPPER: Final = r"[^\W\d_a-zß-öø-ÿăąćčđęěğıłńňőřśşšťűźżž]"
"""A character class for what may begin a name."""

TOKEN: Final = re.compile(rf"(?<![\w@.]){UPPER}(?:[^\W\d_]|['’-](?=[^\W\d_]))*(?![\w@])|(?<=[A-Z]\.){UPPER}(?=\.)")
_GAP: Final = re.compile(
    r" |\. ?| (?:al|el|ul)-|"
    r"\.?(?: (?:von|van|zu|zum|zur|vom|de|del|della|di|da|dos|das|du|le|la|el|al|bin|ibn|ter|ten|den|der|y|af)){1,2} "
)
_FOREIGN_GAP: Final = re.compile(r" (?:(?:da|dos|di|della|van|van de[nr]|ibn|al) |(?:al|el|ul)-)")
"""What stands within names only, whatever stands before it."""

_NICKNAME: Final = re.compile(rf" [\"“„‘'][^\W\d_]{{2,14}}[\"”“’'] (?={UPPER})")
"""What one is called, between given name and surname."""

_COMMA: Final = re.compile(r", ?")
_LISTED: Final = re.compile(
    r"(?:[,;/]| and| und|, and| sowie)\s+(?:dr\.? |prof\.? |mrs?\.? |ms\.? |frau |herrn? )*", re.IGNORECASE
)
_MAIL_BEHIND: Final = re.compile(r"\"?\s?[<(\[]?\s?(?:mailto:)?[\w.+-]+@\w")
_WORD: Final = re.compile(r"[^\W\d_]+")
_LAST_WORD: Final = re.compile(r"([^\W\d_]+)([.'’]?[\s,:!]{0,4})$")
_LABEL: Final = re.compile(
    r"(?:^|[\n\t|;:,(]|\d[.)]| {2}|[.!?] )[ *•\-]*(?P<label>[^\W\d_][^\n\t|;:=]{0,40}?)\s?(?:\([^()\n]*\))?"
    r"(?P<gap>[ \t]*[:=][ \t]*\n?[ \t]*|[ .…_]*\.{3,}[ .]*|\t[ \t]*|[ \t]*\n[ \t]*| {2,}|, | )\"?"
    r"(?:[^\W\d_]{1,4}\.? ){0,2}$"
)
_MARK: Final = re.compile(r"(?:/s/|gez\.|i\. ?[AV]\.|Richter(?:in)? am \w{3,20}gericht)[ \t]*$")
_PARTICLES: Final = re.compile(
    r"(?<!\w)(?:(?:[Vv]on|[Vv]an|[Zz]u|[Dd]e|[Dd]el|[Dd]i|[Dd]a|[Dd]u|[Ll]a|[Tt]er|den|der|und zu) ){1,3}$"
)
_BORN_BEHIND: Final = re.compile(
    r"(?:,? \(?|, ?|\n)(?:born|geb\.|geboren|d\.?o\.?b|DOB|aged? \d|\* ?\d|\d{2} (?:years|Jahre))"
)
_DEGREE_BEHIND: Final = re.compile(
    r",? (?:RN|LPN|CNA|CRNA|M\.?D\.?|D\.?O\.|NP|PA-C|FNP|DDS|DMD|DVM|PharmD|RPh|CPA|CFA|Esq|Ph\.?D|J\.?D\.?|LCSW|MSW"
    r"|MBA|P\.E\.|QC|KC|OBE|MBE|FRCP|FRCS|LL\.?M)(?![\w-]| \d)"
)
"""What somebody has learned. Some are states, too: "Silver Spring, MD"."""
_ROLE_BEHIND: Final = re.compile(r" \(([^\W\d_]{3,20})\)")
_DATE_BEHIND: Final = re.compile(r",? \(?\d{1,2}[./-]\d{1,2}[./-](?:19|20)?\d{2}")
_TO_ADDRESS: Final = re.compile(r",? ?\(?(?:, (?:residing|living|wohnhaft) (?:at|in) )?|[ \t]*\n[ \t]*")
_OF_PEOPLE: Final = re.compile(
    r"name|geb|birth|dob|ssn|social|mail|phone|telefon|mobil|iban|stra(?:ß|ss)e|address|anschrift|employee|personal"
    r"|steuer|patient"
)
_IS_LABEL: Final = re.compile(r"(?:nr|no)?\.?[:#]? ?[#\d]")
_NOUN: Final = re.compile(
    r".{4,}(?:ungs?|ungen|heit|heiten|keit|keiten|schaft|schaften|ismus|nummer|betrag|kosten|arbeiten|tion|tions|tionen|ments)"
)
"""Words whose ending is that of a thing."""

_HANDED: Final = re.compile(
    r"(?<!\w)(?:from|to|by|for|with|and|customer|tenant|von|an|durch|mit|für|und|bei|sagt|says|said) $"
)
_NAME_ONLY: Final = frozenset(
    "surname forename forenames nachname vorname vornamen familienname zuname geburtsname rufname".split()
)
"""Labels that need no colon."""

_CELL_ENDS: Final = re.compile(r"[ .]?(?:[\n\r\t|,;()]|$| {2}| [-–/] )")
_IN_BRACKETS: Final = re.compile(r" \([^()]*\)")
_LEFT: Final = 64

Span = tuple[int, int]


@lru_cache(maxsize=1)
def vocabulary() -> dict[str, frozenset[str]]:
    """The words of rules/people.toml, by list."""
    text = files("frostbyte.data_plane.policy.rules").joinpath("people.toml").read_text("utf-8")
    return {
        key: frozenset(part.strip() for part in value.split("|")) if "|" in value else frozenset(value.split())
        for key, value in tomllib.loads(text).items()
    }


@lru_cache(maxsize=1)
def _label_words() -> frozenset[str]:
    """The last word of each label: a quick look whether one can stand there."""
    return frozenset(_WORD.findall(label)[-1] for label in vocabulary()["labels"] if _WORD.search(label))


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


@dataclass(frozen=True, slots=True)
class Doubt:
    """A run that only the engine can judge, and how much of it the engine must see as a name."""

    run: Run
    least: int
    """Tokens that must lie in what the engine found."""
    given: bool = False
    """Whether a given name is among them."""


class People:
    """The names in one text.

    `sure` holds what the words around tell; `doubts` what is to be put to an engine.

    Args:
        places: addresses in the text; who stands directly before one lives there.
    """

    def __init__(self, text: str, places: Iterable[Span] = ()) -> None:
        self._text = text
        self._places = frozenset(start for start, _ in places)
        self._columns = Columns(text)
        self.sure: list[Span] = []
        self.doubts: list[Doubt] = []
        last: tuple[int, str] = (-1, "")
        for run in self._surnames_first(self._runs()):
            said = self._evidence(run, last)
            verdict = self._judge(run, said)
            if verdict is True:
                self.sure.append(self._with_partner(run))
                last = (run.end, said or "given")
            elif isinstance(verdict, Doubt):
                self.doubts.append(verdict)

    def settle(self, found: Iterable[Span]) -> Iterator[tuple[Span, bool]]:
        """The doubts that are names by what the engine found in the passages that hold them.

        Yields:
            The name, and whether the words alone speak for it as well.
        """
        spans = sorted(found)
        for doubt in self.doubts:
            seen = [overlaps(token, spans) for token in doubt.run.tokens]
            if sum(seen) >= doubt.least:
                yield self._with_partner(doubt.run), doubt.given

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
        if len(gap) == 2 and _NICKNAME.search(self._text, max(0, last[0] - 2), start + _LEFT):
            return self._nicknamed(last, start)
        if gap == "/":  # a passenger's name
            return word.isupper() and self._text[start : start + 2].isupper()
        if gap in (". ", ".", ".-"):
            return len(word) == 1 or word.lower() in vocabulary()["abbreviations"]
        if gap in ("\n", "\r\n"):  # a line's end in prose, not in a list
            begin = self._text.rfind("\n", 0, last[0]) + 1
            return last[1] - begin > 45 and word.lower() in vocabulary()["given"]
        if _FOREIGN_GAP.fullmatch(gap):
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
            elif self._is_initial(row, index):
                part.append((start, end))
            elif (bare in book["words"] or _NOUN.fullmatch(bare)) and not self._is_surname(part, titled, row, index):
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
                if _COMMA.fullmatch(gap) and _inverted(held, run, book):
                    yield Run((*held.tokens, *run.tokens), (*held.words, *run.words), held.titled, inverted=True)
                    held = None
                    continue
                yield held
            held = run
        if held is not None:
            yield held

    def _evidence(self, run: Run, last: tuple[int, str]) -> str:
        """'strong', 'weak' or ''."""
        text, book = self._text, vocabulary()
        left = text[max(0, run.start - _LEFT) : run.start]
        if run.titled or _MARK.search(left):
            return "weak" if run.titled == "weak" and len(run.words) < 2 else "strong"
        said = self._word_before(run, left)
        if said:
            return said
        if _IS_LABEL.match(text, run.end) or (text.startswith(":", run.end) and " ".join(run.words) in book["labels"]):
            return ""
        if last[0] >= 0 and run.start - last[0] < 16 and _LISTED.fullmatch(text, last[0], run.start):
            return last[1] if last[1] == "strong" else "weak"
        said = self._label(left, run)
        if said:
            return said
        if len(run.words) > 1 and _BORN_BEHIND.match(text, run.end, run.end + 40):
            return "strong"
        if _DEGREE_BEHIND.match(text, run.end, run.end + 12) and len(run.words) > 1:
            return "weak"
        if _DATE_BEHIND.match(text, run.end, run.end + 40) or self._lives_behind(run):
            return "weak"
        if _MAIL_BEHIND.match(text, run.end, run.end + 80):
            return "weak"
        role = _ROLE_BEHIND.match(text, run.end)
        if role is not None and role[1].lower() in book["labels"]:
            return "weak"
        head = _IN_BRACKETS.sub("", " ".join(self._columns.head(run.start)[0].lower().split())).rstrip(":")
        if head in book["heads"]:
            others = {" ".join(other.lower().split()) for other in self._columns.heads(run.start)} - {head}
            told = head not in book["labels_weak"] or any(_OF_PEOPLE.search(other) for other in others)
            return "strong" if told else "weak"
        return ""

    def _fills_a_cell(self, run: Run) -> bool:
        """Whether the run ends its line or cell, and the line is not itself one of heads."""
        if not _CELL_ENDS.match(self._text, run.end):
            return False
        begin, end = self._text.rfind("\n", 0, run.start) + 1, self._text.find("\n", run.end)
        cells = re.split(r"\t| {2,}|\|", self._text[begin : len(self._text) if end < 0 else end].lower())
        return sum(cell.strip() in vocabulary()["heads"] for cell in cells) < 2

    def _word_before(self, run: Run, left: str) -> str:
        """What a salutation, a closing or a title directly before the run says."""
        match, book = _LAST_WORD.search(left), vocabulary()
        if match is None:
            return ""
        word, gap = match.group(1).lower(), match.group(2)
        if "." in gap and word not in book["abbreviations"] and word != "gez":  # a sentence ends there
            return ""
        if word in book["before_names"]:
            return "strong"
        alone = _CELL_ENDS.match(self._text, run.end) is not None
        if word in book["closings"] and alone and not {"\n", ","}.isdisjoint(gap):
            return "strong"
        if word in book["titles"] and gap in (" ", ". ", "."):
            return "weak" if word in book["titles_weak"] and len(run.words) < 2 else "strong"
        return ""

    def _lives_behind(self, run: Run) -> bool:
        """Whether an address begins right behind the run, in the same line or the next."""
        gap = _TO_ADDRESS.match(self._text, run.end)
        return gap is not None and gap.end() in self._places

    def _label(self, left: str, run: Run) -> str:
        """What a label before the run says; one in a line or a cell of its own labels the whole of the next."""
        near = _WORD.findall(left)[-6:]
        if _label_words().isdisjoint(word.lower() for word in near):
            return ""
        match = _LABEL.search(left)
        if match is None:
            return ""
        label = " ".join(match["label"].lower().split()).rstrip(".:")
        spaced = match["gap"] == " "
        if not match["gap"].strip(" ,\t\n") and not spaced and not self._fills_a_cell(run):
            return ""
        book = vocabulary()
        for _ in range(5):
            if label in book["labels"]:
                if spaced and " " not in label and label not in _NAME_ONLY:
                    return ""
                return "weak" if label in book["labels_weak"] else "strong"
            _, _, label = label.partition(" ")
        return ""

    def _judge(self, run: Run, said: str) -> bool | Doubt:
        book = vocabulary()
        if len(run.tokens) > 6 or self._is_organisation(run):
            return False
        count = sum(1 for word in run.words if len(word) > 1)
        if not count:
            return False
        given = any(word in book["given"] or word.split("-")[0] in book["given"] for word in run.words)
        weak = any(word in book["given_weak"] for word in run.words)
        if said == "strong":
            return True
        if said == "weak":
            return True if given or weak or _initialled(run) else Doubt(run, 1)
        if count == 1 and not _initialled(run):
            return Doubt(run, 1, given=True) if given and not self._names_a_thing(run) else False
        if given:
            return True
        initials = sum(len(word) == 1 for word in run.words)
        if _initialled(run) and (initials > 1 or self._handed(run)):
            return True
        return Doubt(run, 1 if _initialled(run) or weak or self._introduced(run) else 2)

    def _introduced(self, run: Run) -> bool:
        """Whether a colon stands before the run and a mark ends it: something is named."""
        before = self._text[max(0, run.start - 2) : run.start]
        return before == ": " and self._text[run.end : run.end + 1] in (",", ";", "\n", "")

    def _handed(self, run: Run) -> bool:
        """Whether a small word before an initial speaks of a person: "from M. Washington"."""
        return len(run.words[0]) == 1 and _HANDED.search(self._text[max(0, run.start - 10) : run.start]) is not None

    def _names_a_thing(self, run: Run) -> bool:
        """Whether another capitalised word follows at once ("Emma Sofa")."""
        behind = self._text[run.end : run.end + 2]
        return len(behind) == 2 and behind[0] == " " and behind[1].isupper()

    def _is_organisation(self, run: Run) -> bool:
        text, book = self._text, vocabulary()
        named = run.words[-1] in book["surnames"] and "-" in run.words[0]  # "Dong-hyun Park"
        if any(word in book["organisations"] or word.endswith(_STREET_ENDS) for word in run.words) and not named:
            return True
        before, behind = text[max(0, run.start - 14) : run.start].lower(), text[run.end : run.end + 24]
        if before.endswith(("& ", "firma ", "autohaus ", "bäckerei ", "praxis ", "die ", "fa. ")):
            return True
        if re.match(r" ?& ?[A-ZÄÖÜ]", behind) or re.match(r"[-–]\w", behind):
            return True
        word = re.match(r",? ([^\W\d_][\w.&]*)", behind)
        return (
            word is not None
            and word.group(1).lower().rstrip(".") in book["organisations"]
            and word.group(1)[0].isupper()
        )

    def _with_partner(self, run: Run) -> Span:
        """The run, with a given name that shares its surname ("Aaron and Noah Feldman")."""
        left = self._text[max(0, run.start - 30) : run.start]
        match = re.search(rf"({UPPER}[^\W\d_]+) (?:and|und|&) (?:[^\W\d_]{{2,4}}\.? )?$", left)
        if match and match.group(1).lower() in vocabulary()["given"] | vocabulary()["given_weak"]:
            return run.start - len(left) + match.start(1), run.end
        particles = _PARTICLES.search(left)
        return run.start - (len(particles.group()) if particles else 0), run.end


_STREET_ENDS: Final = (
    "straße",
    "strasse",
    "gasse",
    "allee",
    "platz",
    "weg",
    "universität",
    "gymnasium",
    "stiftung",
    "schule",
    "institut",
)


def overlaps(span: Span, spans: Sequence[Span]) -> bool:
    """Whether one of `spans` (ordered, none inside another) shares a character with `span`."""
    index = bisect_right(spans, (span[1] - 1, sys.maxsize))
    return index > 0 and spans[index - 1][1] > span[0]


def _initialled(run: Run) -> bool:
    """Whether an initial stands before or within a name: "R. Singh", "Thomas E. Garrity"."""
    return len(run.words) > 1 and len(run.words[-1]) > 1 and any(len(word) == 1 for word in run.words[:-1])


def _inverted(surname: Run, given: Run, book: dict[str, frozenset[str]]) -> bool:
    """Whether "Surname, Given Given" or "Surname, Given G." stands there, and not a list of people."""
    known = all(len(word) == 1 or word in book["given"] or word.split("-")[0] in book["given"] for word in given.words)
    single = len(surname.words) <= 2 and all(len(word) > 1 and word not in book["given"] for word in surname.words)
    return known and len(given.words[0]) > 1 and single and not given.titled
