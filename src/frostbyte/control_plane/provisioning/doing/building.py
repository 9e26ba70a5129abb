"""What is done on a builder: it gets its packages and images, then loses whatever belongs to it alone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from frostbyte.control_plane.provisioning.building import Scripts
from frostbyte.control_plane.provisioning.doing.hosts import OnHost
from frostbyte.control_plane.provisioning.doing.servers import OFF
from frostbyte.control_plane.provisioning.doing.told import Told
from frostbyte.control_plane.provisioning.ports import Cloud, HostFile, Hosts
from frostbyte.control_plane.provisioning.resources import Kind
from frostbyte.control_plane.provisioning.steps import Context, Outcome, Step
from frostbyte.kernel.errors import Conflict

INSTALL_SECONDS: Final = 540.0
LOAD_SECONDS: Final = 540.0
"""For one archive: a gigabyte at two megabytes a second."""
SEAL_SECONDS: Final = 90.0


def _same(step: Step, scripts: Scripts) -> None:
    if step.spec["scripts"] != scripts.sha256:
        raise Conflict(
            "build_changed",
            "This build was planned by another version, with other scripts.",
            "Let it be taken back, and build again.",
        )


def _read(extra: Mapping[str, str]) -> HostFile:
    """A file for hosts, if it is still the one that was named; all may read it."""
    try:
        content = Path(extra["path"]).read_bytes()
    except OSError:
        content = b""
    if hashlib.sha256(content).hexdigest() != extra["sha256"]:
        raise Conflict(
            "build_file_changed",
            "A file for hosts is not there any more, or is another one than when the build began.",
            "Build again with the file as it is now.",
        )
    return HostFile(path=extra["target"], content=content, mode=0o644)


class Install(OnHost):
    """A builder has engine, Compose, packet filter, and our images. Verified: each image is there by its id."""

    def __init__(self, hosts: Hosts, told: Told, scripts: Scripts) -> None:
        super().__init__(hosts, told)
        self._scripts = scripts

    def do(self, step: Step, context: Context) -> Outcome:
        _same(step, self._scripts)
        host = self._way.to(step, context)
        said = self._hosts.run(host, self._scripts.install, seconds=INSTALL_SECONDS)
        packages = dict(line.split(" ", 1) for line in said.splitlines() if " " in line)
        images: dict[str, dict[str, str]] = {}
        for archive in step.spec["archives"]:
            sha256 = archive["sha256"]
            images[sha256] = self._hosts.load(host, Path(archive["path"]), sha256, seconds=LOAD_SECONDS)
        for extra in step.spec["extras"]:
            self._hosts.put(host, [_read(extra)])
        return Outcome(facts={"packages": packages, "images": images})

    def verify(self, step: Step, outcome: Outcome, context: Context) -> None:
        wanted = {image for brought in outcome.facts["images"].values() for image in brought.values()}
        lacking = wanted - self._hosts.images(self._way.to(step, context))
        if lacking:
            raise Conflict(
                "host_image_missing",
                f"The builder has not {len(lacking)} of the images that were loaded.",
                "Look at its disk: it may be full. Then build again.",
            )


class Seal(OnHost):
    """A builder has no key, id, log or name any more, and is off. Verified: the cloud says that it is.

    One that was sealed and not yet switched off when a provisioner died lets nobody in: the build is then taken back.
    """

    def __init__(self, hosts: Hosts, told: Told, cloud: Cloud, scripts: Scripts) -> None:
        super().__init__(hosts, told)
        self._cloud, self._scripts = cloud, scripts

    def find(self, step: Step, context: Context) -> Outcome | None:
        return Outcome(adopted=True) if self._off(step, context) else None

    def do(self, step: Step, context: Context) -> Outcome:
        _same(step, self._scripts)
        if not self._off(step, context):
            said = self._hosts.run(self._way.to(step, context), self._scripts.seal, seconds=SEAL_SECONDS)
            if "sealed" not in said.split():
                raise Conflict(
                    "host_command_failed",
                    "The builder did not say that it is sealed.",
                    "Build again; it is taken away.",
                )
            self._cloud.stop(context.outcome(step.spec["server"]).resource_id)
        return Outcome()

    def verify(self, step: Step, outcome: Outcome, context: Context) -> None:
        if not self._off(step, context):
            raise Conflict("server_not_off", "The builder runs again although it was switched off.", "Build again.")

    def _off(self, step: Step, context: Context) -> bool:
        found = self._cloud.show(Kind.SERVER, context.outcome(step.spec["server"]).resource_id)
        return found is not None and found.facts.get("status") == OFF
