"""Values of a workbook as their number formats show them (ECMA-376 part 1, 18.8.30 and 18.8.31).

A format code has up to four sections: positive, negative, zero, text. Codes are stored with a point and a comma
whatever the author's language; a section that names a locale (`[$€-407]`) is shown with that locale's signs, any other
as it is stored. Two things are shown otherwise than by Excel, so that nothing is lost to those who search: dates of the
system's own format appear as ISO 8601, and whole numbers of the format General keep all their digits.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from fractions import Fraction
from typing import Final

BUILT_IN: Final = {
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00", 12: "# ?/?", 13: "# ??/??",
    14: "yyyy-mm-dd", 15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm AM/PM", 19: "h:mm:ss AM/PM", 20: "h:mm",
    21: "h:mm:ss", 22: "yyyy-mm-dd h:mm", 37: "#,##0;(#,##0)", 38: "#,##0;(#,##0)", 39: "#,##0.00;(#,##0.00)",
    40: "#,##0.00;(#,##0.00)", 41: "#,##0;-#,##0;-", 42: "#,##0;-#,##0;-", 43: "#,##0.00;-#,##0.00;-",
    44: "#,##0.00;-#,##0.00;-", 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss.0", 48: "##0.0E+0", 49: "@",
    **dict.fromkeys((*range(27, 37), *range(50, 59)), "yyyy-mm-dd"),
}  # fmt: skip
"""Formats that files name by number alone; 5 to 8 are stored with their codes. 27 to 36 and 50 to 58 are dates of East
Asian systems."""

_TOKEN: Final = re.compile(
    r'"(?P<quoted>[^"]*)"?|\\(?P<escaped>.)|_.|\*.|\[(?P<bracket>[^\]]*)\]|(?P<general>General)'
    r"|(?P<half>AM/PM|A/P|am/pm|a/p)|(?P<power>[Ee][+-])|(?P<date>y+|Y+|m+|M+|d+|D+|h+|H+|s+|S+|b+|g+|e+)"
    r"|(?P<place>[0#?])|(?P<rest>.)",
    re.DOTALL,
)
_COMMA: Final = {
    **dict.fromkeys(("407", "c07", "1007", "410", "c0a", "40a", "413", "416", "816", "406", "41f", "421"), (",", ".")),
    **dict.fromkeys(("40c", "415", "405", "41d", "414", "40b", "419", "422"), (",", "\u00a0")),
    "807": (".", "\u2019"),
}
"""Decimal sign and sign between thousands, by Microsoft's number of the language ([MS-LCID])."""
_GERMAN: Final = frozenset({"407", "c07", "807", "1007"})
_MONTHS: Final = "January February March April May June July August September October November December".split()
_MONATE: Final = "Januar Februar März April Mai Juni Juli August September Oktober November Dezember".split()
_DAYS: Final = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_TAGE: Final = "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag".split()
_USUAL: Final = re.compile(r"^(x*)(#*0(?:\.(0+))?)(x*)$")
_LAST_DAY: Final = 2_958_466  # 9999-12-31 is the day before it
_LONGEST: Final = 2_000


@dataclass(slots=True)
class _Section:
    """One section of a code, taken apart."""

    tokens: list[tuple[str, str]] = field(default_factory=list)
    """(`literal`, text), (`place`, sign), (`point`, ''), (`date`, letters), (`elapsed`, letter), (`half`, text) ..."""
    condition: tuple[str, float] | None = None
    locale: str = ""
    percent: int = 0
    scale: int = 0
    grouped: bool = False
    plain: tuple[str, int, str] | None = None
    """For the usual case, one `0` before the point and only `0` behind it: what stands before the number, how many
    decimal places it has, what stands behind it."""

    kinds: frozenset[str] = frozenset()
    """The kinds of its tokens."""
    moment: bool = False
    """Whether it shows a date, a time or a length of time."""


