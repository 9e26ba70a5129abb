"""What a server writes into its data folder, so that commands on this machine find it and may ask it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

from frostbyte.cli.client import KEY_FILE, TOKEN_FILE, URL_FILE
from frostbyte.kernel.errors import FrostbyteError

TOKEN_LIFETIME: Final = timedelta(hours=24)
"""Of the token that is written for this machine's user; it is renewed at half of it."""
SUBJECT: Final = "local-operator"
_LOOK_SECONDS: Final = 0.5
"""How often it is looked whether another key signs."""


@contextmanager
def announced(
    folder: Path, url: str, log_key: str, mint: Callable[[], str], signs: Callable[[], str]
) -> Iterator[None]:
    """Keep token, address and key of the log where commands find them, as long as the server runs.

    Args:
        folder: the data folder.
        url: where the server answers.
        log_key: verifier key of its log.
        mint: makes a token for `SUBJECT` that lives for `TOKEN_LIFETIME`.
        signs: id of the key that signs tokens now; a new key means a new token, for the old one may be refused.
    """
    stop = threading.Event()
    _write(folder / KEY_FILE, log_key, 0o644)
    key, made = signs(), time.monotonic()
    _write(folder / TOKEN_FILE, mint(), 0o600)
    _write(folder / URL_FILE, url, 0o600)

    def renew() -> None:
        nonlocal key, made
        while not stop.wait(_LOOK_SECONDS):
            try:
                now, old = signs(), time.monotonic() - made > TOKEN_LIFETIME.total_seconds() / 2
                if old or now != key:
                    _write(folder / TOKEN_FILE, mint(), 0o600)
                    key, made = now, time.monotonic()
            except (FrostbyteError, OSError):  # the keys or the folder are away: looked at again
                continue

    threading.Thread(target=renew, name="token", daemon=True).start()
    try:
        yield
    finally:
        stop.set()
        for name in (URL_FILE, TOKEN_FILE):
            (folder / name).unlink(missing_ok=True)


def _write(path: Path, content: str, mode: int) -> None:
    """Replace a file in one step, so that no reader finds half of it or a wider mode."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
        file.write(content + "\n")
    part.replace(path)
