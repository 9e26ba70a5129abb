"""The configuration that a plane begins with: version 1, written down whole, an event; and never again after that."""

from __future__ import annotations

from pathlib import Path

import pytest

from frostbyte.bootstrap.data import Plane, build
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.settings import load

pytestmark = pytest.mark.slow


def begun(folder: Path, text: str | None, **more: str) -> Plane:
    told = {"FROSTBYTE_DATA_DIR": str(folder / "p"), "FROSTBYTE_TENANT_ID": "acme"} | more
    if text is not None:
        (folder / "tenant.json").write_text(text)
        told["FROSTBYTE_TENANT_CONFIG"] = str(folder / "tenant.json")
    return build(load(told))


def changes(plane: Plane) -> list[tuple[str, list[str]]]:
    """Who changed the configuration, and what, by the audit log."""
    while plane.sequencer.run_once():
        pass
    found = plane.record.events(type="TENANT_CONFIG_UPDATED")["events"]
    return [(event["actor"], event["details"]["changed"]) for event in found]


def test_it_is_version_one_and_what_people_change_later_stays(tmp_path: Path) -> None:
    plane = begun(tmp_path, '{"top_k": 7, "pii_policy": "block"}')
    try:
        shown = plane.configuration.show()
        assert (shown["version"], shown["actor"], shown["values"]["top_k"]) == (1, "installation", 7)
        assert len(shown["values"]) > 10  # whole: another release may have other defaults
        assert changes(plane) == [("installation", ["pii_policy", "top_k"])]
        plane.configuration.change({"top_k": 9}, expected=1, actor="ann")
    finally:
        plane.close()
    again = begun(tmp_path, '{"top_k": 3}')  # as an update brings it
    try:
        shown = again.configuration.show()
        assert (shown["version"], shown["values"]["top_k"], shown["values"]["pii_policy"]) == (2, 9, "block")
    finally:
        again.close()


def test_the_defaults_are_written_down_too(tmp_path: Path) -> None:
    plane = begun(tmp_path, "{}")
    try:
        assert plane.configuration.show()["version"] == 1
        assert changes(plane) == [("installation", [])]
    finally:
        plane.close()


def test_one_that_cannot_be_is_refused_and_nothing_is_begun(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as refused:
        begun(tmp_path, '{"top_q": 7}')
    assert refused.value.code == "config_invalid"
    plane = begun(tmp_path, None)
    try:
        assert plane.configuration.show()["version"] == 0
    finally:
        plane.close()


def test_a_file_that_is_not_there_is_said() -> None:
    with pytest.raises(Invalid) as refused:
        load({"FROSTBYTE_TENANT_CONFIG": "/nowhere/tenant.json"})
    assert "FROSTBYTE_TENANT_CONFIG" in refused.value.message
