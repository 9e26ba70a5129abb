#!/bin/sh
# Takes from a builder whatever belongs to it alone, just before it is switched off for its snapshot. Run as root.
set -eu
systemctl stop docker.service docker.socket containerd.service >/dev/null 2>&1 || true
# The engine starts when a host has its rules and its volume, not before.
systemctl disable docker.service docker.socket >/dev/null 2>&1 || true
systemctl disable frostbyte-firewall.service frostbyte-firewall-reload.path >/dev/null 2>&1 || true
rm -rf /etc/frostbyte /etc/systemd/system/frostbyte-* /etc/systemd/system/docker.service.d/frostbyte.conf \
    /etc/docker/daemon.json /etc/sysctl.d/90-frostbyte.conf /usr/local/sbin/frostbyte-* /var/lib/docker/engine-id \
    /etc/docker/key.json
apt-get clean
rm -rf /var/lib/apt/lists/* /tmp/* /var/tmp/*
getent passwd | awk -F: '$3 == 0 || ($3 >= 1000 && $3 < 60000) { print $6 }' | while read -r home; do
    rm -rf "$home/.ssh" "$home/.bash_history"
done
find /var/log -type f -delete
journalctl --rotate --vacuum-time=1s >/dev/null 2>&1 || true
rm -rf /var/log/journal/*
# Every machine gets an id, user data and keys of its own at its first boot.
cloud-init clean --logs
rm -f /var/lib/systemd/random-seed /var/lib/dbus/machine-id
# Empty, not `uninitialized`: at what systemd takes for its very first boot it would enable every unit again, the engine
# and a second listener for SSH among them.
: >/etc/machine-id
# Last: nobody comes in after this.
rm -f /etc/ssh/ssh_host_* /etc/ssh/frostbyte_host_* /etc/ssh/sshd_config.d/00-frostbyte*
sync
echo sealed
