"""A host's volume played on files: devices, the mapper and what is mounted are files of a folder, and cryptsetup, blkid
and mkfs are the real ones.

The kernel's device mapper is not tried: in place of opening a volume its key is tried (`open --test-passphrase`), and
what lies inside is a file of its own that begins with noise, as an encrypted volume does until somebody writes there.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from frostbyte.deploy.hosts import boot, layout
from servers.lanes import need, program

KEY = "k" * 43
SIZE = 20 << 20
_CRYPTSETUP = """#!/bin/sh
echo "cryptsetup $*" >>{log}
case "$1" in
    open)
        for name; do device="$last"; last="$name"; done
        {real} open --test-passphrase --type luks2 --key-file - "$device" 2>>{log} || exit $?
        inside="{inside}/${{device##*/}}"
        [ -e "$inside" ] || {{ head -c 65536 /dev/urandom >"$inside"; truncate -s 8M "$inside"; }}
        ln -s "$inside" "{mapper}/$last" ;;
    resize) cat >/dev/null ;;
    *) exec {real} "$@" ;;
esac
"""
_STUBS = {
    "findmnt": "[ -e {folder}/is-mounted ]",
    "mount": "touch {folder}/is-mounted",
    "systemctl": "[ ! -e {folder}/no-engine ]",
    "chown": ":",
    "install": 'for path; do :; done; mkdir -p "$path"',
    "resize2fs": ":",
    "sleep": ":",
}


@dataclass
class Machine:
    """A host, as far as its volume goes."""

    folder: Path
    script: str

    def say(self, word: str, key: str = "") -> tuple[int, str]:
        """Code, and what it said."""
        done = subprocess.run(
            ["sh", "-c", self.script, "frostbyte-volume", word],
            input=key.encode(),
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
            capture_output=True,
            check=False,
        )
        return done.returncode, (done.stdout or done.stderr).decode().strip()

    @property
    def state(self) -> str:
        return self.say("state")[1]

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def installed(self) -> str:
        """The path of the program, to be run by somebody else."""
        path = self.folder / "frostbyte-volume"
        path.write_text(self.script)
        path.chmod(0o755)
        return str(path)

    def attach(self, name: str = "1") -> Path:
        """An empty volume."""
        device = self.folder / "devices" / f"scsi-0HC_Volume_{name}"
        with device.open("wb") as file:
            file.truncate(SIZE)
        return device

    def reboot(self) -> None:
        """What only memory held is gone."""
        (self.folder / "is-mounted").unlink(missing_ok=True)
        for name in (self.folder / "mapper").iterdir():
            name.unlink()


def played(tmp_path: Path) -> Machine:
    """A host without a volume yet; leaves the test out where cryptsetup is missing."""
    need("cryptsetup")
    for name in ("programs", "devices", "mapper", "inside"):
        (tmp_path / name).mkdir()
    for name in ("fstab", "log"):
        (tmp_path / name).touch()
    for name, text in _STUBS.items():
        told = f'echo "{name} $*" >>{tmp_path}/log\n' + text.format(folder=tmp_path)
        (tmp_path / "programs" / name).write_text(f"#!/bin/sh\n{told}\n")
    wrapper = _CRYPTSETUP.format(
        log=tmp_path / "log", mapper=tmp_path / "mapper", inside=tmp_path / "inside", real=program("cryptsetup")
    )
    (tmp_path / "programs" / "cryptsetup").write_text(wrapper)
    for file in (tmp_path / "programs").iterdir():
        file.chmod(0o755)
    script = boot.volume_script({f"{layout.VOLUME}/pgdata": "70:70"})
    for old, new in (
        (layout.VOLUME, f"{tmp_path}/place"),
        ("/dev/disk/by-id", f"{tmp_path}/devices"),
        ("/dev/mapper", f"{tmp_path}/mapper"),
        ("/etc/fstab", f"{tmp_path}/fstab"),
        ("patience=120", "patience=2"),
    ):
        assert old in script
        script = script.replace(old, new)
    shebang, _, rest = script.partition("\n")
    return Machine(tmp_path, f"{shebang}\nPATH={tmp_path}/programs:/usr/sbin:/usr/bin:/sbin:/bin\n{rest}")
