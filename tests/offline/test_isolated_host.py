"""The host that the proofs run on has no way out, and its neighbour counts what leaves once there is one."""

from __future__ import annotations

import pytest

from offline.host import isolated_host
from servers.lanes import need

pytestmark = [pytest.mark.slow, pytest.mark.docker]


def test_it_leads_nowhere_until_there_is_a_neighbour_who_counts() -> None:
    need("docker")
    need("root")
    with isolated_host() as host:
        assert "default" not in host.run("ip", "route").stdout
        assert host.run("docker", "info", "--format", "{{.Containers}}").stdout.strip() == "0"
        reach = ("bash", "-c", "echo x > /dev/udp/198.51.100.7/53")
        assert host.run(*reach, check=False).returncode != 0
        host.outside()
        before = host.seen_outside()
        assert before == 0
        host.run(*reach)
        assert host.seen_outside() > before
    assert not host.folder.exists()
