"""Compiles what the processes of an image load, and no more: `compile.py SITE MODULE...`.

A read-only file system cannot keep what Python compiles by itself, and half of the packages' files are never loaded.
The results are checked against nothing at run time, so they hold no time. They are made in a process of their own that
has loaded nothing else, with PYTHONHASHSEED fixed: equal sources make equal files.
"""

import importlib
import os
import subprocess
import sys
from pathlib import Path


def main() -> None:
    """Import the modules, then compile every file below SITE that came along."""
    site = sys.argv[1]
    for name in sys.argv[2:]:
        importlib.import_module(name)
    loaded = {str(getattr(module, "__file__", None) or "") for module in list(sys.modules.values())}
    files = [file for file in sorted(loaded) if file.startswith(site) and file.endswith(".py") and Path(file).is_file()]
    assert os.environ.get("PYTHONHASHSEED") == "0"
    command = [sys.executable, "-P", "-m", "compileall", "-q", "-j1", "--invalidation-mode", "unchecked-hash", "-i", "-"]
    subprocess.run(command, input="\n".join(files), text=True, check=True)


main()
