"""The scripts reckon a host's addresses in bash, and the compose project in Python: both say the same."""

from __future__ import annotations

import pytest

from frostbyte.deploy.compose import Options
from offline.miniature import SCRIPTS, Host

NAMES = "SUBNET SERVING_ADDRESS DEAD_END EDGE_SUBNET EDGE_GATEWAY EDGE_DEAD_END".split()


@pytest.mark.parametrize(
    ("subnet", "edge"),
    [
        ("172.28.0.0/16", "172.30.6.0/29"),
        ("10.99.7.0/24", "10.98.0.8/29"),
        ("192.168.200.32/27", "192.168.200.64/28"),
        ("10.0.0.0/8", "172.16.0.0/12"),
    ],
)
def test_a_host_s_addresses_follow_from_its_networks_in_both(host: Host, subnet: str, edge: str) -> None:
    script = host.folder / "try.sh"
    script.write_text(f'set -euo pipefail\n. "{SCRIPTS}/lib.sh"\n. "{SCRIPTS}/host.sh"\nnetwork_settings "$1" "$2"\n')
    done = host.run(script, subnet, edge)
    assert done.returncode == 0, done.stderr
    values = Options(tenant="acme", version="0", subnet=subnet, edge=edge).values
    assert done.stdout.splitlines() == [f"FROSTBYTE_{name}={values[name]}" for name in NAMES]
