"""A whole country for the runbook: a cloud whose servers boot, an internet that ends at its border, an operator's desk.

The cloud's API is a TLS server at the router's address, its zones' name server is beside it, and `internet.py` plays
everything else. Who operates types real commands in a network namespace of the public network: they reach the API, the
bastion and the edge as anybody on the internet does, and nothing else of this machine's networks.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from frostbyte.adapters.hetzner.world.world import World
from frostbyte.adapters.vault.age import fresh
from frostbyte.api.hetzner.names import NameServer
from frostbyte.api.hetzner.serving import Serving
from frostbyte.deploy.authority import Authority
from machines.driver import Ground, Machines, docker
from servers.lanes import built

GROUND: Final = Ground(
    network="198.51.100.0/24", router="198.51.100.1", nobody="198.51.100.254", addresses="198.51.100.64/26"
)
"""For documentation, so nobody's on the internet, and none of those that a plane refuses to be led to."""
DESK: Final = "198.51.100.9"
"""Where the operator sits."""
ALLOWED: Final = "198.51.100.251"
REFUSED: Final = "198.51.100.252"
RESOLVERS: Final = ("185.12.64.1", "185.12.64.2")
"""Hetzner's, which every host is told of; here they are addresses of the container that plays the internet."""
OUTSIDE: Final = {"allowed.example": ALLOWED, "refused.example": REFUSED}
NAME_SERVERS: Final = ("hydrogen.ns.hetzner.com", "oxygen.ns.hetzner.com", "helium.ns.hetzner.de")
ZONE: Final = "frostbyte.example"
DOMAIN: Final = f"pipeline.{ZONE}"
FROSTBYTE: Final = Path(sys.executable).parent / "frostbyte"
COMMAND_SECONDS: Final = 900
INTERNET: Final = Path(__file__).with_name("internet.py")


