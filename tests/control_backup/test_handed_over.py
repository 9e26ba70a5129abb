"""A control plane that a base is given backs up where the operator's machine was told to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from frostbyte.adapters.secrets.files import FileSecrets
from frostbyte.adapters.vault.age import fresh
from frostbyte.bootstrap import backup_target
from frostbyte.bootstrap.base import own
from frostbyte.control_plane.backup import settings as backup_settings
from frostbyte.control_plane.provisioning.doing.base import BaseGiven
from frostbyte.control_plane.settings import load
from frostbyte.deploy.compose.base import IMAGES, POSTGRES_PASSWORD
from frostbyte.deploy.hosts.base import BaseHosts
from frostbyte.kernel.settings import Reader
from hosts.facts import host


def given(folder: Path, **more: str) -> dict[str, str]:
    """The environment of the control plane's container, its secrets' paths led to the files that the host is given."""
    folders = {"FROSTBYTE_CONTROL_DATA_DIR": str(folder / "own"), "FROSTBYTE_HOSTS_DIR": str(folder / "hosts")}
    settings = load(folders | more)
    mine = own(settings, FileSecrets(folder / "keys"), "a-token")
    files = BaseHosts().files(
        host("edge"),
        BaseGiven(
            images={name: f"frostbyte/{name}:1" for name in IMAGES},
            secrets={**mine.secrets, POSTGRES_PASSWORD: b"word"},
            begins=mine.begins,
            settings=mine.settings,
            operators=mine.operators,
            base=b"{}",
        ),
    )
    by_path = {file.path: file.content for file in files}
    (compose,) = [content for path, content in by_path.items() if path.endswith("docker-compose.yml")]
    project: dict[str, Any] = yaml.safe_load(compose)
    told = {name: str(value) for name, value in project["services"]["control"]["environment"].items()}
    mounted = {one if isinstance(one, str) else one["source"] for one in project["services"]["control"]["secrets"]}
    for name, value in told.items():
        word = value.removeprefix("/run/secrets/")
        if word != value and word in mounted:
            (content,) = [content for path, content in by_path.items() if path.endswith(f"/secrets/{word}")]
            (folder / word).write_bytes(content)
            (folder / word).chmod(0o600)
            told[name] = str(folder / word)
    return told


def test_the_place_its_account_and_its_recipients_are_the_same_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, (_, recipient) = tmp_path / "authority.pem", fresh()
    authority.write_text("-----BEGIN CERTIFICATE-----\n")
    (tmp_path / "access").write_text("KEYID\n")
    (tmp_path / "access").chmod(0o600)
    here = {
        "FROSTBYTE_BACKUP_URL": "https://s3.example.org/bucket/frostbyte",
        "FROSTBYTE_BACKUP_LOCATION": "hel1",
        "FROSTBYTE_BACKUP_HOURS": "0",
        "FROSTBYTE_BACKUP_REGION": "eu-central",
        "FROSTBYTE_BACKUP_RECIPIENTS": recipient,
        "FROSTBYTE_BACKUP_ACCESS_KEY_FILE": str(tmp_path / "access"),
        "FROSTBYTE_BACKUP_SECRET_KEY": "very-secret",
        "FROSTBYTE_BACKUP_CA_FILE": str(authority),
    }
    for name, value in here.items():
        monkeypatch.setenv(name, value)
    there = given(tmp_path)
    ours, theirs = backup_target.load(here), backup_target.load(there)
    assert (theirs.url, theirs.region, theirs.recipients) == (ours.url, "eu-central", (recipient,))
    assert (theirs.access_key, theirs.secret_key) == ("KEYID", "very-secret")
    assert Path(theirs.ca_file).read_bytes() == authority.read_bytes()
    data = tmp_path / "data"
    assert backup_settings.load(Reader(there), data) == backup_settings.load(Reader(here), data)
    assert "very-secret" not in there.values()  # a file, which no list of processes shows


def test_without_a_place_nothing_is_said_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROSTBYTE_BACKUP_SECRET_KEY", "left over")
    assert not [name for name in given(tmp_path) if name.startswith("FROSTBYTE_BACKUP_")]


def test_whom_the_cloud_is_trusted_by_is_the_same_there(tmp_path: Path) -> None:
    authority = tmp_path / "cloud.pem"
    authority.write_text("-----BEGIN CERTIFICATE-----\n")
    there = given(tmp_path, FROSTBYTE_CA_FILE=str(authority))
    assert Path(there["FROSTBYTE_CA_FILE"]).read_text() == authority.read_text()
    assert "FROSTBYTE_CA_FILE" not in given(tmp_path)
