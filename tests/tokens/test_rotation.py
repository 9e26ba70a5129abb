"""Keys rotate without a moment in which a good token is refused, and a kill at any step leaves nothing half done."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from frostbyte.adapters.memory.clock import ManualClock
from frostbyte.adapters.memory.signing_keys import MemoryTokenKeys
from frostbyte.adapters.memory.unit_of_work import MemoryStore
from frostbyte.adapters.secrets.files import FileSecrets
from frostbyte.adapters.secrets.token_keys import FileTokenKeys
from frostbyte.kernel.errors import Conflict, FrostbyteError, Invalid, Unauthenticated
from frostbyte.kernel.ports.signing_keys import SigningKeyStore
from frostbyte.kernel.records import EventRow
from frostbyte.kernel.rotation import Rotation
from frostbyte.kernel.tokens import LONGEST, Scope, TokenSigner, TokenVerifier, plane_realm

REALM = plane_realm("acme")


class Killed(BaseException):
    """The process ended here."""


class Place:
    """A plane's keys and log, with as many processes as a test wants."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = ManualClock(datetime.now(UTC))
        self.store = MemoryStore()
        FileSecrets(folder)
        self.keys = self.process()
        self.rotation = Rotation(self.keys, self.store.unit_of_work, self.clock, "acme")

    def process(self) -> FileTokenKeys:
        """The keys as another process sees them."""
        return FileTokenKeys(self.folder, self.clock)

    def token(self, keys: SigningKeyStore | None = None) -> str:
        """A token of an hour."""
        signer = TokenSigner((keys or self.keys).keys, REALM, self.clock)
        return signer.mint("ann", frozenset({Scope.QUERY}), timedelta(hours=1))[0]

    def accepts(self, token: str, keys: SigningKeyStore | None = None) -> bool:
        """Whether the token is good."""
        try:
            TokenVerifier((keys or self.keys).keys, REALM, self.clock).verify(token)
        except Unauthenticated as refused:
            if refused.code != "token_signature_wrong":
                raise
            return False
        return True

    def events(self) -> list[tuple[str, str]]:
        """(type, key) of what was audited, in order."""
        with self.store.unit_of_work() as uow:
            found: list[EventRow] = uow.audit.unsequenced(100)
        return [(event.type, event.resource_id) for event in found]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Fresh keys."""
    return Place(tmp_path / "secrets")


def test_both_keys_are_good_until_the_old_one_is_retired(place: Place) -> None:
    serving = place.process()
    old = place.token()
    first = place.keys.keys().current.kid
    shown = place.rotation.rotate(actor="ann")["keys"]
    second = place.keys.keys().current.kid
    assert [(key["kid"], key["state"]) for key in shown] == [(second, "current"), (first, "previous")]
    new = place.token()
    assert all(place.accepts(token, keys) for token in (old, new) for keys in (place.keys, serving))
    place.rotation.retire(actor="ann")
    assert not place.accepts(old, serving)
    assert not place.accepts(old)
    assert place.accepts(new, serving)
    assert place.events() == [("KEY_ROTATED", second), ("KEY_RETIRED", first)]
    assert place.rotation.retire(actor="ann")["keys"] == place.rotation.show()["keys"]
    assert len(place.events()) == 2, "retiring nothing is no event"


def test_a_key_that_leaked_is_refused_at_once(place: Place) -> None:
    serving, old = place.process(), place.token()
    place.rotation.rotate(actor="ann", retire_old=True)
    assert not place.accepts(old)
    assert not place.accepts(old, serving)
    assert place.accepts(place.token(), serving)
    assert [type for type, _ in place.events()] == ["KEY_ROTATED", "KEY_RETIRED"]


def test_a_third_key_does_not_end_tokens_of_the_first_unasked(place: Place) -> None:
    first = place.token()
    place.rotation.rotate(actor="ann")
    with pytest.raises(Conflict) as refused:
        place.rotation.rotate(actor="ann")
    assert refused.value.code == "key_previous_accepted"
    assert place.accepts(first)
    place.rotation.rotate(actor="ann", retire_old=True)
    assert not place.accepts(first)


def test_the_old_key_ends_by_itself_after_the_longest_life_of_a_token(place: Place) -> None:
    old_key = place.keys.keys().current
    place.rotation.rotate(actor="ann")
    place.clock.advance(LONGEST.total_seconds() - 60)
    assert place.keys.keys().previous is not None
    place.clock.advance(120)
    assert place.keys.keys().previous is None
    place.rotation.resume()
    assert place.events()[-1] == ("KEY_RETIRED", old_key.kid)
    assert [path.name for path in place.folder.iterdir()] == ["token-2.key"]
    place.rotation.resume()
    assert len(place.events()) == 2


def test_the_key_of_an_older_version_goes_on_signing_and_its_tokens_are_good(tmp_path: Path) -> None:
    """A plane of before had one key and wrote no key id into its tokens."""
    import jwt
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    seed = FileSecrets(tmp_path / "secrets").secret("token")
    place = Place(tmp_path / "secrets")
    now = int(place.clock.now().timestamp())
    claims: dict[str, Any] = {"iss": REALM.audience, "aud": REALM.audience, "tenant": "acme", "sub": "ann"}
    claims |= {"scopes": ["query"], "jti": "01990000-0000-7000-8000-0000000000b1", "iat": now, "exp": now + 600}
    token = jwt.encode(claims, Ed25519PrivateKey.from_private_bytes(seed), algorithm="EdDSA")
    assert "kid" not in jwt.get_unverified_header(token)
    assert place.accepts(token)
    place.rotation.rotate(actor="ann")
    assert place.accepts(token)
    place.rotation.retire(actor="ann")
    assert not place.accepts(token)
    assert not (tmp_path / "secrets/token.key").exists()
    assert place.process().keys().current.kid == place.keys.keys().current.kid, "no old key is made again"


def steps(monkeypatch: pytest.MonkeyPatch, store: MemoryStore, die_at: int) -> list[str]:
    """Count what changes disk or log, and end the process before step `die_at`; -1 never."""
    import frostbyte.adapters.secrets.token_keys as adapter
    from frostbyte.adapters.memory.unit_of_work import MemoryUnitOfWork

    done: list[str] = []

    def counted(name: str, real: Any) -> Any:
        def run(*args: Any, **named: Any) -> Any:
            if len(done) == die_at:
                raise Killed
            done.append(name)
            return real(*args, **named)

        return run

    monkeypatch.setattr(adapter, "write_new", counted("write_new", adapter.write_new))
    monkeypatch.setattr(adapter, "sync_folder", counted("sync_folder", adapter.sync_folder))
    monkeypatch.setattr(Path, "unlink", counted("unlink", Path.unlink))
    monkeypatch.setattr(MemoryUnitOfWork, "commit", counted("commit", MemoryUnitOfWork.commit))
    return done


def kills() -> Iterator[tuple[str, int]]:
    """Every change and every step of it; the last number is past the end."""
    return ((change, step) for change in ("rotate", "rotate, retire old", "retire") for step in range(12))


@pytest.mark.parametrize(("change", "step"), kills())
def test_killed_before_any_step(change: str, step: int, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    serving = place.process()
    if change == "retire":
        place.rotation.rotate(actor="ann")
    oldest = place.keys.keys().anchor.kid
    before = {key.kid for key in place.keys.keys().accepted}
    token, said = place.token(), place.events()
    with monkeypatch.context() as patched:
        done = steps(patched, place.store, step)
        try:
            if change == "retire":
                place.rotation.retire(actor="ann")
            else:
                place.rotation.rotate(actor="ann", retire_old=change != "rotate")
        except Killed:
            pass
        else:
            assert step >= len(done) >= 6, done
    # All processes agree at once, and the key that signs is accepted by all.
    again = place.process()
    assert serving.keys().current.kid == again.keys().current.kid
    assert {key.kid for key in serving.keys().accepted} == {key.kid for key in again.keys().accepted}
    assert place.accepts(place.token(again), serving)
    if change != "rotate, retire old":
        assert place.accepts(token, serving), "a good token of the current key was refused"
    # The next start finishes or forgets it: what the log says is what is so.
    Rotation(again, place.store.unit_of_work, place.clock, "acme").resume()
    news = place.events()[len(said) :]
    accepted = {key.kid for key in serving.keys().accepted}
    if not news:
        assert accepted == before
    else:
        retired = {kid for type, kid in news if type == "KEY_RETIRED"}
        added = {kid for type, kid in news if type == "KEY_ROTATED"}
        assert accepted == (before | added) - retired
        assert (oldest in retired) is (change != "rotate")
    left = sorted(path.name for path in place.folder.iterdir() if not path.name.startswith("."))
    assert all(name.startswith("token") for name in left), left
    assert len(left) == len(accepted)


def test_a_change_whose_event_was_not_committed_is_forgotten(place: Place) -> None:
    class Down(MemoryStore):
        def unit_of_work(self) -> Any:
            raise FrostbyteError("database_unavailable", "Away.", "Wait.")

    before = place.keys.keys().current.kid
    with pytest.raises(FrostbyteError):
        Rotation(place.keys, Down().unit_of_work, place.clock, "acme").rotate(actor="ann")
    assert place.process().keys().current.kid == before
    place.rotation.resume()
    assert [path.name for path in place.folder.iterdir()] == ["token.key"]
    assert place.events() == []


def test_who_is_still_needed_is_not_retired_unless_forced(place: Place) -> None:
    asked: list[datetime | None] = []

    def needed(since: datetime | None) -> None:
        asked.append(since)
        raise Conflict("key_still_needed", "Somebody needs it.", "Wait.")

    rotation = Rotation(place.keys, place.store.unit_of_work, place.clock, "acme", before_retiring=needed)
    old = place.token()
    with pytest.raises(Conflict):
        rotation.rotate(actor="ann", retire_old=True)
    assert place.events() == []
    rotation.rotate(actor="ann")
    with pytest.raises(Conflict):
        rotation.retire(actor="ann")
    assert asked == [None, place.keys.keys().made_at]
    assert place.accepts(old)
    assert len(place.events()) == 1
    rotation.retire(actor="ann", force=True)
    assert not place.accepts(old)
    rotation.rotate(actor="ann", retire_old=True, force=True)
    assert len(asked) == 2


def test_lost_and_exposed_keys_let_nobody_in(place: Place) -> None:
    token = place.token()
    path = place.folder / "token.key"
    os.utime(path)  # it is another file to a process that looks
    path.chmod(0o640)
    with pytest.raises(Invalid) as exposed:
        place.accepts(token)
    assert exposed.value.code == "secret_permissions"
    path.unlink()
    with pytest.raises(Conflict) as lost:
        place.accepts(token)
    assert lost.value.code == "secret_missing"
    shutil.rmtree(place.folder)
    with pytest.raises(FrostbyteError) as gone:
        place.accepts(token)
    assert gone.value.code == "signing_keys_unreadable"


def test_both_stores_do_the_same(place: Place) -> None:
    memory = MemoryTokenKeys(place.clock)
    for keys in (memory, place.keys):
        rotation = Rotation(keys, place.store.unit_of_work, place.clock, "acme")
        first = place.token(keys)
        rotation.rotate(actor="ann")
        assert place.accepts(first, keys)
        assert place.accepts(place.token(keys), keys)
        rotation.rotate(actor="ann", retire_old=True)
        assert not place.accepts(first, keys)
        assert len(keys.keys().accepted) == 1
        assert not keys.outdated()
        assert not keys.intended()


def test_a_signature_that_was_found_good_is_not_after_its_time_nor_after_its_key(place: Place) -> None:
    """Who checks tokens remembers signatures: what a token's time and the keys say is asked each time."""
    verifier = TokenVerifier(place.keys.keys, REALM, place.clock)
    first = place.token()
    for _ in range(2):
        assert verifier.verify(first).subject == "ann"
    with pytest.raises(Unauthenticated) as refused:
        verifier.verify(first[:-4] + "AAAA")
    assert refused.value.code == "token_signature_wrong"
    place.rotation.rotate(actor="ann")
    assert verifier.verify(first).subject == "ann"
    place.rotation.rotate(actor="ann", retire_old=True)
    with pytest.raises(Unauthenticated) as refused:
        verifier.verify(first)
    assert refused.value.code == "token_signature_wrong"
    second = place.token()
    verifier.verify(second)
    place.clock.advance(3_600)
    with pytest.raises(Unauthenticated) as refused:
        verifier.verify(second)
    assert refused.value.code == "token_expired"


def test_who_checks_tokens_remembers_so_many(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("frostbyte.kernel.tokens._REMEMBERED", 3)
    verifier = TokenVerifier(place.keys.keys, REALM, place.clock)
    tokens = [place.token() for _ in range(8)]
    for token in (*tokens, *tokens):
        verifier.verify(token)
        assert len(verifier._opened) <= 3


def test_looking_at_the_folder_costs_little_beside_a_signature(place: Place) -> None:
    place.rotation.rotate(actor="ann")
    token = place.token()
    began = time.process_time()
    for _ in range(200):
        place.keys.keys()
    looking = time.process_time() - began
    began = time.process_time()
    for _ in range(200):
        TokenVerifier(place.keys.keys, REALM, place.clock).verify(token)  # a new one remembers no signature
    assert looking < (time.process_time() - began) * 0.6
