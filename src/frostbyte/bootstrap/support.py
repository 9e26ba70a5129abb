"""The wiring of what is collected for support: which parts of a control plane are asked, and how its process is."""

from __future__ import annotations

import os
import platform
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from frostbyte import __version__
from frostbyte.bootstrap.hosting import Hosting
from frostbyte.bootstrap.ledger import Ledger
from frostbyte.control_plane.provisioning.ports import ProvisioningFactory
from frostbyte.control_plane.settings import ControlSettings
from frostbyte.control_plane.support.collecting import Sources, Support
from frostbyte.control_plane.support.hosts import Looking
from frostbyte.control_plane.support.rows import row
from frostbyte.control_plane.watch.view import TenantWatch
from frostbyte.kernel import logging
from frostbyte.kernel.clock import Clock

_MEMORY: Final = ("VmRSS", "VmHWM", "Threads")
"""Of /proc/self/status (proc(5)): memory now and at most, in kB; threads."""
_HOST_MEMORY: Final = ("MemTotal", "MemAvailable", "SwapTotal", "SwapFree")


def support(
    unit_of_work: ProvisioningFactory,
    clock: Clock,
    settings: ControlSettings,
    *,
    stand_ins: list[str],
    loops: list[threading.Thread],
    view: TenantWatch | None,
    ledger: Ledger | None,
    hosting: Hosting | None,
) -> Support:
    """What collects.

    Args:
        loops: of the control plane, by their names.
    """
    sources = Sources(
        process=lambda: list(_process(settings, stand_ins, loops)),
        view=view,
        logs=ledger.follower.standings if ledger else list,
        recent=logging.recent,
        hosts=Looking(unit_of_work, hosting.clouds.world) if hosting else None,
    )
    return Support(unit_of_work, clock, settings.environment, sources)


def _process(settings: ControlSettings, stand_ins: list[str], loops: list[threading.Thread]) -> Iterator[str]:
    yield row("frostbyte", __version__, "python", platform.python_version())
    yield row("mode", settings.mode.value, "environment", settings.environment, "tls", settings.edge.site.tls.value)
    yield row("database", "server" if settings.database_url else "beside")
    yield row("stand_ins", *(stand_ins or ["none"]))
    told = settings.provisioning
    yield row("cloud", bool(told.token), "dns", told.dns_provider, "recovery", bool(told.recovery))
    yield row("locations", *told.locations)
    yield row("kernel", platform.release(), platform.machine(), "processors", os.cpu_count())
    yield row("load", *(float(one) for one in os.getloadavg()))
    yield from _of(Path("/proc/meminfo"), "host_memory", _HOST_MEMORY)
    yield from _of(Path("/proc/self/status"), "process", _MEMORY)
    disk = shutil.disk_usage(settings.data_dir)
    yield row("disk", "size_mb", disk.total >> 20, "free_mb", disk.free >> 20)
    for loop in loops:
        yield row("loop", loop.name, "runs" if loop.is_alive() else "ended")


def _of(file: Path, title: str, names: tuple[str, ...]) -> Iterator[str]:
    try:
        lines = file.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:  # a system without it
        return
    for line in lines:
        name, _, value = line.partition(":")
        if name in names:
            yield row(title, name, *value.split()[:1])
