"""What pdfplumber takes for tables; run by the interpreter that has them: FILES -> JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

Rows = list[list[str]]


def pdfplumber_rows(path: str) -> list[list[Rows]]:
    """The tables of each page, with its default settings."""
    import pdfplumber  # type: ignore[import-not-found,unused-ignore]

    pages: list[list[Rows]] = []
    with pdfplumber.open(path) as document:
        for page in document.pages:
            tables: Any = page.extract_tables()
            pages.append([[[cell or "" for cell in row] for row in table] for table in tables])
    return pages


TOOLS = {"pdfplumber": pdfplumber_rows}


def main() -> None:
    """Print, by tool, what each file holds."""
    print(json.dumps({name: [tool(path) for path in sys.argv[1:]] for name, tool in TOOLS.items()}))


if __name__ == "__main__":
    main()
