"""Images of hosts that stand: brought from the control plane's archives, for a host fetches nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from frostbyte.control_plane.provisioning.doing.giving import Releases
from frostbyte.control_plane.provisioning.ports import HostAddress, Hosts, Renderer
from frostbyte.control_plane.provisioning.resources import HostRole
from frostbyte.kernel.errors import Conflict

LOAD_SECONDS: Final = 400.0
"""For one archive: a gigabyte and more at 25 megabits a second."""


class Images:
    """Sees that hosts have the images of a version.

    Args:
        folder: of archives, each `{sha256}.tar`.
    """

    def __init__(self, hosts: Hosts, renderer: Renderer, releases: Releases, folder: Path) -> None:
        self._hosts, self._renderer, self._releases, self._folder = hosts, renderer, releases, folder

    def lacking(self, host: HostAddress, release: str, role: HostRole) -> set[str]:
        """Ids of images that a host of this role is to run and does not have. Raises as `Releases` and `Hosts`."""
        known = self._releases(release).images
        wanted = {known.get(name, "") for name in self._renderer.images(role)}
        return {image for image in wanted if image.startswith("sha256:")} - self._hosts.images(host)

    def bring(self, host: HostAddress, release: str, role: HostRole) -> list[str]:
        """Load what lacks; ids of what was loaded. Done again, it brings what is not there yet.

        Raises:
            Conflict: `host_image_missing`: nothing here has it; `image_archive_wrong`.
            FrostbyteError: as `Releases` and `Hosts`.
        """
        lacking = self.lacking(host, release, role)
        archives = self._releases(release).archives
        for image in sorted(lacking):
            sha256 = archives.get(image, "")
            path = self._folder / f"{sha256}.tar"
            if not sha256 or not path.is_file():
                raise _missing(host, lacking)
            self._hosts.load(host, path, sha256, seconds=LOAD_SECONDS)
        if lacking and (left := self.lacking(host, release, role)):
            raise _missing(host, left)
        return sorted(lacking)


def _missing(host: HostAddress, lacking: set[str]) -> Conflict:
    return Conflict(
        "host_image_missing",
        f"{host.name} has not {len(lacking)} of the images that it is to run, and no archive of them is here.",
        "Hosts fetch nothing. Build the snapshot of this version (`frostbyte hosts build`), or put its archives into "
        "`images` of the control plane's data folder.",
    )
