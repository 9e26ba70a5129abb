"""What can only be read: locations, data centres, server types, prices, actions, and kinds of which there are none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from frostbyte.adapters.hetzner.world import shown
from frostbyte.adapters.hetzner.world.call import Answer, Call, Handler, Routes
from frostbyte.adapters.hetzner.world.refusals import invalid, not_found


def locations(call: Call) -> Answer:
    """`GET /locations`."""
    return _named(call, "locations", [shown.location(place) for place in call.world.offers.prices.locations])


def location(call: Call) -> Answer:
    """`GET /locations/{id}`."""
    place = call.world.offers.location(call.number())
    if place is None:
        raise not_found("location", call.number())
    return Answer(200, {"location": shown.location(place)})


def datacenters(call: Call) -> Answer:
    """`GET /datacenters`."""
    places = call.world.offers.prices.locations
    return _named(call, "datacenters", [shown.datacenter(call.world, place.name) for place in places])


def datacenter(call: Call) -> Answer:
    """`GET /datacenters/{id}`."""
    place = call.world.offers.location(call.number())
    if place is None:
        raise not_found("datacenter", call.number())
    return Answer(200, {"datacenter": shown.datacenter(call.world, place.name)})


def server_types(call: Call) -> Answer:
    """`GET /server_types`: those that cannot be ordered any more are listed as well, as the API does for a while."""
    sold = call.world.offers.prices.server_types
    return _named(call, "server_types", [shown.server_type(call.world, one) for one in sold])


def server_type(call: Call) -> Answer:
    """`GET /server_types/{id}`."""
    sold = call.world.offers.type(call.number())
    if sold is None:
        raise not_found("server type", call.number())
    return Answer(200, {"server_type": shown.server_type(call.world, sold)})


def _named(call: Call, key: str, items: list[dict[str, Any]]) -> Answer:
    wanted = call.one("name")
    chosen = [item for item in items if wanted is None or item["name"] == wanted]
    return call.paged(key, chosen, lambda item: item)


def pricing(call: Call) -> Answer:
    """`GET /pricing`."""
    world, prices = call.world, call.world.offers.prices
    ip = prices.primary_ipv4
    types = [shown.server_type(world, one) for one in prices.server_types]
    return Answer(
        200,
        {
            "pricing": {
                "currency": prices.currency,
                "vat_rate": str(prices.vat_rate),
                "image": {"price_per_gb_month": shown.price(world, prices.image_gb_month)},
                "volume": {"price_per_gb_month": shown.price(world, prices.volume_gb_month)},
                "server_backup": {"percentage": str(prices.server_backup_percent)},
                "server_types": [{name: one[name] for name in ("id", "name", "prices")} for one in types],
                "primary_ips": [
                    {
                        "type": kind,
                        "prices": [
                            {
                                "location": place.name,
                                "price_hourly": shown.price(world, ip.hourly * paid),
                                "price_monthly": shown.price(world, ip.monthly * paid),
                            }
                            for place in prices.locations
                        ],
                    }
                    for kind, paid in (("ipv4", 1), ("ipv6", 0))
                ],
                "floating_ips": [],
                "load_balancer_types": [],
            }
        },
    )


def actions(call: Call) -> Answer:
    """`GET /actions?id=..&id=..`: ids are required since January 2025."""
    wanted = call.query.get("id")
    if not wanted:
        raise invalid("id", "is required")
    if not all(text.isascii() and text.isdigit() and len(text) <= 16 for text in wanted):
        raise invalid("id", "must be an integer")
    known = call.project.actions
    found = [known[int(text)] for text in dict.fromkeys(wanted) if int(text) in known]
    return call.paged("actions", found, lambda one: shown.action(call.world, one))


def action(call: Call) -> Answer:
    """`GET /actions/{action_id}`, and the same below a kind."""
    return Answer(200, {"action": call.world.action(call.project, call.number("action_id"))})


@dataclass(frozen=True)
class _Of:
    """Actions of one kind of resource, or of one resource."""

    kind: str

    def __call__(self, call: Call) -> Answer:
        """All, or those of the resource that the path names."""
        which = call.number() if "id" in call.names else None
        wanted = call.query.get("status", ())
        found = [
            one
            for one in call.project.actions.values()
            if (not wanted or one.status in wanted)
            and any(kind == self.kind and which in (None, other) for kind, other in one.resources)
        ]
        for asked in reversed(call.query.get("sort", ())):
            name, _, way = asked.partition(":")
            if name not in ("id", "command", "status", "started", "finished") or way not in ("", "asc", "desc"):
                raise invalid("sort", "is not a field that can be sorted by")
            found.sort(key=lambda one: str(getattr(one, name)), reverse=way == "desc")
        return call.paged("actions", found, lambda one: shown.action(call.world, one))


def _none(key: str) -> Handler:
    """A kind that is not simulated and of which there are none: lists are empty, and nothing can be made."""
    return lambda call: call.paged(key, [], lambda one: {})


_ABSENT: Final = (
    "certificates",
    "floating_ips",
    "isos",
    "load_balancers",
    "load_balancer_types",
    "placement_groups",
)
_KINDS: Final = (
    ("servers", "server"),
    ("networks", "network"),
    ("firewalls", "firewall"),
    ("volumes", "volume"),
    ("primary_ips", "primary_ip"),
    ("images", "image"),
    ("zones", "zone"),
)
ROUTES: Routes = (
    ("GET", "/locations", locations),
    ("GET", "/locations/{id}", location),
    ("GET", "/datacenters", datacenters),
    ("GET", "/datacenters/{id}", datacenter),
    ("GET", "/server_types", server_types),
    ("GET", "/server_types/{id}", server_type),
    ("GET", "/pricing", pricing),
    ("GET", "/actions", actions),
    ("GET", "/actions/{action_id}", action),
    *(("GET", f"/{key}", _none(key)) for key in _ABSENT),
    *(("GET", f"/{key}/actions", _Of(kind)) for key, kind in _KINDS),
    *(("GET", f"/{key}/actions/{{action_id}}", action) for key, _ in _KINDS),
    *(("GET", f"/{key}/{{id}}/actions", _Of(kind)) for key, kind in _KINDS if key != "zones"),
    *(("GET", f"/{key}/{{id}}/actions/{{action_id}}", action) for key, _ in _KINDS),
)
