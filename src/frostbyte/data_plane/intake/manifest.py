"""The sender's list of what it sends: checked against what comes, file by file."""

from __future__ import annotations

from collections import defaultdict
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from frostbyte.data_plane.intake.names import display_name
from frostbyte.data_plane.intake.sniff import CSV, TXT, Refusal
from frostbyte.kernel.errors import Invalid

MAX_BYTES: Final = 64 * 1024 * 1024
"""Longest manifest: 100,000 entries of 650 bytes."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the sender says of one file; what is left out is not checked."""

    file_id: Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9._:/@+-]+$")]
    filename: Annotated[str, Meta(min_length=1, max_length=4096)]
    mime_type: Annotated[str, Meta(max_length=200)] = ""
    size_bytes: Annotated[int, Meta(ge=0)] | None = None
    sha256: Annotated[str, Meta(pattern=r"^([0-9a-fA-F]{64})?$")] = ""
    """Hex digest of the file."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All entries, in the sender's order."""

    files: tuple[Entry, ...]


def parse_manifest(data: bytes) -> Manifest:
    """Read a manifest.

    Raises:
        Invalid: `manifest_invalid`: not JSON of the documented form, or a file_id occurs twice.
    """
    if len(data) > MAX_BYTES:
        raise _invalid("it is longer than 64 MiB")
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except msgspec.ValidationError as error:
        # Its text names fields and bounds, never values.
        raise _invalid(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _invalid("it is not JSON") from error
    if len({entry.file_id for entry in manifest.files}) != len(manifest.files):
        raise _invalid("two files have the same file_id")
    return manifest


def _invalid(why: str) -> Invalid:
    return Invalid("manifest_invalid", f"The manifest was not accepted: {why}.", "Correct the manifest and send again.")


class Expected:
    """Matches files that come with entries. Several files of one name are matched in the order of the manifest."""

    def __init__(self, manifest: Manifest) -> None:
        self._waiting: dict[str, list[Entry]] = defaultdict(list)
        for entry in manifest.files:
            self._waiting[display_name(entry.filename)].append(entry)

    def take(self, filename: str) -> Entry | None:
        """The entry of a file with this cleaned name, or None if the manifest does not know it."""
        entries = self._waiting.get(filename)
        return entries.pop(0) if entries else None

    def missing(self) -> list[Entry]:
        """Entries that no file came for."""
        return [entry for entries in self._waiting.values() for entry in entries]


NOT_LISTED: Final = Refusal(
    "not_in_manifest",
    "The manifest does not list a file of this name.",
    "Add the file to the manifest, or send it without a manifest.",
)
NOT_SENT: Final = Refusal(
    "missing_file", "The manifest lists this file, but it did not come.", "Send the file, or take it off the manifest."
)


def settle_type(entry: Entry | None, mime: str) -> str:
    """The type a file is taken as. Plain text and separated values are both text: there the manifest may choose."""
    if entry is not None and {mime, media_type(entry.mime_type)} == {TXT, CSV}:
        return media_type(entry.mime_type)
    return mime


def mismatch(entry: Entry, *, mime: str, size: int, sha256: str) -> Refusal | None:
    """What the manifest says that the file is not.

    Args:
        entry: the file's entry.
        mime: its type by content.
        size: its bytes.
        sha256: its digest, lower-case hex.
    """
    if entry.size_bytes is not None and entry.size_bytes != size:
        return _mismatch("size", f"The file has {size} bytes, the manifest says {entry.size_bytes}.")
    if entry.sha256 and entry.sha256.lower() != sha256:
        return _mismatch("sha256", "The file's sha256 is not the one that the manifest states.")
    if entry.mime_type and media_type(entry.mime_type) != mime:
        return _mismatch("mime", f"The file's content is {mime}, the manifest says something else.")
    return None


def media_type(text: str) -> str:
    """A media type without its parameters, in lower case."""
    return text.partition(";")[0].strip().lower()


def _mismatch(what: str, message: str) -> Refusal:
    return Refusal(
        f"manifest_mismatch_{what}",
        message,
        "Find out whether the file was changed or damaged on its way, then correct the file or the manifest.",
    )
