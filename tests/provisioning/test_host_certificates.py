"""Certificates of tenants' hosts: whom they are for, when they are made anew, what destroys them."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from frostbyte.bootstrap.authorities import Authorities, HostCertificates
from frostbyte.control_plane.provisioning.hosting import Credentials
from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.deploy.authority import Client

ACME = Owner(environment="test", project_id="p1", tenant_id="acme")
OTHER = Owner(environment="test", project_id="p1", tenant_id="other")
WANTED = {"gateway": ["10.7.1.10", "203.0.113.7"], "channel": ["203.0.113.7"], "database": ["10.7.1.20"]}


class World:
    """A control host whose clock is the test's."""

    def __init__(self, folder: Path) -> None:
        self.now = datetime(2026, 1, 1, 12, tzinfo=UTC)
        self.folder = folder
        self.authorities = Authorities(folder, lambda: self.now)
        self.certificates = HostCertificates(self.authorities)

    def shown(self) -> dict[str, Credentials]:
        """Everything that a tenant's hosts and those who come to them show."""
        clients = {f"client-{client.value}": self.authorities.shown("acme", client) for client in Client}
        return {**self.certificates.servers(ACME, WANTED), **clients}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "authorities")


def read(shown: Credentials) -> x509.Certificate:
    found = x509.load_pem_x509_certificate(shown.certificate.encode())
    assert load_pem_private_key(shown.key.encode(), None).public_key() == found.public_key()
    return found


def test_a_hundred_days_later_everything_is_renewed(world: World) -> None:
    before, authority = world.shown(), world.certificates.authority(ACME)
    assert world.shown() == before
    world.now += timedelta(days=100)
    after = world.shown()
    assert world.certificates.authority(ACME) == authority
    assert after.keys() == before.keys()
    for name, shown in after.items():
        assert read(before[name]).not_valid_after_utc < world.now, name
        assert read(shown).not_valid_before_utc <= world.now < read(shown).not_valid_after_utc, name


@pytest.mark.parametrize(("days", "renewed"), [(59, False), (61, True)])
def test_they_are_renewed_at_two_thirds_of_their_life(world: World, days: int, renewed: bool) -> None:
    before = world.shown()
    world.now += timedelta(days=days)
    after = world.shown()
    assert {name for name in after if after[name] != before[name]} == (set(after) if renewed else set())


def test_another_tenants_certificate_is_refused(world: World) -> None:
    own = x509.load_pem_x509_certificate(world.certificates.authority(ACME).encode())
    for shown in world.shown().values():
        read(shown).verify_directly_issued_by(own)
    for shown in world.certificates.servers(OTHER, WANTED).values():
        with pytest.raises(ValueError, match=r"(?i)issuer"):
            read(shown).verify_directly_issued_by(own)


def test_all_are_made_anew_with_new_keys_and_once(world: World) -> None:
    before, authority = world.shown(), world.certificates.authority(ACME)
    world.now += timedelta(days=3)
    renewed = world.certificates.renew(ACME, world.now)
    assert set(renewed) == set(before)
    after = world.shown()
    for name, shown in after.items():
        assert read(shown).public_key() != read(before[name]).public_key(), name
        assert read(shown).not_valid_after_utc == world.now + timedelta(days=90), name
    world.now += timedelta(minutes=1)
    assert world.certificates.renew(ACME, world.now - timedelta(minutes=1)) == ()
    assert world.shown() == after
    assert world.certificates.authority(ACME) == authority


def test_a_renewal_that_was_cut_off_goes_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.shown()
    world.now += timedelta(days=3)
    from frostbyte.deploy import authority

    real, calls = authority._write, 0

    def write(*arguments: object, **named: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 4:  # the second certificate: its key is new already
            raise OSError(28, "No space left on device")
        real(*arguments, **named)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(authority, "_write", write)
        with pytest.raises(OSError, match="space"):
            world.certificates.renew(ACME, world.now)
    assert len(world.certificates.renew(ACME, world.now)) == 4
    for shown in world.shown().values():
        assert read(shown).not_valid_before_utc + timedelta(minutes=5) == world.now


def test_destroying_takes_the_key_first_and_leaves_nothing(world: World) -> None:
    world.shown()
    world.certificates.servers(OTHER, WANTED)
    gone = world.certificates.destroy(ACME)
    assert gone[0] == "ca.key"
    assert {"ca.pem", "gateway/private.key", "client-edge/public.crt"} <= set(gone)
    assert not (world.folder / "acme").exists()
    assert world.certificates.destroy(ACME) == ()
    assert (world.folder / "other/ca.key").exists()


def test_files_are_private(world: World) -> None:
    world.shown()
    modes = {stat.S_IMODE(path.stat().st_mode) for path in world.folder.rglob("*") if path.is_file()}
    assert modes == {0o600}
