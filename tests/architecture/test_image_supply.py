"""What a command loads that runs inside an image is in that image."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOADED = """
import importlib, json, sys
from importlib.metadata import packages_distributions
importlib.import_module(sys.argv[1])
known = packages_distributions()
tops = {name.partition(".")[0] for name in sys.modules}
print(json.dumps(sorted({dist for top in tops for dist in known.get(top, [])})))
"""


def test_the_api_image_has_all_that_an_export_loads() -> None:
    command = [sys.executable, "-c", LOADED, "frostbyte.bootstrap.exporting"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    names = {name.lower().replace("_", "-") for name in json.loads(done.stdout)} - {"frostbyte"}
    lock = (ROOT / "requirements/image-api.lock").read_text()
    held = {name.lower().replace("_", "-") for name in re.findall(r"^([A-Za-z0-9._-]+)==", lock, re.MULTILINE)}
    assert {"msgspec", "pyrage", "psycopg"} <= names
    assert names - held - {"setuptools", "pip"} == set()
