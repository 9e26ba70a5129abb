"""Compiles the modules that read PDFs, beside their sources, in a copy of the package.

    python tools/compiled.py OUT [--source src] [--python PYTHON]

Makes OUT/frostbyte: what uses it (`PYTHONPATH=OUT`) runs machine code in place of the modules named in `COMPILED`, and
everything else as it stands there. mypyc translates them by their types, gcc compiles what comes of it. OUT must not be
there yet. Images ship what comes of it; whoever develops, tests or installs Frostbyte needs none of it (ADR 149).

Needs gcc, Python's headers (python3-dev), setuptools and what requirements/compiler.in names. `--python` is who will
run it, of the same version, with the packages that the modules load; it is this one unless it is given. Equal sources,
compilers and versions make equal bytes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

COMPILED: Final = (
    "frostbyte/data_plane/parse/building.py",
    "frostbyte/data_plane/parse/wellformed.py",
    "frostbyte/data_plane/parse/pdf/*.py",
    "frostbyte/data_plane/parse/pdf/tables/*.py",
)
"""Where compiling pays: what runs for every line of a page. `__init__` modules stay as they are."""

_GROUP: Final = "frostbyte_compiled"
"""One library beside the package has all the code; beside each source lies one of a few kilobytes that refers to it."""

_CONFIGURATION: Final = """\
[mypy]
ignore_missing_imports = True
[mypy-frostbyte.*,msgspec.*]
ignore_missing_imports = False
[mypy-PIL.*,numpy.*,pypdfium2.*,tesserocr.*]
follow_imports = skip
follow_imports_for_stubs = True
"""
"""Of others' types only those are asked for on which ours are built, so that the same code comes of it wherever it is
compiled; of these and of ours none may be missing, or slower code came of it."""


def modules(root: Path) -> list[str]:
    """The files to compile, relative to the folder that holds the package, in order."""
    found = {str(path.relative_to(root)) for pattern in COMPILED for path in root.glob(pattern)}
    return sorted(name for name in found if not name.endswith("/__init__.py"))


def build(out: Path, source: Path, python: str) -> None:
    """Copy the package, compile the modules and have `python` load each of them.

    Args:
        out: a folder that is not there yet.
        source: the folder that holds the package.
        python: the interpreter with whose packages it will run.

    Raises:
        SystemExit: types or code that mypyc cannot compile; it has said which.
        subprocess.CalledProcessError: gcc failed, or a module cannot be loaded.
    """
    shutil.copytree(source, out, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    work = out / ".build"
    work.mkdir()
    (work / "mypy.ini").write_text(_CONFIGURATION)
    files = modules(out)
    # In a process of its own, and from OUT: what is compiled knows its file by the name that it is given here.
    command = [sys.executable, str(Path(__file__).resolve()), "--compile", *files]
    subprocess.run(command, cwd=out, check=True, env=os.environ | {"PYTHONHASHSEED": "0"})
    shutil.rmtree(work)
    names = [name.removesuffix(".py").replace("/", ".") for name in files]
    check = f"import importlib; assert all(importlib.import_module(n).__file__.endswith('.so') for n in {names!r})"
    given = os.environ | {"PYTHONPATH": str(out), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([python, "-c", check], check=True, env=given)


def _compile(files: list[str]) -> None:
    """In the current folder: from Python to C, from C to libraries without what only debuggers read."""
    from mypyc.build import mypycify
    from setuptools import setup

    options = ["--config-file=.build/mypy.ini", "--cache-dir=.build/mypy"]
    extensions = mypycify([*options, *files], opt_level="s", debug_level="0", group_name=_GROUP, target_dir=".build/c")
    for extension in extensions:
        extension.extra_link_args.append("-Wl,--strip-all")
    setup(name="native", ext_modules=extensions, script_args=["--quiet", "build", "-b", ".build/b", "build_ext", "-i"])


def main() -> None:
    """Read the command line."""
    if sys.argv[1:2] == ["--compile"]:
        _compile(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--source", type=Path, default=Path(__file__).resolve().parents[1] / "src")
    parser.add_argument("--python", default=sys.executable)
    options = parser.parse_args()
    build(options.out.resolve(), options.source, options.python)


if __name__ == "__main__":
    main()
