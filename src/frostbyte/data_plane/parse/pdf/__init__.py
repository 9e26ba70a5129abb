"""PDF: what PDFium tells of each page, in reading order, with its tables, and what only the whole file tells."""
