"""Keys that sign move to a folder of their own once, whatever killed the move before."""

import os
from pathlib import Path

import pytest

from frostbyte.adapters.secrets import apart
from frostbyte.adapters.secrets.apart import move_signing_keys
from frostbyte.adapters.secrets.files import FileSecrets
from frostbyte.kernel.errors import Conflict, Invalid

SIGNING = {"log.key": b"l" * 32, "token.key": b"t" * 32, "token-2.key": b"u" * 32}
OPENING = {"id.key": b"i" * 32, "term.key": b"e" * 32, "wrapping-1.key": b"w" * 32}
NOTE = "change-0190b6a8-0000-7000-8000-000000000000.json"
MADE = 1_700_000_000_123_456_789


def folders(tmp_path: Path) -> tuple[Path, Path]:
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    for name, data in (SIGNING | OPENING | {NOTE: b"{}"}).items():
        (keys / name).write_bytes(data)
        (keys / name).chmod(0o600)
        os.utime(keys / name, ns=(MADE, MADE))
    return keys, tmp_path / "signing"


def held(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_signs_moves_and_what_opens_stays(tmp_path: Path) -> None:
    keys, signing = folders(tmp_path)
    move_signing_keys(keys, signing)
    assert held(keys) == OPENING
    assert held(signing) == SIGNING | {NOTE: b"{}"}
    assert {path.stat().st_mtime_ns for path in signing.iterdir()} == {MADE}
    assert FileSecrets(signing).log_key().private_bytes_raw() == SIGNING["log.key"]
    move_signing_keys(keys, signing)
    assert held(signing) == SIGNING | {NOTE: b"{}"}


@pytest.mark.parametrize("call", ["write_new", "os.utime", "sync_folder"])
@pytest.mark.parametrize("moment", range(4))
def test_killed_at_any_call_the_next_start_finishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, moment: int
) -> None:
    keys, signing = folders(tmp_path)
    left = [moment]
    place, name = (os, call[3:]) if call.startswith("os.") else (apart, call)
    real = getattr(place, name)

    def until(*given: object, **named: object) -> object:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return real(*given, **named)

    monkeypatch.setattr(place, name, until)
    with pytest.raises(KeyboardInterrupt):
        move_signing_keys(keys, signing)
    monkeypatch.undo()
    assert held(keys) | held(signing) == OPENING | SIGNING | {NOTE: b"{}"}
    move_signing_keys(keys, signing)
    assert held(keys) == OPENING
    assert held(signing) == SIGNING | {NOTE: b"{}"}
    assert {path.stat().st_mtime_ns for path in signing.iterdir()} == {MADE}


def test_two_different_keys_of_one_name_are_for_people_to_sort_out(tmp_path: Path) -> None:
    keys, signing = folders(tmp_path)
    signing.mkdir(mode=0o700)
    (signing / "log.key").write_bytes(b"x" * 32)
    (signing / "log.key").chmod(0o600)
    with pytest.raises(Conflict) as caught:
        move_signing_keys(keys, signing)
    assert caught.value.code == "signing_keys_twice"
    assert (keys / "log.key").read_bytes() == SIGNING["log.key"]


def test_keys_that_others_may_read_are_not_moved(tmp_path: Path) -> None:
    keys, signing = folders(tmp_path)
    (keys / "token.key").chmod(0o644)
    with pytest.raises(Invalid) as caught:
        move_signing_keys(keys, signing)
    assert caught.value.code == "secret_permissions"


def test_one_folder_for_all_keys_stays_as_it_is(tmp_path: Path) -> None:
    keys, _ = folders(tmp_path)
    move_signing_keys(keys, keys)
    move_signing_keys(tmp_path / "none", tmp_path / "signing")
    assert held(keys) == OPENING | SIGNING | {NOTE: b"{}"}
    assert not (tmp_path / "signing").exists()
