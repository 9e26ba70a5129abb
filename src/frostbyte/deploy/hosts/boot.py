"""The files that a host boots with: what systemd, sshd, the engine, the clock and the kernel read. Pure text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from frostbyte.control_plane.provisioning.hosting import Surroundings
from frostbyte.control_plane.provisioning.resources import HostRole
from frostbyte.deploy.hosts import layout
from frostbyte.deploy.hosts.firewall import clocks, rules

CONFIGURE: Final = "/usr/local/sbin/frostbyte-configure"
"""What cloud-init runs once all files are there; it may be run again."""
VOLUME_SCRIPT: Final = "/usr/local/sbin/frostbyte-volume"
VOLUME_SECONDS: Final = 120
"""How long a host waits for the volume that was attached to it before it started."""

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
_VOLUME: Final = f"""\
#!/bin/sh
# Mounts the one volume of this host at {layout.VOLUME}, now and at every boot. Run again, it changes nothing.
set -eu
place={layout.VOLUME}
mkdir -p "$place"
if ! findmnt --noheadings --mountpoint "$place" >/dev/null; then
    waited=0
    while :; do
        set -- /dev/disk/by-id/scsi-0HC_Volume_*
        [ $# -gt 1 ] && {{ echo "more than one volume is attached" >&2; exit 1; }}
        [ -b "$1" ] && break
        [ "$waited" -lt {VOLUME_SECONDS} ] || {{ echo "no volume is attached" >&2; exit 1; }}
        waited=$((waited + 1))
        sleep 1
    done
    if ! grep -q " $place " /etc/fstab; then
        # nofail: a host without its volume still answers SSH; its engine does not start.
        echo "$1 $place ext4 nofail,x-systemd.device-timeout=60s,noatime,nodev,nosuid,noexec 0 2" >>/etc/fstab
    fi
    systemctl daemon-reload
    mount "$place"
fi
findmnt --noheadings --mountpoint "$place" >/dev/null || {{ echo "the volume is not mounted" >&2; exit 1; }}
chown 0:0 "$place"
chmod 0711 "$place"
"""


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
        CONFIGURE: (_configure(host, folders, on_volume), 0o755),
    }
    if host.role in layout.ENGINES:
        found["/etc/docker/daemon.json"] = (_engine(host), 0o644)
        found["/etc/systemd/system/docker.service.d/frostbyte.conf"] = (_after(host), 0o644)
    if host.role in layout.KEEPERS:
        found[VOLUME_SCRIPT] = (_VOLUME, 0o755)
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


def _configure(host: Surroundings, folders: Mapping[str, str], on_volume: Mapping[str, str]) -> str:
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
    ]
    if host.role in layout.KEEPERS:
        lines.append(VOLUME_SCRIPT)
    for path, owner in (*folders.items(), *on_volume.items()):
        user, group = owner.split(":")
        lines.append(f"install -d -o {user} -g {group} -m 0700 {path}")
    if host.role in layout.ENGINES and host.role is not HostRole.BUILDER:
        lines += ["systemctl enable docker.service", "systemctl restart docker.service"]
    return "\n".join(lines) + "\n"
