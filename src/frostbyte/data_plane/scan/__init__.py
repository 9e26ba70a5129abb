"""Scan: what a scanner's verdict means for a document. No gate fails open (promise 2)."""

from frostbyte.data_plane.scan.decision import Decision, decide
from frostbyte.data_plane.scan.stage import Terms, run

__all__ = ["Decision", "Terms", "decide", "run"]
