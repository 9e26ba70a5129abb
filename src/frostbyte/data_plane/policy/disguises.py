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
_LEANING: Final = b"0134578@$!|"
"""What stands before a letter in text in disguise; it has several, and little else does."""
_MIXED_WORD: Final = re.compile(r"[a-z]{1,20}[0134578@$!|][a-z0-9@$!|]{1,20}|[0134578@$!|]{1,3}[a-z][a-z0-9@$!|]{1,20}")
_DISGUISED_LEAST: Final = 2
_SPACED: Final = re.compile(r"(?<![^\W_])(?:[^\W_][ .\-_*]{1,3}){4,200}[^\W_](?![^\W_])")
"""A letter is never what stands between letters: a line to write on (`______Date`) could be parted in endless ways."""
_BROKEN: Final = re.compile(
    r"[-\"'](?:(?<=[a-z]-)[ \t]*\r?\n[ \t]*(?=[a-z])|"
    r"(?<!-)[ \t]*\r?\n?[ \t]*(?:[a-z]\s*=\s*|\+\s*|,\s*)[\"'])"
)
_SPACED_INSIDE: Final = re.compile(r"[ .\-_*](?:[^\W_][ .\-_*]{1,3}){2}[^\W_][ .\-_*]")
"""Stands in whatever `_SPACED` finds, and is looked for much faster."""
_APART: Final = re.compile(rb" (?:[a0?] {1,3}){2}[a0?] ")
"""Stands in the shape of what `_SPACED_INSIDE` finds."""
_BASE64: Final = re.compile(r"(?<![A-Za-z0-9+/=_-])[A-Za-z0-9+/_-]{20,}(?:\s{1,2}[A-Za-z0-9+/_-]{16,}){0,40}={0,2}")
_BASE64_SIGNS: Final = bytes(
    ord("a") if (chr(code).isalnum() and code < 128) or chr(code) in "+/_-" else ord(" ") for code in range(256)
)
_RUN_OF_BASE64: Final = b"a" * 20
"""What every find of `_BASE64` holds, with `a` for each of its signs."""
_HEX_INSIDE: Final = re.compile(r"[2-7cC][0-9A-Fa-f](?:[\s,:]?(?:0x|\\x|%)?[2-9a-cA-C][0-9A-Fa-f]){13}")
"""Stands in whatever `_HEX` finds, and is looked for much faster."""
_HEX: Final = re.compile(r"(?:(?:0x|\\x|%)?(?:[2-7]|[cC]3[\s,:]?(?:0x|\\x|%)?[89abAB])[0-9A-Fa-f][\s,:]?){14,}")
"""Bytes of letters and punctuation in ASCII, and umlauts in UTF-8."""
_BITS: Final = re.compile(r"(?<![01])(?:[01]{8}[\s,]{0,2}){8,}")
_BITS_INSIDE: Final = re.compile(r"[01][01]{7}[\s,]{0,2}[01]{8}")
"""Stands in whatever `_BITS` finds, and is looked for much faster."""
_BETWEEN_DIGITS: Final = b" \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f?,:x\\%"
"""What finds of `_HEX` and `_BITS` may hold beside digits; `?` for white space beyond ASCII."""
_HEX_DIGITS: Final = bytes(ord("f") if chr(code) in "0123456789abcdefABCDEF" else ord(" ") for code in range(256))
_BITS_ONLY: Final = bytes(ord("1") if chr(code) in "01" else ord(" ") for code in range(256))
_RUN_OF_HEX: Final = b"f" * 28
_RUN_OF_BITS: Final = b"1" * 16
"""What finds hold when what is between their digits is left out, with one sign for each of these."""
_PERCENT: Final = re.compile(r"%[0-9A-Fa-f]{2}")
_URL: Final = re.compile(r"(?:[\w.,;:!?'()~+-]{0,40}%[0-9A-Fa-f]{2}){3,}[\w.~-]{0,40}")
_PERCENT_LEAST: Final = 3
_ESCAPES: Final = re.compile(r"(?:\\u[0-9A-Fa-f]{4}|&#x?[0-9A-Fa-f]{2,6};){8,}")
_ESCAPE: Final = re.compile(r"\\u([0-9A-Fa-f]{4})|&#x([0-9A-Fa-f]{2,6});|&#(\d{2,6});")


