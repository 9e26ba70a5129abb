"""What a host is told at its first boot: it configures, holds one secret, and is written as its readers want it."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from frostbyte.control_plane.provisioning.hosting import VOLUME_PROGRAM, HostKey
from frostbyte.control_plane.provisioning.resources import HostRole
from frostbyte.deploy.hosts import boot, layout
from frostbyte.deploy.hosts.cloud_init import LARGEST, user_data
from frostbyte.deploy.hosts.firewall import rules
from frostbyte.kernel.errors import Invalid
from hosts.facts import BASTION, EDGE, KEY, PERSON, STANDARD, host
from servers.lanes import need, program

ROLES = [role.value for role in HostRole]
FOLDERS = {layout.FOLDER: "0:0", layout.KEYS: "10001:10001"}
STORED = {f"{layout.VOLUME}/pgdata": "70:70"}


def told(role: str, **facts: Any) -> str:
    stored = STORED if HostRole(role) in layout.KEEPERS else {}
    return user_data(host(role, **facts), KEY, [f"{PERSON} anna@laptop"], FOLDERS, stored)


def written(role: str) -> dict[str, str]:
    return {file["path"]: file["content"] for file in yaml.safe_load(told(role))["write_files"]}


@pytest.mark.parametrize("role", ROLES)
def test_it_is_read_as_it_was_meant(role: str) -> None:
    text = told(role)
    assert text.startswith("#cloud-config\n")
    document = yaml.safe_load(text)
    assert document["hostname"] == host(role).name
    assert written(role)[layout.RULES] == rules(host(role))
    assert document["runcmd"] == [[boot.CONFIGURE]]
    assert all(re.fullmatch("0[67][045][045]", file["permissions"]) for file in document["write_files"])
    assert all("|" in line for line in text.splitlines() if "content:" in line)  # lines as lines, for people


@pytest.mark.parametrize("role", ROLES)
def test_it_installs_and_fetches_nothing(role: str) -> None:
    document = yaml.safe_load(told(role))
    assert document["package_update"] is False
    assert document["package_upgrade"] is False
    assert not {"packages", "apt", "snap", "ntp", "phone_home", "bootcmd"} & set(document)
    script = document["write_files"][-1]["content"] + written(role)[boot.CONFIGURE]
    assert not re.search(r"\b(apt|apt-get|dpkg|curl|wget|pip|snap|docker pull|git)\b", script)
    assert "://" not in told(role)


@pytest.mark.parametrize("role", ROLES)
def test_the_throwaway_key_is_the_only_secret(role: str) -> None:
    text = told(role)
    assert text.count("PRIVATE KEY") == 2
    rest = re.sub(r"-----BEGIN[\s\S]*END OPENSSH PRIVATE KEY-----", "", text)
    long = {word for word in re.findall(r"[A-Za-z0-9+/_-]{40,}", rest) if not word.startswith("/")}
    assert long == {"A" * 68, "B" * 68}
    assert "anna" not in text


@pytest.mark.parametrize("role", ROLES)
def test_nobody_gets_in_but_with_a_key_and_forwarding_is_for_jump_hosts(role: str) -> None:
    document = yaml.safe_load(told(role))
    assert document["ssh_pwauth"] is False
    assert document["disable_root"] is True
    assert [user["name"] for user in document["users"]] == ["frostbyte"]
    assert document["users"][0]["lock_passwd"] is True
    assert "passwd" not in str(document["users"]).replace("lock_passwd", "")
    said = dict(line.split(" ", 1) for line in written(role)["/etc/ssh/sshd_config.d/00-frostbyte.conf"].splitlines())
    assert said["AllowUsers"] == "frostbyte"
    assert said["PasswordAuthentication"] == said["PermitRootLogin"] == "no"
    jump = role in ("gateway", "bastion")
    assert (said["AllowTcpForwarding"], said.get("PermitOpen")) == (("local", "*:22") if jump else ("no", None))


@pytest.mark.parametrize("role", ROLES)
def test_containers_wait_for_rules_and_volume(role: str) -> None:
    files = written(role)
    engine = "/etc/systemd/system/docker.service.d/frostbyte.conf"
    assert (engine in files) is (role != "bastion")
    if engine in files:
        assert "Requires=frostbyte-firewall.service" in files[engine]
        assert (f"RequiresMountsFor={layout.VOLUME}" in files[engine]) is (role in ("db", "single"))
        settings = json.loads(files["/etc/docker/daemon.json"])
        assert settings["live-restore"] is True
        assert settings["userland-proxy"] is settings["ip-masq"] is False
    script = files[boot.CONFIGURE].splitlines()
    if VOLUME_PROGRAM in files:
        assert script[-3:] == [
            f"{VOLUME_PROGRAM} boot",
            "systemctl enable docker.service",
            f"if findmnt --mountpoint {layout.VOLUME} >/dev/null; then systemctl restart docker.service; fi",
        ]
        assert f"install -d -o 70 -g 70 -m 0700 {layout.VOLUME}/pgdata" in files[VOLUME_PROGRAM]
    elif engine in files and role != "builder":
        assert script[-1] == "systemctl restart docker.service"


def test_the_time_comes_from_whom_the_rules_let_answer() -> None:
    for role, asked in (("gateway", "213.239.239.164"), ("db", STANDARD["gateway"]), ("worker", STANDARD["gateway"])):
        text = written(role)["/etc/chrony/chrony.conf"]
        assert f"server {asked} iburst" in text
        assert ("allow 10.7.1.0/24" in text) is (role == "gateway")
        allowed = next(
            line for line in rules(host(role)).splitlines() if "udp dport 123 accept" in line and "daddr" in line
        )
        assert asked in allowed


@pytest.mark.parametrize("role", ROLES)
def test_shells_can_read_the_scripts(role: str) -> None:
    for path, text in written(role).items():
        if text.startswith("#!/bin/sh"):
            done = subprocess.run(["sh", "-n"], input=text, text=True, capture_output=True, check=False)
            assert (done.returncode, done.stderr) == (0, ""), path


@pytest.mark.parametrize(
    ("key", "people"),
    [
        (KEY, []),
        (KEY, ["ssh-ed25519"]),
        (KEY, [PERSON + "\nssh-ed25519 " + "C" * 68]),
        (KEY, ['command="sh" ' + PERSON]),
        (HostKey(public=KEY.public + " x", private=KEY.private), [PERSON]),
        (HostKey(public=KEY.public, private="-----BEGIN RSA PRIVATE KEY-----\nAAAA\n"), [PERSON]),
        (KEY, [f"ssh-rsa {'A' * 1990}{number:08}" for number in range(16)]),
    ],
)
def test_keys_that_are_none_and_too_many_are_refused(key: HostKey, people: list[str]) -> None:
    with pytest.raises(Invalid) as refused:
        user_data(host("gateway"), key, people, FOLDERS, {})
    assert refused.value.code == "host_facts"


@pytest.mark.parametrize("role", ROLES)
def test_it_fits_with_room_to_spare(role: str) -> None:
    """With twenty people and the longest list of ways out that is likely."""
    people = [f"ssh-ed25519 {chr(65 + n) * 68}" for n in range(20)]
    ways = tuple(f"host{n}.example.org:443" for n in range(50))
    text = user_data(host(role, ways_out=ways if role == "gateway" else ()), KEY, people, FOLDERS, STORED)
    assert len(text.encode()) < LARGEST / 2
    assert EDGE in text or role not in ("gateway", "single")
    assert BASTION in text or role in ("worker", "db", "bastion")


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
def test_cloud_init_understands_it(role: str, tmp_path: Path) -> None:
    need("cloud-init")
    (tmp_path / "user-data").write_text(told(role))
    command = [str(program("cloud-init")), "schema", "--config-file", str(tmp_path / "user-data")]
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "Valid" in done.stdout


@pytest.mark.parametrize("role", ["gateway", "db"])
def test_sshd_itself_reads_its_part(role: str, tmp_path: Path) -> None:
    sshd = program("sshd")
    if sshd is None:
        pytest.skip("the sshd lane: install Debian's openssh-server")
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    text = written(role)["/etc/ssh/sshd_config.d/00-frostbyte.conf"]
    (tmp_path / "conf").write_text(text.replace("/etc/ssh/ssh_host_ed25519_key", str(key)))
    done = subprocess.run([sshd, "-t", "-f", str(tmp_path / "conf")], text=True, capture_output=True, check=False)
    assert "conf" not in done.stderr, done.stderr  # a line that it does not know is named with its file
