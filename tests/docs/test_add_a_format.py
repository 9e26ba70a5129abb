"""docs/add-a-format.md is followed to the letter in a copy of the source."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "add-a-format.md").read_text()
BLOCK = re.compile(r"^```(?:python|text) (file|entry)=(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARKER = "    # A new format is one more entry here.\n"


@pytest.mark.slow
def test_the_page_leads_to_a_format_that_works(tmp_path):
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    blocks = BLOCK.findall(PAGE)
    assert [kind for kind, _, _ in blocks] == ["file", "file", "entry", "file"]
    for kind, name, body in blocks:
        path = tmp_path / name
        if kind == "file":
            assert not (ROOT / name).exists(), "the example must not be part of the product"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(body)
        else:
            text = path.read_text()
            assert text.count(MARKER) == 1
            path.write_text(text.replace(MARKER, body + MARKER))
    test = next(name for _, name, _ in blocks if name.startswith("tests/"))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", ".", test],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "src")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


def test_every_block_of_code_is_followed():
    fenced = re.findall(r"^```(\w+)", PAGE, re.MULTILINE)
    assert len(fenced) == len(BLOCK.findall(PAGE))