def shaped(signs: bytes) -> bytes:
    """A folded text's shape, one byte a character, to look at quickly.

    `a` stands for a letter of ASCII, `0` for what may stand for one in a disguise, a blank for what may stand between
    letters that stand apart, `?` for whatever else may be part of a word, and `.` for the rest.

    Args:
        signs: the text in ASCII, with `?` for each character beyond it.
    """
    return signs.translate(_SHAPES)


def _shape(code: int) -> int:
    if code in _LEANING:
        return ord("0")
    if ord("a") <= code <= ord("z"):
        return ord("a")
    if code in b" .-_*":
        return ord(" ")
    return ord("?") if chr(code).isalnum() or code == _FOREIGN else ord(".")


_FOREIGN: Final = ord("?")
"""What `replace` writes for a character beyond ASCII."""
_SHAPES: Final = bytes(map(_shape, range(256)))


def lettered(folded: Reading, telling: Callable[[str], bool], shape: bytes) -> Iterator[Reading]:
    """The text with digits and signs inside words read as the letters that they look like.

    Args:
        telling: whether what a word might mean is worth it; nothing comes of a text without such a word.
        shape: `shaped` of the text.
    """
    text = folded.text
    if shape.count(b"0a") < _DISGUISED_LEAST:
        return
    if not any(map(telling, set(_MIXED_WORD.findall(text)))):
        return
    for guessed in _ones(text):
        parts = list(guessed)
        for run in _LETTERED.finditer(guessed):
            parts[run.start() : run.end()] = run.group().translate(_DIGIT_LETTERS)
        view = "".join(parts)
        if view != text:
            yield Reading(view, folded.at)


def guesses(word: str) -> list[str]:
    """What a word in disguise might mean: those of its readings that are letters only."""
    return [guess for guess in (one.translate(_DIGIT_LETTERS) for one in _ones(word)) if guess.isalpha()]


def _ones(text: str) -> tuple[str, str]:
    """A one stands for an i or an l; twice in a row it is mostly ll."""
    return text.replace("11", "ll"), text.replace("1", "l")


def closed_up(folded: Reading, shape: bytes) -> Iterator[Reading]:
    """Runs of letters that stand apart (`i g n o r e`), each without its gaps."""
    text = folded.text
    if _APART.search(shape) is None or _SPACED_INSIDE.search(text) is None:
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
    plainly = text.encode("ascii", "replace")
    for match in _BASE64.finditer(text) if _RUN_OF_BASE64 in plainly.translate(_BASE64_SIGNS) else ():
        for run in (match.group(), *match.group().split()):
            plain = _unbase64(run)
            if plain:
                yield match.start(), match.end(), plain
                break
    hexed = _RUN_OF_HEX in plainly.translate(_HEX_DIGITS, _BETWEEN_DIGITS)
    for match in _HEX.finditer(text) if hexed and _HEX_INSIDE.search(text) else ():
        digits = re.sub(r"0x|\\x|[%\s,:]", "", match.group())
        plain = readable(bytes.fromhex(digits[: len(digits) // 2 * 2]))
        if plain:
            yield match.start(), match.end(), plain
    if _RUN_OF_BITS in plainly.translate(_BITS_ONLY, _BETWEEN_DIGITS) and _BITS_INSIDE.search(text):
        for match in _BITS.finditer(text):
            bits = re.sub(r"[\s,]", "", match.group())
            plain = readable(bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)))
            if plain:
                yield match.start(), match.end(), plain
    if text.count("%") >= _PERCENT_LEAST and len(_PERCENT.findall(text)) >= _PERCENT_LEAST:
        for match in _URL.finditer(text):
            yield match.start(), match.end(), _PERCENT.sub(lambda found: chr(int(found[0][1:], 16)), match.group())
    if "\\u" in text or "&#" in text:
        for match in _ESCAPES.finditer(text):
            codes = _ESCAPE.findall(match.group())
            points = [int(decimal) if decimal else int(u or x, 16) for u, x, decimal in codes]
            yield match.start(), match.end(), "".join(chr(point) for point in points if point < 0x110000)


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
