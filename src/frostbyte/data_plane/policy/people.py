"""Names of people: capitalised words judged by what stands around them, and by the engine where that leaves doubt.

A run of capitalised words is a name at once where a title, a salutation, a label, a column's head or a given name
says so, and none at once where it holds a word of organisations, places or headings. Only the rest is put to the
engine, in short passages: it is right about most prose, but slow, and it knows neither lists nor letters in capitals.
The words are in rules/people.toml.
"""

from __future__ import annotations

import re
import sys
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from frostbyte.data_plane.policy import forms
from frostbyte.data_plane.policy.columns import Columns
from frostbyte.data_plane.policy.port import Span
from frostbyte.data_plane.policy.runs import CELL_ENDS, LEFT, UPPER, Run, Runs, vocabulary

_LISTED: Final = re.compile(
    r"(?:[,;/]| and| und|, and| sowie| or| oder)\s+(?:dr\.? |prof\.? |mrs?\.? |ms\.? |frau |herrn? )*", re.IGNORECASE
)
_MAIL_BEHIND: Final = re.compile(r"\"?\s?[<(\[]?\s?(?:mailto:)?[\w.+-]+@\w")
_WORD: Final = re.compile(r"[^\W\d_]+")
_LAST_WORD: Final = re.compile(r"([^\W\d_]+)([.'’]?[\s,:!]{0,4})$")
_LABEL: Final = re.compile(
    r"(?:^|[\n\t|;:,(]|\d[.)]|(?:^|\n)\d{1,2}[a-z]?(?= )| {2}(?:\d{1,2}(?= ))?|[.!?] )[ *•\-]*"
    r"(?P<label>[^\W\d_][^\n\t|;:=]{0,40}?)\s?(?:\([^()\n]*\))?"
    r"(?P<gap>[ \t]*[:=][ \t]*\n?[ \t]*|[ .…_]*\.{3,}[ .]*|\t[ \t]*|[ \t]*\n[ \t]*| {2,}|, | )\"?"
    r"(?:[^\W\d_]{1,4}\.? ){0,2}$"
)
_MARK: Final = re.compile(r"(?:/s/|gez\.|i\. ?[AV]\.|Richter(?:in)? am \w{3,20}gericht)[ \t]*$")
_PARTICLES: Final = re.compile(
    r"(?<!\w)(?:(?:[Vv]on|[Vv]an|[Zz]u|[Dd]e|[Dd]el|[Dd]i|[Dd]a|[Dd]u|[Ll]a|[Tt]er|den|der|und zu|v\.) ){1,3}$"
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
_COLON: Final = re.compile(r"\.?:")
_IS_LABEL: Final = re.compile(r"(?:nr|no)?\.?[:#]? ?[#\d]")

_IRISH: Final = re.compile(r"O['’][A-Z][a-z]{2,}")
_HANDED: Final = re.compile(
    r"(?<!\w)(?:from|to|by|for|with|and|customer|tenant|von|an|durch|mit|für|und|bei|sagt|says|said) $"
)
_NAME_ONLY: Final = frozenset(
    "surname forename forenames nachname vorname vornamen familienname zuname geburtsname rufname".split()
)
"""Labels that need no colon."""

_NAME_OF: Final = re.compile(
    r"(?:nachname|familienname|name)(?:, ?| und )vornamen?(?!\w)|vor- und (?:zu|nach)name(?!\w)"
)
"""A label that goes on ("Name, Vorname der versicherten Person")."""

_SURNAME_FIELD: Final = re.compile(r"(?<![\w-])[Nn]ame ?:?[ \t]*$")
_OTHER_NAME: Final = re.compile(
    r"[ \t,;|]{0,6}\n?[ \t]*(?:\d{1,2}[.)]? )?(?:vorname|given name|first name|forename)", re.IGNORECASE
)
"""Behind a surname: the field of the given name."""

_IN_BRACKETS: Final = re.compile(r" \([^()]*\)")
_PLACES: Final = frozenset("us uk eu ny dc nj la un".split())
"""What initials before a word abbreviate as often: "U.S. History"."""


@lru_cache(maxsize=1)
def _label_words() -> frozenset[str]:
    """The last word of each label: a quick look whether one can stand there."""
    return frozenset(_WORD.findall(label)[-1] for label in vocabulary()["labels"] if _WORD.search(label))


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
        listed = forms.listed(text)
        for run in Runs(text, self._places, self._columns):
            if listed and overlaps((run.start, run.end), listed):
                continue
            said = self._evidence(run, last)
            verdict = self._judge(run, said)
            if verdict is True:
                self.sure.append(self._with_partner(run))
                last = (run.end, said or "given")
            elif isinstance(verdict, Doubt):
                self.doubts.append(verdict)
        self.sure += listed

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

    def _evidence(self, run: Run, last: tuple[int, str]) -> str:
        """'strong', 'weak' or ''."""
        text, book = self._text, vocabulary()
        left = text[max(0, run.start - LEFT) : run.start]
        if run.titled or _MARK.search(left):
            return "weak" if run.titled == "weak" and not self._is_called(run) else "strong"
        said = self._word_before(run, left) or forms.told(text, run.start, run.end, last[0])
        if said:
            return said
        if " ".join(run.words) in book["labels"] or _COLON.match(text, run.end):
            return "strong" if self._is_given(run) and forms.speaks(text, run.start, run.end) else ""
        if _IS_LABEL.match(text, run.end) and not _initialled(run):
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
        if self._dated(run) or self._lives_behind(run):
            return "weak"
        if _MAIL_BEHIND.match(text, run.end, run.end + 80):
            return "weak"
        role = _ROLE_BEHIND.match(text, run.end)
        if role is not None and role[1].lower() in book["labels"]:
            return "weak"
        if overlaps(self._columns.first(run.start), self.sure):  # the first line is a row itself, not of heads
            return ""
        head = _IN_BRACKETS.sub("", " ".join(self._columns.head(run.start)[0].lower().split())).rstrip(":")
        if head in book["heads"]:
            others = {" ".join(other.lower().split()) for other in self._columns.heads(run.start)} - {head}
            told = head not in book["labels_weak"] or any(_OF_PEOPLE.search(other) for other in others)
            return "strong" if told else "weak"
        return ""

    def _is_called(self, run: Run) -> bool:
        """Whether what stands behind a title of people and things is a person: "Sister Okafor has the keys"."""
        if len(run.words) > 1:
            return True
        word, behind = self._text[run.start : run.end], self._text[run.end : run.end + 2]
        return word[1:2].islower() and behind[:1] != "-" and not (behind[:1] == " " and not behind[1:].islower())

    def _dated(self, run: Run) -> bool:
        """Whether a date stands behind that is not a letter's ("Aurich, 04.03.2024")."""
        date = _DATE_BEHIND.match(self._text, run.end, run.end + 40)
        if date is None:
            return False
        alone = self._text[max(0, run.start - 1) : run.start] in ("", "\n")
        return not (alone and len(run.words) == 1 and self._text[date.end() : date.end() + 1] in ("", "\n"))

    def _is_given(self, run: Run) -> bool:
        """Whether it is one word, a given name."""
        book = vocabulary()
        return len(run.words) == 1 and (run.words[0] in book["given"] or run.words[0] in book["given_weak"])

    def _fills_a_cell(self, run: Run) -> bool:
        """Whether the run ends its line or cell, and the line is not itself one of heads."""
        if not CELL_ENDS.match(self._text, run.end):
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
        alone = CELL_ENDS.match(self._text, run.end) is not None
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
        if _SURNAME_FIELD.search(left) and _OTHER_NAME.match(self._text, run.end):
            return "strong"
        match = _LABEL.search(left)
        if match is None:
            return ""
        label = " ".join(match["label"].lower().split()).rstrip(".:")
        spaced = match["gap"] == " "
        if not match["gap"].strip(" ,\t\n") and not spaced and not self._fills_a_cell(run):
            return ""
        book = vocabulary()
        if "\n" in match["gap"] and self._is_row(run):
            return ""
        if _NAME_OF.match(label):
            return "strong"
        label = label if label in book["labels"] else label.rpartition("/")[2].strip()
        for _ in range(7):
            if label in book["labels"]:
                if spaced and " " not in label and label not in _NAME_ONLY:
                    return ""
                return "weak" if label in book["labels_weak"] else "strong"
            _, _, label = label.partition(" ")
        return ""

    def _is_row(self, run: Run) -> bool:
        """Whether the line of the run is one of a table with bars."""
        end = self._text.find("\n", run.end)
        return self._text.startswith("|", run.end) and self._text.count("|", run.end, end if end >= 0 else None) > 1

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
        if forms.is_quoted(self._text, run.start, run.end):
            return False
        if count == 1 and not _initialled(run):
            return self._alone(run, given or weak)
        if given:
            return True
        initials = sum(len(word) == 1 for word in run.words)
        if _initialled(run) and "".join(word for word in run.words if len(word) == 1) in _PLACES:
            return False
        if _initialled(run) and (initials > 1 or self._handed(run)):
            return True
        return Doubt(run, 1 if _initialled(run) or weak or self._introduced(run) else 2)

    def _alone(self, run: Run, given: bool) -> bool | Doubt:
        """What one word is of which nothing is said."""
        if _IRISH.match(self._text, run.start):
            return not self._names_a_thing(run)
        if not given or self._names_a_thing(run):
            return False
        if forms.calls(self._text, run.start, run.end):
            return True
        if run.words[0] not in vocabulary()["given"]:
            return False
        return True if forms.acts(self._text, run.start, run.end) else Doubt(run, 1, given=True)

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
        if before.endswith(" the ") and not run.titled and (len(run.words) > 2 or self._names_a_thing(run)):
            return True
        if before.endswith(
            ("& ", "morbus ", "haus ", "sankt ", "firma ", "autohaus ", "bäckerei ", "praxis ", "die ", "fa. ")
        ):
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
        first = forms.begin(self._text, run.start, vocabulary()["titles"])
        if first < run.start:
            return first, run.end
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
    "krankenhaus",
    "klinik",
    "klinikum",
    "-haus",
    "-halle",
    "-saal",
    "-kolleg",
    "-zentrum",
    "-gebäude",
    "-verein",
    "-stift",
    "-heim",
    "-preis",
    "-hof",
    "-park",
    "-str",
)


def overlaps(span: Span, spans: Sequence[Span]) -> bool:
    """Whether one of `spans` (ordered, none inside another) shares a character with `span`."""
    index = bisect_right(spans, (span[1] - 1, sys.maxsize))
    return index > 0 and spans[index - 1][1] > span[0]


def _initialled(run: Run) -> bool:
    """Whether an initial stands before or within a name: "R. Singh", "Thomas E. Garrity"."""
    return len(run.words) > 1 and len(run.words[-1]) > 1 and any(len(word) == 1 for word in run.words[:-1])
