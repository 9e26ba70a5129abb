"""The files that a host boots with: what systemd, sshd, the engine, the clock and the kernel read. Pure text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from frostbyte.control_plane.provisioning.hosting import VOLUME_PROGRAM, Surroundings
from frostbyte.control_plane.provisioning.resources import HostRole
from frostbyte.deploy.hosts import layout
from frostbyte.deploy.hosts.firewall import clocks, rules

CONFIGURE: Final = "/usr/local/sbin/frostbyte-configure"
"""What cloud-init runs once all files are there; it may be run again."""
_FIREWALL: Final = f"""\
[Unit]
Description=Frostbyte's packet filter
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target docker.service shutdown.target
After=local-fs.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
# Checked first: a file that cannot be loaded leaves the rules that are there. Never taken away, not even on stop.
ExecStart=/usr/sbin/nft --check --file {layout.RULES}
ExecStart=/usr/sbin/nft --file {layout.RULES}
ExecReload=/usr/sbin/nft --check --file {layout.RULES}
ExecReload=/usr/sbin/nft --file {layout.RULES}

[Install]
WantedBy=multi-user.target
"""
_FIREWALL_WATCH: Final = f"""\
[Unit]
Description=Frostbyte's packet filter is loaded anew when its file is replaced

[Path]
PathChanged={layout.RULES}

[Install]
WantedBy=multi-user.target
"""
_FIREWALL_RELOAD: Final = """\
[Unit]
Description=Frostbyte's packet filter, loaded anew

