"""What a host does with its volume (deploy/hosts/volume.sh), on files in place of devices: see played_volume.py."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from frostbyte.deploy.hosts import boot
from hosts.played_volume import KEY, Machine, played
from servers.lanes import need


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return played(tmp_path)


def test_shells_read_it_and_shellcheck_finds_nothing() -> None:
    need("shellcheck")
    file = Path(boot.__file__).parent / "volume.sh"
    done = subprocess.run(["shellcheck", str(file)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_an_empty_volume_waits_for_its_key_and_is_encrypted_with_it(machine: Machine) -> None:
    device = machine.attach()
    assert machine.state == "empty"
    assert machine.say("boot") == (0, "")
    assert machine.say("open", KEY) == (1, "the volume is not encrypted but empty")
    assert machine.say("make", KEY)[0] == 0, machine.log
    assert machine.state == "mounted"
    assert device.read_bytes()[:6] == b"LUKS\xba\xbe"
    assert (machine.folder / "place" / "pgdata").is_dir()
    assert "systemctl start docker.service" in machine.log
    assert "noauto" in (machine.folder / "fstab").read_text()


def test_a_rebooted_host_opens_with_the_same_key_and_no_other(machine: Machine) -> None:
    machine.attach()
    machine.say("make", KEY)
    (kept,) = (machine.folder / "inside").iterdir()
    before = kept.read_bytes()
    machine.reboot()
    assert machine.say("boot") == (0, "")
    assert machine.state == "locked"
    assert machine.say("open", "x" * 43)[1].endswith("the volume does not open with this key")
    assert machine.say("open", "")[1] == "no key was given"
    assert machine.say("open", KEY + "\n")[0] == 0, machine.log
    assert machine.state == "mounted"
    assert "e2fsck" not in machine.log
    assert before[2048:] == kept.read_bytes()[2048:]  # nothing was formatted; e2fsck may note when it looked


@pytest.mark.slow
def test_said_again_nothing_is_formatted_twice(machine: Machine) -> None:
    machine.attach()
    for word in ("make", "make", "open", "boot"):
        assert machine.say(word, KEY)[0] == 0, machine.log
    assert machine.log.count("luksFormat") == 1


@pytest.mark.slow
def test_one_who_was_cut_off_before_the_file_system_makes_it_now(machine: Machine) -> None:
    machine.attach()
    whole = machine.script
    machine.script = whole.replace("mkfs.ext4 -q", "exit 9; mkfs.ext4 -q")
    assert machine.say("make", KEY)[0] == 9
    machine.script = whole
    machine.reboot()
    code, said = machine.say("open", KEY)  # who only opens makes none
    assert (code, said.startswith("the file system on the volume is damaged")) == (1, True)
    assert machine.say("make", KEY)[0] == 0, machine.log
    assert machine.log.count("luksFormat") == 1
    assert machine.state == "mounted"


@pytest.mark.slow
@pytest.mark.parametrize("at", [0, 4096, (16 << 20) - 1])
def test_a_volume_that_is_not_empty_is_never_formatted(machine: Machine, at: int) -> None:
    device = machine.attach()
    with device.open("r+b") as file:
        file.seek(at)
        file.write(b"x")
    before = device.read_bytes()
    assert machine.state == "foreign"
    assert machine.say("make", KEY) == (1, "the volume is not encrypted but foreign")
    assert machine.say("boot")[0] == 1
    assert device.read_bytes() == before


@pytest.mark.slow
def test_a_volume_without_encryption_is_mounted_as_it_is(machine: Machine) -> None:
    device = machine.attach()
    subprocess.run(["mkfs.ext4", "-q", "-F", str(device)], check=True, env={"PATH": "/usr/sbin:/sbin:/usr/bin:/bin"})
    assert machine.state == "plain"
    assert machine.say("make", KEY) == (1, "the volume is not encrypted but plain")
    assert machine.say("boot")[0] == 0
    assert machine.state == "plain-mounted"
    assert (machine.folder / "place" / "pgdata").is_dir()
    assert machine.say("boot")[0] == 0  # again


@pytest.mark.slow
def test_no_volume_and_two_are_told(machine: Machine) -> None:
    assert machine.state == "none"
    assert machine.say("boot") == (1, "no volume is attached")
    machine.attach("1")
    machine.attach("2")
    assert machine.state == "several"
    assert machine.say("open", KEY) == (1, "more than one volume is attached")


@pytest.mark.slow
@pytest.mark.parametrize("sealed", [True, False])
def test_a_volume_that_grew_is_filled(machine: Machine, sealed: bool) -> None:
    device = machine.attach()
    if sealed:
        machine.say("make", KEY)
    else:
        subprocess.run(["mkfs.ext4", "-q", "-F", device], check=True, env={"PATH": "/usr/sbin:/sbin:/usr/bin:/bin"})
        machine.say("boot")
    assert machine.say("grow", KEY)[0] == 0, machine.log
    assert f"resize2fs {machine.folder / 'mapper' / 'frostbyte-data' if sealed else device}" in machine.log
    assert ("cryptsetup resize" in machine.log) is sealed


def test_the_key_is_on_no_command_line_and_in_no_file(machine: Machine) -> None:
    machine.attach()
    for word in ("make", "open", "grow"):
        machine.say(word, KEY)
    assert "luksFormat" in machine.log
    assert KEY not in machine.log
    for file in machine.folder.rglob("*"):
        if file.is_file():
            assert KEY.encode() not in file.read_bytes(), file
