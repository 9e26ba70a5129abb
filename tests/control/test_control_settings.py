"""What a control plane is told, and what it refuses to start with outside development."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from frostbyte.bootstrap import posture
from frostbyte.bootstrap.control import findings
from frostbyte.control_plane.settings import ControlSettings, load
from frostbyte.kernel.errors import Invalid

TABLE = tomllib.loads(Path(__file__).with_name("control_settings.toml").read_text())


def resolve(host: str) -> list[str]:
    found: list[str] = TABLE["hosts"].get(host, [])
    return found


def given(changes: dict[str, str]) -> ControlSettings:
    return load({f"FROSTBYTE_{name}": value for name, value in changes.items()})


@pytest.mark.parametrize("case", TABLE["refused"], ids=lambda case: case["name"])
def test_a_setting_that_is_none_is_named(case: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as caught:
        given(case["set"])
    assert caught.value.code == "settings_invalid"
    assert f"FROSTBYTE_{case['names']} " in caught.value.message


@pytest.mark.parametrize("case", TABLE["case"], ids=lambda case: case["name"])
def test_posture(case: dict[str, Any]) -> None:
    settings = given({"MODE": "online"} | case.get("set", {}))
    found = findings(settings, resolve)
    assert [one.stand_in.value for one in found] == case["found"]
    if not case["found"]:
        posture.refuse(settings, found)
        return
    with pytest.raises(Invalid) as caught:
        posture.refuse(settings, found)
    assert caught.value.code == "stand_in_refused"
    assert "hunter2" not in caught.value.message + caught.value.remedy + repr(settings)
    named = given({"MODE": "online", "STANDINS": ",".join(case["found"])} | case.get("set", {}))
    posture.refuse(named, found)
    posture.refuse(given(case.get("set", {}) | {"MODE": "development"}), found)


def test_the_defaults_are_for_a_developers_machine() -> None:
    settings = given({})
    assert (settings.host, settings.port, settings.environment) == ("127.0.0.1", 8090, "production")
    assert settings.domain == "pipeline.localhost"
    assert settings.keys_folder == settings.data_dir / "secrets"
    assert settings.edge_folder == settings.data_dir / "edge"
    assert settings.log_origin == "frostbyte/control/production"


def test_a_secret_is_read_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("postgresql://u:p@localhost/control\n")
    assert given({"CONTROL_DATABASE_URL_FILE": str(file)}).database_url == "postgresql://u:p@localhost/control"
