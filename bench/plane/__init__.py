"""What a running plane takes and gives."""
