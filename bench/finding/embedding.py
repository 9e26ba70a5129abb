"""What the embedding stage costs above the bare runtime.

    python -m bench.finding.embedding [--passages 96]

The same passages, as long as those that the policy gates cut, go through `embed.run` with the local model and, in turn,
through onnxruntime itself: tokenized beforehand, ordered by length, in full batches of 32 padded to their longest, as
one would write it to keep the runtime busy. Both on one thread, in processor time, best of two. The measure is
tokens a second, counted without padding.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Final

import msgspec
import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from bench.finding.distractors import documents
from bench.table import Line, show
from frostbyte.adapters.embeddings.minilm import MAX_TOKENS, MiniLm, checked
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


def bare(texts: list[str]) -> Callable[[], object]:
    """The runtime fed with full batches; what is done beforehand is not counted."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(checked("model"), options, providers=["CPUExecutionProvider"])
    names = [item.name for item in session.get_inputs()]
    tokenizer = Tokenizer.from_str(checked("tokenizer").decode())
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.no_padding()
    ids = sorted((item.ids for item in tokenizer.encode_batch(texts)), key=len)
    batches = []
    for at in range(0, len(ids), BATCH):
        part = ids[at : at + BATCH]
        given = np.zeros((len(part), max(map(len, part))), dtype=np.int64)
        mask = np.zeros_like(given)
        for row, tokens in enumerate(part):
            given[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        batches.append({"input_ids": given, "attention_mask": mask, "token_type_ids": np.zeros_like(given)})

    def run() -> None:
        for batch in batches:
            session.run(None, {name: batch[name] for name in names})

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
    tokenizer = Tokenizer.from_str(checked("tokenizer").decode())
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.no_padding()
    tokens = sum(len(item.ids) for item in tokenizer.encode_batch(texts))
    embedder, reference = MiniLm(), bare(texts)
    embedder.query("warm")
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
