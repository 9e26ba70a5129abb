"""Intake: files come in, are told by their content, sealed, and given receipts."""

from frostbyte.data_plane.intake.intake import Intake
from frostbyte.data_plane.intake.manifest import Entry, Manifest, parse_manifest
from frostbyte.data_plane.intake.outcomes import BatchResult, FileOutcome
from frostbyte.data_plane.intake.session import RAW, BatchSession
from frostbyte.data_plane.intake.sink import FileSink
from frostbyte.data_plane.intake.sweep import sweep_orphans

__all__ = [
    "RAW",
    "BatchResult",
    "BatchSession",
    "Entry",
    "FileOutcome",
    "FileSink",
    "Intake",
    "Manifest",
    "parse_manifest",
    "sweep_orphans",
]
