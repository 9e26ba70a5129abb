"""Hetzner Cloud: the real API, and a world that behaves like it."""
