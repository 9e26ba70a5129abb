"""Where tenants' secrets are sealed: one contract for both vaults, and what files, keys and processes show."""

import json
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pyrage
import pytest

from frostbyte.adapters.vault.memory import MemoryVault
from frostbyte.adapters.vault.program import Sops
from frostbyte.adapters.vault.sops import RECOVERY, SEALED, SopsVault
from frostbyte.control_plane.provisioning.ports import Vault
from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.kernel.errors import Conflict, FrostbyteError, Invalid, Unavailable
from servers.lanes import built, need

pytestmark = pytest.mark.slow

ACME = Owner(environment="test", project_id="p1", tenant_id="acme")
OTHER = Owner(environment="test", project_id="p1", tenant_id="other")
BASE = Owner(environment="test", project_id="p1")
CANARY = "canary-7f3a-secret-value"


def offline() -> tuple[pyrage.x25519.Identity, str]:
    """The operator's identity, which is on another machine, and its public half."""
    identity = pyrage.x25519.Identity.generate()
    return identity, str(identity.to_public())


def program() -> Sops:
    need("sops")
    found = built("sops")
    assert found is not None
    return Sops(found)


@pytest.fixture(params=["sops", "memory"])
def vault(request: pytest.FixtureRequest, tmp_path: Path) -> Vault:
    if request.param == "memory":
        return MemoryVault(offline()[1])
    return SopsVault(tmp_path / "vault", program(), offline()[1])


@pytest.fixture
def sealing(tmp_path: Path) -> SopsVault:
    return SopsVault(tmp_path / "vault", program())


# -- the contract -----------------------------------------------------------------------------------------------------


def test_what_was_sealed_is_opened(vault: Vault) -> None:
    assert vault.open(ACME) == {}
    assert not vault.sealed(ACME)
    values = {
        "postgres": "p" * 43,
        "gateway.key": "-----BEGIN\nü 'x' \"y\"\n-----END\n",
        "number": "0123",
        "yes": "true",
    }
    vault.seal(ACME, values)
    assert vault.sealed(ACME)
    assert vault.open(ACME) == values
    vault.seal(ACME, {"only": "this"})
    assert vault.open(ACME) == {"only": "this"}


def test_owners_do_not_share(vault: Vault) -> None:
    for owner in (ACME, OTHER, BASE):
        vault.seal(owner, {"name": owner.label})
    assert [vault.open(owner)["name"] for owner in (ACME, OTHER, BASE)] == ["tenant.acme", "tenant.other", "base"]
    keys = [key for owner in (ACME, OTHER, BASE) for key in vault.recipients(owner)]
    assert len(set(keys)) == len(keys) or isinstance(vault, MemoryVault)


def test_recipients_stay_the_same(vault: Vault) -> None:
    before = vault.recipients(ACME)
    assert len(before) == 2
    assert all(one.startswith("age1") for one in before)
    vault.seal(ACME, {"a": "1"})
    assert vault.recipients(ACME) == before


def test_what_is_kept_first_stays(vault: Vault) -> None:
    assert vault.keep(ACME, {"a": "first"}) == {"a": "first"}
    assert vault.keep(ACME, {"a": "second", "b": "more"}) == {"a": "first", "b": "more"}
    assert vault.open(ACME) == {"a": "first", "b": "more"}


