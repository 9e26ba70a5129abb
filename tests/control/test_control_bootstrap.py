"""A whole control plane: it starts, keeps its own audit, and begins again where it was left."""

from __future__ import annotations

from pathlib import Path

import pytest

from frostbyte.adapters.registry import sole
from frostbyte.bootstrap.control import build
from frostbyte.control_plane.settings import ControlSettings
from frostbyte.kernel.audit.checkpoint import open_checkpoint, public_key
from frostbyte.kernel.errors import Conflict, FrostbyteError, Invalid, Unavailable
from frostbyte.kernel.settings import Mode


@pytest.mark.slow
def test_it_keeps_its_own_audit_and_begins_again_where_it_was_left(tmp_path: Path) -> None:
    settings = ControlSettings(data_dir=tmp_path / "control")
    plane = build(settings)
    try:
        with pytest.raises(Conflict) as caught:
            build(settings)
        assert caught.value.code == "data_dir_in_use"
        plane.start()
        plane.projects.create("north", actor="alice")
        row = plane.tenants.create("acme", "north", actor="alice")
        assert row.last_event_id is not None
        checkpoint = plane.sequencer.wait_for_checkpoint(row.last_event_id, 10)
        key = plane.signer.verifier_key
        assert open_checkpoint(checkpoint.note, public_key(key)).origin == "frostbyte/control/production"
        assert plane.ready()["checkpoint_size"] == 2
        assert plane.stand_ins == ["database"]
    finally:
        plane.close()
    with pytest.raises(Conflict) as caught:
        build(ControlSettings(data_dir=tmp_path / "control", environment="staging"))
    assert caught.value.code == "control_of_another_environment"
    again = build(settings)
    try:
        assert again.signer.verifier_key == key
        assert again.tenants.show("acme") == row
    finally:
        again.close()


def test_it_refuses_what_only_development_allows(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        build(ControlSettings(data_dir=tmp_path / "control", mode=Mode.ONLINE))
    assert caught.value.code == "stand_in_refused"
    assert not (tmp_path / "control").exists()


@pytest.mark.slow
def test_a_tenants_own_database_is_no_register(tmp_path: Path) -> None:
    from frostbyte.adapters.postgres import EmbeddedServer, migrate

    with EmbeddedServer(tmp_path / "postgres") as server:
        migrate(server.owner_dsn)
        with pytest.raises(FrostbyteError) as caught:
            build(ControlSettings(data_dir=tmp_path / "control", database_url=server.owner_dsn))
    assert caught.value.code == "schema_newer"


@pytest.mark.slow
def test_one_whose_database_another_took_over_stops_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sole, "LOOK_SECONDS", 0.05)
    plane = build(ControlSettings(data_dir=tmp_path / "control"))
    try:
        assert plane.server is not None
        assert plane.sole is not None
        plane.ready()
        other = sole.Sole(plane.server.writer_dsn)
        plane.sole.release()  # as when its session was cut
        other.take()
        plane.start()
        assert plane.replaced.wait(10)
        with pytest.raises(Unavailable) as caught:
            plane.ready()
        assert caught.value.code == "control_plane_replaced"
        other.release()
    finally:
        plane.close()
