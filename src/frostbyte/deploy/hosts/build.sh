#!/bin/sh
# Makes of a plain Debian or Ubuntu what our hosts start from: engine, Compose, packet filter, clock. Run as root on the
# builder, with a way out; may be run again. Nothing of it is fetched later: hosts have no way out.
set -eu
export DEBIAN_FRONTEND=noninteractive
. /etc/os-release

# On a server that has just booted its own timers may hold the lock.
apt() { apt-get -qq -o DPkg::Lock::Timeout=300 -o APT::Update::Error-Mode=any "$@"; }

# The distribution's own packages: signed by who signs the rest of the host, and updated with it.
case "$ID" in
    ubuntu) compose=docker-compose-v2 ;;
    debian) compose=docker-compose ;;
    *) echo "neither Debian nor Ubuntu: $ID" >&2; exit 1 ;;
esac
apt update
# Debian has the engine's client as a package of its own since 13.
client="$(apt-cache --names-only search '^docker-cli$' | cut -d' ' -f1)"
# No service starts while it is installed: none has its configuration yet.
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
trap 'rm -f /usr/sbin/policy-rc.d' EXIT
apt install -y --no-install-recommends docker.io $client "$compose" iptables nftables chrony zstd e2fsprogs \
    cryptsetup-bin >/dev/null
rm -f /usr/sbin/policy-rc.d
trap - EXIT

# Hosts update nothing by themselves: what they are is their snapshot.
for timer in apt-daily.timer apt-daily-upgrade.timer unattended-upgrades.service motd-news.timer; do
    systemctl disable --now "$timer" >/dev/null 2>&1 || true
done
systemctl start docker.service
docker compose version >/dev/null
docker info >/dev/null
cryptsetup --version >/dev/null
# What is there, for the list that the snapshot is known by.
dpkg-query --show --showformat '${Package} ${Version}\n' docker.io "$compose" nftables
