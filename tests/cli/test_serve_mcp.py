"""`frostbyte serve mcp`, as an assistant's program starts it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.fake_plane import FakePlane, Run
from frostbyte.cli.exits import Exit
from mcp.conftest import CHUNK, VECTORS, passage

COMMAND = [sys.executable, "-m", "frostbyte", "serve", "mcp"]


@pytest.fixture
def served(plane: FakePlane) -> FakePlane:
    """A plane that listens, with the vectors' passage."""
    plane.on("GET", f"/chunks/{CHUNK}", passage())
    plane.on("GET", f"/chunks/{CHUNK}/proof", VECTORS["proof"])
    return plane


def environment(plane: FakePlane, folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FROSTBYTE_")}
    told = {"FROSTBYTE_URL": plane.url, "FROSTBYTE_TOKEN": "mine", "FROSTBYTE_DATA_DIR": str(folder)}
    return kept | told


def fetch(id: int = 1) -> dict[str, Any]:
    params = {"name": "fetch", "arguments": {"id": CHUNK}}
    return {"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}


@pytest.mark.slow
def test_on_stdin_it_acts_with_the_users_token_and_says_nothing_else_on_stdout(
    served: FakePlane, tmp_path: Path
) -> None:
    done = subprocess.run(
        [*COMMAND, "--key", VECTORS["verifier_key"]],
        input=json.dumps(fetch()) + "\n",
        env=environment(served, tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    [reply] = [json.loads(line) for line in done.stdout.splitlines()]
    assert reply["result"]["structuredContent"]["proof"]["holds"] is True
    seen = served.last("GET", f"/chunks/{CHUNK}/proof")
    assert seen.headers["Authorization"] == "Bearer mine"
    assert seen.headers["User-Agent"].startswith("frostbyte-mcp/")
    assert served.url in done.stderr


def test_a_damaged_key_is_told_before_anything_is_said(served: FakePlane, tmp_path: Path) -> None:
    tmp_path.joinpath("log.pub").write_text("demo+00000000+AAAA")
    done = subprocess.run(
        COMMAND, input="", env=environment(served, tmp_path), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == Exit.USAGE
    assert "key_unreadable" in done.stderr
    assert done.stdout == ""


@pytest.mark.slow
def test_on_a_port_each_caller_brings_a_token_and_a_signal_ends_it(served: FakePlane, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "--listen", "127.0.0.1:0"],
        env=environment(served, tmp_path),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    address = next(word for line in process.stderr for word in line.split() if word.startswith("http://127"))
    answer = httpx.post(address, json=fetch(), headers={"Authorization": "Bearer theirs"}, timeout=30)
    assert answer.json()["result"]["isError"] is False
    assert served.last("GET", f"/chunks/{CHUNK}").headers["Authorization"] == "Bearer theirs"
    assert httpx.post(address, json=fetch(), timeout=30).status_code == 401
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


@pytest.mark.parametrize("address", ["0.0.0.0:0", "192.0.2.1:80", "[::]:0"])
def test_no_other_machine_is_served(address: str, run: Run) -> None:
    ended = run("serve", "mcp", "--listen", address)
    assert ended.code == Exit.USAGE
    assert "mcp_not_loopback" in ended.err