class NumberFormat:
    """A compiled format."""

    def __init__(self, code: str, *, from_1904: bool = False) -> None:
        self._shift = 1462 if from_1904 else 0
        sections = [_section(part) for part in _split(code[:_LONGEST])]
        self._text = next((part for part in sections if "text" in part.kinds), None)
        if len(sections) > 3:
            self._text = sections[3]
        self._sections = sections[:3] if len(sections) > 1 or "text" not in sections[0].kinds else []
        self._conditional = any(part.condition for part in self._sections)
        self.shows_general = len(sections) == 1 and (not code or sections[0].tokens == [("general", "")])
        self.is_date = any(part.moment for part in self._sections)

    def number(self, value: float) -> str:
        """A number as it is shown."""
        if not self._sections:
            return general(value)
        section, signed = self._choose(value)
        if section.moment:
            if value < 0 and not self._shift:
                return general(value)  # Excel fills the cell with #
            return _moment(section, value, self._shift)
        sign = "-" if signed and value < 0 else ""
        shown = _digits(section, abs(value))
        return sign + shown if not sign or any(character in "123456789" for character in shown) else shown

    def quick(self) -> Callable[[str], tuple[str, str | None] | None]:
        """For formats like `#,##0.00 "EUR"` and `0.0%`: from a stored number to what it shows and, where that is not
        the same number, itself. None for the values, and all values of other formats, that need `number`."""
        section = self._sections[0] if len(self._sections) == 1 else None
        if section is None or section.plain is None or section.condition:
            return lambda value: None
        before, places, behind = section.plain
        grouped = section.grouped
        style = f",.{places}f" if grouped else f".{places}f"
        factor, framed = 100**section.percent / 1000**section.scale, bool(before or behind)

        def shown(value: str) -> tuple[str, str | None] | None:
            number = float(value)
            exact = value
            if factor != 1:
                exact = f"{number * factor:.15g}"  # Excel counts in 15 digits
                number = float(exact)
            if (exact[-1] == "5" and _is_half(number, places)) or (number < 0 and before) or number - number != 0:
                return None  # a half, which goes away from zero; a sign before the currency; no number
            text = format(number, style)
            if text[:2] == "-0":
                return None
            stored = None if (text.replace(",", "") if grouped else text) == value else value
            return (f"{before}{text}{behind}".strip() if framed else text), stored

        return shown

    def fixed(self) -> tuple[str, int, str, bool] | None:
        """What is before, how many decimal places, what is behind, whether grouped; None if the format is more."""
        section = self._sections[0] if len(self._sections) == 1 else None
        if section is None or section.plain is None or section.condition or section.percent or section.scale:
            return None
        return (*section.plain, section.grouped)

    def text(self, value: str) -> str:
        """A text as it is shown."""
        if self._text is None:
            return value
        return "".join(value if kind == "text" else text for kind, text in self._text.tokens if kind in _SHOWN)

    def stored(self, value: float) -> str | None:
        """The date, time or both that a number stands for, in ISO 8601; None where the format shows none."""
        if not self.is_date or value < 0 or value + self._shift >= _LAST_DAY:
            return None
        section, _ = self._choose(value)
        if "elapsed" in section.kinds or not section.moment:
            return None
        day, moment = divmod(round(value * 86_400_000), 86_400_000)
        time = f"{moment // 3_600_000:02d}:{moment // 60_000 % 60:02d}:{moment // 1000 % 60:02d}"
        time += f".{moment % 1000:03d}" if moment % 1000 else ""
        letters = {letter[0].lower() for kind, letter in section.tokens if kind == "date"}
        if not letters & {"d", "y"} and day == 0:
            return time
        date = "{:04d}-{:02d}-{:02d}".format(*_date(day, self._shift)[:3])
        return f"{date}T{time}" if moment else date

    def _choose(self, value: float) -> tuple[_Section, bool]:
        """The section for a number, and whether the minus sign is still to be written."""
        sections = self._sections
        if self._conditional:
            for number, section in enumerate(sections):
                rule = section.condition
                if rule is None and number < len(sections) - 1 and number < 2:
                    rule = (">", 0.0) if number == 0 else ("<", 0.0)
                if rule is None or _OPERATORS[rule[0]](value, rule[1]):
                    return section, not (rule and rule[0] in ("<", "<=") and rule[1] <= 0)
            return sections[-1], True
        if value > 0 or len(sections) == 1:
            return sections[0], True
        if value < 0:
            return sections[1], False
        return (sections[2] if len(sections) > 2 else sections[0]), False


_SHOWN: Final = frozenset({"literal", "text"})
_OPERATORS: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
}
_CONDITION: Final = re.compile(r"(<=|>=|<>|<|>|=)\s*(-?\d+(?:\.\d+)?)$")
_CURRENCY: Final = re.compile(r"\$(?P<sign>[^-]*)(?:-(?P<locale>[0-9A-Fa-f]+))?")


