"""A real client drives the simulator: whole ways through, as a provisioner goes them."""

from __future__ import annotations

import hcloud
import pytest
from hcloud.images.domain import Image
from hcloud.locations.domain import Location
from hcloud.networks.domain import NetworkSubnet
from hcloud.server_types.domain import ServerType
from hcloud.servers.domain import ServerCreatePublicNetwork

from frostbyte.api.hetzner.serving import Serving


@pytest.fixture
def client(hetzner: Serving) -> hcloud.Client:
    return hcloud.Client(token=hetzner.token, api_endpoint=hetzner.endpoint, poll_interval=0.01, timeout=10)


def test_a_private_server_with_a_volume_is_made_off_joined_started_and_taken_away(
    hetzner: Serving, client: hcloud.Client
) -> None:
    subnet = NetworkSubnet(type="cloud", network_zone="eu-central", ip_range="10.7.1.0/24")
    network = client.networks.create("fb-acme-net", "10.7.0.0/16", subnets=[subnet], labels={"a": "b"})
    made = client.servers.create(
        "fb-acme-db",
        ServerType(name="cx33"),
        Image(name="debian-13"),
        location=Location(name="fsn1"),
        start_after_create=False,
        public_net=ServerCreatePublicNetwork(enable_ipv4=False, enable_ipv6=False),
    )
    made.action.wait_until_finished()
    assert made.next_actions == []
    server = client.servers.get_by_id(made.server.id)
    assert server.status == "off"
    with pytest.raises(hcloud.APIException) as refused:
        server.power_on()
    assert refused.value.code == "invalid_input"
    server.attach_to_network(network, ip="10.7.1.20").wait_until_finished()
    volume = client.volumes.create(20, "fb-acme-data", location=Location(name="fsn1"), format="ext4")
    volume.action.wait_until_finished()
    volume.volume.attach(server, automount=False).wait_until_finished()
    server.power_on().wait_until_finished()
    server.reload()
    assert (server.status, server.private_net[0].ip) == ("running", "10.7.1.20")
    assert [one.id for one in server.volumes] == [volume.volume.id]
    assert volume.volume.linux_device == f"/dev/disk/by-id/scsi-0HC_Volume_{volume.volume.id}"
    bill = hetzner.world.bill()
    assert bill.owned == {
        ("network", str(network.id)),
        ("server", str(server.id)),
        ("volume", str(volume.volume.id)),
    }
    server.delete().wait_until_finished()
    assert client.volumes.get_by_id(volume.volume.id).server is None
    volume.volume.delete()
    network.delete()
    assert hetzner.world.bill().empty
    assert hetzner.world.bill().cost > 0