def test_threads_that_keep_at_once_lose_nothing(vault: Vault) -> None:
    threads = [threading.Thread(target=vault.keep, args=(ACME, {f"host{n}": str(n)})) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert vault.open(ACME) == {f"host{n}": str(n) for n in range(6)}


def test_a_rotated_identity_opens_what_was_sealed_before(vault: Vault) -> None:
    vault.seal(ACME, {"a": "1"})
    before = vault.recipients(ACME)[0]
    after = vault.rotate(ACME, "turn-1")
    assert after != before
    assert vault.recipients(ACME)[0] == after
    assert vault.open(ACME) == {"a": "1"}
    assert vault.rotate(ACME, "turn-1") == after  # the same rotation once more
    assert vault.rotate(ACME, "turn-2") != after


def test_destroying_leaves_nothing_and_names_what_it_was(vault: Vault) -> None:
    vault.seal(ACME, {"a": "1"})
    vault.seal(OTHER, {"b": "2"})
    before = vault.recipients(ACME)[0]
    held = vault.holds(ACME)
    gone = vault.destroy(ACME)
    assert gone == held
    assert vault.holds(ACME) == ()
    assert f"identity {before}" in gone
    assert vault.destroy(ACME) == ()
    assert vault.open(ACME) == {}
    assert not vault.sealed(ACME)
    assert vault.open(OTHER) == {"b": "2"}
    assert vault.recipients(ACME)[0] != before


@pytest.mark.parametrize(
    "values", [{"A": "x"}, {"sops": "x"}, {"key_unencrypted": "x"}, {"a": ""}, {"../a": "x"}, {"a": "x" * 300_000}]
)
def test_what_sops_would_not_seal_is_refused(vault: Vault, values: dict[str, str]) -> None:
    with pytest.raises(Invalid) as refused:
        vault.seal(ACME, values)
    assert refused.value.code == "vault_value_invalid"
    assert vault.open(ACME) == {}


# -- files ------------------------------------------------------------------------------------------------------------


def test_plain_sops_opens_the_file(tmp_path: Path, sealing: SopsVault) -> None:
    sealing.seal(ACME, {"postgres": CANARY, "minio": "m"})
    place = tmp_path / "vault" / "acme"
    done = subprocess.run(
        [str(built("sops")), "--decrypt", str(place / SEALED)],
        env={"SOPS_AGE_KEY_FILE": str(place / "identity-1.txt"), "HOME": "/nonexistent"},
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout) == {"minio": "m", "postgres": CANARY}


def test_files_are_private_and_hold_nothing_in_the_clear(tmp_path: Path, sealing: SopsVault) -> None:
    sealing.seal(ACME, {"postgres": CANARY})
    place = tmp_path / "vault" / "acme"
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    for path in place.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name
        assert CANARY.encode() not in path.read_bytes()
    assert sorted(path.name for path in place.iterdir()) == ["identity-1.txt", SEALED]


def test_a_folder_that_others_may_read_is_refused(tmp_path: Path, sealing: SopsVault) -> None:
    sealing.seal(ACME, {"a": "1"})
    (tmp_path / "vault" / "acme").chmod(0o750)
    with pytest.raises(Invalid, match="not private"):
        sealing.open(ACME)


def test_an_open_identity_is_refused(tmp_path: Path, sealing: SopsVault) -> None:
    sealing.seal(ACME, {"a": "1"})
    (tmp_path / "vault" / "acme" / "identity-1.txt").chmod(0o640)
    with pytest.raises(Invalid, match="not private"):
        sealing.recipients(ACME)


def test_a_changed_file_does_not_open(tmp_path: Path, sealing: SopsVault) -> None:
    sealing.seal(ACME, {"a": "one", "b": "two"})
    file = tmp_path / "vault" / "acme" / SEALED
    document = json.loads(file.read_text())
    document["a"], document["b"] = document["b"], document["a"]
    file.write_text(json.dumps(document))
    with pytest.raises(Unavailable) as refused:
        sealing.open(ACME)
    assert refused.value.code == "sops_failed"
    assert not sealing.sealed(ACME)


def test_a_lost_identity_is_said_and_not_replaced(tmp_path: Path, sealing: SopsVault) -> None:
    sealing.seal(ACME, {"a": "1"})
    (tmp_path / "vault" / "acme" / "identity-1.txt").unlink()
    with pytest.raises(Conflict) as refused:
        sealing.open(ACME)
    assert refused.value.code == "vault_identity_missing"


def test_the_operator_recovers_a_tenant_in_two_steps(tmp_path: Path) -> None:
    identity, recipient = offline()
    vault = SopsVault(tmp_path / "vault", program(), recipient)
    vault.seal(ACME, {"postgres": CANARY})
    place = tmp_path / "vault" / "acme"
    (place / "identity-1.txt").unlink()
    recovered = tmp_path / "recovered.txt"
    recovered.write_bytes(pyrage.decrypt((place / RECOVERY).read_bytes(), [identity]))
    assert json.loads(Sops(str(built("sops"))).decrypt(place / SEALED, recovered)) == {"postgres": CANARY}
    # The operator's identity alone opens nothing: without the tenant's own blob it is of no use for this tenant.
    recovered.write_text(f"{identity}\n")
    with pytest.raises(Unavailable):
        Sops(str(built("sops"))).decrypt(place / SEALED, recovered)


def test_every_archived_identity_can_be_recovered(tmp_path: Path) -> None:
    identity, recipient = offline()
    vault = SopsVault(tmp_path / "vault", program(), recipient)
    vault.seal(ACME, {"a": "1"})
    place = tmp_path / "vault" / "acme"
    secrets = []
    for turn in range(2):
        newest = max(place.glob("identity-*.txt"))
        secrets.append(newest.read_bytes())
        vault.rotate(ACME, str(turn))
        assert not newest.exists()
    blobs = [place / RECOVERY, *(place / "archive").glob("recovery-*.age")]
    recoveries = [
        pyrage.x25519.Identity.from_str(pyrage.decrypt(blob.read_bytes(), [identity]).decode().strip())
        for blob in blobs
    ]
    archived = sorted((place / "archive").glob("identity-*.age"))
    assert [pyrage.decrypt(path.read_bytes(), recoveries) for path in archived] == secrets
    assert vault.open(ACME) == {"a": "1"}


@pytest.mark.parametrize("stop_at", range(1, 14))
def test_a_rotation_that_is_cut_off_anywhere_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_at: int
) -> None:
    identity, recipient = offline()
    vault = SopsVault(tmp_path / "vault", program(), recipient)
    vault.seal(ACME, {"a": "1"})
    before = vault.recipients(ACME)[0]
    calls = 0

    class Cut(Exception):
        pass

    def counting(real: Callable[..., None]) -> Callable[..., None]:
        def one(*arguments: object) -> None:
            nonlocal calls
            calls += 1
            if calls == stop_at:
                raise Cut
            real(*arguments)

        return one

    with monkeypatch.context() as patched:
        from frostbyte.adapters.vault import sops

        for name in ("write_new", "sync_folder", "shred"):
            patched.setattr(sops, name, counting(getattr(sops, name)))
        try:
            vault.rotate(ACME, "turn")
        except Cut:
            assert vault.open(ACME) == {"a": "1"}
    again = SopsVault(tmp_path / "vault", program(), recipient)
    after = again.rotate(ACME, "turn")
    assert again.open(ACME) == {"a": "1"}
    assert again.recipients(ACME)[0] == after != before
    place = tmp_path / "vault" / "acme"
    assert [path.name for path in place.glob("identity-*")] == ["identity-2.txt"]
    assert (place / "archive" / "identity-1.age").exists()
    assert pyrage.decrypt((place / RECOVERY).read_bytes(), [identity])


