"""The scripts that tell of a host, run by a shell as hosts run them, with a `docker` that is played."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from control.support.answers import CANARY, IMAGE
from frostbyte.adapters.hosts.ssh import LOG, LOOKING
from frostbyte.control_plane.support.shapes import host_rows, log_lines, services
from servers.lanes import need

FOLDER = Path(__file__).parents[2] / "src/frostbyte/adapters/hosts"
DOCKER = f"""#!/bin/sh
case "$*" in
"version "*) echo 20.10.24 ;;
"compose version"*) echo 2.26.1 ;;
"info "*RootDir*) echo / ;;
"info "*) echo overlay2 ;;
"image ls"*) echo a; echo b ;;
"ps --all --no-trunc"*) echo "c1 postgres"; echo "c2 celery-worker"; echo "c3 "; echo "c4 {CANARY}" ;;
"ps --all --quiet"*postgres*) echo c1 ;;
"ps --all --quiet"*) ;;
"inspect "*c1) echo "running healthy 0 2 false 2026-03-01T09:00:00.5Z {IMAGE}" ;;
"inspect "*) echo "{CANARY}" ;;
"stats "*) echo "frostbyte-acme-postgres-1 0.55% 12.50% 9" ;;
"compose exec"*) printf '{{\\n  "upkeep": "open",\\n  "note": "{CANARY}"\\n}}\\n' ;;
"logs "*) cat "$LOGGED" ;;
"run "*"--network none"*"--cap-drop ALL"*"{IMAGE} plane logs") exec {sys.executable} -m frostbyte plane logs ;;
"rm "*) ;;
*) echo "what is $*" >&2; exit 1 ;;
esac
"""


def run(script: str, tmp_path: Path, **given: str) -> subprocess.CompletedProcess[str]:
    programs = tmp_path / "bin"
    programs.mkdir(exist_ok=True)
    (programs / "docker").write_text(DOCKER)
    (programs / "docker").chmod(0o755)
    logged = tmp_path / "logged"
    lines = [json.dumps({"event": "stage_failed", "code": "archive_bomb"}), f"ERROR: no space left on device {CANARY}"]
    logged.write_text("\n".join(lines))
    environment = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}", "LOGGED": str(logged)}
    set_first = "".join(f"{name}='{value}'\n" for name, value in given.items())
    return subprocess.run(
        ["sh", "-s"], input=set_first + script, env=environment, text=True, capture_output=True, check=False, timeout=60
    )


def test_a_host_tells_of_itself_and_of_what_runs_there(tmp_path: Path) -> None:
    done = run(LOOKING, tmp_path, folder=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    told = list(host_rows(done.stdout))
    begun = {" ".join(line.split()[:2]) for line in told}
    assert begun >= {
        *(f"host {name}" for name in ("kernel", "machine", "processors", "load", "up_seconds", "clock")),
        *(f"memory {name}" for name in ("MemTotal", "MemAvailable", "SwapTotal", "SwapFree")),
        *(f"docker {name}" for name in ("version", "compose", "driver", "images")),
        "disk root",
        "disk docker",
        "uses frostbyte-acme-postgres-1",
        "plane upkeep",
    }
    assert "docker images 2" in told
    assert f"service postgres running healthy 0 2 false 2026-03-01T09:00:00.5Z {IMAGE}" in told
    assert services(done.stdout) == ["postgres"]
    assert "Kanari" not in "".join(told)
    assert told[-1] == "not_shown 2"  # a container of another name, and what was said of the worker


def test_a_log_is_judged_on_the_host_in_a_container_without_a_network(tmp_path: Path) -> None:
    done = run(LOG, tmp_path, service="postgres", image=IMAGE, lines="100")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Kanari" not in done.stdout
    told = list(log_lines(done.stdout.splitlines()))
    assert json.loads(told[0])["code"] == "archive_bomb"
    assert "  no_space 1" in told
    assert not [line for line in told if line.startswith("not_shown")]


def test_of_a_service_that_is_not_there_nothing_is_told(tmp_path: Path) -> None:
    done = run(LOG, tmp_path, service="nobody", image=IMAGE, lines="100")
    assert (done.returncode, done.stdout) == (0, "")


def test_an_engine_that_is_silent_keeps_no_host_from_telling(tmp_path: Path) -> None:
    done = run(LOOKING.replace('seconds" docker', 'seconds" no-such-docker'), tmp_path, folder="/nowhere")
    told = list(host_rows(done.stdout))
    assert "docker version silent" in told
    assert any(line.startswith("host kernel") for line in told)


@pytest.mark.parametrize("name", ["looking.sh", "log.sh"])
def test_shellcheck_finds_nothing(name: str) -> None:
    need("shellcheck")
    command = ["shellcheck", "--shell=sh", "--severity=style", str(FOLDER / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
