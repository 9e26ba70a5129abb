"""Spelling tricks and encodings undone: the readings of a text that a model might see and a filter might not.

A view is a `Reading`: each of its characters knows where it came from. What is decoded as a whole (base64, hex,
escapes) has lost that and comes with the range of its encoded form.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from collections.abc import Callable, Iterator
from typing import Final

from frostbyte.data_plane.policy.reading import Reading

_DIGIT_LETTERS: Final = str.maketrans("0134578@$!|", "oieastbasil")
_LETTERED: Final = re.compile(r"(?<=[a-z])[0134578@$!|]{1,4}|[0134578@$!|]{1,4}(?=[a-z])")
LEANING: Final = "0134578@$!|"
"""What stands before a letter in text in disguise; it has several, and little else does."""
_MIXED_WORD: Final = re.compile(r"[a-z]{1,20}[0134578@$!|][a-z0-9@$!|]{1,20}|[0134578@$!|]{1,3}[a-z][a-z0-9@$!|]{1,20}")
_DISGUISED_LEAST: Final = 2
_SPACED: Final = re.compile(r"(?<!\w)(?:\w[ .\-_*]{1,3}){4,200}\w(?!\w)")
_BROKEN: Final = re.compile(
    r"[-\"'](?:(?<=[a-z]-)[ \t]*\r?\n[ \t]*(?=[a-z])|"
    r"(?<!-)[ \t]*\r?\n?[ \t]*(?:[a-z]\s*=\s*|\+\s*|,\s*)[\"'])"
)
_SPACED_INSIDE: Final = re.compile(r"[ .\-_*]\w[ .\-_*]{1,3}\w[ .\-_*]{1,3}\w[ .\-_*]")
"""Stands in whatever `_SPACED` finds, and is looked for much faster."""
_BASE64: Final = re.compile(r"(?<![A-Za-z0-9+/=_-])[A-Za-z0-9+/_-]{20,}(?:\s{1,2}[A-Za-z0-9+/_-]{16,}){0,40}={0,2}")
_BASE64_LEAST: Final = 20
_BASE64_RUN: Final = re.compile(r"[A-Za-z0-9+/_-]{20}")
_HEX_INSIDE: Final = re.compile(r"[2-7cC][0-9A-Fa-f](?:[\s,:]?(?:0x|\\x|%)?[2-9a-cA-C][0-9A-Fa-f]){13}")
"""Stands in whatever `_HEX` finds, and is looked for much faster."""
_HEX: Final = re.compile(r"(?:(?:0x|\\x|%)?(?:[2-7]|[cC]3[\s,:]?(?:0x|\\x|%)?[89abAB])[0-9A-Fa-f][\s,:]?){14,}")
"""Bytes of letters and punctuation in ASCII, and umlauts in UTF-8."""
_BITS: Final = re.compile(r"(?<![01])(?:[01]{8}[\s,]{0,2}){8,}")
_BITS_INSIDE: Final = re.compile(r"[01][01]{7}[\s,]{0,2}[01]{8}")
"""Stands in whatever `_BITS` finds, and is looked for much faster."""
_PERCENT: Final = re.compile(r"%[0-9A-Fa-f]{2}")
_URL: Final = re.compile(r"(?:[\w.,;:!?'()~+-]{0,40}%[0-9A-Fa-f]{2}){3,}[\w.~-]{0,40}")
_PERCENT_LEAST: Final = 3
_ESCAPES: Final = re.compile(r"(?:\\u[0-9A-Fa-f]{4}|&#x?[0-9A-Fa-f]{2,6};){8,}")
_ESCAPE: Final = re.compile(r"\\u([0-9A-Fa-f]{4})|&#x([0-9A-Fa-f]{2,6});|&#(\d{2,6});")


def lettered(folded: Reading, telling: Callable[[str, str], bool], leaning: int) -> Iterator[Reading]:
    """The text with digits and signs inside words read as the letters that they look like.

    Args:
        telling: whether a word and what it might mean are worth it; nothing comes of a text without such a word.
        leaning: how many of its runs of letters stand directly behind one of `LEANING`.
    """
    text = folded.text
    if leaning < _DISGUISED_LEAST:
        return
    words = (word.group() for word in _MIXED_WORD.finditer(text))
    undone = ((word, guess.translate(_DIGIT_LETTERS)) for word in words for guess in _ones(word))
    if not any(guess.isalpha() and telling(word, guess) for word, guess in undone):
        return
    for guessed in _ones(text):
        parts = list(guessed)
        for run in _LETTERED.finditer(guessed):
            parts[run.start() : run.end()] = run.group().translate(_DIGIT_LETTERS)
        view = "".join(parts)
        if view != text:
            yield Reading(view, folded.at)


def _ones(text: str) -> tuple[str, str]:
    """A one stands for an i or an l; twice in a row it is mostly ll."""
    return text.replace("11", "ll"), text.replace("1", "l")


def closed_up(folded: Reading) -> Iterator[Reading]:
    """Runs of letters that stand apart (`i g n o r e`), each without its gaps."""
    text = folded.text
    if _SPACED_INSIDE.search(text) is None:
        return
    for run in _SPACED.finditer(text):
        kept = [index for index in range(run.start(), run.end()) if text[index].isalnum()]
        yield Reading("".join(text[i] for i in kept), [folded.at[i] for i in kept])


def mended(folded: Reading) -> Iterator[Reading]:
    """The text with words joined that a hyphen at a line's end or the end of a quoted string cut."""
    breaks = list(_BROKEN.finditer(folded.text))
    if not breaks:
        return
    parts: list[str] = []
    at: list[int] = []
    here = 0
    for found in breaks:
        parts.append(folded.text[here : found.start()])
        at.extend(folded.at[here : found.start()])
        here = found.end()
    parts.append(folded.text[here:])
    at.extend(folded.at[here:])
    yield Reading("".join(parts), at)


