"""The gateway's second way in: a unix socket beside its port, of its own user alone, and the same answers on both."""

from __future__ import annotations

import gc
import socket
import stat
import threading
from pathlib import Path

import httpx
import pytest

from frostbyte.cli import serving
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.serving import Start, listen, listen_on_socket, run
from servers.process import free_port


async def application(scope: dict, receive: object, send: object) -> None:  # type: ignore[type-arg]
    """Says whom it thinks it talks to, after it has read everything."""
    if scope["type"] == "lifespan":
        raise RuntimeError("none")
    size, more = 0, True
    while more:
        message = await receive()  # type: ignore[operator]
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]
    await send({"type": "http.response.body", "body": f"{scope['path']} {size}".encode()})  # type: ignore[operator]


def test_the_same_is_answered_on_the_port_and_on_the_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settled = threading.Event()
    monkeypatch.setattr(serving, "settle", settled.set)
    path, port, up = tmp_path / "gateway", free_port(), threading.Event()
    path.touch()
    with pytest.raises(CommandFailed) as refused:  # something else lies there: it is not taken away
        listen_on_socket(path)
    assert refused.value.code == "listen_impossible"
    path.unlink()
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()  # as a process leaves it that was killed
    beside = listen_on_socket(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def serve() -> None:
        run(application, listen("127.0.0.1", port), Start(), up.set, beside=beside, lifespan="off")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert up.wait(10)
    assert settled.is_set(), "the collector leaves alone what was loaded, before anything is answered"
    body = bytes(3 << 20)
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(path))) as client:
        assert client.post("http://plane/a", content=body, timeout=10).text == f"/a {len(body)}"
        assert client.get("http://plane/b").text == "/b 0"  # on the same connection
    assert httpx.get(f"http://127.0.0.1:{port}/c", trust_env=False).text == "/c 0"


def test_what_was_loaded_is_left_alone_by_the_collector() -> None:
    thresholds = gc.get_threshold()
    kept = [{"loaded": number} for number in range(10)]
    try:
        serving.settle()
        assert gc.get_threshold()[0] > 700
        assert not any(one is kept[0] for one in gc.get_objects()), "frozen objects are not listed"
    finally:
        gc.set_threshold(*thresholds)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed) as refused:
        listen_on_socket(tmp_path / "none" / "gateway")
    assert refused.value.code == "listen_impossible"
