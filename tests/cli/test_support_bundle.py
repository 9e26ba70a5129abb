"""`frostbyte support-bundle` and `plane logs`: what is written, for whom, and what is not in it."""

from __future__ import annotations

import io
import stat
from pathlib import Path

import pytest

from cli.fake_plane import Run
from control.memory_plane import Admin
from frostbyte.cli.client import CONTROL
from frostbyte.cli.exits import Exit
from frostbyte.kernel import logging
from frostbyte.kernel.tokens import Role
from kernel.test_told_log import CANARY, LINES


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_writes_one_file_that_its_owner_alone_may_read(admin: Admin, run: Run, here: Path) -> None:
    tenant = admin.tenant("ACTIVE")
    admin.hands.fails = "plane_unreachable"
    admin.made(f"/tenants/{tenant}/suspend", {"reason": "kanari"})
    done = run("support-bundle", tenant)
    assert done.code == Exit.OK, done.err
    (file,) = here.glob("frostbyte-support-*.txt")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = file.read_text()
    for wanted in (
        "Frostbyte support, ",
        "\nControl plane\n",
        f"\nTenant {tenant}\n",
        "  frostbyte_api_answers_total{",
        "suspend failed plane_unreachable",
        "  /ready status ready",
        "Log of the control plane",
        "\nAlarms that ring\n  none\n",
    ):
        assert wanted in text, wanted
    for planted in ("kanari", "127.0.0.1:9", admin.everything, "ann"):
        assert planted not in text, planted
    assert "_bucket{" not in text


def test_a_control_plane_that_is_away_leaves_what_is_known_here(
    run: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CONTROL.prefix + "URL", "http://127.0.0.1:9")
    monkeypatch.setenv(CONTROL.prefix + "TOKEN", "t")
    done = run("support-bundle", "acme", "--out", "found.txt")
    assert done.code == Exit.PROBLEMS
    assert "could be collected" in done.err
    text = (here / "found.txt").read_text()
    assert f"not asked: {CONTROL.absent}" in text
    assert "  frostbyte " in text


def test_a_tenant_that_is_none_and_a_token_that_may_not_are_said(
    admin: Admin, run: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run("support-bundle", "nobody", "--out", "a.txt", "--json")
    assert done.code == Exit.PROBLEMS
    assert done.json["missing"] == ["tenant_not_found"]
    assert "not collected: tenant_not_found" in (here / "a.txt").read_text()
    monkeypatch.setenv(CONTROL.prefix + "TOKEN", admin.token(Role.VIEWER))
    assert run("support-bundle", "--out", "b.txt").code == Exit.PROBLEMS
    assert "  frostbyte_api_" in (here / "b.txt").read_text()


def test_nothing_is_written_over(admin: Admin, run: Run, here: Path) -> None:
    (here / "kept.txt").write_text("mine")
    done = run("support-bundle", "--out", "kept.txt")
    assert done.code == Exit.USAGE
    assert "file_exists" in done.err
    assert (here / "kept.txt").read_text() == "mine"
    assert "file_unwritable" in run("support-bundle", "--out", "no/such/folder.txt").err


def test_the_newest_lines_of_a_process_are_kept_for_it() -> None:
    stream = io.StringIO()
    before = logging.recent()
    try:
        logging.configure(level="info", stream=stream, keep=3)
        import structlog

        for number in range(5):
            structlog.get_logger("frostbyte.test").info("happened", count=number, filename=CANARY)
        assert [f'"count": {number}' in line for number, line in zip((2, 3, 4), logging.recent(), strict=True)] == [
            True
        ] * 3
        assert CANARY not in "".join(logging.recent())
    finally:
        logging.configure(keep=len(before))


def test_the_command_reads_a_log(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(LINES)))
    ended = run("plane", "logs")
    assert ended.code == 0
    assert "no_space" in ended.out
    assert CANARY not in ended.out
