"""What parsers make of files, how well and how fast."""
