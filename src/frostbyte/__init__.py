"""Frostbyte: documents in, structured, policy-checked, searchable text out, every answer with its proof."""

__version__ = "0.1.0"
