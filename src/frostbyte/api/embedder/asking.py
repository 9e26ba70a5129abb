"""What a request for embeddings may say, and how its answer is written.

The shape is OpenAI's: https://platform.openai.com/docs/api-reference/embeddings. Fields that we do not know are passed
over, as OpenAI's own clients expect.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec

from frostbyte.adapters.embeddings.gguf import Model
from frostbyte.adapters.embeddings.gguf.model import Ids, Matrix
from frostbyte.kernel.errors import FrostbyteError, Invalid, Kind, NotFound

MOST_TEXTS: Final = 2048
"""Texts in one request: OpenAI's own bound."""
BODY_BYTES: Final = 4 << 20
_TEXT: Final = "Send a text, a list of texts, a list of token ids, or a list of such lists."


class Ask(msgspec.Struct, frozen=True):
    """A request's body. `model` and `input` are required, as with OpenAI."""

    model: str
    input: str | list[str | int | list[int]]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None


class _Item(msgspec.Struct, frozen=True):
    object: str
    index: int
    embedding: list[float] | str


class _Usage(msgspec.Struct, frozen=True):
    prompt_tokens: int
    total_tokens: int


class _Answer(msgspec.Struct, frozen=True):
    object: str
    data: list[_Item]
    model: str
    usage: _Usage
    model_sha256: str


_decode: Final = msgspec.json.Decoder(Ask).decode
_encode: Final = msgspec.json.Encoder().encode


def read(body: bytes) -> Ask:
    """The request.

    Raises:
        Invalid: `request_invalid`, naming the field and never its value.
    """
    try:
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        where = str(error).partition("`$")[2].partition("`")[0].strip(".")  # the rest may quote what was sent
        raise Invalid(
            "request_invalid",
            f"The body is not what this route takes{f': look at {where}' if where.isascii() and where else ''}.",
            f"`model` is a name, `input` texts or token ids. {_TEXT}",
        ) from None


def tokens(ask: Ask, model: Model, name: str, most: int) -> list[Ids]:
    """Each text as the token ids that the model reads.

    Args:
        ask: the request.
        model: what would answer.
        name: what the model is called here.
        most: tokens that one request may hold.

    Raises:
        NotFound: `model_not_found`.
        Invalid: `dimensions_unsupported`, `request_invalid`.
        FrostbyteError: `input_too_long`, `too_many_texts`, `too_many_tokens`.
    """
    if ask.model != name:
        raise NotFound(
            "model_not_found", "This server has another model than the one asked for.", "GET /health names it."
        )
    if ask.dimensions not in (None, model.header.dimensions):
        raise Invalid(
            "dimensions_unsupported",
            f"This model's vectors have {model.header.dimensions} dimensions and no others.",
            "Leave `dimensions` out.",
        )
    made: list[Ids] = []
    total = 0
    for number, text in enumerate(_texts(ask.input)):
        ids = model.tokens(text) if isinstance(text, str) else _given(text, model, number)
        if ids is None:
            raise _too_large(
                "input_too_long",
                f"Text {number} is longer than the {model.longest} tokens that the model reads.",
                "Cut it into parts.",
            )
        total += len(ids)
        if total > most:
            raise _too_large("too_many_tokens", f"One request may hold {most} tokens.", "Send fewer texts at once.")
        made.append(ids)
    return made


def _texts(given: str | list[str | int | list[int]]) -> Sequence[str | list[int]]:
    if isinstance(given, str):
        return [given]
    if given and all(isinstance(item, int) for item in given):
        return [[item for item in given if isinstance(item, int)]]
    if len(given) > MOST_TEXTS:
        raise _too_large("too_many_texts", f"One request may hold {MOST_TEXTS} texts.", "Send fewer at once.")
    made = [item for item in given if not isinstance(item, int)]
    if not made or len(made) != len(given):
        raise Invalid("request_invalid", "`input` is empty, or mixes token ids with texts.", _TEXT)
    return made


def _given(ids: list[int], model: Model, number: int) -> list[int] | None:
    """Token ids are taken as they are: whoever sends them has put the model's marks around them."""
    if not ids or not model.known(ids):
        raise Invalid("request_invalid", f"Text {number} is empty or has ids that the model does not know.", _TEXT)
    return ids if len(ids) <= model.longest else None


def _too_large(code: str, message: str, remedy: str) -> FrostbyteError:
    return FrostbyteError(code, message, remedy, kind=Kind.TOO_LARGE)


def answer(ask: Ask, model: Model, rows: Matrix, count: int) -> bytes:
    """The body of the answer. `count`: tokens that were read."""
    little = rows.astype("<f4")
    vectors: list[Any] = (
        [base64.b64encode(row.tobytes()).decode() for row in little]
        if ask.encoding_format == "base64"
        else little.tolist()
    )
    items = [_Item("embedding", number, vector) for number, vector in enumerate(vectors)]
    return _encode(_Answer("list", items, ask.model, _Usage(count, count), model.sha256))


def refusal(error: FrostbyteError) -> bytes:
    """An error in OpenAI's shape, with a code that stays."""
    type_ = "server_error" if error.kind in (Kind.UNAVAILABLE, Kind.INTERNAL) else "invalid_request_error"
    message = f"{error.message} {error.remedy}".strip()
    return _encode({"error": {"message": message, "type": type_, "param": None, "code": error.code}})
