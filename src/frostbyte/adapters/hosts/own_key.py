"""How a host gets a key that only it has, without a moment in which nobody can recognise it.

Its first key came with its user data, so the cloud has seen it. The host makes its own, lets the first one vouch for it
(as an SSH host certificate), shows that from then on, and drops the first one. Whoever still knows only the first key,
because the provisioner died before it wrote the second one down, recognises the host by the certificate.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where a host has what we use; as on Debian and Ubuntu.

    Attributes:
        ssh_folder: sshd's configuration; the first key is its `ssh_host_ed25519_key`.
        reload: a command that has sshd read its configuration anew and keeps connections.
        sftp_server: the program that speaks SFTP on standard input and output.
        as_root: words before a command of a user who is not root.
    """

    ssh_folder: str = "/etc/ssh"
    reload: str = "systemctl reload-or-restart ssh.service"
    sftp_server: str = "/usr/lib/openssh/sftp-server"
    as_root: tuple[str, ...] = ("sudo", "--non-interactive")


_SCRIPT: Final = r"""
set -eu
umask 077
PATH="$PATH:/usr/sbin:/sbin"
first="$dir/ssh_host_ed25519_key"
own="$dir/frostbyte_host_ed25519_key"
conf="$dir/sshd_config.d/00-frostbyte-host-key.conf"
rm -rf "$dir"/.frostbyte-own.*
work="$(mktemp -d "$dir/.frostbyte-own.XXXXXX")"
trap 'rm -rf "$work"' EXIT

# Each of the three comes into being whole, by a rename, so that a power cut leaves it there or not at all.
if [ ! -s "$own" ]; then
    ssh-keygen -q -t ed25519 -N '' -C '' -f "$work/key"
    sync "$work/key"
    mv "$work/key" "$own"
fi
ssh-keygen -y -f "$own" >"$work/key.pub"
if [ -s "$first" ] && [ ! -s "$own-cert.pub" ]; then
    ssh-keygen -q -s "$first" -h -I frostbyte-own-host-key "$work/key.pub"
    chmod 644 "$work/key-cert.pub"
    sync "$work/key-cert.pub"
    mv "$work/key-cert.pub" "$own-cert.pub"
fi
[ -s "$own-cert.pub" ] || { echo "the first host key is gone and has vouched for no other" >&2; exit 1; }
if [ ! -s "$conf" ]; then
    mkdir -p "$dir/sshd_config.d"
    printf 'HostKey %s\nHostCertificate %s\n' "$own" "$own-cert.pub" >"$work/conf"
    chmod 644 "$work/conf"
    sync "$work/conf"
    mv "$work/conf" "$conf"
    mkdir -p /run/sshd
    sshd -t -f "$dir/sshd_config" || { rm -f "$conf"; exit 1; }
fi
sync "$dir" "$dir/sshd_config.d"
sshd -T -f "$dir/sshd_config" | grep -qix "hostkey $own" || { echo "sshd does not take its key" >&2; exit 1; }
# First the reload: each connection reads the keys from their files, so one that is gone may be shown no more.
$reload
rm -f "$dir"/ssh_host_*
sync "$dir"
cat "$work/key.pub"
"""


def own_key_script(layout: Layout) -> str:
    """Run as root; may be cut at any point and run again. Prints the host's own public key."""
    return f"dir={shlex.quote(layout.ssh_folder)}\nreload={shlex.quote(layout.reload)}\n{_SCRIPT}"
