"""What a GGUF file says of itself: architecture, sizes, vocabulary. Read before the runtime sees the file.

The runtime ends the whole process when a vocabulary does not add up, so a file is judged here first, in words. The
format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (versions 2 and 3, little-endian).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from frostbyte.kernel.errors import Invalid

ARCHITECTURES: Final = ("nomic-bert", "bert")
"""Encoders that read both ways, with one vector a text."""
MEAN: Final = 1
"""`pooling_type`: the mean of the token vectors."""
_MAGIC: Final = b"GGUF"
_VERSIONS: Final = (2, 3)
_NUMBERS: Final = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING: Final = 8
_ARRAY: Final = 9
_MOST_KEYS: Final = 4096
_MOST_ITEMS: Final = 1 << 20
_LONGEST_TEXT: Final = 1 << 20
_LONGEST_HEADER: Final = 64 << 20
_WORD_START: Final = "\u2581"
_CONTROL: Final = frozenset({2, 3, 4, 5})
"""Token types unknown, control, user defined, unused: kept as they are written."""


@dataclass(frozen=True, kw_only=True)
class Header:
    """An embedding model's own account."""

    architecture: str
    name: str
    context: int
    """Longest input in tokens, both marks included."""
    dimensions: int
    vocabulary: tuple[str, ...]
    """In BERT's own spelling: the pieces that continue a word begin with `##`."""
    first: int
    """Id of the mark before every text ([CLS])."""
    last: int
    """Id of the mark behind every text ([SEP])."""
    unknown: int
    """Id of what stands for a word without pieces ([UNK])."""


def read_header(path: Path) -> Header:
    """Read and judge a file's header.

    Raises:
        Invalid: `model_unreadable` if it is no whole GGUF header, `model_unsupported` if it is of another kind.
    """
    try:
        with path.open("rb") as file:
            given = _Reader(file).metadata()
    except OSError as error:
        raise _unreadable(f"it cannot be opened ({type(error).__name__})") from None
    except (ValueError, struct.error, UnicodeDecodeError, MemoryError):
        raise _unreadable("it is no whole GGUF file") from None
    return _judge(given)


class _Reader:
    """Values in the order in which they stand. Every length is bounded before anything is read for it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def metadata(self) -> dict[str, Any]:
        if self._take(4) != _MAGIC:
            raise ValueError("magic")
        version, _, keys = self._number("<I"), self._number("<Q"), self._number("<Q")
        if version not in _VERSIONS or keys > _MOST_KEYS:
            raise ValueError("version or keys")
        return {self._text(): self._value(self._number("<I")) for _ in range(keys)}

    def _take(self, count: int) -> bytes:
        if self._file.tell() + count > _LONGEST_HEADER:
            raise ValueError("too long")
        data = self._file.read(count)
        if len(data) != count:
            raise ValueError("cut off")
        return data

    def _number(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _text(self) -> str:
        length = self._number("<Q")
        if length > _LONGEST_TEXT:
            raise ValueError("text too long")
        return self._take(length).decode()

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._text()
        if kind != _ARRAY:
            return self._number(_form(kind))
        inner, count = self._number("<I"), self._number("<Q")
        if count > _MOST_ITEMS or inner == _ARRAY:
            raise ValueError("array")
        if inner == _STRING:
            return [self._text() for _ in range(count)]
        form = _form(inner)
        return list(struct.unpack(f"<{count}{form[1]}", self._take(count * struct.calcsize(form))))


def _form(kind: int) -> str:
    if kind not in _NUMBERS:
        raise ValueError("type")
    return _NUMBERS[kind]


def _judge(given: dict[str, Any]) -> Header:
    kind = str(given.get("general.architecture", ""))
    if kind not in ARCHITECTURES:
        raise _unsupported(f"it is of another architecture than {' or '.join(ARCHITECTURES)}")
    if given.get("tokenizer.ggml.model") != "bert":
        raise _unsupported("its vocabulary is not BERT's")
    if given.get(f"{kind}.pooling_type") != MEAN:
        raise _unsupported("it does not take the mean of its token vectors")
    context, dimensions = given.get(f"{kind}.context_length"), given.get(f"{kind}.embedding_length")
    if not isinstance(context, int) or not isinstance(dimensions, int) or min(context - 2, dimensions) < 1:
        raise _unsupported("it does not say its sizes")
    tokens, types = _vocabulary(given)
    special = {
        name: _special(given, tokens, keys, mark)
        for name, keys, mark in (
            ("first", ("cls_token_id", "bos_token_id"), "[CLS]"),
            ("last", ("separator_token_id", "seperator_token_id", "eos_token_id"), "[SEP]"),  # both are written
            ("unknown", ("unknown_token_id",), "[UNK]"),
        )
    }
    return Header(
        architecture=kind,
        name=str(given.get("general.name", "")),
        context=context,
        dimensions=dimensions,
        vocabulary=tuple(_spelling(token, type_) for token, type_ in zip(tokens, types, strict=True)),
        **special,
    )


def _vocabulary(given: dict[str, Any]) -> tuple[list[str], list[int]]:
    """The pieces and their types."""
    tokens, types = given.get("tokenizer.ggml.tokens"), given.get("tokenizer.ggml.token_type")
    if not isinstance(tokens, list) or not isinstance(types, list) or len(types) != len(tokens):
        raise _unsupported("it has no vocabulary")
    if not tokens or not all(isinstance(token, str) and token for token in tokens):
        raise _unsupported("its vocabulary holds something else than words")
    if len(set(tokens)) != len(tokens):
        raise _unsupported("its vocabulary names a piece twice")
    return tokens, types


def _special(given: dict[str, Any], tokens: list[str], keys: tuple[str, ...], mark: str) -> int:
    """The id that the file names, else that of the mark as BERT writes it."""
    for key in keys:
        named = given.get(f"tokenizer.ggml.{key}")
        if isinstance(named, int) and 0 <= named < len(tokens):
            return named
    if mark not in tokens:
        raise _unsupported(f"its vocabulary has no {mark}")
    return tokens.index(mark)


def _spelling(token: str, kind: int) -> str:
    """GGUF marks the pieces that begin a word, BERT those that do not."""
    if kind in _CONTROL:
        return token
    return token[len(_WORD_START) :] if token.startswith(_WORD_START) else f"##{token}"


def _unreadable(why: str) -> Invalid:
    return Invalid(
        "model_unreadable",
        f"The model file is not usable: {why}.",
        "Set FROSTBYTE_MODEL_FILE to the path of a whole GGUF file that this process may read.",
    )


def _unsupported(why: str) -> Invalid:
    return Invalid(
        "model_unsupported",
        f"The model file cannot be served: {why}.",
        "Use nomic-embed-text-v1.5, or another BERT embedding model, as GGUF.",
    )
