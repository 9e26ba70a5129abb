"""Whether the right passage is found, and how fast."""