def rot13(folded: Reading) -> Reading:
    """Each letter thirteen places on."""
    return Reading(codecs.encode(folded.text, "rot13"), folded.at)


def backwards(folded: Reading) -> Reading:
    """The last character first."""
    return Reading(folded.text[::-1], list(reversed(folded.at)))


def decoded(text: str) -> Iterator[tuple[int, int, str]]:
    """Readable text behind base64, hex, bits and escapes, with where its encoded form stands."""
    for match in _BASE64.finditer(text) if _may_hold_base64(text) else ():
        for run in (match.group(), *match.group().split()):
            plain = _unbase64(run)
            if plain:
                yield match.start(), match.end(), plain
                break
    for match in _HEX.finditer(text) if _HEX_INSIDE.search(text) else ():
        digits = re.sub(r"0x|\\x|[%\s,:]", "", match.group())
        plain = readable(bytes.fromhex(digits[: len(digits) // 2 * 2]))
        if plain:
            yield match.start(), match.end(), plain
    if _BITS_INSIDE.search(text):
        for match in _BITS.finditer(text):
            bits = re.sub(r"[\s,]", "", match.group())
            plain = readable(bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)))
            if plain:
                yield match.start(), match.end(), plain
    if len(_PERCENT.findall(text)) >= _PERCENT_LEAST:
        for match in _URL.finditer(text):
            yield match.start(), match.end(), _PERCENT.sub(lambda found: chr(int(found[0][1:], 16)), match.group())
    if "\\u" in text or "&#" in text:
        for match in _ESCAPES.finditer(text):
            codes = _ESCAPE.findall(match.group())
            points = [int(decimal) if decimal else int(u or x, 16) for u, x, decimal in codes]
            yield match.start(), match.end(), "".join(chr(point) for point in points if point < 0x110000)


def _may_hold_base64(text: str) -> bool:
    """Whether any of its words is long enough and has so many of the characters in a row: a quick look."""
    words = text.split()
    if max(map(len, words), default=0) < _BASE64_LEAST:
        return False
    return any(_BASE64_RUN.search(word) for word in words if len(word) >= _BASE64_LEAST)


def _unbase64(run: str) -> str:
    data = re.sub(r"\s", "", run).rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        return readable(base64.b64decode(data + "=" * (-len(data) % 4), validate=True))
    except (binascii.Error, ValueError):
        return ""


def readable(data: bytes) -> str:
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
