"""Checks behind the patterns: checksums, calendars and number plans.

A check takes the text that a pattern found and returns the range of it that is a valid value, or None. Returning a
range lets a greedy pattern run over neighbouring words and the check cut it back (an IBAN knows its length).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from functools import lru_cache
from typing import Final

import phonenumbers
from schwifty import IBAN
from schwifty.exceptions import SchwiftyException

Accepted = tuple[int, int] | None
Check = Callable[[str], Accepted]

_REGIONS: Final = ("US", "DE", "GB", "AT", "CH")
"""Whose number plans a number without a country code is tried under."""


def _whole(text: str, valid: bool) -> Accepted:
    return (0, len(text)) if valid else None


def _digits(text: str) -> str:
    return "".join(char for char in text if char.isdecimal())


def _cross_sum(value: int) -> int:
    return value // 10 + value % 10


def _taken(text: str, count: int) -> int | None:
    """How much of `text` holds its first `count` letters and digits."""
    seen = 0
    for index, char in enumerate(text):
        seen += char.isalnum()
        if seen == count:
            return index + 1
    return None


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1 annex B."""
    total = 0
    for index, char in enumerate(reversed(digits)):
        total += _cross_sum(int(char) * 2) if index % 2 else int(char)
    return total % 10 == 0


def email(text: str) -> Accepted:
    """Length limits of RFC 5321 and no empty label; deliverability is not asked (no network)."""
    local, _, domain = (part.strip() for part in text.rpartition("@"))
    good = 0 < len(local) <= 64 and len(domain) <= 253 and ".." not in text and not local.endswith(".")
    return _whole(text, good and all(label and not label.endswith("-") for label in domain.split(".")))


def ssn(text: str) -> Accepted:
    """Numbers the Social Security Administration can have issued: no area 000, 666, 9xx, group 00, serial 0000."""
    digits = _digits(text)
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    good = len(digits) == 9 and area not in ("000", "666") and area[0] != "9" and group != "00" and serial != "0000"
    return _whole(text, good and len(set(digits)) > 1)


@lru_cache(maxsize=256)
def _iban_length(country: str) -> int | None:
    """The registry's length for a country code; None for a code that issues no IBANs."""
    try:
        return int(IBAN(country + "00", allow_invalid=True).spec.iban_length)
    except SchwiftyException:
        return None


@lru_cache(maxsize=256)
def _iban_form(country: str) -> re.Pattern[str]:
    """The registry's form of what stands behind country and check digits."""
    return IBAN(country + "00", allow_invalid=True).spec.regex


def iban(text: str) -> Accepted:
    """ISO 13616: the country's length and mod 97; text behind the number is cut off."""
    length = _iban_length(re.sub(r"[^A-Za-z]", "", text[:3])[:2].upper())
    end = _taken(text, length) if length else None
    if not end:
        return None
    plain = re.sub(r"[^A-Za-z0-9]", "", text[:end]).upper()
    if not _iban_form(plain[:2]).fullmatch(plain[4:]):  # "DE284173906", a line's end, and the next line's word
        return None
    number = "".join(str(int(char, 36)) for char in plain[4:] + plain[:4])
    return (0, end) if int(number) % 97 == 1 else None


