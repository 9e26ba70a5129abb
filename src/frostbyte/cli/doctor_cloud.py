"""What a control plane needs before it can provision: a token and its rights, keys, sealing, a zone, servers to be had.

Only looked at on a control plane's host, for its settings say what is meant. Nothing is made that could be left behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from frostbyte.cli.findings import Finding, Level
from frostbyte.kernel.errors import FrostbyteError

if TYPE_CHECKING:
    from frostbyte.adapters.hetzner.calls import Calls
    from frostbyte.control_plane.provisioning.settings import ProvisioningSettings
    from frostbyte.control_plane.settings import ControlSettings

_GIVE: Final = "Give a token of the project with the right to read and write: FROSTBYTE_HCLOUD_TOKEN_FILE."
_BOTH: Final = frozenset({"x86", "arm"})
_ZONE: Final = "_frostbyte-doctor"
"""A name that is asked for and never made."""


def check_cloud(settings: ControlSettings) -> list[Finding]:
    """Every finding, in the order in which one would mend them."""
    told = settings.provisioning
    projects = sorted(path.parent.name for path in (settings.data_dir / "projects").glob("*/hcloud_token"))
    if not projects and not told.token:
        hint = "Without one, planes that stand are taken into service by `frostbyte tenant attach`."
        return [Finding("cloud", Level.WARN, "There is no token: nobody can be provisioned.", f"{_GIVE} {hint}")]
    found: list[Finding] = []
    for project_id in [*projects, *([""] if told.token else [])]:
        found += _guarded("cloud", lambda: _project(settings, told, project_id))  # noqa: B023  # called at once
    return [*found, _check_sops(told), _check_recovery(told), _check_operators(told)]


def _project(settings: ControlSettings, told: ProvisioningSettings, project_id: str) -> Iterator[Finding]:
    from frostbyte.adapters.hetzner.calls import HcloudCalls

    token = told.token_of(project_id) if project_id else told.token
    calls = HcloudCalls(token, told.endpoint, ca_file=settings.ca_file)
    looks: dict[str, Callable[[], Iterator[Finding]]] = {
        "cloud": lambda: _rights(calls),
        "servers": lambda: _sold(calls, told),
        "ssh key": lambda: _ssh_key(calls, settings.environment),
        "dns zone": lambda: _zone(calls, told),
    }
    for name, look in looks.items():
        found = _guarded(name, look)
        yield from (replace(one, name=f"{one.name} {project_id}".strip()) for one in found)
        if name == "cloud" and found[0].level is Level.FAIL:
            return  # whatever else is asked fails as well


def _guarded(name: str, look: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """What was found until something failed, and what failed."""
    found: list[Finding] = []
    try:
        found.extend(look())
    except FrostbyteError as error:
        found.append(Finding(name, Level.FAIL, error.message, error.remedy))
    return found


def _rights(calls: Calls) -> Iterator[Finding]:
    from frostbyte.adapters.hetzner.listing import pages
    from frostbyte.adapters.hetzner.rights import may_write

    servers = len(pages(calls, "/servers", "servers"))
    if not may_write(calls):
        yield Finding("cloud", Level.FAIL, "The token may read, but not write.", _GIVE)
        return
    yield Finding("cloud", Level.OK, f"the token may read and write; {servers} servers in its project")
    yield Finding(
        "quota",
        Level.OK,
        "the API does not tell how many servers, volumes and addresses a project may have",
        "Look in the console (Limits): a tenant takes 4 servers or more, 1 address, 1 network and 1 volume.",
    )


def _sold(calls: Calls, told: ProvisioningSettings) -> Iterator[Finding]:
    """Whether there is something to be ordered for each role, where servers may be."""
    from frostbyte.adapters.hetzner.client import HetznerCloud
    from frostbyte.control_plane.provisioning.choosing import Wish, choose
    from frostbyte.control_plane.provisioning.placement import TYPES

    catalogue = HetznerCloud(calls, "").catalogue()
    now = datetime.now(UTC)
    first = catalogue.locations.get(told.locations[0])
    if first is None:
        yield Finding("servers", Level.FAIL, f"There is no place {told.locations[0]}.", "Correct FROSTBYTE_LOCATIONS.")
        return
    none, chosen = [], []
    for role, types in TYPES.items():
        wish = Wish(role=role, types=types, locations=told.locations, zone=first.zone, architectures=_BOTH)
        choice = choose(wish, catalogue, now)
        if choice.best is None:
            none.append(role.value)
        else:
            chosen.append(f"{role.value} {choice.best.type} in {choice.best.location}")
    if none:
        yield Finding(
            "servers",
            Level.FAIL,
            f"Nothing can be ordered now for {', '.join(none)} in {', '.join(told.locations)}.",
            "Allow another place (FROSTBYTE_LOCATIONS) or other types, or wait: stock changes by the day.",
        )
    else:
        yield Finding("servers", Level.OK, "; ".join(chosen))


def _ssh_key(calls: Calls, environment: str) -> Iterator[Finding]:
    from frostbyte.adapters.hetzner.listing import pages
    from frostbyte.control_plane.provisioning.resources import ENVIRONMENT, FROSTBYTE, MANAGED_BY

    selector = f"{MANAGED_BY}=={FROSTBYTE},{ENVIRONMENT}=={environment}"
    keys = pages(calls, "/ssh_keys", "ssh_keys", {"label_selector": selector})
    if keys:
        yield Finding("ssh key", Level.OK, f"{len(keys)} of this environment in the project")
        return
    yield Finding(
        "ssh key", Level.WARN, "None of this environment is in the project yet.", "frostbyte control up adds it."
    )


def _zone(calls: Calls, told: ProvisioningSettings) -> Iterator[Finding]:
    """Whether the provider shows the zone, and its name servers answer for it."""
    from frostbyte.adapters.dns.answers import Authority
    from frostbyte.adapters.dns.hetzner import HetznerDns
    from frostbyte.adapters.dns.lexicon import LexiconDns, credentials
    from frostbyte.control_plane.provisioning.settings import HETZNER

    zone = told.dns_zone
    if told.dns_provider == HETZNER:
        if not any(one["name"] == zone for one in HetznerDns(calls).zones()):
            yield Finding(
                "dns zone",
                Level.FAIL,
                f"The project has no zone {zone}.",
                "Create it there, or set FROSTBYTE_DNS_ZONE.",
            )
            return
        if _is_local(told.endpoint):
            yield Finding("dns zone", Level.OK, f"{zone}, of a simulated cloud: who it is delegated to is not asked")
            return
    else:
        LexiconDns(told.dns_provider, credentials(told.dns_token)).find(zone, _ZONE, "TXT")
    if Authority().answer(zone, "@", "SOA"):
        yield Finding("dns zone", Level.OK, f"{zone} at {told.dns_provider}, delegated, its name servers answer")
    else:
        yield Finding(
            "dns zone", Level.FAIL, f"The name servers that {zone} is delegated to do not have it.",
            f"Have the domain's registrar name the servers of {told.dns_provider}.",
        )  # fmt: skip


def _check_sops(told: ProvisioningSettings) -> Finding:
    """Whether secrets can be sealed: the program is there, and seals for a key made for this alone."""
    from frostbyte.adapters.vault.age import fresh, sealed
    from frostbyte.adapters.vault.program import Sops

    _, recipient = fresh()
    try:
        sealed(b"tried", recipient)
        Sops(told.sops).encrypt(b'{"tried": "1"}', [recipient])
    except FrostbyteError as error:
        return Finding("sops and age", Level.FAIL, error.message, error.remedy)
    return Finding("sops and age", Level.OK, "a value was sealed for a key made for this alone")


def _check_recovery(told: ProvisioningSettings) -> Finding:
    from frostbyte.adapters.vault.age import checked

    if not told.recovery:
        return Finding(
            "recovery", Level.FAIL, "No offline age recipient is named: secrets would die with this host.",
            "Make one elsewhere (age-keygen), and set FROSTBYTE_RECOVERY_RECIPIENT to its public key.",
        )  # fmt: skip
    try:
        checked(told.recovery)
    except FrostbyteError as error:
        return Finding("recovery", Level.FAIL, error.message, error.remedy)
    return Finding("recovery", Level.OK, f"secrets are also sealed for {told.recovery[:12]}...")


def _check_operators(told: ProvisioningSettings) -> Finding:
    if not told.operators:
        return Finding(
            "operators", Level.WARN, "No network may reach the bastion.",
            "Set FROSTBYTE_OPERATORS to yours, such as 198.51.100.0/24.",
        )  # fmt: skip
    keys = len(told.operator_keys)
    return Finding("operators", Level.OK, f"the bastion is open to {', '.join(told.operators)}; {keys} keys of people")


def _is_local(endpoint: str) -> bool:
    return urlsplit(endpoint).hostname in ("127.0.0.1", "localhost", "::1")
