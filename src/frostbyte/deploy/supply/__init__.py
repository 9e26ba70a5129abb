"""Signed sets of what grows old: how one is made, and how one is read."""
