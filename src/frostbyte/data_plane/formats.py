"""What is accepted."""

from __future__ import annotations

from typing import Final

FORMATS: Final = {
    "application/pdf": "PDF",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "DOCX",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "XLSX",
    "text/plain": "TXT",
    "text/csv": "CSV",
    "image/png": "PNG",
    "image/tiff": "TIFF",
}
"""The seven formats that are accepted, by media type, with the name people know them by."""
