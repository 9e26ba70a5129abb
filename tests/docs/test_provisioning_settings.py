"""docs/provisioning.md says everything that provisioning can be told."""

from __future__ import annotations

import re
from pathlib import Path

from frostbyte.control_plane.provisioning import settings

PAGE = (Path(__file__).parents[2] / "docs/provisioning.md").read_text(encoding="utf-8")


def test_every_setting_is_said() -> None:
    source = Path(settings.__file__).read_text(encoding="utf-8")
    names = set(re.findall(r'given\.\w+\("([A-Z_]+)"', source))
    assert len(names) > 8
    for name in names:
        assert f"`FROSTBYTE_{name}`" in PAGE, name
