"""What a control plane begins with where another one made its host: keys by which hosts know it, what versions run."""

from __future__ import annotations

from pathlib import Path

from frostbyte.adapters.secrets.files import write_new
from frostbyte.control_plane.settings import ControlSettings
from frostbyte.kernel.errors import Unavailable


def begin_with(settings: ControlSettings) -> int:
    """Bring what was given into the data folder; what is there already stays. How many files were brought.

    Raises:
        Unavailable: `given_unreadable`, `secret_unwritable`.
    """
    if settings.given is None:
        return 0
    try:
        files = {path: path.read_bytes() for path in sorted(settings.given.rglob("*")) if path.is_file()}
    except OSError as error:
        raise Unavailable(
            "given_unreadable",
            f"What this control plane is to begin with cannot be read ({error.strerror}).",
            "See that FROSTBYTE_CONTROL_GIVEN names a folder that it may read.",
        ) from None
    return sum(_bring(settings.data_dir / path.relative_to(settings.given), data) for path, data in files.items())


def _bring(place: Path, data: bytes) -> bool:
    if place.exists():
        return False
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return write_new(place, data)