_CARDS: Final = (
    (re.compile(r"4"), (13, 16, 19)),
    (re.compile(r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720"), (16,)),
    (re.compile(r"3[47]"), (15,)),
    (re.compile(r"6011|65|64[4-9]"), (16, 19)),
    (re.compile(r"62"), (16, 17, 18, 19)),
    (re.compile(r"36|38|39|30[0-5]"), (14,)),
    (re.compile(r"35(?:2[89]|[3-8])"), (16,)),
    (re.compile(r"50|5[6-8]|6(?:304|759|76[1-3])"), (12, 13, 16, 18, 19)),
)


def card(text: str) -> Accepted:
    """A payment card: issuer prefix with one of its lengths, and Luhn. The longest valid length wins."""
    digits = _digits(text)
    for prefix, lengths in _CARDS:
        if not prefix.match(digits):
            continue
        for length in sorted(lengths, reverse=True):
            if len(digits) >= length and len(set(digits[:length])) > 1 and luhn(digits[:length]):
                end = _taken(text, length)
                # Digits directly behind would make it a part of a longer number.
                if end and not text[end : end + 1].isdigit():
                    return (0, end)
    return None


def routing(text: str) -> Accepted:
    """An ABA routing number: weights 3, 7, 1."""
    digits = _digits(text)
    return _whole(text, len(digits) == 9 and sum(int(d) * (3, 7, 1)[i % 3] for i, d in enumerate(digits)) % 10 == 0)


def phone(text: str) -> Accepted:
    """A number that its country's plan knows (ITU E.164 by libphonenumber's metadata); words behind it are cut off."""
    rest = text
    for _ in range(4):
        if _is_phone(rest):
            return (0, len(rest))
        shorter = re.match(r"(.*\d)\D+\d+\D*$", rest, re.DOTALL)
        if shorter is None:
            return None
        rest = shorter.group(1)
    return None


def _is_phone(text: str) -> bool:
    asked = "+" + text[2:] if text.startswith("00") else text
    regions: tuple[str | None, ...] = (None,) if asked.lstrip("( ").startswith("+") else _REGIONS
    for region in regions:
        try:
            number = phonenumbers.parse(asked, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            return True
    return False


def phone_grouped(text: str) -> Accepted:
    """A number with an area code written as one: what stands before the first gap must be its plan's area code.

    Mobile and service numbers have none and may be grouped in any way; so may a long number with blanks alone.
    """
    accepted = phone(text)
    if accepted is None:
        return None
    value = text[: accepted[1]]
    if len(_digits(value)) >= 11 and not re.search(r"[^\d ]", value):
        return accepted
    area = _digits(re.split(r"\)|(?<=\d)[ /-]", value, maxsplit=1)[0] if value[0] != "(" else value.split(")")[0])
    return accepted if any(_is_grouped(value, area, region) for region in _REGIONS) else None


def _is_grouped(text: str, area: str, region: str) -> bool:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return False
    if not phonenumbers.is_valid_number(number):
        return False
    if phonenumbers.number_type(number) not in _FIXED:
        return True
    usual = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
    written = re.match(r"\(?(\d+)\)?[ /-]", usual)
    return written is None or written[1] == area


_FIXED: Final = (phonenumbers.PhoneNumberType.FIXED_LINE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE)


def phone_shape(text: str) -> Accepted:
    """A number of a plausible length: enough where a label says that it is one. A date is none."""
    return _whole(text, 6 <= len(_digits(text)) <= 20 and not _is_date(text) and not _SUMS.search(text))


_SUMS: Final = re.compile(r"(?:^|\s)\d{1,6}\.\d{1,2}(?=\s|$)")


_DATE: Final = re.compile(r"(\d{1,4})([./-])(\d{1,2})\2(\d{1,4})")


def _is_date(text: str) -> bool:
    """Whether it is written like a date and names a day that exists."""
    match = _DATE.fullmatch(text)
    if match is None:
        return False
    a, _, b, c = match.groups()
    if len(a) > 2:
        return len(a) == 4 and len(c) <= 2 and _is_day(a, int(b), int(c))
    return len(c) in (2, 4) and (_is_day(c, int(b), int(a)) or _is_day(c, int(a), int(b)))


_MONTHS: Final = {
    name: index
    for index, names in enumerate(
        "jan jän jae,feb,mar mär mrz mae,apr,may mai,jun,jul,aug,sep,oct okt,nov,dec dez".split(","), 1
    )
    for name in names.split()
}


_FIRST: Final = {
    word: day
    for day, words in enumerate(
        (
            "first erst", "second zweit", "third dritt", "fourth viert", "fifth fünft", "sixth sechst",
            "seventh siebt siebent", "eighth acht", "ninth neunt", "tenth zehnt", "eleventh elft", "twelfth zwölft",
            "thirteenth dreizehnt", "fourteenth vierzehnt", "fifteenth fünfzehnt", "sixteenth sechzehnt",
            "seventeenth siebzehnt", "eighteenth achtzehnt", "nineteenth neunzehnt",
        ),
        1,
    )
    for word in words.split()
}  # fmt: skip
"""Ordinals; those of German without their ending."""
_TENS: Final = {"twentieth": 20, "thirtieth": 30, "twenty": 20, "thirty": 30}
_UNITS: Final = "ein zwei drei vier fünf sechs sieben acht neun".split()
_GERMAN_TENS: Final = re.compile(rf"(?:({'|'.join(_UNITS)})und)?(zwanzig|drei(?:ß|ss)ig)st")
_ROMAN: Final = {
    word: month for month, word in enumerate("I II III IV V VI VII VIII IX X XI XII".split(), 1)
}  # fmt: skip


def birth_date(text: str) -> Accepted:
    """A day between 1890 and 2100 that exists in some usual order of day, month and year, in digits or in words."""
    tight = _GAP_IN_NUMBER.sub("", text) if text.count(" ") > 3 else text
    if len(tight) == 8 and tight.isdecimal():
        orders = [(tight[:4], int(tight[4:6]), int(tight[6:]))]
        orders += [(tight[4:], int(tight[2:4]), int(tight[:2])), (tight[4:], int(tight[:2]), int(tight[2:4]))]
        return _whole(text, any(_is_day(*order) for order in orders))
    words = re.findall(r"\d+|[^\W\d_]+", tight)
    month = next(filter(None, map(_month, words)), None)
    numbers = [word for word in words if word[0].isdigit()]
    orders = []
    if month is not None and len(numbers) == 2:
        first, second = numbers
        orders = [(second, month, int(first))] if len(first) <= 2 else [(first, month, int(second))]
    elif month is not None and len(numbers) == 1:
        orders = [(numbers[0], month, _day_in_words(words))]
    elif len(numbers) == 3:
        a, b, c = numbers
        orders = [(a, int(b), int(c))] if len(a) == 4 else [(c, int(b), int(a)), (c, int(a), int(b))]
    return _whole(text, any(_is_day(*order) for order in orders))


def birth_date_past(text: str) -> Accepted:
    """A birth date of someone who may have papers: not of the last years, in which most other dates lie."""
    year = re.search(r"\d{4}", text)
    return birth_date(text) if year and int(year.group()) <= _LAST_BORN else None


_LAST_BORN: Final = 2014


def _month(word: str) -> int | None:
    if len(word) >= 3 and word[:3].lower() in _MONTHS:
        return _MONTHS[word[:3].lower()]
    return _ROMAN.get(word)


def _day_in_words(words: list[str]) -> int:
    """What the words say as an ordinal; 0 for nothing."""
    day = 0
    for word in (word.lower() for word in words):
        stem = re.sub(r"e[nrs]?$", "", word)
        german = _GERMAN_TENS.fullmatch(stem)
        if german is not None:
            return (20 if german[2] == "zwanzig" else 30) + (_UNITS.index(german[1]) + 1 if german[1] else 0)
        day += _TENS.get(word, 0) or _FIRST.get(word, 0) or _FIRST.get(stem, 0)
    return day


_GAP_IN_NUMBER: Final = re.compile(r"(?<=\d) (?=\d)")


def _is_day(year: str, month: int, day: int) -> bool:
    number = int(year) + (1900 if len(year) == 2 else 0)
    try:
        date(number, month, day)
    except ValueError:
        return False
    return 1890 <= number <= 2100


def de_tax_id(text: str) -> Accepted:
    """Steuerliche Identifikationsnummer: 11 digits, ISO/IEC 7064 MOD 11,10; one digit of ten occurs two or three times.

    Source: Section 139b AO and the Bundeszentralamt's construction rule (since 2016 three occurrences are allowed).
    """
    digits = _digits(text)
    if len(digits) != 11 or digits[0] == "0":
        return None
    counts = sorted(digits[:10].count(digit) for digit in set(digits[:10]))
    if counts[-1] not in (2, 3) or counts.count(1) != len(counts) - 1:
        return None
    product = 10
    for char in digits[:10]:
        total = (int(char) + product) % 10 or 10
        product = total * 2 % 11
    return _whole(text, (11 - product) % 10 == int(digits[10]))


def de_social_security(text: str) -> Accepted:
    """Versicherungsnummer of the German pension insurance: area, birth date, letter, serial, check digit.

    Source: VKVV section 2 and 4; weights 2 1 2 5 7 1 2 1 2 1 2 1 over the digits with the letter as two, cross sums.
    """
    plain = re.sub(r"[^A-Za-z0-9]", "", text).upper()
    if not re.fullmatch(r"\d{8}[A-Z]\d{3}", plain):
        return None
    day, month = int(plain[2:4]), int(plain[4:6])
    if not (1 <= day <= 31 or 51 <= day <= 81) or not 0 <= month <= 12:
        return None
    body = plain[:8] + f"{ord(plain[8]) - 64:02d}" + plain[9:11]
    weights = (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1)
    total = sum(_cross_sum(int(char) * weight) for char, weight in zip(body, weights, strict=True))
    return _whole(text, total % 10 == int(plain[11]))


def _mrz_digit(text: str) -> int:
    """The check digit of ICAO Doc 9303, part 3: weights 7, 3, 1; letters from A = 10, the filler is 0."""
    return sum((0 if char == "<" else int(char, 36)) * (7, 3, 1)[index % 3] for index, char in enumerate(text)) % 10


def de_id_card(text: str) -> Accepted:
    """Serial number of a German identity card with its check digit (ICAO 9303)."""
    plain = text.replace(" ", "").upper()
    return _whole(text, len(plain) >= 10 and plain[9].isdigit() and _mrz_digit(plain[:9]) == int(plain[9]))


def de_id_card_spaced(text: str) -> Accepted:
    """An identity card's serial number in groups, its check digit behind it; digits and letters as such cards have."""
    plain = text.replace(" ", "").upper()
    return _whole(text, _ID_LETTERS.fullmatch(plain[:9]) is not None and de_id_card(text) is not None)


_ID_LETTERS: Final = re.compile(r"[CFGHJKLMNPRTVWXYZ][0-9CFGHJKLMNPRTVWXYZ]{8}")


def mrz(text: str) -> Accepted:
    """The machine-readable line of a passport: number, birth date and expiry each with a right check digit."""
    plain = re.sub(r"\s", "", text).upper()
    fields = ((0, 9, 9), (13, 19, 19), (21, 27, 27))
    good = all(plain[c].isdigit() and _mrz_digit(plain[a:b]) == int(plain[c]) for a, b, c in fields)
    return _whole(text, good)


def nhs_number(text: str) -> Accepted:
    """A number of the British health service: ten digits, weights 10 to 2, modulo 11."""
    digits = _digits(text)
    total = sum(int(char) * (10 - index) for index, char in enumerate(digits[:9]))
    return _whole(text, len(digits) == 10 and (11 - total % 11) % 11 == int(digits[9]))


def de_health_insurance(text: str) -> Accepted:
    """Krankenversichertennummer: letter, eight digits, check digit (section 290 SGB V: weights 1, 2, cross sums)."""
    plain = re.sub(r"[^A-Za-z0-9]", "", text).upper()
    if not re.fullmatch(r"[A-Z]\d{9}", plain):
        return None
    body = f"{ord(plain[0]) - 64:02d}" + plain[1:9]
    total = sum(_cross_sum(int(char) * (1 + index % 2)) for index, char in enumerate(body))
    return _whole(text, total % 10 == int(plain[9]))


def identifier(text: str) -> Accepted:
    """An identifier that only its label gives away: at least four digits, no date and no year."""
    return _whole(text, len(_digits(text)) >= 4 and not _is_date(text) and not _YEAR.fullmatch(text))


_YEAR: Final = re.compile(r"(?:19|20)\d\d")


def document_number(text: str) -> Accepted:
    """The number of a passport or an identity card that its label gives away: two digits of six characters or more."""
    length = sum(char.isalnum() for char in text)
    return _whole(text, length >= 6 and len(_digits(text)) >= (2 if length >= 9 else 5) and not _is_date(text))


_DATE_BEHIND: Final = re.compile(r"[ -](?:\d{1,4}[./-]\d{1,2}[./-]\d{1,4}|(?:19|20)\d\d)$")


def licence_number(text: str) -> Accepted:
    """A driving licence's number: the states' formats have 3 to 14 digits in 5 to 20 characters. Dates are cut off."""
    behind = _DATE_BEHIND.search(text)
    if (
        behind is not None
        and sum(char.isalnum() for char in text[: behind.start()]) >= 6
        and "-" not in text[: behind.start()]
    ):
        text = text[: behind.start()]
    digits = len(_digits(text))
    length = sum(char.isalnum() for char in text)
    return _whole(text, digits >= 3 and 5 <= length <= 20 and not _is_date(text))


def uk_licence_number(text: str) -> Accepted:
    """A British driver number: five of the surname, decade, month (50 more for women), day and year of birth, initials.

    Source: DVLA's description of the driver number.
    """
    plain = re.sub(r"[ -]", "", text)
    if not re.fullmatch(r"[A-Z]{1,5}9{0,4}", plain[:5]) or not re.fullmatch(r"\d{6}[A-Z9]{2}[A-Z0-9]{3}", plain[5:]):
        return None
    month, day = int(plain[6:8]), int(plain[8:10])
    return _whole(text, (1 <= month <= 12 or 51 <= month <= 62) and 1 <= day <= 31)


CHECKS: Final[dict[str, Check]] = {
    "email": email,
    "ssn": ssn,
    "iban": iban,
    "card": card,
    "routing": routing,
    "phone": phone,
    "phone_grouped": phone_grouped,
    "phone_shape": phone_shape,
    "birth_date": birth_date,
    "birth_date_past": birth_date_past,
    "de_tax_id": de_tax_id,
    "de_social_security": de_social_security,
    "de_id_card": de_id_card,
    "de_id_card_spaced": de_id_card_spaced,
    "mrz": mrz,
    "nhs_number": nhs_number,
    "de_health_insurance": de_health_insurance,
    "identifier": identifier,
    "document_number": document_number,
    "licence_number": licence_number,
    "uk_licence_number": uk_licence_number,
}
"""The checks that a rule may name."""
