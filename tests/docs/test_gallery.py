"""docs/gallery.md shows what the parsers make of its files today."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_gallery_is_what_would_be_written() -> None:
    done = subprocess.run([sys.executable, str(ROOT / "tools" / "gallery.py"), "--check"], timeout=100, check=False)
    assert done.returncode == 0, "the parsers' results changed: look at them, then run python tools/gallery.py"


def test_every_picture_of_the_gallery_is_there() -> None:
    page = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    shown = {part.split('"')[0] for part in page.split('src="')[1:]}
    assert shown
    assert all((ROOT / "docs" / name).is_file() for name in shown)
