"""What a plane refuses to start with outside development (promise 2): cases in posture.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from frostbyte.bootstrap import posture
from frostbyte.bootstrap.data import build
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.settings import Mode, Settings, StandIn, load

TABLE = tomllib.loads(Path(__file__).with_name("posture.toml").read_text())


def resolve(host: str) -> list[str]:
    found: list[str] = TABLE["hosts"].get(host, [])
    return found


def settings(changes: dict[str, str]) -> Settings:
    return load({f"FROSTBYTE_{name}": value for name, value in (TABLE["whole"] | changes).items()})


@pytest.mark.parametrize("case", TABLE["case"], ids=lambda case: case["name"])
def test_findings(case: dict[str, Any]) -> None:
    given = settings(case.get("set", {}))
    assert [one.stand_in.value for one in posture.findings(given, resolve)] == case["found"]
    if not case["found"]:
        posture.check(given, resolve)
        return
    with pytest.raises(Invalid) as caught:
        posture.check(given, resolve)
    assert caught.value.code == "stand_in_refused"
    assert "FROSTBYTE_" in caught.value.remedy
    # Named, it may start; in development nobody need name it.
    posture.check(settings(case["set"] | {"STANDINS": ",".join(case["found"])}), resolve)
    posture.check(settings(case["set"] | {"MODE": "development"}), resolve)


def test_naming_one_stand_in_allows_no_other() -> None:
    with pytest.raises(Invalid) as caught:
        posture.check(settings({"CLAMD_ADDRESS": "", "VECTORS_URL": "", "STANDINS": "vectors"}), resolve)
    assert "scanner" in caught.value.remedy
    assert "vector" not in caught.value.message


def test_all_of_it_is_said_at_once_and_no_secret_with_it() -> None:
    password = "hunter2"
    given = settings({"CLAMD_ADDRESS": "", "QUEUE_URL": f"redis://u:{password}@db.acme/0"})
    with pytest.raises(Invalid) as caught:
        posture.check(given, resolve)
    assert "Or name scanner,tls,secrets in FROSTBYTE_STANDINS" in caught.value.remedy
    assert password not in caught.value.message + caught.value.remedy + repr(given)


def test_an_unreadable_database_address_is_refused_without_showing_it() -> None:
    with pytest.raises(Invalid) as caught:
        posture.findings(settings({"DATABASE_URL": "postgresql://u:canary-77@[half"}), resolve)
    assert "FROSTBYTE_DATABASE_URL" in caught.value.message
    assert "canary-77" not in str(caught.value) + caught.value.message


def test_a_service_file_hides_where_the_database_is_and_is_refused() -> None:
    with pytest.raises(Invalid) as caught:
        posture.findings(settings({"DATABASE_URL": "service=prod"}), resolve)
    assert caught.value.code == "settings_invalid"


@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0", "8.8.8.0/24", "10.0.0.0/7"])
def test_the_world_is_no_local_network(network: str) -> None:
    with pytest.raises(Invalid) as caught:
        settings({"LOCAL_NETWORK": network})
    assert "FROSTBYTE_LOCAL_NETWORK" in caught.value.message


@pytest.mark.parametrize("mode", ["online", "offline"])
def test_a_plane_of_stand_ins_does_not_start(mode: str, tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        build(load({"FROSTBYTE_MODE": mode, "FROSTBYTE_DATA_DIR": str(tmp_path / "plane")}))
    assert caught.value.code == "stand_in_refused"
    assert not (tmp_path / "plane").exists()  # it refuses before it makes anything
    for stand_in in (StandIn.SCANNER, StandIn.DATABASE, StandIn.OBJECTS, StandIn.VECTORS, StandIn.QUEUE):
        assert stand_in.value in caught.value.remedy


def test_a_server_that_is_named_as_a_stand_in_is_reported_as_one() -> None:
    """`frostbyte serve vectors` has an address like any other server: who names it is believed."""
    named = Settings(stand_ins=frozenset({StandIn.VECTORS, StandIn.SCANNER}))
    assert posture.stand_ins(named, []) == ["scanner", "vectors"]
    found = [one for one in posture.findings(named) if one.stand_in is StandIn.VECTORS]
    assert posture.stand_ins(named, found) == ["vectors", "scanner"]
    assert posture.stand_ins(Settings(), []) == []


@pytest.mark.parametrize(
    ("mode", "listens", "found"),
    [
        (Mode.ONLINE, None, ["control"]),
        (Mode.ONLINE, ("127.0.0.1", 8443), []),
        (Mode.OFFLINE, None, []),
        (Mode.DEVELOPMENT, None, []),
    ],
)
def test_an_online_gateway_needs_a_control_plane(mode: Mode, listens: tuple[str, int] | None, found: list[str]) -> None:
    given = Settings(mode=mode, channel_listen=listens)
    seen = [one.stand_in.value for one in posture.findings(given, gateway=True)]
    assert [name for name in seen if name == "control"] == found
    assert "control" not in [one.stand_in.value for one in posture.findings(given)]  # of workers and serving
    assert given.needs_lease is (mode is Mode.ONLINE)
    assert not Settings(mode=mode, stand_ins=frozenset({StandIn.CONTROL})).needs_lease
