"""Warm child processes for work that hostile input may hang, break or bloat: what happens there ends there."""
