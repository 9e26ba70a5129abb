"""Writes the direction that all texts share for the embedded model (see frostbyte/adapters/embeddings/e5.py).

    python -m bench.finding.middle

It is the mean of 400 passages, as many English as German ones, out of generated documents that no set uses.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bench.finding.distractors import documents
from frostbyte.adapters.embeddings import e5

SEED = 58
PASSAGES = 400


def middle(count: int = PASSAGES) -> npt.NDArray[np.float32]:
    """The mean of so many passages' vectors."""
    model = e5.E5().model()
    texts = documents(count, seed=SEED).values()
    return np.mean([model.vector("passage: " + text.replace("#", "")[:1500]) for text in texts], axis=0).astype("<f4")


def main() -> None:
    """Write the file."""
    middle().tofile(e5._MIDDLE)


if __name__ == "__main__":
    main()
