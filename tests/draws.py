"""What a run draws: the kills, faults and examples that it tries, of the many that there are.

The same code and tests draw the same whenever and wherever they are run, and a change of them draws anew: what failed
is found again by running it again, and who has tried a change has tried what others will. FROSTBYTE_SEED=N draws as
another run did, and FROSTBYTE_SOAK=all tries everything instead (`make soak`).
"""

from __future__ import annotations

import hashlib
import os
import secrets
import subprocess
from pathlib import Path
from typing import Final


def _of_tree() -> int:
    """A number from the code and the tests that are checked out; any number where those cannot be known."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD:src", "HEAD:tests"]
    try:
        trees = subprocess.run(command, capture_output=True, check=True, timeout=20).stdout
    except (OSError, subprocess.SubprocessError):
        return secrets.randbelow(2**20)
    return int(hashlib.sha256(trees).hexdigest()[:5], 16)


SOAK: Final = os.environ.get("FROSTBYTE_SOAK") == "all"
"""Whether everything is tried."""

SEED: Final = int(os.environ.get("FROSTBYTE_SEED") or _of_tree())
"""What draws begin with."""

os.environ["FROSTBYTE_SEED"] = str(SEED)  # what this run starts has to collect the same tests
