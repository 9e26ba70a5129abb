"""A plane's set of the control plane's keys changes only by what one of them signed, and never to nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from frostbyte.kernel.errors import Forbidden, FrostbyteError, Invalid
from frostbyte.kernel.signing import SigningKey
from frostbyte.kernel.verifying_keys import MOST, PinnedKeys, read, read_file

KIND = "frostbyte-directive"
KEYS = [SigningKey(bytes([number]) * 32) for number in range(1, MOST + 4)]
some = st.lists(st.sampled_from(KEYS), max_size=MOST + 2)


def pinned(*keys: SigningKey) -> PinnedKeys:
    """A set of these keys."""
    return read([str(key.public) for key in keys])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(KEYS), min_size=1, max_size=MOST, unique=True), some, st.sampled_from(KEYS))
def test_only_a_known_key_changes_the_set_and_only_to_one_with_itself(
    before: list[SigningKey], wanted: list[SigningKey], signer: SigningKey
) -> None:
    keys = pinned(*before)
    message = signer.sign({"keys": [str(key.public) for key in wanted]}, KIND)
    if signer not in before:
        with pytest.raises(Forbidden) as refused:
            keys.open(message, KIND)
        assert refused.value.code == "control_signature_wrong"
        with pytest.raises(Forbidden):
            keys.replaced([str(key.public) for key in wanted], signer.kid)
        return
    payload, kid = keys.open(message, KIND)
    if signer in wanted and len(set(wanted)) == len(wanted) <= MOST:
        assert keys.replaced(payload["keys"], kid) == pinned(*wanted)
    else:
        with pytest.raises(Invalid) as wrong:
            keys.replaced(payload["keys"], kid)
        assert wrong.value.code == "control_keys_wrong"


class ManyMessages(RuleBasedStateMachine):
    """Messages by known and unknown keys, good and bad, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.keys = pinned(KEYS[0])
        self.reached = {KEYS[0].kid}
        """Keys that some chain of known keys named."""

    @rule(signer=st.sampled_from(KEYS), wanted=some)
    def message(self, signer: SigningKey, wanted: list[SigningKey]) -> None:
        try:
            payload, kid = self.keys.open(signer.sign({"keys": [str(key.public) for key in wanted]}, KIND), KIND)
            self.keys = self.keys.replaced(payload["keys"], kid)
        except FrostbyteError:
            return
        assert signer.kid in self.reached
        self.reached |= {key.kid for key in wanted}

    @invariant()
    def some_key_is_known_and_none_came_from_nowhere(self) -> None:
        assert self.keys.keys
        assert {key.kid for key in self.keys.keys} <= self.reached


TestManyMessages = ManyMessages.TestCase
TestManyMessages.settings = settings(max_examples=15, stateful_step_count=12, deadline=None)


@given(st.lists(st.text(max_size=60) | st.none() | st.integers(), max_size=4))
def test_what_is_no_key_is_refused(written: list[str]) -> None:
    with pytest.raises(Invalid):
        read(written)


def test_the_file_of_an_installation(tmp_path: Path) -> None:
    path = tmp_path / "control.keys"
    path.write_text(f"# production\n{KEYS[0].public}  # 2026\n\n{KEYS[1].public}\n")
    assert read_file(path) == pinned(KEYS[0], KEYS[1])
    for text in ("", "# nothing\n", "ed25519:short\n", f"{KEYS[0].public}\n{KEYS[0].public}\n"):
        path.write_text(text)
        with pytest.raises(Invalid) as refused:
            read_file(path)
        assert refused.value.code == "control_keys_wrong"
    for broken in (tmp_path / "none", tmp_path):
        with pytest.raises(Invalid) as refused:
            read_file(broken)
        assert refused.value.code == "control_keys_unreadable"
