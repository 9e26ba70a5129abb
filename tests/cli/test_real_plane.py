"""The command line against a real plane, as a newcomer meets it: start, refuse, send, ask, prove, erase, stop."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.fake_plane import Run
from frostbyte.cli.exits import Exit

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "frostbyte"]


def environment(folder: Path, listen: str = "127.0.0.1:0") -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FROSTBYTE_")}
    return kept | {"FROSTBYTE_DATA_DIR": str(folder), "FROSTBYTE_LISTEN": listen, "COLUMNS": "100"}


@pytest.fixture(scope="module")
def served() -> Iterator[Path]:
    """The data folder of a running plane. Its path is short: a unix socket's is bounded."""
    with tempfile.TemporaryDirectory(prefix="fb-cli-") as name:
        folder = Path(name) / "data"
        with (Path(name) / "log").open("wb") as log:
            process = subprocess.Popen([*COMMAND, "serve", "data"], env=environment(folder), stdout=log, stderr=log)
        deadline = time.monotonic() + 90
        while not (folder / "url").exists():
            assert process.poll() is None, (Path(name) / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield folder
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        said = (Path(name) / "log").read_text()
        assert "Stopped." in said
        assert "Traceback" not in said
        assert not (folder / "token").exists()
        assert not (folder / "url").exists()


@pytest.fixture
def cli(run: Run, served: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Commands that find the plane by its data folder alone."""
    monkeypatch.setenv("FROSTBYTE_DATA_DIR", str(served))
    return run


def serve(folder: Path, listen: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "serve", "data"],
        env=environment(folder, listen),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_token_is_for_its_owner_only(served: Path) -> None:
    assert stat.S_IMODE((served / "token").stat().st_mode) == 0o600


def test_a_second_plane_on_the_folder_or_the_port_is_refused_in_a_sentence(served: Path, tmp_path: Path) -> None:
    done = serve(served, "127.0.0.1:0")
    assert done.returncode == Exit.REFUSED
    assert "data_dir_in_use" in done.stderr
    assert (served / "token").exists()
    port = (served / "url").read_text().strip().rpartition(":")[2]
    done = serve(tmp_path / "d", f"127.0.0.1:{port}")
    assert done.returncode == Exit.REFUSED
    assert "port_taken" in done.stderr
    assert not (tmp_path / "d").exists()


def test_send_ask_prove_replay_erase(cli: Run, tmp_path: Path) -> None:
    sent = cli("ingest", str(ROOT / "samples" / "services-agreement.pdf"), "--json")
    assert sent.code == Exit.OK, sent.err
    assert cli("ingest", str(ROOT / "samples" / "services-agreement.pdf"), "--json").json["batches"][0]["replayed"]
    found = cli("search", "What notice period applies?", "--proof", str(tmp_path / "proofs"), "--json").json
    assert found["results"]
    first = found["proofs"][0]
    key = str(tmp_path / "log.pub")
    assert cli("audit", "checkpoint", "-o", str(tmp_path / "kept"), "--key", key).code == Exit.OK
    source = str(ROOT / "samples" / "services-agreement.pdf")
    assert cli("proof", "verify", first, "--key", key, "--source", source).code == Exit.OK
    assert cli("proof", "replay", first).code == Exit.OK
    archive = str(tmp_path / "a.tar")
    assert cli("audit", "export", "-o", archive).code == Exit.OK
    assert cli("audit", "verify", archive, "--key", key, "--since", str(tmp_path / "kept")).code == Exit.OK
    document = found["results"][0]["doc_id"]
    assert cli("status", document).code == Exit.OK
    assert cli("erase", document, "--yes").code == Exit.OK
    assert cli("search", "What notice period applies?", "--json").json["results"] == []


def test_the_configuration_changes_by_versions(cli: Run) -> None:
    before = cli("config", "show", "--json").json
    changed = cli("config", "set", "top_k=7", "pii_types=SSN,EMAIL", "--json").json
    assert changed["version"] == before["version"] + 1
    assert changed["values"]["top_k"] == 7
    assert changed["values"]["pii_types"] == ["SSN", "EMAIL"]
    assert cli("config", "set", "top_k=99").code == Exit.USAGE


def test_a_token_does_what_it_may_until_it_is_revoked(cli: Run) -> None:
    made = cli("token", "mint", "ann", "-s", "query", "--json").json
    assert cli("search", "x", "--token", made["token"], "--json").code == Exit.OK
    assert cli("config", "show", "--token", made["token"]).code == Exit.REFUSED
    assert cli("token", "revoke", made["jti"]).code == Exit.OK
    assert cli("search", "x", "--token", made["token"]).code == Exit.REFUSED


def test_doctor_and_status_are_content_with_it(cli: Run) -> None:
    assert cli("doctor").code == Exit.OK
    assert cli("status", "--json").json["health"]["status"] == "ok"


def test_a_plane_that_is_stopped_while_it_starts_leaves_no_process_behind() -> None:
    with tempfile.TemporaryDirectory(prefix="fb-cli-") as name:
        folder = Path(name) / "data"
        process = subprocess.Popen([*COMMAND, "serve", "data"], env=environment(folder), stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while not list(folder.glob("postgres/**/postmaster.pid")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) in (0, 128 + signal.SIGTERM)
        assert not list(folder.glob("postgres/**/postmaster.pid"))


def test_the_demo(tmp_path: Path) -> None:
    kept = tmp_path / "proofs"
    done = subprocess.run(
        [*COMMAND, "demo", "--keep", str(kept)],
        cwd=ROOT,
        env=environment(tmp_path / "unused") | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "The account closes" in done.stdout
    assert "ninety days' written notice" in " ".join(done.stdout.replace("│", " ").split())
    assert "DOES NOT HOLD" in done.stdout  # the forged one
    assert len(list(kept.iterdir())) == 2
    assert not (tmp_path / "unused").exists()
    assert [path for path in tmp_path.iterdir() if path.name.startswith("frostbyte-demo-")] == []
