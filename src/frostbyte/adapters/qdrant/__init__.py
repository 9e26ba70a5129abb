"""Vectors in Qdrant's engine."""
