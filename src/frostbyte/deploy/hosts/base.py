"""What the hosts of a project's base are given: see the port `BaseRenderer`."""

from __future__ import annotations

from typing import Final

from frostbyte.control_plane.provisioning.doing.base import BaseGiven
from frostbyte.control_plane.provisioning.hosting import Project, Surroundings
from frostbyte.control_plane.provisioning.ports import HostFile
from frostbyte.control_plane.provisioning.resources import HostRole
from frostbyte.deploy.compose import SECRETS_GROUP, render
from frostbyte.deploy.compose.base import (
    GIVEN,
    HANDED,
    IMAGES,
    OURS,
    POSTGRES_PASSWORD,
    SERVICES,
    TASKS,
    BaseOptions,
    base,
)
from frostbyte.deploy.hosts import facts, layout
from frostbyte.deploy.hosts.firewall import rules
from frostbyte.kernel.errors import Invalid

HANDED_FILE: Final = "base.json"
_NETWORKS: Final = ((layout.PLANE_NETWORK, layout.PLANE_BRIDGE), (layout.HOSTS_NETWORK, layout.HOSTS_BRIDGE))


class BaseHosts:
    """See the port."""

    def files(self, host: Surroundings, given: BaseGiven) -> list[HostFile]:
        """See BaseRenderer. The bastion has its rules, and runs nothing."""
        facts.check(host)
        found = [HostFile(path=layout.RULES, content=rules(host).encode())]
        if host.role is not HostRole.EDGE:
            return found
        missing = [name for name in IMAGES if not given.images.get(name)]
        if missing:
            raise _lacks(f"the image {missing[0]}")
        secrets = self._secrets(given)
        project = base(
            BaseOptions(
                images={name: given.images[name] for name in IMAGES},
                settings=given.settings,
                operators=given.operators,
                more_secrets=tuple(sorted(given.secrets.keys() - {POSTGRES_PASSWORD})),
                folder=layout.FOLDER,
                networks=_NETWORKS,
            )
        )
        text = render(project)
        found.append(HostFile(path=f"{layout.FOLDER}/docker-compose.yml", content=text.encode(), mode=0o600))
        for name in project.secrets:
            path = f"{layout.FOLDER}/secrets/{name}"
            found.append(HostFile(path=path, content=secrets[name], mode=0o440, owner=f"0:{SECRETS_GROUP}"))
        for name, content in given.begins.items():
            path = f"{layout.FOLDER}/{GIVEN}/{name}"
            found.append(HostFile(path=path, content=content, mode=0o400, owner=OURS))
        return [*found, self.handed(given.base)]

    def handed(self, base: bytes) -> HostFile:
        """See BaseRenderer."""
        return HostFile(path=f"{layout.FOLDER}/{HANDED}/{HANDED_FILE}", content=base, mode=0o440, owner=OURS)

    def project(self, role: HostRole) -> Project:
        """See BaseRenderer."""
        here = role is HostRole.EDGE
        return Project(folder=layout.FOLDER, services=SERVICES if here else (), stores=(), tasks=TASKS if here else ())

    def images(self, role: HostRole) -> tuple[str, ...]:
        """See BaseRenderer."""
        return IMAGES if role is HostRole.EDGE else ()

    def secrets(self) -> tuple[str, ...]:
        """See BaseRenderer."""
        return (POSTGRES_PASSWORD,)

    def _secrets(self, given: BaseGiven) -> dict[str, bytes]:
        password = given.secrets.get(POSTGRES_PASSWORD)
        if not password:
            raise _lacks(f"the secret {POSTGRES_PASSWORD}")
        url = f"postgresql://frostbyte_admin:{password.decode()}@postgres:5432/frostbyte"
        return {**given.secrets, "database-url": url.encode()}


def _lacks(what: str) -> Invalid:
    return Invalid("host_given", f"A host would lack what it needs: {what}.", "Look at the run; then go on with it.")
