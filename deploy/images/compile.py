"""Compiles what the processes of an image load: `compile.py FOLDER [MODULE...]`.

Without modules that is every file below the folder: our own code. With them it is what comes along when they are loaded
and is not compiled yet: half of the packages' files never are. A read-only file system cannot keep what Python compiles
by itself. The results are checked against nothing at run time, so they hold no time. They are made in a process of their
own that has loaded nothing else, with PYTHONHASHSEED fixed: equal sources make equal files.
"""

import importlib
import os
import subprocess
import sys
from importlib.util import cache_from_source
from pathlib import Path


def main() -> None:
    """Find the files, then compile those that are not."""
    folder, modules = sys.argv[1], sys.argv[2:]
    for name in modules:
        importlib.import_module(name)
    loaded = {str(getattr(module, "__file__", None) or "") for module in list(sys.modules.values())}
    chosen = loaded if modules else {str(file) for file in Path(folder).rglob("*.py")}
    files = [
        file
        for file in sorted(chosen)
        if file.startswith(f"{folder}/") and file.endswith(".py") and not Path(cache_from_source(file)).exists()
    ]
    assert os.environ.get("PYTHONHASHSEED") == "0"
    command = [sys.executable, "-P", "-m", "compileall", "-q", "-j1", "--invalidation-mode", "unchecked-hash", "-i", "-"]
    subprocess.run(command, input="\n".join(files), text=True, check=True)


main()