def general(value: float) -> str:
    """The format General in a column that is wide enough; whole numbers keep all digits that a double holds."""
    size = abs(value)
    if value == int(value) if size < 1e15 else False:
        return str(int(value))
    if not math.isfinite(value):
        return str(value)
    if 1e-4 <= size < 1e11:
        places = 9 if size < 1 else max(0, 9 - int(math.log10(size)))
        text = _rounded(value, places)
        return text.rstrip("0").rstrip(".") if "." in text else text
    digits, power = f"{value:.5E}".split("E")
    return f"{digits.rstrip('0').rstrip('.')}E{power}"


def _split(code: str) -> list[str]:
    parts, at = [""], 0
    for match in _TOKEN.finditer(code):
        if match.group("rest") == ";":
            parts.append("")
        else:
            parts[-1] += match.group()
        at = match.end()
    return parts[:4] if at or not code else [code]


def _section(code: str) -> _Section:
    section = _Section()
    tokens = section.tokens
    for match in _TOKEN.finditer(code):
        kind, text = match.lastgroup, match.group()
        if kind == "bracket":
            _bracket(section, match.group("bracket"))
        elif kind in ("quoted", "escaped"):
            tokens.append(("literal", match.group(kind)))
        elif kind == "rest":
            _sign(section, text)
        elif kind == "date":
            tokens.append(("date", text.lower()))
        elif kind is None:
            if text[0] == "_":
                tokens.append(("literal", " "))
        else:
            tokens.append((kind, text if kind != "general" else ""))
    _months_and_minutes(tokens)
    section.moment = any(kind in ("date", "elapsed") for kind, _ in tokens)
    if not section.moment:
        _scaled(section)
    section.kinds = frozenset(kind for kind, _ in section.tokens)
    if not section.moment:
        section.plain = _plain(section)
    return section


def _plain(section: _Section) -> tuple[str, int, str] | None:
    code = "".join(text if kind in ("place", "point") else "x" for kind, text in section.tokens)
    match = _USUAL.match(code)
    if match is None or section.locale in _COMMA:
        return None
    before, behind = section.tokens[: match.start(2)], section.tokens[match.end(2) :]
    places = len(match.group(3) or "")
    return "".join(text for _, text in before), places, "".join(text for _, text in behind)


def _bracket(section: _Section, text: str) -> None:
    lowered = text.lower()
    if lowered and lowered == lowered[0] * len(lowered) and lowered[0] in "hms":
        section.tokens.append(("elapsed", lowered))
    elif match := _CONDITION.match(text):
        section.condition = (match.group(1), float(match.group(2)))
    elif match := _CURRENCY.match(text):
        section.tokens.append(("literal", match.group("sign")))
        section.locale = (match.group("locale") or "").lower()[-4:].lstrip("0")


def _sign(section: _Section, text: str) -> None:
    if text == "%":
        section.percent += 1
        section.tokens.append(("literal", "%"))
    elif text == "@":
        section.tokens.append(("text", ""))
    elif text == ".":
        section.tokens.append(("point", "."))
    elif text == ",":
        section.tokens.append(("comma", ","))
    elif text == "/":
        section.tokens.append(("stroke", "/"))
    else:
        section.tokens.append(("literal", text))


def _months_and_minutes(tokens: list[tuple[str, str]]) -> None:
    """`m` behind hours or before seconds is a minute."""
    dates = [place for place, (kind, _) in enumerate(tokens) if kind in ("date", "elapsed")]
    for number, place in enumerate(dates):
        kind, text = tokens[place]
        if kind != "date" or text[0] != "m" or len(text) > 2:
            continue
        before = tokens[dates[number - 1]][1][0] if number else ""
        after = tokens[dates[number + 1]][1][0] if number + 1 < len(dates) else ""
        if before == "h" or after == "s":
            tokens[place] = ("date", "n" * len(text))


def _scaled(section: _Section) -> None:
    """Commas between places group thousands; behind the last place each divides by a thousand."""
    tokens = section.tokens
    last = max((place for place, (kind, _) in enumerate(tokens) if kind == "place"), default=-1)
    kept: list[tuple[str, str]] = []
    for place, token in enumerate(tokens):
        if token[0] != "comma":
            kept.append(token)
        elif place < last:
            section.grouped = True
        elif last >= 0 and all(kind == "comma" for kind, _ in tokens[last + 1 : place]):
            section.scale += 1
        else:
            kept.append(("literal", ","))
    section.tokens = kept


