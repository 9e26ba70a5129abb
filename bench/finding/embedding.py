"""What the embedding stage costs above the bare runtime.

    python -m bench.finding.embedding [--passages 96]

The same passages, as long as those that the policy gates cut, go through `embed.run` with the local model and, in turn,
through onnxruntime itself: tokenized and looked up beforehand, ordered by length, in full batches of 32 padded to their
longest, as one would write it to keep the runtime busy (the padding is not even masked). Both on one thread, in
processor time, best of two. The measure is tokens a second, counted without padding.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from bench.finding.distractors import documents
from bench.table import Line, show
from frostbyte.adapters import onnx
from frostbyte.adapters.embeddings.e5 import E5, MAX_TOKENS, checked, encoder
from frostbyte.adapters.embeddings.e5_weights import Weights
from frostbyte.data_plane import embed

BATCH: Final = 32
ROUNDS: Final = 2
LEAST: Final = 0.9


class Passage(msgspec.Struct, frozen=True):
    """What is embedded."""

    text: str
    headings: tuple[str, ...] = ()


def passages(count: int) -> list[Passage]:
    """Texts of 300 to 900 characters, English and German."""
    whole = " ".join(documents(400).values()).replace("#", "")
    made, at = [], 0
    while len(made) < count:
        length = 300 + 150 * (len(made) % 5)
        made.append(Passage(whole[at : at + length]))
        at = (at + length) % (len(whole) - 1000)
    return made


def bare(texts: list[str], tokens: Callable[[str], npt.NDArray[np.float32]]) -> Callable[[], object]:
    """The runtime fed with full batches; what is done beforehand is not counted."""
    weights = Weights(checked())
    session = onnx.session(encoder(weights), threads=1)
    ordered = sorted((tokens(text) for text in texts), key=len)
    batches = []
    for at in range(0, len(ordered), BATCH):
        part = ordered[at : at + BATCH]
        given = np.zeros((len(part), max(map(len, part)), weights.width), dtype=np.float32)
        for row, looked_up in enumerate(part):
            given[row, : len(looked_up)] = looked_up
        batches.append(given)

    def run() -> None:
        for batch in batches:
            session.run(None, {"given": batch})

    return run


def seconds(work: Callable[[], object]) -> float:
    """Processor time of one run."""
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passages", type=int, default=96)
    options = parser.parse_args()
    chunks = passages(options.passages)
    texts = [chunk.text for chunk in chunks]
    embedder = E5()
    model = embedder.model()

    def looked_up(text: str) -> npt.NDArray[np.float32]:
        return model.look_up(model.tokens("passage: " + text)[: MAX_TOKENS - 2])

    tokens = sum(len(looked_up(text)) for text in texts)
    reference = bare(texts, looked_up)
    ours: list[float] = []
    alone: list[float] = []
    for _ in range(ROUNDS):
        ours.append(seconds(lambda: embed.run(chunks, embedder)))
        alone.append(seconds(reference))
    rate, bound = tokens / min(ours), tokens / min(alone)
    show(
        [
            Line(
                measure="embedding stage",
                ours=rate,
                reference=bound,
                unit="tokens/CPU-s",
                target=f">= {LEAST} x the bare runtime with full batches",
                met=rate >= LEAST * bound,
                note=f"{len(texts)} passages of {tokens / len(texts):.0f} tokens, one thread",
            )
        ]
    )


if __name__ == "__main__":
    main()