class Country:
    """Cloud, internet and desk. `close` takes everything away.

    Args:
        system: the machines' image.
        prefix: of all names at the engine.
    """

    def __init__(self, system: str, folder: Path, *, prefix: str = "fbc") -> None:
        self.folder = folder
        self.machines = Machines(system, folder / "driver", prefix=prefix, ground=GROUND, disks=True)
        self.world = World(driver=self.machines, addresses=GROUND.addresses)
        authority = Authority(folder / "cloud", "cloud")
        authority.server("api", [GROUND.router])
        shown = (folder / "cloud/api/public.crt", folder / "cloud/api/private.key")
        self.serving = Serving(self.world, GROUND.router, 443, shown=shown)
        self.names = NameServer(self.world, GROUND.router, 53)
        self.serving.__enter__()
        self.names.__enter__()
        self.world.call(
            self.serving.token, "POST", "/zones", body=json.dumps({"name": ZONE, "mode": "primary"}).encode()
        )
        self._internet(system, f"{prefix}-internet")
        self.environment = self._told(authority)
        self._desk = self._sit(system, f"{prefix}-desk")

    def close(self) -> None:
        """Again is no error."""
        self.names.__exit__(None, None, None)
        self.serving.__exit__(None, None, None)
        self.machines.close()

    # -- who operates ------------------------------------------------------------------------------------------------

    def type(self, *words: str | Path, check: bool = True, seconds: float = COMMAND_SECONDS) -> str:
        """What a command prints that an operator types. Raises AssertionError with what it said."""
        done = self.run(FROSTBYTE, *words, seconds=seconds)
        assert not check or done.returncode == 0, f"{words}: {done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    def asked(self, *words: str) -> Any:
        """What a command answers as JSON."""
        return json.loads(self.type(*words, "--json"))

    def run(
        self, *words: str | Path, seconds: float = COMMAND_SECONDS, **told: str
    ) -> subprocess.CompletedProcess[str]:
        """Any program, in the desk's network and with its resolver."""
        inside = ("nsenter", f"--net=/proc/{self._desk}/ns/net", "unshare", "--mount", "sh", "-c")
        script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
        return subprocess.run(
            [*inside, script, self.folder / "resolv.conf", *words],
            env=self.environment | told,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def meet(self) -> None:
        """From now on commands go to the control plane on the edge's host, trusted by the edge's own authority."""
        folder = self.folder / "operator"
        read = "print(open('/var/lib/frostbyte/edge-ca/ca.pem').read())"
        told = self.on("fb-edge", "docker", "exec", "frostbyte-base-control-1", "python", "-c", read)
        (self.folder / "edge.pem").write_text(f"{told}\n")
        self.environment |= {
            "FROSTBYTE_CONTROL_URL": (folder / "edge-url").read_text().strip(),
            "FROSTBYTE_CONTROL_TOKEN": (folder / "edge-token").read_text().strip(),
            "SSL_CERT_FILE": str(self.folder / "edge.pem"),
        }

    def curl(self, url: str) -> str:
        """What somebody at the desk is answered through the edge."""
        done = self.run("curl", "--silent", "--show-error", "--cacert", self.folder / "edge.pem", url)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def status(self, url: str) -> int:
        """With which status."""
        words = ("curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}")
        return int(self.run(*words, "--cacert", self.folder / "edge.pem", url).stdout)

    def on(self, host: str, *words: str, check: bool = True) -> str:
        """Run something on a machine, from the side."""
        (found,) = (
            server.id for one in self.world.projects.values() for server in one.servers.values() if server.name == host
        )
        return self.machines.run(found, *words, check=check)

    def there(self) -> list[tuple[str, str]]:
        """Everything at the cloud but the zone."""
        return sorted((one.kind, one.name) for one in self.world.bill().existing)

    def _told(self, authority: Authority) -> dict[str, str]:
        _, recipient = fresh()
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("FROSTBYTE_", "HCLOUD_"))}
        return kept | {
            "FROSTBYTE_MODE": "development",
            "FROSTBYTE_CONTROL_DATA_DIR": str(self.folder / "operator"),
            "FROSTBYTE_CONTROL_DOMAIN": DOMAIN,
            "FROSTBYTE_CONTROL_ENVIRONMENT": "test",
            "FROSTBYTE_HCLOUD_ENDPOINT": self.serving.endpoint,
            "FROSTBYTE_HCLOUD_TOKEN": self.serving.token,
            "FROSTBYTE_CA_FILE": str(authority.ca_file),
            "FROSTBYTE_DNS_ZONE": ZONE,
            "FROSTBYTE_OPERATORS": f"{DESK}/32",
            "FROSTBYTE_RECOVERY_RECIPIENT": recipient,
            "FROSTBYTE_SOPS": built("sops") or "sops",
        }

    # -- the containers around ---------------------------------------------------------------------------------------

    def _internet(self, system: str, name: str) -> None:
        names = OUTSIDE | dict.fromkeys(NAME_SERVERS, GROUND.router)
        addresses = [f"{GROUND.nobody}/32 dev eth0", *(f"{one}/32 dev eth0" for one in OUTSIDE.values())]
        addresses += [f"{one}/32 dev lo" for one in RESOLVERS]
        script = "".join(f"ip address add {one}\n" for one in addresses)
        script += 'ip route del default\nexec python3 /internet.py "$0" "$1"\n'
        held = (
            "--cap-add",
            "NET_ADMIN",
            "--sysctl",
            "net.ipv4.ip_forward=0",
            "--volume",
            f"{INTERNET}:/internet.py:ro",
        )
        place = ("--network", self.machines.public_network, "--ip", "198.51.100.253")
        docker(
            "run",
            "--detach",
            "--name",
            name,
            *held,
            *place,
            system,
            "sh",
            "-c",
            script,
            json.dumps(names),
            GROUND.router,
        )

    def _sit(self, system: str, name: str) -> int:
        """The process whose network the desk's commands are in."""
        (self.folder / "resolv.conf").write_text(f"nameserver {RESOLVERS[0]}\n")
        place = ("--network", self.machines.public_network, "--ip", DESK)
        docker("run", "--detach", "--name", name, *place, system, "sleep", "infinity")
        return int(docker("inspect", "--format", "{{.State.Pid}}", name))
