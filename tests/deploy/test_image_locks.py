"""What an image's lock carries is all that its processes load: seen without building it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STAGE = re.compile(r"^FROM \S+ AS packages-(\S+)$(.*?)(?=^FROM )", re.MULTILINE | re.DOTALL)
COMPILED = re.compile(r"packages\.sh compiled ((?:[\w.]+|\s|\\\n)+)")
LOADING = '''\
import importlib, importlib.metadata, re, sys

def called(name):
    return re.sub(r"[-_.]+", "-", name).lower()

carried = {called(re.split(r"[=\\[]", line)[0]) for line in sys.stdin if "==" in line and line[0].isalnum()}
brings = importlib.metadata.packages_distributions()

class Missing:
    """What others ask for is their lock's matter, and some of it they can do without."""

    def find_spec(self, name, path=None, target=None):
        found, frame = brings.get(name.partition(".")[0], ()), sys._getframe(1)
        while "importlib" in frame.f_code.co_filename:
            frame = frame.f_back
        ours = frame.f_globals.get("__name__", "").startswith("frostbyte.")
        if ours and found and not {called(one) for one in found} & {*carried, "frostbyte"}:
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Missing())
for name in sys.argv[1:]:
    importlib.import_module(name)
'''


def loaded() -> dict[str, list[str]]:
    """By image, what its build loads once in the end."""
    text = (ROOT / "deploy/images/Dockerfile").read_text(encoding="utf-8")
    found = {}
    for name, stage in STAGE.findall(text):
        if match := COMPILED.search(stage):
            found[name] = match[1].replace("\\", " ").split()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("image", sorted(loaded()))
def test_an_image_loads_nothing_that_its_lock_does_not_carry(image: str) -> None:
    """A package that a module began to need would stop the image's build, which few lanes do for every image."""
    modules = [name for name in loaded()[image] if name.startswith("frostbyte.")]
    assert modules
    lock = (ROOT / f"requirements/image-{image}.lock").read_text(encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", LOADING, *modules], input=lock, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_compiler_is_given_each_of_our_modules_that_parsers_load() -> None:
    """The stage that compiles has only what the Dockerfile names: a module that is missing there ends the build."""
    stage = (ROOT / "deploy/images/Dockerfile").read_text().partition(" AS native\n")[2].partition("\nFROM ")[0]
    given = set(re.findall(r"src/frostbyte/[\w/.]+", stage))
    waiting, seen = list((ROOT / "src/frostbyte/data_plane/parse").rglob("*.py")), set[str]()
    while waiting:
        for name in re.findall(r"^from (frostbyte[\w.]*) import", waiting.pop().read_text(), re.MULTILINE):
            path = ROOT / "src" / f"{name.replace('.', '/')}.py"
            if name not in seen and not name.startswith("frostbyte.data_plane.parse"):
                seen.add(name)
                waiting.append(path)
                assert str(path.relative_to(ROOT)) in given
    assert len(seen) > 2
