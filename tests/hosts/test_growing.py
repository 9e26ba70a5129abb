"""What is seen on a host before and after the file system of its volume grows; its programs are played."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from frostbyte.deploy.hosts.growing import WAIT_SECONDS, scripts

GB = 10**9


def said(folder: Path, script: str, programs: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """What a script says where these programs are what a host has."""
    for name, text in programs.items():
        path = folder / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    return subprocess.run(["sh", "-s"], input=script, capture_output=True, text=True, env={"PATH": path}, check=False)


def test_a_host_waits_until_it_sees_how_large_its_volume_is(tmp_path: Path) -> None:
    before, _ = scripts(300)
    seen = f"count=$(cat {tmp_path}/seen 2>/dev/null || echo 0)\necho $((count + 1)) >{tmp_path}/seen\n"
    grown = f"[ $count -lt 2 ] && echo {150 * GB} || echo {300 * 2**30}"
    done = said(tmp_path, before, {"blockdev": seen + grown, "sleep": ":"})
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "seen").read_text() == "3\n"
    never = said(tmp_path, before, {"blockdev": f"echo {150 * GB}", "sleep": f"echo x >>{tmp_path}/slept"})
    assert never.returncode == 1
    assert f"less than {300 * GB} bytes" in never.stderr
    assert (tmp_path / "slept").read_text().count("x") == WAIT_SECONDS


@pytest.mark.parametrize(("blocks", "well"), [(300 * 2**30 // 4096 * 98 // 100, True), (150 * 2**30 // 4096, False)])
def test_a_file_system_that_did_not_follow_is_said(tmp_path: Path, blocks: int, well: bool) -> None:
    _, after = scripts(300)
    done = said(tmp_path, after, {"stat": f'[ "$1 $4" = "--file-system /srv/frostbyte" ] && echo "4096 {blocks}"'})
    assert (done.returncode == 0) is well
    assert ("the file system has only" in done.stderr) is not well
