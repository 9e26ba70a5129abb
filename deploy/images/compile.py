"""Compiles what the processes of an image load, and no more: `compile.py SITE MODULE...`.

A read-only file system cannot keep what Python compiles by itself, and half of the packages' files are never loaded.
The results are checked against nothing at run time, so they hold no time and equal sources make equal files.
"""

import importlib
import py_compile
import sys
from pathlib import Path


def main() -> None:
    """Import the modules, then compile every file below SITE that came along."""
    site = sys.argv[1]
    for name in sys.argv[2:]:
        importlib.import_module(name)
    loaded = {str(getattr(module, "__file__", None) or "") for module in list(sys.modules.values())}
    for file in sorted(loaded):
        if file.startswith(site) and file.endswith(".py") and Path(file).is_file():
            py_compile.compile(file, doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)


main()
