"""A client of the simulated API that hides nothing: status, code and body of each answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from frostbyte.adapters.hetzner.world.call import Answer
from frostbyte.adapters.hetzner.world.world import World

OFF = {"enable_ipv4": False, "enable_ipv6": False}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 42 + "B ops"


@dataclass
class Asking:
    """A world with a token."""

    world: World
    token: str

    def __call__(self, method: str, path: str, body: Any = None, **query: Any) -> Answer:
        lists = {name: value if isinstance(value, list) else [str(value)] for name, value in query.items()}
        sent = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return self.world.call(self.token, method, path, lists, sent)

    def code(self, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, str]:
        """Status and code of a refusal; ('' where it was none)."""
        answer = self(method, path, body, **query)
        return answer.status, (answer.body or {}).get("error", {}).get("code", "")

    def made(self, path: str, body: Any) -> Any:
        """What a POST has made, settled."""
        answer = self("POST", path, body)
        assert answer.status == 201, answer.body
        assert answer.body is not None
        self.world.settle()
        return next(value for key, value in answer.body.items() if key not in ("action", "actions", "next_actions"))

    def got(self, path: str, **query: Any) -> Any:
        """The one thing in a GET's body."""
        answer = self("GET", path, **query)
        assert answer.status == 200, answer.body
        assert answer.body is not None
        return next(iter(answer.body.values()))

    def server(self, name: str = "a", **more: Any) -> Any:
        """A server that is off, with public addresses unless it is told otherwise."""
        body = {"name": name, "server_type": "cx23", "image": "debian-13", "location": "fsn1"}
        return self.made("/servers", body | {"start_after_create": False} | more)

    def network(self, octet: int = 7, **more: Any) -> Any:
        """10.octet.0.0/16 with one subnet."""
        subnet = {"type": "cloud", "network_zone": "eu-central", "ip_range": f"10.{octet}.1.0/24"}
        return self.made(
            "/networks", {"name": f"n{octet}", "ip_range": f"10.{octet}.0.0/16", "subnets": [subnet]} | more
        )

    def volume(self, name: str = "v", **more: Any) -> Any:
        """Ten gigabytes in fsn1."""
        return self.made("/volumes", {"name": name, "size": 10, "location": "fsn1"} | more)

    def firewall(self, name: str = "w", **more: Any) -> Any:
        """One that lets 443 in."""
        rule = {"direction": "in", "protocol": "tcp", "port": "443", "source_ips": ["0.0.0.0/0", "::/0"]}
        return self.made("/firewalls", {"name": name, "rules": [rule]} | more)


def asking(world: World, **how: Any) -> Asking:
    """With a new token."""
    return Asking(world, world.token(**how))
