"""Trying everything on a real account, from the machine of whoever tries: looking first, and taking away afterwards."""

from __future__ import annotations

from collections.abc import Callable

from frostbyte.adapters.dns.hetzner import HetznerDns
from frostbyte.adapters.hetzner.calls import HcloudCalls
from frostbyte.adapters.hetzner.client import HetznerCloud
from frostbyte.adapters.hetzner.waiting import Waiting
from frostbyte.control_plane.provisioning.catalogue import Catalogue
from frostbyte.control_plane.provisioning.ending import end_everything
from frostbyte.control_plane.provisioning.resources import HostRole, Kind, Owner
from frostbyte.control_plane.settings import ControlSettings


def catalogue(settings: ControlSettings, project: str) -> Catalogue:
    """What is sold now. Raises FrostbyteError: what the cloud says."""
    return _opened(settings, project)[0].catalogue()


def taken(settings: ControlSettings, project: str) -> bool:
    """Whether there is a base already: names are a project's, whatever their environment."""
    name = Owner(environment=settings.environment, project_id=project).name(HostRole.EDGE.value)
    return _opened(settings, project)[0].find(Kind.SERVER, name) is not None


def taken_away(settings: ControlSettings, project: str, pause: Callable[[], object]) -> list[str]:
    """Take away everything of the environment from here; what could not be, by kind and name.

    No journal is asked, so it does not matter how far anything was. The control plane goes with the first turn.
    """
    cloud, dns = _opened(settings, project)
    return end_everything(cloud, dns, environment=settings.environment, own_server="", pause=pause)


def _opened(settings: ControlSettings, project: str) -> tuple[HetznerCloud, HetznerDns]:
    told = settings.provisioning
    calls = HcloudCalls(told.required_token(project), told.endpoint, ca_file=settings.ca_file)
    waiting = Waiting(calls)
    return HetznerCloud(calls, settings.environment, waiting), HetznerDns(calls, waiting)
