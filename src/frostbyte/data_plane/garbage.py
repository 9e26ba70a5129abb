"""Work that leaves no garbage in cycles, done without looking for any."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Without looking for garbage in cycles, for what leaves none: to look at a million cells again and again while
    they are made costs a fifth of reading them, and each verdict would have all rules gone through."""
    collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collected:
            gc.freeze()  # what was made is put among the old objects at once, unseen
            gc.unfreeze()
            gc.enable()
