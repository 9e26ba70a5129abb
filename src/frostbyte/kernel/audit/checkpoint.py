"""Signed states of the log, in formats that others read too.

The note is the C2SP signed-note with the text of C2SP tlog-checkpoint: origin, size, base64 root. Our signatures are
Ed25519 (type 0x01); witnesses add timestamped cosignatures (C2SP tlog-cosignature v1, type 0x04). Keys travel as C2SP
verifier keys: name+hex key id+base64(type byte || public key).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import struct
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from frostbyte.kernel.errors import Invalid

LOG: Final = 0x01
"""Signature type of a log's Ed25519 key."""
WITNESS: Final = 0x04
"""Signature type of a witness's timestamped Ed25519 cosignature."""

_NAME: Final = re.compile(r"[^\s+]+")


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What a checkpoint says."""

    origin: str
    size: int
    root: bytes


class PublicKey(msgspec.Struct, frozen=True, kw_only=True):
    """A named Ed25519 key that signs notes."""

    name: str
    type: int
    """`LOG` or `WITNESS`."""
    key: bytes
    """32 bytes."""

    @property
    def id(self) -> bytes:
        """The four bytes that a signature line begins with."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.type]) + self.key).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(bytes([self.type]) + self.key).decode()}"


def public_key(text: str) -> PublicKey:
    """Read a verifier key.

    Raises:
        Invalid: `verifier_key_invalid`.
    """
    try:
        name, key_id, encoded = text.strip().split("+", 2)
        raw = base64.b64decode(encoded, validate=True)
        key = PublicKey(name=name, type=raw[0], key=raw[1:])
    except (ValueError, IndexError) as error:
        raise _bad_key() from error
    if len(key.key) != 32 or key.type not in (LOG, WITNESS) or key.id.hex() != key_id or not _NAME.fullmatch(name):
        raise _bad_key()
    return key


class Signer:
    """Holds a log's private key.

    Args:
        private_key: the 32-byte Ed25519 seed.
        origin: the log's name: no spaces, no plus sign.
    """

    def __init__(self, private_key: bytes, origin: str) -> None:
        if not _NAME.fullmatch(origin):
            raise Invalid("origin_invalid", "A log's origin must not hold spaces or plus signs.", "Choose another.")
        self._key = Ed25519PrivateKey.from_private_bytes(private_key)
        self.origin = origin
        self.public_key = PublicKey(name=origin, type=LOG, key=self._key.public_key().public_bytes_raw())

    @property
    def verifier_key(self) -> str:
        """What people pin to check this log."""
        return str(self.public_key)

    def sign(self, size: int, root: bytes) -> str:
        """The signed note for a tree of `size` leaves with this root."""
        return self.note(f"{self.origin}\n{size}\n{base64.b64encode(root).decode()}\n")

    def note(self, text: str) -> str:
        """A signed note (C2SP signed-note) of any text that ends with a line break.

        No such text may look like a checkpoint: its second line is no number.
        """
        return f"{text}\n{_line(self.public_key, self._key.sign(text.encode()))}"


class Cosigner:
    """Holds a witness's private key.

    Args:
        private_key: the 32-byte Ed25519 seed, used for nothing else.
        name: the witness's name: no spaces, no plus sign.
    """

    def __init__(self, private_key: bytes, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise Invalid("origin_invalid", "A witness's name must not hold spaces or plus signs.", "Choose another.")
        self._key = Ed25519PrivateKey.from_private_bytes(private_key)
        self.public_key = PublicKey(name=name, type=WITNESS, key=self._key.public_key().public_bytes_raw())

    def cosign(self, note: str, seconds: int) -> str:
        """The cosignature line for a note at a moment (seconds since 1970). Checks nothing: that comes before."""
        text, _ = _split(note)
        signature = self._key.sign(_timestamped(text, seconds))
        return _line(self.public_key, struct.pack(">Q", seconds) + signature)


def read_checkpoint(note: str) -> Checkpoint:
    """What the note says, unverified.

    Raises:
        Invalid: `checkpoint_malformed`.
    """
    text, _ = _split(note)
    lines = text.split("\n")
    try:
        origin, size, encoded = lines[:3]
        root = base64.b64decode(encoded, validate=True)
        if not origin or not re.fullmatch(r"0|[1-9][0-9]{0,18}", size, re.ASCII) or len(root) != 32:
            raise ValueError
        return Checkpoint(origin=origin, size=int(size), root=root)
    except ValueError as error:
        raise _malformed() from error


def open_checkpoint(note: str, key: PublicKey) -> Checkpoint:
    """What the note says, if the log's key signed it.

    Raises:
        Invalid: `checkpoint_malformed`, or `checkpoint_signature_wrong`: not signed by that key, or for another log.
    """
    text, _ = _split(note)
    said = read_checkpoint(note)
    if said.origin == key.name and any(_valid(key, signature, text.encode()) for signature in _signatures(note, key)):
        return said
    raise Invalid(
        "checkpoint_signature_wrong",
        "The checkpoint is not signed by the key that was given.",
        "Ask for the log's verifier key by another way and try again.",
    )


def open_note(note: str, key: PublicKey) -> str:
    """The text of a signed note, if the key signed it.

    Raises:
        Invalid: `checkpoint_malformed`: no signed note at all; `note_signature_wrong`.
    """
    text, _ = _split(note)
    if any(_valid(key, signature, text.encode()) for signature in _signatures(note, key)):
        return text
    raise Invalid(
        "note_signature_wrong",
        "This is not signed by the key that was given, or it was changed since.",
        "Ask for the signer's verifier key by another way, and for the document once more.",
    )


def open_cosignature(note: str, key: PublicKey) -> int | None:
    """When the witness cosigned the note (seconds since 1970); None if it did not.

    Raises:
        Invalid: `checkpoint_malformed`.
    """
    text, _ = _split(note)
    for signature in _signatures(note, key):
        if len(signature) == 72:
            (seconds,) = struct.unpack(">Q", signature[:8])
            if _valid(key, signature[8:], _timestamped(text, seconds)):
                return int(seconds)
    return None


def add_signature(note: str, line: str) -> str:
    """The note with one more signature line."""
    return note + (line if line.endswith("\n") else line + "\n")


def _timestamped(text: str, seconds: int) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()


def _line(key: PublicKey, signature: bytes) -> str:
    return f"\u2014 {key.name} {base64.b64encode(key.id + signature).decode()}\n"


def _split(note: str) -> tuple[str, list[str]]:
    """Text with its final newline, and the signature lines."""
    text, gap, signatures = note.rpartition("\n\n")
    if not gap or not signatures.endswith("\n"):
        raise _malformed()
    return text + "\n", signatures[:-1].split("\n")


def _signatures(note: str, key: PublicKey) -> list[bytes]:
    """The signatures on the note that name this key."""
    found: list[bytes] = []
    for line in _split(note)[1]:
        dash, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        if dash != "\u2014":
            raise _malformed()
        try:
            raw = base64.b64decode(encoded, validate=True)
        except binascii.Error as error:
            raise _malformed() from error
        if name == key.name and raw[:4] == key.id:
            found.append(raw[4:])
    return found


def _valid(key: PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key.key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _malformed() -> Invalid:
    return Invalid(
        "checkpoint_malformed", "This is not a signed checkpoint.", "Give the note exactly as it was printed."
    )


def _bad_key() -> Invalid:
    return Invalid(
        "verifier_key_invalid",
        "This is not an Ed25519 verifier key.",
        "Give it as name+hash+key, exactly as install and verify print it.",
    )
