"""Notes, keys and cosignatures, against published examples where there are some."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from frostbyte.kernel.audit.checkpoint import (
    Cosigner,
    Signer,
    add_signature,
    open_checkpoint,
    open_cosignature,
    public_key,
    read_checkpoint,
)
from frostbyte.kernel.errors import Invalid

ROOT = b"\x05" * 32
SIGNER = Signer(bytes(range(32)), "log.example/a")
WITNESS = Cosigner(b"\x09" * 32, "witness.example/w")

# The example of Go's golang.org/x/mod/sumdb/note package: a key and a note that others made.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
GO_SIGNATURE = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="

# The example checkpoint of C2SP tlog-checkpoint.
C2SP_NOTE = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "\u2014 example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)


def test_keys_of_others_are_read_and_written_back() -> None:
    key = public_key(GO_KEY)
    assert (key.name, key.id.hex(), str(key)) == ("PeterNeumann", "c74f20a3", GO_KEY)
    raw = base64.b64decode(GO_SIGNATURE)
    assert raw[:4] == key.id
    Ed25519PublicKey.from_public_bytes(key.key).verify(raw[4:], GO_TEXT.encode())


def test_checkpoints_of_others_are_read() -> None:
    said = read_checkpoint(C2SP_NOTE)
    assert (said.origin, said.size) == ("example.com/behind-the-sofa", 20852163)
    assert said.root.hex().startswith("0ac5186a")


def test_what_was_signed_opens_with_that_key_only() -> None:
    note = SIGNER.sign(7, ROOT)
    said = open_checkpoint(note, SIGNER.public_key)
    assert (said.origin, said.size, said.root) == ("log.example/a", 7, ROOT)
    for other in (Signer(b"\x01" * 32, "log.example/a"), Signer(bytes(range(32)), "log.example/b")):
        with pytest.raises(Invalid) as error:
            open_checkpoint(note, other.public_key)
        assert error.value.code == "checkpoint_signature_wrong"
    with pytest.raises(Invalid):
        open_checkpoint(note.replace("\n7\n", "\n8\n"), SIGNER.public_key)


def test_cosignatures_open_with_the_witnesss_key_and_say_when() -> None:
    note = SIGNER.sign(7, ROOT)
    both = add_signature(note, WITNESS.cosign(note, 1_770_000_000))
    assert open_cosignature(both, WITNESS.public_key) == 1_770_000_000
    assert open_checkpoint(both, SIGNER.public_key).size == 7
    assert open_cosignature(note, WITNESS.public_key) is None
    forged = both.replace("\n7\n", "\n8\n")
    assert open_cosignature(forged, WITNESS.public_key) is None


@pytest.mark.parametrize(
    "note",
    [
        "",
        "a\n1\nb\n",
        "a\n01\n" + base64.b64encode(ROOT).decode() + "\n\n\u2014 a AAAA\n",
        "a\n1\nAAAA\n\n\u2014 a AAAA\n",
        "a\n1\n" + base64.b64encode(ROOT).decode() + "\n\n\u2014 a AAAA",
    ],
)
def test_what_is_no_checkpoint_is_refused(note: str) -> None:
    with pytest.raises(Invalid) as error:
        read_checkpoint(note)
    assert error.value.code == "checkpoint_malformed"


@pytest.mark.parametrize("text", ["", "a+b", "a+00000000+AAAA", GO_KEY.replace("c74f20a3", "c74f20a4"), GO_KEY[:-4]])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as error:
        public_key(text)
    assert error.value.code == "verifier_key_invalid"


def test_names_that_would_break_a_note_are_refused() -> None:
    for name in ("", "a b", "a+b", "a\nb"):
        with pytest.raises(Invalid):
            Signer(bytes(32), name)
        with pytest.raises(Invalid):
            Cosigner(bytes(32), name)
