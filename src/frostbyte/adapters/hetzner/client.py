"""The port `Cloud` over Hetzner's API. What is sent is here; how it is carried, read and waited for lies beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from frostbyte.adapters.hetzner import mapping
from frostbyte.adapters.hetzner.calls import Calls, Reply
from frostbyte.adapters.hetzner.errors import failure, odd_reply
from frostbyte.adapters.hetzner.listing import pages, together
from frostbyte.adapters.hetzner.mapping import COLLECTIONS
from frostbyte.adapters.hetzner.waiting import Waiting
from frostbyte.control_plane.provisioning.catalogue import Catalogue
from frostbyte.control_plane.provisioning.ports import CloudError
from frostbyte.control_plane.provisioning.resources import (
    ENVIRONMENT,
    FROSTBYTE,
    MANAGED_BY,
    OWNER,
    Found,
    Kind,
    Owner,
    WantedFirewall,
    WantedNetwork,
    WantedPrimaryIp,
    WantedServer,
    WantedSshKey,
    WantedVolume,
)

_SOLD: Final = (("/server_types", "server_types"), ("/locations", "locations"))
_LOOKS: Final = 60
"""At a status, or at something that should be gone, before it is given up."""
_LOOK_SECONDS: Final = 2.0
_ALREADY: Final = frozenset({"server_already_attached", "volume_already_attached", "server_already_added"})


class HetznerCloud:
    """One project. Safe for many threads.

    Args:
        environment: whose resources `observe` tells of.
    """

    def __init__(self, calls: Calls, environment: str, waiting: Waiting | None = None) -> None:
        self._calls = calls
        self._environment = environment
        self._waiting = waiting or Waiting(calls)

    @property
    def requests(self) -> int:
        """How many requests were sent."""
        return self._calls.requests

    def catalogue(self) -> Catalogue:
        """What is sold now: three requests."""
        wanted: list[Callable[[], list[dict[str, Any]]]] = [
            self._pricing,
            *(partial(pages, self._calls, path, many) for path, many in _SOLD),
        ]
        pricing, types, locations = together(wanted)
        return mapping.catalogue(types, locations, pricing[0])

    def _pricing(self) -> list[dict[str, Any]]:
        pricing = self._calls.ask("GET", "/pricing").get("pricing")
        if not isinstance(pricing, dict):
            raise odd_reply("pricing")
        return [pricing]

    def observe(self, owner: Owner | None = None) -> list[Found]:
        """Everything of our environment, or of one owner: a request a kind, and one more for each further page."""
        selector = f"{MANAGED_BY}=={FROSTBYTE},{ENVIRONMENT}=={owner.environment if owner else self._environment}"
        if owner:
            selector += f",{OWNER}=={owner.label}"
        lists = together(partial(self._list, kind, {"label_selector": selector}) for kind in COLLECTIONS)
        return [one for each in lists for one in each]

    def find(self, kind: Kind, name: str) -> Found | None:
        """By name. A snapshot has none; its description stands for it."""
        given = {} if kind is Kind.SNAPSHOT else {"name": name}
        return next((one for one in self._list(kind, given) if one.name == name), None)

    def show(self, kind: Kind, resource_id: str) -> Found | None:
        """By id."""
        path, _, single = COLLECTIONS[kind]
        if not _is_id(resource_id):
            return None
        try:
            reply = self._calls.ask("GET", f"{path}/{resource_id}")
        except CloudError as error:
            if error.code == "cloud_not_found":
                return None
            raise
        return self._one(kind, reply, single)

    def create_network(self, wanted: WantedNetwork) -> Found:
        """With its subnet."""
        return self._create(Kind.NETWORK, mapping.network_body(wanted))

    def create_firewall(self, wanted: WantedFirewall) -> Found:
        """Returns when it is applied to what its selector matches now."""
        return self._create(Kind.FIREWALL, mapping.firewall_body(wanted))

    def set_rules(self, firewall_id: str, wanted: WantedFirewall) -> None:
        """Replace its rules; what it applies to stays."""
        self._act(Kind.FIREWALL, firewall_id, "set_rules", {"rules": mapping.rules_body(wanted.rules)})

    def create_server(self, wanted: WantedServer) -> Found:
        """Switched off; its status is as the reply to the order tells it."""
        return self._create(Kind.SERVER, mapping.server_body(wanted))

    def create_volume(self, wanted: WantedVolume) -> Found:
        """Formatted, attached to nothing."""
        return self._create(Kind.VOLUME, mapping.volume_body(wanted))

    def create_ssh_key(self, wanted: WantedSshKey) -> Found:
        """One public key; the same key under two names is refused by the cloud."""
        return self._create(Kind.SSH_KEY, mapping.ssh_key_body(wanted))

    def create_primary_ip(self, wanted: WantedPrimaryIp) -> Found:
        """It stays when its server goes."""
        return self._create(Kind.PRIMARY_IP, mapping.primary_ip_body(wanted))

    def tie(self, primary_ip_id: str) -> None:
        """From now on it goes with its server."""
        self._calls.ask("PUT", f"/primary_ips/{_id(primary_ip_id)}", body={"auto_delete": True})

    def join(self, server_id: str, network_id: str, address: str) -> None:
        """Attach it at this address. One that is there already is no error."""
        body = {"network": int(_id(network_id)), "ip": address}
        try:
            self._act(Kind.SERVER, server_id, "attach_to_network", body)
        except CloudError as error:
            if error.vendor_code not in _ALREADY or not self._joined(server_id, network_id, address):
                raise

    def _joined(self, server_id: str, network_id: str, address: str) -> bool:
        """Whether an earlier attempt has brought it there; its action may be running still."""
        for _ in range(_LOOKS):
            server = self.show(Kind.SERVER, server_id)
            if server is None or server.facts["private_address"]:
                break
            self._waiting.pause(_LOOK_SECONDS)
        return (
            server is not None and network_id in server.facts["networks"] and server.facts["private_address"] == address
        )

    def attach(self, volume_id: str, server_id: str) -> None:
        """Without automount. One that is there already is no error."""
        try:
            self._act(Kind.VOLUME, volume_id, "attach", {"server": int(_id(server_id)), "automount": False})
        except CloudError as error:
            volume = self.show(Kind.VOLUME, volume_id) if error.vendor_code in _ALREADY else None
            if volume is None or volume.facts["server"] != server_id:
                raise

    def detach(self, volume_id: str) -> None:
        """One that is attached to nothing, or is gone, is no error."""
        volume = self.show(Kind.VOLUME, volume_id)
        if volume is not None and volume.facts["server"]:
            self._act(Kind.VOLUME, volume_id, "detach", {})

    def start(self, server_id: str) -> None:
        """Power on."""
        self._act(Kind.SERVER, server_id, "poweron", {})
        self._await_status(Kind.SERVER, server_id, "running")

    def stop(self, server_id: str) -> None:
        """Power off, without asking its system."""
        self._act(Kind.SERVER, server_id, "poweroff", {})
        self._await_status(Kind.SERVER, server_id, "off")

    def shut_down(self, server_id: str, *, seconds: float) -> None:
        """ACPI first: its action is over long before the system has ended, so the status tells."""
        server = self.show(Kind.SERVER, server_id)
        if server is not None and server.facts["status"] == "running":
            self._act(Kind.SERVER, server_id, "shutdown", {})
            for _ in range(math.ceil(seconds / _LOOK_SECONDS)):
                server = self.show(Kind.SERVER, server_id)
                if server is None or server.facts["status"] == "off":
                    break
                self._waiting.pause(_LOOK_SECONDS)
        if server is None or server.facts["status"] != "off":
            self.stop(server_id)

    def change_type(self, server_id: str, type: str) -> None:
        """The disk stays as it is."""
        self._act(Kind.SERVER, server_id, "change_type", {"server_type": type, "upgrade_disk": False})

    def resize_volume(self, volume_id: str, size_gb: int) -> None:
        """The cloud itself refuses less than it has."""
        volume = self.show(Kind.VOLUME, volume_id)
        if volume is None or volume.facts["size_gb"] < size_gb:
            self._act(Kind.VOLUME, volume_id, "resize", {"size": size_gb})

    def snapshot(self, server_id: str, name: str, labels: Mapping[str, str]) -> Found:
        """A snapshot whose description is its name."""
        body = {"type": "snapshot", "description": name, "labels": dict(labels)}
        reply = self._calls.ask("POST", f"/servers/{_id(server_id)}/actions/create_image", body=body)
        made = self._one(Kind.SNAPSHOT, reply, "image")
        self._await(reply)
        return self._await_status(Kind.SNAPSHOT, made.resource_id, "available")

    def label(self, kind: Kind, resource_id: str, labels: Mapping[str, str]) -> None:
        """Replace its labels."""
        self._calls.ask("PUT", f"{COLLECTIONS[kind][0]}/{_id(resource_id)}", body={"labels": dict(labels)})

    def delete(self, kind: Kind, resource_id: str) -> None:
        """Begin, await its end, and look once more."""
        path = f"{COLLECTIONS[kind][0]}/{_id(resource_id)}"
        try:
            try:
                self._await(self._calls.ask("DELETE", path))
            except CloudError as error:
                if error.code != "cloud_in_use" or kind is not Kind.FIREWALL or not self._unselected(resource_id):
                    raise
                self._await(self._calls.ask("DELETE", path))
        except CloudError as error:
            if error.code != "cloud_not_found":
                raise
            return
        for _ in range(_LOOKS):
            if self.show(kind, resource_id) is None:
                return
            self._waiting.pause(_LOOK_SECONDS)
        raise failure("cloud_action_slow", detail=f"the {kind.value} is still there after it was deleted")

    def _unselected(self, firewall_id: str) -> bool:
        """Take a firewall from its selectors, which alone keep it in use; never from under a server that it guards."""
        wall = self.show(Kind.FIREWALL, firewall_id)
        if wall is None or wall.facts["servers"] or not wall.facts["selectors"]:
            return False
        given = [{"type": "label_selector", "label_selector": {"selector": one}} for one in wall.facts["selectors"]]
        self._act(Kind.FIREWALL, firewall_id, "remove_from_resources", {"remove_from": given})
        return True

    def _create(self, kind: Kind, body: Mapping[str, Any]) -> Found:
        path, _, single = COLLECTIONS[kind]
        reply = self._calls.ask("POST", path, body=body)
        made = self._one(kind, reply, single)
        self._await(reply)
        return made

    def _act(self, kind: Kind, resource_id: str, action: str, body: Mapping[str, Any]) -> None:
        self._await(self._calls.ask("POST", f"{COLLECTIONS[kind][0]}/{_id(resource_id)}/actions/{action}", body=body))

    def _await(self, reply: Reply) -> None:
        """All actions of a reply: `action`, `actions`, `next_actions`."""
        self._waiting.until_done(
            [reply.get("action"), *(reply.get("actions") or []), *(reply.get("next_actions") or [])]
        )

    def _await_status(self, kind: Kind, resource_id: str, status: str) -> Found:
        seen = ""
        for _ in range(_LOOKS):
            one = self.show(kind, resource_id)
            if one is None:
                raise failure("cloud_not_found", detail=f"the {kind.value} went away meanwhile")
            seen = one.facts["status"]
            if seen == status:
                return one
            self._waiting.pause(_LOOK_SECONDS)
        raise failure("cloud_action_slow", detail=f"the {kind.value} is {seen}, not {status}")

    def _list(self, kind: Kind, given: Mapping[str, Any]) -> list[Found]:
        path, many, _ = COLLECTIONS[kind]
        if kind is Kind.SNAPSHOT:
            given = {**given, "type": "snapshot"}
        return [mapping.found(kind, data) for data in pages(self._calls, path, many, given)]

    def _one(self, kind: Kind, reply: Reply, single: str) -> Found:
        data = reply.get(single)
        if not isinstance(data, dict):
            raise odd_reply(single)
        return mapping.found(kind, data)


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _id(text: str) -> str:
    """An id as part of a path."""
    if not _is_id(text):
        raise failure("cloud_not_found", detail="there is no such id")
    return text
