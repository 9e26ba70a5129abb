"""Telling the tenant's own servers that a batch has ended: who is told, and how each message gets there."""
