"""Promises 9 and 10: no library of ours counts what it is used for and tells its maker."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SOURCE = Path(__file__).parents[2] / "src" / "frostbyte"
PROGRAM = """
from frostbyte.adapters.embeddings.e5 import E5
from frostbyte.adapters.names.rampart import installed
E5().query("notice period")
names = installed()
assert names is not None
names.find("Erika Musterfrau wohnt in Berlin.")
"""


def test_the_models_write_nothing_into_the_home_of_their_user(tmp_path: Path) -> None:
    """onnxruntime's telemetry begins with an id of the device in the user's cache."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "XDG_"))}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()] == []


def test_only_one_module_imports_the_runtime() -> None:
    importers = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.split(".")[0] == "onnxruntime" for name in names):
                importers.add(str(path.relative_to(SOURCE)))
    assert importers == {"adapters/onnx.py"}
