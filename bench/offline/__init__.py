"""Benches of the offline bundle."""
