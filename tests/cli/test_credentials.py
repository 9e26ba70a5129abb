"""What a tenant's host is given: certificates of its own authority, pinned keys, and settings that work."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from frostbyte.adapters.secrets.token_keys import FileTokenKeys
from frostbyte.bootstrap.authorities import Authorities
from frostbyte.bootstrap.handover import SERVERS, hand_over
from frostbyte.control_plane.settings import ControlSettings, load
from frostbyte.deploy.compose.folder import channel_files
from frostbyte.kernel import settings as plane_settings
from frostbyte.kernel.clock import SystemClock
from frostbyte.kernel.errors import Conflict, Invalid
from frostbyte.kernel.verifying_keys import read_file


@pytest.fixture
def control(tmp_path: Path) -> ControlSettings:
    data = tmp_path / "control"
    (data / "secrets").mkdir(mode=0o700, parents=True)
    FileTokenKeys(data / "secrets", SystemClock())
    return load({"FROSTBYTE_CONTROL_DATA_DIR": str(data)})


def test_a_host_gets_what_its_plane_needs_and_no_more(control: ControlSettings, tmp_path: Path) -> None:
    out = tmp_path / "acme"
    files = hand_over(control, "acme", ["10.7.1.2", "plane.acme.internal"], out, out)
    assert sorted(out.iterdir()) == sorted(files)
    authority = Authorities(control.data_dir / "authorities").of("acme")
    ca = x509.load_pem_x509_certificate((out / "ca.pem").read_bytes())
    assert ca == x509.load_pem_x509_certificate(authority.ca_file.read_bytes())
    for server in SERVERS:
        made = x509.load_pem_x509_certificate((out / f"{server}.crt").read_bytes())
        made.verify_directly_issued_by(ca)
        names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == ["plane.acme.internal"]
        usage = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
        assert stat.S_IMODE((out / f"{server}.key").stat().st_mode) == 0o600
    everything = "".join(file.read_text() for file in files)
    for private in (authority.ca_file.with_name("ca.key"), *control.keys_folder.glob("*.key")):
        assert private.read_bytes().decode("latin-1") not in everything


def test_the_settings_are_a_plane_s_and_name_the_files(control: ControlSettings, tmp_path: Path) -> None:
    out = tmp_path / "acme"
    hand_over(control, "acme", ["10.7.1.2"], out, out)
    told = dict(line.split("=", 1) for line in (out / "plane.env").read_text().splitlines())
    plane = plane_settings.load(told)
    assert plane.tenant_id == "acme"
    assert plane.mode is plane_settings.Mode.ONLINE
    keys = FileTokenKeys(control.keys_folder, SystemClock(), create=False).keys()
    assert set(map(str, read_file(out / "control.keys").keys)) == set(map(str, keys.accepted))
    elsewhere = tmp_path / "elsewhere"
    hand_over(control, "acme", ["10.7.1.2"], elsewhere, Path("/etc/frostbyte"))
    assert "FROSTBYTE_TLS_KEY=/etc/frostbyte/gateway.key\n" in (elsewhere / "plane.env").read_text()


def test_a_compose_project_takes_the_folder(control: ControlSettings, tmp_path: Path) -> None:
    hand_over(control, "acme", ["127.0.0.1"], tmp_path / "acme", tmp_path / "acme")
    assert all(channel_files(tmp_path / "acme").values())


def test_again_it_is_the_same_and_another_tenant_s_is_another(control: ControlSettings, tmp_path: Path) -> None:
    first = [file.read_text() for file in hand_over(control, "acme", ["10.7.1.2"], tmp_path / "a", tmp_path)]
    assert first == [file.read_text() for file in hand_over(control, "acme", ["10.7.1.2"], tmp_path / "a", tmp_path)]
    other = [file.read_text() for file in hand_over(control, "beta", ["10.7.1.2"], tmp_path / "b", tmp_path)]
    assert not {text for text in first if "BEGIN" in text} & set(other)


def test_what_cannot_be_is_refused_with_a_sentence(control: ControlSettings, tmp_path: Path) -> None:
    with pytest.raises(Invalid) as refused:
        hand_over(control, "Acme; rm", ["10.7.1.2"], tmp_path / "a", tmp_path)
    assert refused.value.code == "settings_invalid"
    with pytest.raises(Invalid) as refused:
        hand_over(control, "acme", ["müller"], tmp_path / "a", tmp_path)
    assert refused.value.code == "host_invalid"
    (tmp_path / "file").write_text("")
    with pytest.raises(Invalid) as refused:
        hand_over(control, "acme", ["10.7.1.2"], tmp_path / "file", tmp_path)
    assert refused.value.code == "handover_impossible"
    with pytest.raises(Conflict) as absent:
        hand_over(load({"FROSTBYTE_CONTROL_DATA_DIR": str(tmp_path / "none")}), "acme", ["h"], tmp_path / "a", tmp_path)
    assert absent.value.code == "control_plane_absent"
