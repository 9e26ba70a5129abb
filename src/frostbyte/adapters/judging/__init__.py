"""The policy gates in child processes: regular expressions on hostile text may hang there, and cores are used."""

from __future__ import annotations

from frostbyte.adapters.judging.pool import JudgePool

__all__ = ["JudgePool"]