def _digits(section: _Section, value: float) -> str:
    """A number without its sign, through the places of a section."""
    if section.percent or section.scale:
        value = float(f"{value * 100**section.percent / 1000**section.scale:.15g}")
    if "general" in section.kinds:
        return "".join(general(value) if kind == "general" else text for kind, text in section.tokens)
    if "power" in section.kinds:
        return _scientific(section, value)
    if "stroke" in section.kinds and "place" in section.kinds:
        return _fraction(section, value)
    decimal, group = _COMMA.get(section.locale, (".", ","))
    point = next((place for place, (kind, _) in enumerate(section.tokens) if kind == "point"), len(section.tokens))
    before = [place for place, (kind, _) in enumerate(section.tokens) if kind == "place" and place < point]
    behind = [place for place, (kind, _) in enumerate(section.tokens) if kind == "place" and place > point]
    if not before and not behind:
        return "".join(text for kind, text in section.tokens if kind == "literal")
    whole, _, part = _rounded(value, len(behind)).partition(".")
    filled = _before(section, before, "" if whole == "0" else whole, group)
    filled |= _behind(section, behind, part)
    shown = []
    for place, (kind, text) in enumerate(section.tokens):
        if kind == "point" and place == point:
            if not before and whole != "0":
                shown.append(whole)
            shown.append(decimal if any(filled[p].strip() for p in behind) or not behind else "")
        else:
            shown.append(filled.get(place, text if kind in ("literal", "stroke", "point", "half") else ""))
    return "".join(shown)


def _before(section: _Section, places: list[int], whole: str, group: str) -> dict[int, str]:
    """What stands in each place before the point; the first takes all digits that are left over."""
    filled: dict[int, str] = {}
    rest, done = whole, 0
    for place in reversed(places):
        first = place == places[0]
        digits, rest = (rest, "") if first else (rest[-1:], rest[:-1])
        digits = digits or {"0": "0", "?": " "}.get(section.tokens[place][1], "")
        if not section.grouped:
            filled[place] = digits
            continue
        text = ""
        for digit in reversed(digits):
            if done and done % 3 == 0 and digit != " ":
                text = group + text
            text = digit + text
            done += 1
        filled[place] = text
    return filled


def _behind(section: _Section, places: list[int], part: str) -> dict[int, str]:
    """What stands in each place behind the point: zeros at the end only where `0` asks for them."""
    filled: dict[int, str] = {}
    needed = len(part.rstrip("0"))
    for number, place in enumerate(places):
        sign = section.tokens[place][1]
        if sign == "0" or number < needed:
            needed = max(needed, 0)
            filled[place] = part[number] if number < len(part) else "0"
        else:
            filled[place] = " " if sign == "?" else ""
    return filled


def _rounded(value: float, places: int) -> str:
    """`value` with so many decimal places; halves go away from zero, as people and Excel round."""
    if _is_half(value, places):
        text = repr(value)
        try:
            return f"{Decimal(text).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP):f}"
        except InvalidOperation:
            return text
    return f"{value:.{places}f}"


def _is_half(value: float, places: int) -> bool:
    """Whether a number lies in the middle between two of so many decimal places, or is too large or small to tell."""
    text = repr(value)
    return "e" in text or text.partition(".")[2][places:] == "5"


def _scientific(section: _Section, value: float) -> str:
    kinds = [kind for kind, _ in section.tokens]
    power_at = kinds.index("power")
    point = kinds.index("point") if "point" in kinds[:power_at] else power_at
    wide = max(1, kinds[:point].count("place"))
    places = kinds[point:power_at].count("place")
    power = math.floor(math.log10(value)) if value else 0
    power = power // wide * wide if wide > 1 else power
    mantissa = _rounded(value / 10.0**power, places) if -300 < power < 300 else repr(value)
    if mantissa.partition(".")[0] == "1" + "0" * wide:
        power += wide
        mantissa = _rounded(value / 10.0**power, places)
    if section.tokens[power_at - 1][1] == "#" and "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    decimal, _ = _COMMA.get(section.locale, (".", ","))
    sign = "-" if power < 0 else "+" if section.tokens[power_at][1].endswith("+") else ""
    before = "".join(text for kind, text in section.tokens[:power_at] if kind == "literal")
    behind = "".join(text for kind, text in section.tokens[power_at:] if kind == "literal")
    exponent = str(abs(power)).zfill(max(1, kinds[power_at:].count("place")))
    return f"{before}{mantissa.replace('.', decimal)}E{sign}{exponent}{behind}"


