"""What a run draws: the kills, faults and examples that it tries, of the many that there are.

A commit draws the same whenever and wherever it is tested, and the next one draws anew: what failed is found again by
running it again, and who has tried a commit has tried what others will. FROSTBYTE_SEED=N draws as another run did, and
FROSTBYTE_SOAK=all tries everything instead (`make soak`).
"""

from __future__ import annotations

import os
import secrets
import subprocess
from pathlib import Path
from typing import Final


def _of_commit() -> int:
    """A number from the commit that is checked out; any number where that cannot be known."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return int(subprocess.run(command, capture_output=True, check=True, timeout=20).stdout[:5], 16)
    except (OSError, ValueError, subprocess.SubprocessError):
        return secrets.randbelow(2**20)


SOAK: Final = os.environ.get("FROSTBYTE_SOAK") == "all"
"""Whether everything is tried."""

SEED: Final = int(os.environ.get("FROSTBYTE_SEED") or _of_commit())
"""What draws begin with."""

os.environ["FROSTBYTE_SEED"] = str(SEED)  # what this run starts has to collect the same tests
