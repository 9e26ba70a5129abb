"""Text of bytes whose encoding nobody states.

A byte-order mark decides; else the zeros of UTF-16; else UTF-8, strictly, or where only a few bytes are strangers among
its characters. Else the encoding of Western and Central European programs (Windows, ISO, Mac, DOS) in which the
characters beyond ASCII stand where such characters stand, as letters of one language or as signs. Only where none of
them makes sense, or most letters are beyond ASCII, a general guesser is asked.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from typing import Final

from charset_normalizer import from_bytes

from frostbyte.data_plane.parse.limits import ParseLimits
from frostbyte.kernel.errors import StageFailed

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SAMPLE: Final = 262_144
"""Bytes by which an encoding is judged: those around the first that is no UTF-8."""
_CANDIDATES: Final = (
    "cp1252",
    "iso8859_15",
    "mac_roman",
    "cp850",
    "cp858",
    "cp1250",
    "iso8859_2",
    "cp1254",
    "cp852",
)
"""By how common they are: an earlier one wins a tie. Latin-1 is part of cp1252, but for controls that no text has."""
_STRANGE: Final = re.compile(rb"[\x80-\xff]+")
_UTF8: Final = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
_FOREIGN: Final = 2.5
"""Mean length of a run of bytes beyond ASCII above which a text is in no Latin script."""
_LATIN: Final = 1.5
"""Mean length up to which it surely is, whatever else seems odd."""
_CYRILLIC: Final = ("cp1251", "koi8_r", "cp866", "iso8859_5", "mac_cyrillic")
_COMMON: Final = frozenset("оеаинтсрвлкмдпуяыьгз")
_MOSTLY: Final = 0.7
"""Part of the characters beyond ASCII that are common small letters in Cyrillic script; capitals count half."""
_AROUND: Final = 3
"""Bytes before and behind a strange run that are looked at."""
_RUNS: Final = 2_000
_ALPHABETS: Final = tuple(
    map(
        frozenset,
        (
            "äöüßé",
            "àâæçéèêëîïôœùûüÿ",
            "áéíñóúü",
            "àèéìíîòóùú",
            "áâãàçéêíóôõúü",
            "åäöæøéü",
            "áðéíóúýþæö",
            "ąćęłńóśźż",
            "áčďéěíňóřšťúůýž",
            "áäčďéíĺľňóôŕšťúýž",
            "áéíóöőúüű",
            "ăâîșțşţ",
            "čćđšž",
            "âçğıİîöşüû",
        ),
    )
)
"""Letters beyond ASCII of German, French, Spanish, Italian, Portuguese, the Nordic languages, Icelandic, Polish, Czech,
Slovak, Hungarian, Romanian, Croatian and Slovene, Turkish."""
_LETTERS: Final = frozenset().union(*_ALPHABETS)
_WORDS: Final = frozenset("àéèóáúíòåöøæ")
"""Letters that are a word of some language."""
_SIGNS: Final = frozenset("„“”‚‘’–—…€§°«»©®™·•½¼¾²³µ£±×¿¡ªº\xa0´†‰")
_OPENING, _CLOSING = frozenset("„“‘‚«»¿¡"), frozenset("“”‘’»«")
_LEAST: Final = 0.3
"""Mean score of a strange character from which an encoding is believed."""


def decode(data: bytes, limits: ParseLimits) -> tuple[str, tuple[str, ...]]:
    """Text of the bytes, and notes on how it was found.

    Bytes without meaning in the encoding become U+FFFD and are noted.

    Raises:
        StageFailed: `text_too_large`.
    """
    text, notes = _decode(data)
    if len(text) > limits.max_characters:
        raise StageFailed(
            "text_too_large",
            f"The text has {len(text)} characters; at most {limits.max_characters} are read.",
            "Split it into smaller files.",
        )
    return text, notes


def _decode(data: bytes) -> tuple[str, tuple[str, ...]]:
    for mark, name in _BOMS:
        if data.startswith(mark):
            body = data[len(mark) :]
            try:
                return body.decode(name), ()
            except UnicodeDecodeError:
                return body.decode(name, "replace"), ("undecodable_bytes",)
    if wide := _wide(data):
        return data.decode(wide, "replace"), (f"encoding_guessed_{wide.replace('-', '_')}",)
    try:
        return data.decode("utf-8"), ()
    except UnicodeDecodeError as error:
        if error.start >= len(data) - 3 and error.reason == "unexpected end of data":
            return data.decode("utf-8", "replace"), ("undecodable_bytes",)  # it was cut inside a character
        sample = data[max(0, error.start - _SAMPLE // 2) : error.start + _SAMPLE // 2]
    if _mostly_utf8(sample):
        text = data.decode("utf-8", "frostbyte-mixed")
        return text, ("mixed_encodings", "undecodable_bytes") if "\ufffd" in text else ("mixed_encodings",)
    name = _western(sample) or _guessed(sample)
    text = data.decode(name, "replace")
    notes = (f"encoding_guessed_{name}",)
    return text, (*notes, "undecodable_bytes") if "\ufffd" in text else notes


def _mostly_utf8(sample: bytes) -> bool:
    """Whether at least as many characters are UTF-8 as bytes beyond ASCII are not; these are taken for Windows'.

    One such byte, or a line that another program added, must not spoil what is well.
    """
    whole = _UTF8.findall(sample)
    strange = sum(map(len, _STRANGE.findall(sample))) - sum(map(len, whole))
    return len(whole) >= max(1, strange)


def _stranger(error: UnicodeError) -> tuple[str, int]:
    """What stands for bytes that are no UTF-8: a character of Windows, or U+FFFD where one of UTF-8 was cut."""
    assert isinstance(error, UnicodeDecodeError)
    found = error.object[error.start : error.end]
    cut = len(found) > 1 or found in (b"\xc2", b"\xc3")
    return ("\ufffd" if cut else found.decode("cp1252", "replace")), error.end


codecs.register_error("frostbyte-mixed", _stranger)


def _wide(data: bytes) -> str:
    """UTF-16 without a mark: Western text has a zero in every second byte."""
    sample = data[: _SAMPLE & ~1]
    if len(sample) < 4 or len(data) % 2:
        return ""
    half = len(sample) // 2
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if odd > 0.6 * half and even < 0.05 * half:
        return "utf-16-le"
    return "utf-16-be" if even > 0.6 * half and odd < 0.05 * half else ""


def _western(sample: bytes) -> str:
    runs = list(map(len, _STRANGE.findall(sample)))
    length = sum(runs) / max(1, len(runs))
    if length > _FOREIGN:
        return ""
    best, name = (-2.0, _CANDIDATES[0]) if length <= _LATIN else (_LEAST, "")
    for candidate in _CANDIDATES:
        if (score := _score(sample, candidate)) > best:
            best, name = score, candidate
    return name


def _score(sample: bytes, name: str) -> float:
    """How well the characters beyond ASCII stand between their neighbours, and how many of the letters are those of one
    language: -2 to 2 on average."""
    total, count = 0, 0
    letters: Counter[str] = Counter()
    for match in list(_STRANGE.finditer(sample))[:_RUNS]:
        start, end = max(0, match.start() - _AROUND), match.end() + _AROUND
        try:
            text = sample[start:end].decode(name)
        except UnicodeDecodeError:
            return -2.0
        for place, character in enumerate(text):
            if character > "\x7f":
                before, behind = text[place - 1 : place], text[place + 1 : place + 2]
                count += 1
                if character.lower() not in _LETTERS and character != "İ":
                    total += _sign_fits(before, character, behind)
                elif (fits := _letter_fits(before, character, behind)) > 0:
                    letters[character.lower() if character != "İ" else character] += 1
                else:
                    total += fits
    total += 2 * max(sum(letters[letter] for letter in alphabet) for alphabet in _ALPHABETS)
    return total / count if count else -2.0


def _letter_fits(before: str, character: str, behind: str) -> int:
    if not before.isalpha() and not behind.isalpha():
        return 2 if character in _WORDS else 0
    if character.isupper():
        return -1 if before.isalpha() and (before.islower() or behind.islower()) else 2
    return -1 if before.isupper() and behind.isupper() and character != "ß" else 2


def _sign_fits(before: str, character: str, behind: str) -> int:
    if character not in _SIGNS:
        return -2
    if before.isalpha() and behind.isalpha():
        return 2 if character in "’\xad" else -1
    if character in _OPENING | _CLOSING:
        opens = character in _OPENING and not before.isalnum() and not behind.isspace()
        closes = character in _CLOSING and before.strip() and not behind.isalpha()
        return 2 if opens or closes else -1
    if character in "–—":
        return 2 if before.isspace() == behind.isspace() else 1
    return 2 if character == "€" and not behind.isalpha() else 1


def _guessed(sample: bytes) -> str:
    cyrillic = {name: _cyrillic(sample, name) for name in _CYRILLIC}
    best = max(cyrillic, key=cyrillic.__getitem__)
    if cyrillic[best] > _MOSTLY:
        return best
    found = from_bytes(sample).best()
    return found.encoding if found is not None else "cp1252"


def _cyrillic(sample: bytes, name: str) -> float:
    strange = [character for character in sample.decode(name, "replace") if character > "\x7f"]
    fits = sum(1.0 if character in _COMMON else 0.5 * ("А" <= character <= "Я") for character in strange)
    return fits / max(1, len(strange))
