"""Names in a set's folder; sums and signature are called as in a bundle."""

from __future__ import annotations

from typing import Final

SUPPLY: Final = "SUPPLY.json"
SIGNATURES: Final = "signatures"
PACKAGES: Final = "packages"
IMAGES: Final = "images"
