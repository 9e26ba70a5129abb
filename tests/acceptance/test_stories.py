"""What newcomers see, whole: the demonstration, and a try on an account, cut off everywhere and left alone (soak)."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from frostbyte.adapters.hetzner.world.clock import RunningClock
from frostbyte.adapters.hetzner.world.latency import REALISTIC
from frostbyte.adapters.hetzner.world.world import World
from frostbyte.adapters.hosts.local import LocalHosts, Process
from frostbyte.api.hetzner.serving import Serving
from servers.lanes import built, need

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
ROOT: Final = Path(__file__).parents[2]
ADDRESSES: Final = "127.66.0.0/16"
"""Of this machine's own loopback network, and not the demonstration's."""
ZONE: Final = "frostbyte.example"
SECONDS: Final = 600.0
STAGES: Final = tuple(range(1, 8))
FROSTBYTE: Final = (sys.executable, "-m", "frostbyte")


@pytest.fixture
def sealed(monkeypatch: pytest.MonkeyPatch) -> None:
    need("sops")
    monkeypatch.setenv("FROSTBYTE_SOPS", built("sops") or "sops")


class Account:
    """A simulated account, and a folder in which somebody tries it."""

    def __init__(self, serving: Serving, folder: Path) -> None:
        self.world, self.folder = serving.world, folder
        self.environment = os.environ | {"HCLOUD_ENDPOINT": serving.endpoint, "HCLOUD_TOKEN": serving.token}
        self.log = folder.parent / "typed.log"

    def begin(self, *words: str) -> subprocess.Popen[bytes]:
        """The command, in a group of its own."""
        command = [*FROSTBYTE, "try-hetzner", "--zone", ZONE, "--folder", str(self.folder), "--yes", *words]
        with self.log.open("wb") as sink:
            return subprocess.Popen(
                command,
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )

    def whole(self, *words: str) -> int:
        """The command to its end."""
        return self.begin(*words).wait(SECONDS)

    def cut(self, process: subprocess.Popen[bytes], when: Callable[[], object]) -> None:
        """Kill it, and all that it started in its group, as soon as something is so."""
        deadline = time.monotonic() + SECONDS
        while not when():
            assert process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)

    @property
    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    @property
    def there(self) -> list[tuple[str, str]]:
        """Everything at the cloud but the zone."""
        return sorted((one.kind, one.name) for one in self.world.bill().existing)


@pytest.fixture
def account(tmp_path: Path, sealed: None) -> Iterator[Account]:
    world = World(clock=RunningClock(20.0, datetime.now(UTC)), latency=REALISTIC)
    world.addresses = ADDRESSES
    folder = tmp_path / "try"
    with Serving(world) as serving:
        world.call(serving.token, "POST", "/zones", body=b'{"name": "frostbyte.example", "mode": "primary"}')
        yield Account(serving, folder)
        LocalHosts(lambda host: None, folder=folder / "hosts", programs={}).end()
        for pid in folder.glob("operator/postgres/**/postmaster.pid"):  # of a command that was killed
            os.kill(int(pid.read_text().splitlines()[0]), signal.SIGQUIT)
    shutil.rmtree(folder, ignore_errors=True)


def test_the_demonstration_runs_from_an_empty_bill_to_an_empty_bill(sealed: None) -> None:
    done = subprocess.run(
        [*FROSTBYTE, "demo-online"], cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "done in" in done.stdout
    assert "9  The base goes, and the bill is empty" in done.stdout


def test_a_try_that_is_killed_in_every_stage_goes_on_to_an_empty_bill(account: Account) -> None:
    for stage in STAGES:
        process = account.begin()
        begun_at: list[float] = []

        def midway(stage: int = stage, begun_at: list[float] = begun_at) -> bool:
            if f"\n{stage}  " in account.said and not begun_at:
                begun_at.append(time.monotonic())
            return bool(begun_at) and time.monotonic() - begun_at[0] > stage % 3  # at its beginning, and within

        account.cut(process, midway)
    assert account.whole() == 0, account.said
    assert "Nothing of try-" in account.said
    assert account.there == []
    assert not account.folder.exists()


def test_a_try_whose_machine_sleeps_is_ended_by_its_own_control_plane(account: Account) -> None:
    account.cut(account.begin(), lambda: ("server", "fb-acme-single") in account.there)
    (record,) = (account.folder / "hosts").glob("*/control.process.json")
    control = Process.read(record)
    assert "FROSTBYTE_CONTROL_EXPIRES_AT" in control.environment
    os.kill(control.pid, signal.SIGKILL)
    past = datetime.now(UTC) - timedelta(seconds=1)  # the clock jumps: its time is over, in the midst of provisioning
    control.environment["FROSTBYTE_CONTROL_EXPIRES_AT"] = past.isoformat()
    control.start(record)
    deadline = time.monotonic() + SECONDS
    while account.there != [("firewall", "fb-edge")]:
        assert time.monotonic() < deadline, account.there
        time.sleep(0.2)
    assert account.whole("--end") == 0, account.said
    assert account.there == []
