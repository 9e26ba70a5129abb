"""Office Open XML: DOCX and XLSX, straight from the parts of the archive."""
