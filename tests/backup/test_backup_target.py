"""Where backups go: read from settings, and refused where a destroyed key would stay."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyrage
import pytest

from frostbyte.bootstrap import backup_target
from frostbyte.kernel.errors import FrostbyteError, Invalid, Unavailable

WHO = pyrage.x25519.Identity.generate()


def load(**given: str) -> backup_target.BackupSettings:
    return backup_target.load({f"FROSTBYTE_{name}": value for name, value in given.items()})


@pytest.mark.parametrize(
    "url",
    [
        "ftp://other/bucket",
        "https://other",
        "https://other/b",
        "https://other/buck/..",
        "file://other/x",
        "file:y",
        "other",
    ],
)
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        load(BACKUP_URL=url)
    assert caught.value.code == "settings_invalid"
    assert "other" not in caught.value.message


def test_recipients_are_public_keys_and_each_can_open() -> None:
    with pytest.raises(Invalid):
        load(BACKUP_RECIPIENTS=str(WHO))
    other = pyrage.x25519.Identity.generate()
    found = load(BACKUP_RECIPIENTS=f"{WHO.to_public()}, {other.to_public()} {WHO.to_public()}")
    assert len(found.recipients) == 2
    sealed = backup_target.sealed_for(found.recipients, b"key")
    assert [pyrage.decrypt(sealed, [identity]) for identity in (WHO, other)] == [b"key", b"key"]
    with pytest.raises(Invalid) as caught:
        backup_target.sealed_for((), b"key")
    assert caught.value.code == "backup_recipients"


def test_a_folder_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as unset:
        backup_target.target(load())
    assert unset.value.code == "backup_not_set"
    settings = load(BACKUP_URL=f"file://{tmp_path}/mounted")
    with pytest.raises(Unavailable) as away:
        backup_target.target(settings)
    assert away.value.code == "backup_target_missing"
    (tmp_path / "mounted").mkdir()
    backup_target.target(settings, folder="tenants/acme").put("packs/x", b"x")
    assert (tmp_path / "mounted/tenants/acme/packs/x").read_bytes() == b"x"


@contextmanager
def bucket(answers: dict[str, tuple[int, str]]) -> Iterator[str]:
    """A server that answers by what the query begins with."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = self.path.partition("?")[2]
            status, body = next((said for begin, said in answers.items() if query.startswith(begin)), (200, "<a/>"))
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/bucket/acme"
    finally:
        server.shutdown()
        server.server_close()


_NONE = (404, "<Error><Code>ObjectLockConfigurationNotFoundError</Code></Error>")


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ({"object-lock": _NONE}, ""),
        ({"versioning": (501, "<Error><Code>NotImplemented</Code></Error>"), "object-lock": _NONE}, ""),
        ({"versioning": (200, "<V><Status>Suspended</Status></V>"), "object-lock": _NONE}, ""),
        ({"versioning": (200, "<V><Status>Enabled</Status></V>")}, "backup_target_versions"),
        ({"object-lock": (200, "<O><ObjectLockEnabled>Enabled</ObjectLockEnabled></O>")}, "backup_target_versions"),
        ({"versioning": (403, "<Error><Code>AccessDenied</Code></Error>")}, "backup_target_refused"),
        ({"list-type": (404, "<Error><Code>NoSuchBucket</Code></Error>")}, "backup_target_missing"),
    ],
)
def test_a_bucket_that_keeps_what_is_removed_is_refused(answers: dict[str, tuple[int, str]], code: str) -> None:
    with bucket(answers) as url:
        settings = load(BACKUP_URL=url, BACKUP_ACCESS_KEY="a", BACKUP_SECRET_KEY="b")
        if not code:
            backup_target.target(settings)
            return
        with pytest.raises(FrostbyteError) as caught:
            backup_target.target(settings)
    assert caught.value.code == code


@pytest.mark.slow
def test_a_server_that_is_gone() -> None:
    with bucket({}) as url:
        pass
    with pytest.raises(Unavailable) as caught:
        backup_target.target(load(BACKUP_URL=url, BACKUP_ACCESS_KEY="a", BACKUP_SECRET_KEY="b"))
    assert caught.value.code == "backup_target_away"