def test_a_recipient_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as refused:
        SopsVault(tmp_path / "vault", program(), "age1nonsense")
    assert refused.value.code == "recovery_recipient_invalid"


def test_a_missing_program_is_said() -> None:
    with pytest.raises(FrostbyteError) as refused:
        Sops("/nonexistent/sops")
    assert refused.value.code == "sops_missing"
    assert "tools/servers.sh sops" in refused.value.remedy


# -- processes --------------------------------------------------------------------------------------------------------

SPY = """#!{python}
import os, sys
with open({spied!r}, "ab") as found:
    for name in ("cmdline", "environ"):
        found.write(open("/proc/self/" + name, "rb").read())
os.execve({program!r}, ["sops", *sys.argv[1:]], dict(os.environ))
"""


def test_no_process_shows_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every process that a vault starts writes down what a list of processes would show of it."""
    monkeypatch.setenv("SOPS_AGE_KEY", "AGE-SECRET-KEY-OF-SOMEBODY-ELSE")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    program()
    spied, wrapper = tmp_path / "spied", tmp_path / "sops"
    wrapper.write_text(SPY.format(python=sys.executable, spied=str(spied), program=str(built("sops"))))
    wrapper.chmod(0o755)
    vault = SopsVault(tmp_path / "vault", Sops(str(wrapper)), offline()[1])
    vault.seal(ACME, {"postgres": CANARY})
    identities = (tmp_path / "vault/acme/identity-1.txt").read_text()
    vault.rotate(ACME, "turn")
    assert vault.open(ACME) == {"postgres": CANARY}
    identities += (tmp_path / "vault/acme/identity-2.txt").read_text()
    text = spied.read_text()
    assert {"encrypt", "decrypt"} <= set(text.split("\0"))
    assert "SOPS_AGE_KEY_FILE" in text
    secrets = [line for line in identities.split("\n") if line.startswith("AGE-SECRET-KEY-")]
    assert len(secrets) == 2
    for secret in (CANARY, "AGE-SECRET-KEY", *secrets):
        assert secret not in text
    assert list((tmp_path / "tmp").iterdir()) == []


def test_what_a_killed_process_left_is_no_plain_text(tmp_path: Path) -> None:
    need("sops")
    code = (
        "import os, sys; from pathlib import Path\n"
        "from frostbyte.adapters.vault.program import Sops; from frostbyte.adapters.vault.sops import SopsVault\n"
        "from frostbyte.control_plane.provisioning.resources import Owner\n"
        f"vault = SopsVault(Path({str(tmp_path / 'vault')!r}), Sops({str(built('sops'))!r}))\n"
        "owner = Owner(environment='test', project_id='p1', tenant_id='acme')\n"
        "print('ready', flush=True)\n"
        f"while True: vault.seal(owner, {{'postgres': {CANARY!r}}})\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env={**os.environ})
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    deadline = time.monotonic() + 30
    while not list(tmp_path.glob("vault/acme/*.yaml")) + list(tmp_path.glob("vault/acme/*.json")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.3)
    child.kill()
    child.wait(10)
    child.stdout.close()
    assert SopsVault(tmp_path / "vault", program()).open(ACME) == {"postgres": CANARY}
    for path in (tmp_path / "vault/acme").iterdir():
        assert CANARY.encode() not in path.read_bytes()