def _fraction(section: _Section, value: float) -> str:
    tokens = section.tokens
    stroke = next(place for place, (kind, _) in enumerate(tokens) if kind == "stroke")
    below = "".join(text for kind, text in tokens[stroke + 1 :] if kind in ("place", "literal")).strip()
    whole_part = any(kind == "literal" and text == " " for kind, text in tokens[:stroke])
    if below.isdigit() and int(below[:6]):
        bottom = int(below[:6])
        top = int(Decimal(repr(value * bottom)).quantize(Decimal(1), ROUND_HALF_UP))
    else:
        limit = 10 ** max(1, min(5, sum(kind == "place" for kind, _ in tokens[stroke + 1 :]))) - 1
        near = Fraction(value).limit_denominator(limit)
        top, bottom = near.numerator, near.denominator
    whole = 0
    if whole_part:
        whole, top = divmod(top, bottom)
    shown = [str(whole)] if whole or (whole_part and not top) else []
    if top or not whole_part:
        shown.append(f"{top}/{bottom}")
    return " ".join(shown)


def _date(day: int, shift: int) -> tuple[int, int, int, int]:
    """Year, month, day and weekday (0 is Monday) of a serial day. Excel's 1900 has a 29 February."""
    if not shift and day < 61:
        if day == 60:
            return 1900, 2, 29, 2
        if day == 0:
            return 1900, 1, 0, 5
        day += 1
    date = datetime.date.fromordinal(693_594 + day + shift)
    return date.year, date.month, date.day, date.weekday()


def _moment(section: _Section, value: float, shift: int) -> str:
    """A date, a time or a length of time."""
    if value + shift >= _LAST_DAY:
        return general(value)
    parts = _behind_seconds(section)
    unit = 86_400 * 10**parts
    ticks = math.floor(value * unit + 0.5)
    day, inside = divmod(ticks, unit)
    seconds, rest = divmod(inside, 10**parts)
    year, month, date, weekday = _date(day, shift)
    total = ticks // 10**parts
    hour, minute, second = seconds // 3600, seconds // 60 % 60, seconds % 60
    months, days = (_MONATE, _TAGE) if section.locale in _GERMAN else (_MONTHS, _DAYS)
    halved = "half" in section.kinds
    shown: list[str] = []
    tokens = section.tokens
    for place, (kind, text) in enumerate(tokens):
        letter, long = text[:1], len(text)
        if kind == "elapsed":
            amount = {"h": total // 3600, "m": total // 60, "s": total}[letter]
            shown.append(str(amount).zfill(long))
        elif kind == "half":
            early, late = ("A", "P") if long == 3 else ("AM", "PM")
            shown.append(late if hour >= 12 else early)
        elif kind == "place":
            if place and tokens[place - 1][0] == "point":
                shown.append(str(rest).zfill(parts))
        elif kind == "date":
            numbers = {"d": date, "h": (hour % 12 or 12) if halved else hour, "n": minute, "s": second, "m": month}
            if letter in ("y", "e", "b"):
                shown.append(f"{year % 100:02d}" if long <= 2 and letter == "y" else str(year))
            elif letter == "m" and long > 2:
                name = months[month - 1]
                shown.append(name if long == 4 else name[:3] if long == 3 else name[0])
            elif letter == "d" and long > 2:
                shown.append(days[weekday] if long > 3 else days[weekday][: 2 if days is _TAGE else 3])
            elif letter in numbers:
                shown.append(str(numbers[letter]).zfill(min(long, 2)))
        elif kind in ("literal", "stroke", "comma", "point"):
            shown.append(text)
    return "".join(shown)


def _behind_seconds(section: _Section) -> int:
    """How many decimal places of seconds are shown."""
    tokens = section.tokens
    for place, (kind, _) in enumerate(tokens):
        if kind == "point" and place + 1 < len(tokens) and tokens[place + 1][0] == "place":
            run = 0
            while place + 1 + run < len(tokens) and tokens[place + 1 + run][0] == "place":
                run += 1
            return min(run, 3)
    return 0
