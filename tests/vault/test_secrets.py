"""Keys are made once, privately, and never mended when others could read them."""

import multiprocessing
import os
from pathlib import Path

import pytest

from frostbyte.adapters.secrets.files import FileSecrets
from frostbyte.kernel.errors import Conflict, Invalid


def test_keys_are_made_once_and_differ(tmp_path: Path) -> None:
    first = FileSecrets(tmp_path / "secrets")
    keys = first.tenant_keys()
    assert FileSecrets(tmp_path / "secrets", create=False).tenant_keys() == keys
    assert (
        len({keys.id_key, keys.term_key, *keys.wrapping_keys.values(), first.secret("log"), first.secret("token")}) == 5
    )
    assert list(keys.wrapping_keys) == [1]
    assert not [p for p in (tmp_path / "secrets").iterdir() if p.name.startswith(".")]


def test_files_are_0600_in_a_folder_0700(tmp_path: Path) -> None:
    before = os.umask(0)  # nothing is private unless it is asked for
    try:
        FileSecrets(tmp_path / "secrets").tenant_keys()
    finally:
        os.umask(before)
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert {p.stat().st_mode & 0o777 for p in (tmp_path / "secrets").iterdir()} == {0o600}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_key_that_others_could_read_is_refused(tmp_path: Path, mode: int) -> None:
    secrets = FileSecrets(tmp_path / "secrets")
    secrets.secret("id")
    (tmp_path / "secrets/id.key").chmod(mode)
    with pytest.raises(Invalid) as caught:
        secrets.secret("id")
    assert caught.value.code == "secret_permissions"


def test_an_open_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets").chmod(0o755)
    with pytest.raises(Invalid):
        FileSecrets(tmp_path / "secrets")


def test_a_link_is_refused(tmp_path: Path) -> None:
    secrets = FileSecrets(tmp_path / "secrets")
    (tmp_path / "elsewhere").write_bytes(bytes(32))
    (tmp_path / "secrets/id.key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Invalid):
        secrets.secret("id")


def test_a_short_key_is_refused(tmp_path: Path) -> None:
    secrets = FileSecrets(tmp_path / "secrets")
    secrets.secret("id")
    (tmp_path / "secrets/id.key").write_bytes(b"short")
    with pytest.raises(Invalid) as caught:
        secrets.secret("id")
    assert caught.value.code == "secret_damaged"


def test_a_lost_key_is_not_replaced_where_documents_depend_on_it(tmp_path: Path) -> None:
    FileSecrets(tmp_path / "secrets").tenant_keys()
    (tmp_path / "secrets/id.key").unlink()
    with pytest.raises(Conflict) as caught:
        FileSecrets(tmp_path / "secrets", create=False).tenant_keys()
    assert caught.value.code == "secret_missing"
    with pytest.raises(Conflict):
        FileSecrets(tmp_path / "nothing", create=False)


def test_a_new_wrapping_key_stands_beside_the_old_one(tmp_path: Path) -> None:
    secrets = FileSecrets(tmp_path / "secrets")
    old = secrets.tenant_keys().wrapping_keys[1]
    assert secrets.add_wrapping_key() == 2
    keys = secrets.tenant_keys().wrapping_keys
    assert keys[1] == old != keys[2]


def _id_key(folder: Path) -> bytes:
    return FileSecrets(folder).secret("id")


@pytest.mark.slow
def test_processes_that_start_together_end_with_one_key(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        assert len(set(pool.map(_id_key, [tmp_path / "secrets"] * 8))) == 1


def test_the_logs_key_signs(tmp_path: Path) -> None:
    key = FileSecrets(tmp_path / "secrets").log_key()
    key.public_key().verify(key.sign(b"note"), b"note")
