"""Embedders: a small local model, and any OpenAI-compatible server."""
