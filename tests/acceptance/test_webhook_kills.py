"""Killed at any moment around a batch's end, a plane tells of it: at least once, under one id, and logs it once."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from draws import SEED, SOAK
from servers.receiver import Receiver

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

PROGRAM = Path(__file__).with_name("doomed_webhooks.py")
SAMPLE = Path(__file__).parents[2] / "samples" / "cold-storage-sop.txt"
MOMENTS = {"batch": 1, "claimed": 2, "sending": 2, "sent": 2}
"""Where it is killed, and the attempts that were counted in the end."""
DRAWN = sorted(MOMENTS) if SOAK else ["sent", random.Random(SEED).choice(["batch", "claimed", "sending"])]


def run(folder: Path, moment: str, place: str, *files: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PROGRAM), str(folder), moment, place, *map(str, files)],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
        env=os.environ | {"PYTHONPATH": str(PROGRAM.parents[1])},
    )


@pytest.mark.parametrize("moment", DRAWN)
def test_a_killed_plane_tells_what_it_owes(moment: str, tmp_path: Path) -> None:
    folder = tmp_path / "plane"
    folder.mkdir(mode=0o700)
    with Receiver(tmp_path) as receiver:
        shutil.copy(receiver.ca_file, folder / "ca.pem")
        killed = run(folder, moment, receiver.place, SAMPLE)
        assert killed.returncode == -signal.SIGKILL, (killed.returncode, killed.stderr[-2000:])
        [secret] = killed.stdout.splitlines()
        assert len(receiver.messages) == (moment == "sent")
        done = run(folder, "never", receiver.place)
        assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    [[delivery_id, state, attempts]] = found["deliveries"]
    assert (state, attempts) == ("delivered", MOMENTS[moment])
    assert found["events"] == ["WEBHOOK_ADDED", "WEBHOOK_DELIVERED"]
    assert len(receiver.messages) == (2 if moment == "sent" else 1), "twice only where nobody could know"
    assert {message.verified(secret) for message in receiver.messages} == {delivery_id}
    assert len({message.body for message in receiver.messages}) == 1
    assert receiver.messages[0].said["data"]["documents"] == {"indexed": 1}