[Service]
Type=oneshot
ExecStart=/usr/bin/systemctl reload frostbyte-firewall.service
"""
_SYSCTL: Final = """\
# Containers publish ports on an address that may come up after them.
net.ipv4.ip_nonlocal_bind = 1
net.ipv4.conf.all.rp_filter = 1
net.ipv4.conf.default.rp_filter = 1
net.ipv4.conf.all.accept_redirects = 0
net.ipv4.conf.default.accept_redirects = 0
net.ipv4.conf.all.send_redirects = 0
net.ipv4.conf.all.accept_source_route = 0
net.ipv6.conf.all.accept_redirects = 0
# With '-': of the kernel, which a container that plays a server cannot set.
-vm.overcommit_memory = 1
-kernel.dmesg_restrict = 1
-kernel.kptr_restrict = 2
-fs.suid_dumpable = 0
"""
_FOLDERS: Final = "    # -- folders\n"


def volume_script(on_volume: Mapping[str, str]) -> str:
    """What mounts, opens and encrypts a host's volume: volume.sh, with the folders that are made on it.

    Args:
        on_volume: path, and `uid:gid` of who writes there.
    """
    text = (Path(__file__).parent / "volume.sh").read_text(encoding="utf-8")
    return text.replace(_FOLDERS, "".join(f"    {line}\n" for line in _made(on_volume)))


def files(host: Surroundings, folders: Mapping[str, str], on_volume: Mapping[str, str]) -> dict[str, tuple[str, int]]:
    """Path: content and mode; all are root's.

    Args:
        folders: on the host's own disk: path, and `uid:gid` of who writes there.
        on_volume: the same, below the mounted volume.
    """
    found = {
        layout.RULES: (rules(host), 0o644),
        "/etc/systemd/system/frostbyte-firewall.service": (_FIREWALL, 0o644),
        "/etc/systemd/system/frostbyte-firewall-reload.path": (_FIREWALL_WATCH, 0o644),
        "/etc/systemd/system/frostbyte-firewall-reload.service": (_FIREWALL_RELOAD, 0o644),
        "/etc/ssh/sshd_config.d/00-frostbyte.conf": (_sshd(host), 0o600),
        "/etc/sysctl.d/90-frostbyte.conf": (_SYSCTL, 0o644),
        "/etc/chrony/chrony.conf": (_chrony(host), 0o644),
        CONFIGURE: (_configure(host, folders), 0o755),
    }
    if host.role in layout.ENGINES:
        found["/etc/docker/daemon.json"] = (_engine(host), 0o644)
        found["/etc/systemd/system/docker.service.d/frostbyte.conf"] = (_after(host), 0o644)
    if host.role in layout.KEEPERS:
        found[VOLUME_PROGRAM] = (volume_script(on_volume), 0o755)
    return found


def _sshd(host: Surroundings) -> str:
    """First in its folder, and sshd takes the first value that it finds."""
    jump = host.role in layout.JUMPS
    return (
        "# Keys alone, one user, the one host key that was pinned.\n"
        "HostKey /etc/ssh/ssh_host_ed25519_key\n"
        f"AllowUsers {layout.USER}\n"
        "AuthenticationMethods publickey\n"
        "PasswordAuthentication no\n"
        "KbdInteractiveAuthentication no\n"
        "PermitRootLogin no\n"
        "PermitEmptyPasswords no\n"
        f"AllowTcpForwarding {'local' if jump else 'no'}\n"
        + ("PermitOpen *:22\n" if jump else "")
        + "AllowAgentForwarding no\n"
        "AllowStreamLocalForwarding no\n"
        "GatewayPorts no\n"
        "PermitTunnel no\n"
        "PermitUserEnvironment no\n"
        "X11Forwarding no\n"
        "UseDNS no\n"
        "LoginGraceTime 20\n"
        "MaxAuthTries 3\n"
        "ClientAliveInterval 30\n"
        "ClientAliveCountMax 4\n"
    )


def _chrony(host: Surroundings) -> str:
    """A host without a way out asks its gateway, which is there for it."""
    lines = [f"server {address} iburst" for address in clocks(host)]
    if host.role is HostRole.GATEWAY:
        lines += [f"allow {host.subnet}", "local stratum 10"]
    else:
        lines.append("port 0")
    return "\n".join(["# Whom this host asks for the time.", *lines, "driftfile /var/lib/chrony/chrony.drift"]) + (
        "\ncmdport 0\nmakestep 1.0 3\nrtcsync\n"
    )


def _engine(host: Surroundings) -> str:
    """Ports by rules alone (no proxy process that answers beside them), and no masquerading: see firewall.py.

    Names are asked of the cloud's resolvers, out of the container that asks: the rules say which may. An engine that
    found a resolver on its own loopback would ask in the host's name.
    """
    settings = {
        "dns": list(host.resolvers),
        "live-restore": True,
        "userland-proxy": False,
        "ip-masq": False,
        "ipv6": False,
        "icc": False,
        "no-new-privileges": True,
        "log-driver": "json-file",
        "log-opts": {"max-size": "10m", "max-file": "5"},
    }
    return json.dumps(settings, indent=2) + "\n"


def _after(host: Surroundings) -> str:
    """No container without rules, and none that would write where the volume should be."""
    unit = "[Unit]\nRequires=frostbyte-firewall.service\nAfter=frostbyte-firewall.service network-online.target\n"
    return unit + (f"RequiresMountsFor={layout.VOLUME}\n" if host.role in layout.KEEPERS else "")


def _made(folders: Mapping[str, str]) -> list[str]:
    """Commands that make folders, each its user's alone."""
    owners = {path: owner.split(":") for path, owner in folders.items()}
    return [f"install -d -o {user} -g {group} -m 0700 {path}" for path, (user, group) in owners.items()]


def _configure(host: Surroundings, folders: Mapping[str, str]) -> str:
    lines = [
        "#!/bin/sh",
        "# Puts in force what cloud-init wrote. It installs and fetches nothing, and may be run again.",
        "set -eu",
        "systemctl daemon-reload",
        "systemctl enable --now frostbyte-firewall.service frostbyte-firewall-reload.path",
        "systemctl reload frostbyte-firewall.service",
        "swapoff --all",
        "sysctl --quiet --load=/etc/sysctl.d/90-frostbyte.conf",
        "mkdir -p /run/sshd",  # where sshd is started by its socket, nobody has made it yet
        "/usr/sbin/sshd -t",
        "systemctl reload-or-restart ssh.service",
        "if systemctl cat chrony.service >/dev/null 2>&1; then systemctl restart chrony.service; fi",
        *_made(folders),
    ]
    if host.role in layout.KEEPERS:
        # An encrypted volume waits for its key, and the engine for the volume: `frostbyte-volume open` starts it then.
        lines += [
            f"{VOLUME_PROGRAM} boot",
            "systemctl enable docker.service",
            f"if findmnt --mountpoint {layout.VOLUME} >/dev/null; then systemctl restart docker.service; fi",
        ]
    elif host.role in layout.ENGINES and host.role is not HostRole.BUILDER:
        lines += ["systemctl enable docker.service", "systemctl restart docker.service"]
    return "\n".join(lines) + "\n"
