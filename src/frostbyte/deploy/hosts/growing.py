"""What is seen on a host before and after the file system of its volume grows. How it grows, volume.sh knows."""

from __future__ import annotations

from typing import Final

from frostbyte.deploy.hosts import layout

WAIT_SECONDS: Final = 60
"""How long a host may take to see that its volume has grown: the cloud's action is over a moment before."""
SHARE: Final = 90
"""Percent of a volume that is the file system's at least; the rest is for its own tables."""
_BEFORE: Final = f"""\
set -eu
for device in /dev/disk/by-id/scsi-0HC_Volume_*; do :; done
disk=$(basename "$(readlink -f "$device")")
waited=0
while [ "$(blockdev --getsize64 "$device")" -lt "$least" ]; do
    # The kernel is told by the machine; where it was not, it asks.
    [ ! -w "/sys/class/block/$disk/device/rescan" ] || echo 1 >"/sys/class/block/$disk/device/rescan"
    [ "$waited" -lt {WAIT_SECONDS} ] || {{ echo "the volume has less than $least bytes" >&2; exit 1; }}
    waited=$((waited + 1))
    sleep 1
done
"""
_AFTER: Final = f"""\
set -eu
set -- $(stat --file-system --format '%S %b' {layout.VOLUME})
[ $(($1 * $2)) -ge $((least / 100 * {SHARE})) ] || {{ echo "the file system has only $(($1 * $2)) bytes" >&2; exit 1; }}
"""


def scripts(size_gb: int) -> tuple[str, str]:
    """See Renderer.growing. A gigabyte of the cloud's has 10^9 bytes at least."""
    least = f"least={size_gb * 10**9}\n"
    return least + _BEFORE, least + _AFTER
