"""What is run on a builder: two scripts of this package, as they lie beside this module."""

from __future__ import annotations

from pathlib import Path

from frostbyte.control_plane.provisioning.building import Scripts


def scripts() -> Scripts:
    """What installs, and what takes away what belongs to the builder alone."""
    here = Path(__file__).parent
    return Scripts(
        install=(here / "build.sh").read_text(encoding="utf-8"), seal=(here / "seal.sh").read_text(encoding="utf-8")
    )
