"""The port `Dns` over the zones of Hetzner's Cloud API: a name and type is one RRSet, which carries labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from frostbyte.adapters.dns.answers import Answering, Authority, Server, addresses
from frostbyte.adapters.dns.records import found, fresh, plain, removable, unreachable, zone_missing
from frostbyte.adapters.hetzner.calls import Calls
from frostbyte.adapters.hetzner.errors import odd_reply
from frostbyte.adapters.hetzner.listing import pages
from frostbyte.adapters.hetzner.waiting import Waiting
from frostbyte.control_plane.provisioning.ports import CloudError
from frostbyte.control_plane.provisioning.resources import FROSTBYTE, MANAGED_BY, Found, WantedRecord

_ATTEMPTS: Final = 3
"""At putting records where another one puts them at the same time."""


class HetznerDns:
    """The zones of one project. Safe for many threads.

    Args:
        authority: whom to believe; without one, the name servers that Hetzner has assigned to a zone.
    """

    def __init__(self, calls: Calls, waiting: Waiting | None = None, authority: Answering | None = None) -> None:
        self._calls = calls
        self._waiting = waiting or Waiting(calls)
        self._authority = authority or Authority(find=self._assigned)
        self._known: dict[str, Sequence[Server]] = {}

    def find(self, zone: str, name: str, type: str) -> Found | None:
        """Whoever's they are."""
        try:
            reply = self._calls.ask("GET", _path(zone, name, type))
        except CloudError as error:
            if error.code == "cloud_not_found":
                return None
            raise
        return _found(zone, reply.get("rrset"))

    def put(self, wanted: WantedRecord) -> Found:
        """Make or replace ours; what is as it should be is left as it is."""
        for attempt in range(_ATTEMPTS):
            there = self.find(wanted.zone, wanted.name, wanted.type)
            if fresh(wanted, there) and there is not None:
                return there
            try:
                return self._replace(wanted, there) if there else self._create(wanted)
            except CloudError as error:
                if error.code == "cloud_not_found" and there is None:
                    raise zone_missing(wanted.zone) from None
                if error.code not in ("cloud_name_taken", "cloud_not_found") or attempt == _ATTEMPTS - 1:
                    raise
        raise AssertionError

    def _create(self, wanted: WantedRecord) -> Found:
        body = {
            "name": wanted.name,
            "type": wanted.type,
            "ttl": wanted.ttl,
            "labels": dict(wanted.labels),
            "records": _records(wanted),
        }
        reply = self._calls.ask("POST", f"/zones/{quote(wanted.zone)}/rrsets", body=body)
        made = _found(wanted.zone, reply.get("rrset"))
        self._waiting.until_done([reply.get("action")])
        return made

    def _replace(self, wanted: WantedRecord, there: Found) -> Found:
        path = _path(wanted.zone, wanted.name, wanted.type)
        changes: list[tuple[str, dict[str, Any]]] = [("set_records", {"records": _records(wanted)})]
        if there.facts["ttl"] != wanted.ttl:
            changes.append(("change_ttl", {"ttl": wanted.ttl}))
        for action, body in changes:
            self._waiting.until_done([self._calls.ask("POST", f"{path}/actions/{action}", body=body).get("action")])
        return found(wanted.zone, wanted.name, wanted.type, wanted.values, wanted.ttl, there.labels)

    def remove(self, zone: str, name: str, type: str) -> None:
        """Remove ours; what is not there is no error."""
        if not removable(self.find(zone, name, type), zone):
            return
        try:
            self._waiting.until_done([self._calls.ask("DELETE", _path(zone, name, type)).get("action")])
        except CloudError as error:
            if error.code != "cloud_not_found":
                raise

    def observe(self) -> list[Found]:
        """With our labels, in all zones of the project: a request, and one for each zone."""
        selector = {"label_selector": f"{MANAGED_BY}=={FROSTBYTE}"}
        return [
            _found(str(zone["name"]), data)
            for zone in self.zones()
            for data in pages(self._calls, f"/zones/{quote(str(zone['name']))}/rrsets", "rrsets", selector)
        ]

    def zones(self) -> list[Mapping[str, Any]]:
        """The zones of the project, as the API tells them."""
        return [zone for zone in pages(self._calls, "/zones", "zones") if "name" in zone]

    def answer(self, zone: str, name: str, type: str) -> tuple[str, ...]:
        """By whom is believed."""
        return self._authority.answer(zone, name, type)

    def _assigned(self, zone: str) -> Sequence[Server]:
        if zone not in self._known:
            data = self._calls.ask("GET", f"/zones/{quote(zone)}").get("zone")
            names = ((data or {}).get("authoritative_nameservers") or {}).get("assigned") or []
            servers = [server for name in names for server in addresses(str(name))]
            if not servers:
                raise unreachable(f"the name servers of {zone} cannot be found")
            self._known[zone] = servers
        return self._known[zone]


def _path(zone: str, name: str, type: str) -> str:
    return f"/zones/{quote(zone)}/rrsets/{quote(name, safe='*@')}/{quote(type)}"


def _records(wanted: WantedRecord) -> list[dict[str, str]]:
    return [{"value": _written(wanted.type, value)} for value in wanted.values]


def _written(type: str, value: str) -> str:
    """As a zone file has it, which is how the API takes it: texts in quotes, names of hosts with their last dot."""
    if type == "TXT":
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return plain(type, value) + "." if type == "CNAME" else value


def unwritten(type: str, value: str) -> str:
    """A value as people have it, from how a zone file has it."""
    if type == "TXT" and value.startswith('"') and value.endswith('"') and len(value) > 1:
        return value[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return value


def _found(zone: str, data: Any) -> Found:
    try:
        kind = str(data["type"])
        values = [unwritten(kind, str(record["value"])) for record in data["records"]]
        return found(zone, str(data["name"]), kind, values, int(data["ttl"] or 0), data.get("labels") or {})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise odd_reply(f"proper RRSet ({type(error).__name__})") from None
