"""Text of bytes whose encoding nobody states.

A byte-order mark decides; else the zeros of UTF-16; else strict UTF-8; else the encoding of Western office programs
(Windows, Latin-1, Mac, DOS) in which the characters beyond ASCII stand where such characters stand in words. Only where
none of them makes sense a general guesser is asked.
"""

from __future__ import annotations

import codecs
import re
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
"""Bytes by which an encoding is judged."""
_CANDIDATES: Final = ("cp1252", "mac_roman", "cp850")
"""By how common they are: an earlier one wins a tie. Latin-1 is part of cp1252, but for controls that no text has."""
_STRANGE: Final = re.compile(rb"[\x80-\xff]+")
_AROUND: Final = 3
"""Bytes before and behind a strange run that are looked at."""
_RUNS: Final = 2_000
_LETTERS: Final = frozenset("äöüßéèêëàâáãåçîïíìôóòõøûùúñæœÿšžıłńśźżąęćčřěůýţş")
_USUAL: Final = frozenset("äöüßéèàâçñáíóúêô")
"""Letters of the languages that most files are in."""
_CAPITALS: Final = frozenset(letter.upper() for letter in _LETTERS if len(letter.upper()) == 1)
_SIGNS: Final = frozenset("„“”‚‘’–—…€§°«»©®™·•½¼¾²³µ£±×¿¡ªº\xa0´†‰")
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
    name = _western(data[:_SAMPLE]) or _guessed(data[:_SAMPLE])
    text = data.decode(name, "replace")
    notes = (f"encoding_guessed_{name}",)
    return text, (*notes, "undecodable_bytes") if "\ufffd" in text else notes


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
    best, name = _LEAST, ""
    for candidate in _CANDIDATES:
        if (score := _score(sample, candidate)) > best:
            best, name = score, candidate
    return name


def _score(sample: bytes, name: str) -> float:
    """How well the characters beyond ASCII stand between their neighbours, -2 to 2 on average."""
    total, count = 0, 0
    for match in list(_STRANGE.finditer(sample))[:_RUNS]:
        start, end = max(0, match.start() - _AROUND), match.end() + _AROUND
        try:
            text = sample[start:end].decode(name)
        except UnicodeDecodeError:
            return -2.0
        for place, character in enumerate(text):
            if character > "\x7f":
                total += _fits(text[place - 1 : place], character, text[place + 1 : place + 2])
                count += 1
    return total / count if count else -2.0


def _fits(before: str, character: str, behind: str) -> int:
    if character in _LETTERS:
        if before.isupper() and behind.isupper() and character != "ß":
            return -1
        return 2 if character in _USUAL else 1
    if character in _CAPITALS:
        inside = before.isalpha() and (before.islower() or behind.islower())
        return -1 if inside else 2 if character.lower() in _USUAL else 1
    if character in _SIGNS:
        joined = before.isalpha() and behind.isalpha()
        return 1 if not joined or character in "’\xad" else -1
    return -2


def _guessed(sample: bytes) -> str:
    best = from_bytes(sample, cp_isolation=["cp1252", "mac_roman", "cp850", "utf_16_le", "utf_16_be"]).best()
    return best.encoding if best is not None else "cp1252"
