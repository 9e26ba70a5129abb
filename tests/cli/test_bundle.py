"""`frostbyte bundle`: from names to a signed folder and back, as it is typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.deploy import bundles

from cli.fake_plane import Ended
from frostbyte.adapters.engine.memory import MemoryEngine
from frostbyte.bootstrap import bundle as wiring
from frostbyte.cli import bundle as commands
from frostbyte.cli.exits import Exit
from frostbyte.deploy.compose import IMAGES

Run = Callable[..., Ended]


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> MemoryEngine:
    """What the commands take for Docker."""
    made = bundles.engine()
    monkeypatch.setattr(wiring, "engine", lambda layout=None: made)
    return made


def locked(run: Run, folder: Path) -> str:
    """A lock of everything; its path."""
    bundles.sources(folder)
    lock = str(folder / "bundle.lock.json")
    words = ["--out", lock, "--architecture", "amd64", "--created-at", bundles.MOMENT, "--built-here"]
    for key in IMAGES:
        words += ["--image", f"{key}=frostbyte/{key}:1"]
    words += ["--model", f"nomic-embed-text-v1.5={folder}/models/nomic-embed-text-v1.5/model.gguf"]
    words += ["--model", f"clamav={folder}/models/clamav", "--licence", "nomic-embed-text-v1.5=MIT"]
    done = run("bundle", "lock", *words, "--source", "model.gguf=https://example.org/model.gguf")
    assert done.code == 0, done.err
    return lock


def test_from_names_to_a_signed_folder_and_back(run: Run, engine: MemoryEngine, tmp_path: Path) -> None:
    lock = locked(run, tmp_path / "here")
    model = json.loads(Path(lock).read_bytes())["models"][1]
    assert (model["licence"], model["source"]) == ("MIT", "https://example.org/model.gguf")
    assert json.loads(Path(lock).read_bytes())["models"][0]["date"] == "2021-09-16T12:32:42Z"
    fetched = run("bundle", "fetch", "--lock", lock, "--into", str(tmp_path / "in"), "--from", str(tmp_path), "--json")
    assert json.loads(fetched.out)["brought"] == ["models/clamav/main.cvd", "models/nomic-embed-text-v1.5/model.gguf"]
    key, signers = bundles.signer(tmp_path)
    (tmp_path / "tenant.json").write_text('{"top_k": 7}')
    (tmp_path / "NOTICE").write_text("Named.\n")
    words = ["--lock", lock, "--tenant", "acme", "--models", str(tmp_path / "in"), "--out", str(tmp_path / "out")]
    words += ["--tenant-config", str(tmp_path / "tenant.json"), "--notice", str(tmp_path / "NOTICE")]
    built = run("bundle", "build", *words, "--key", str(key), "--json")
    assert built.code == 0, built.err
    folder = Path(json.loads(built.out)["bundle"])
    assert json.loads((folder / "config/tenant.json").read_bytes())["top_k"] == 7
    assert (folder / "licences/NOTICE").read_text() == "Named.\n"
    good = run("bundle", "check", str(folder), "--signers", str(signers), "--layers", "--json")
    assert good.code == 0, good.err
    assert json.loads(good.out)["signed"] is True
    assert "signature not looked at" in run("bundle", "check", str(folder)).out
    (folder / "scripts" / "lib.sh").write_text("exit\n")
    wrong = run("bundle", "check", str(folder), "--signers", str(signers))
    assert wrong.code == Exit.VERIFICATION_FAILED
    assert "scripts/lib.sh: differs" in wrong.err
    assert "bundle_not_whole" in wrong.err


def test_what_cannot_be_is_said(run: Run, engine: MemoryEngine, tmp_path: Path) -> None:
    lock = locked(run, tmp_path / "here")
    words = ["bundle", "build", "--lock", lock, "--tenant", "acme", "--out", str(tmp_path / "out")]
    for more in ([], ["--unsigned", "--key", "k"]):
        done = run(*words, *more)
        assert (done.code, "bundle_key_missing" in done.err) == (Exit.USAGE, True)
    assert "file_unreadable" in run(*words, "--unsigned", "--tenant-config", str(tmp_path / "none")).err
    assert "option_invalid" in run("bundle", "lock", "--image", "api").err
    assert "bundle_model" in run("bundle", "lock", "--model", f"other={lock}").err
    Path(lock).write_text("{}")
    assert "bundle_lock" in run(*words, "--unsigned").err
    done = run("bundle", "check", str(tmp_path / "here"))
    assert (done.code, "bundle_sums" in done.err) == (Exit.USAGE, True)


def test_a_log_has_a_line_for_each_tenth_with_what_is_left(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with commands.progress("building", quiet=False) as report:
        report.begin(1000 << 20)
        for _ in range(100):
            report.read(10 << 20)
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(" of ")[0] for line in lines] == [f"building: {tenth}0 %" for tenth in range(1, 11)]
    assert lines[-1].endswith("about 0 s left")
    with commands.progress("building", quiet=True) as report:
        report.begin(1000 << 20)
        report.read(1000 << 20)
    assert capsys.readouterr().err == ""
