"""What the design promises, measured beside what one would use instead: `python -m bench`."""
