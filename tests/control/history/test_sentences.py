"""Every event of the control plane has a sentence, and every kind of operation a name."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostbyte.control_plane.history.operations import CALLED
from frostbyte.control_plane.history.sentences import IN_VAIN, OF_CONTROL, OF_PLANE, THINGS, WORK, sentence
from frostbyte.control_plane.registry.records import OperationKind
from frostbyte.kernel.audit.events import DETAILS, EventType
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.records import EventRow
from stores.store_rows import NOW

CASES: Final = tomllib.loads(Path(__file__).with_name("sentences.toml").read_text())["case"]
SOURCE: Final = Path(__file__).parents[3] / "src/frostbyte"
NAMED: Final = re.compile(r"EventType\.([A-Z_]+)")
OF_BOTH: Final = (
    "kernel/admission.py",
    "kernel/rotation.py",
    *(f"kernel/accounts/{name}.py" for name in ("register", "sessions", "signing_in")),
    "kernel/oidc/sign_in.py",
)
"""What a plane and the control plane write their audit with alike."""


def event(type: str, resource: tuple[str, str] = ("tenant", "acme"), actor: str = "ann", **details: Any) -> EventRow:
    return EventRow(
        event_id=new_id(),
        tenant_id="acme",
        type=type,
        timestamp=NOW,
        actor=actor,
        resource_type=resource[0],
        resource_id=resource[1],
        details=details,
        previous_event_id=None,
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["says"])
def test_a_case(case: dict[str, Any]) -> None:
    resources = case.get("resources", [["tenant", "acme"]])
    events = [
        event(case["type"], (one[0], one[1]), case.get("actor", "ann"), **case.get("details", {})) for one in resources
    ]
    assert sentence(events, of_plane=case.get("of_plane", False)) == case["says"]


def written() -> set[EventType]:
    """Types that the control plane's code names: it writes them, but for what it reads of a plane's log."""
    files = [*(SOURCE / "control_plane").rglob("*.py"), *(SOURCE / name for name in OF_BOTH)]
    own = [file for file in files if file.parent.name != "history"]
    return {
        EventType[name] for file in own for name in NAMED.findall(file.read_text()) if name in EventType.__members__
    }


def test_every_type_has_a_sentence_or_is_a_planes_daily_work() -> None:
    assert set(OF_CONTROL) | set(OF_PLANE) | WORK == set(EventType)
    assert not WORK & set(OF_PLANE)
    assert len(written()) > 25
    assert written() - set(OF_CONTROL) == set()


def test_every_end_of_a_duty_is_told_well_and_in_vain() -> None:
    assert set(IN_VAIN) <= set(OF_CONTROL)
    assert set(OF_CONTROL) >= THINGS
    assert set(CALLED) == set(OperationKind)


@pytest.mark.parametrize("pattern", [*OF_CONTROL.values(), *OF_PLANE.values(), *IN_VAIN.values()])
def test_a_pattern_asks_for_what_events_may_carry(pattern: str) -> None:
    names = set(re.findall(r"\{([a-z_]+)\}", pattern)) - {"actor", "resource", "things"}
    assert names <= set(DETAILS), names - set(DETAILS)
    assert pattern.endswith((".", "]."))
    assert re.sub(r"\[[^\]]*\]", "", pattern).count("[") == 0


anything = st.dictionaries(
    st.sampled_from(sorted(DETAILS)),
    st.text(max_size=20) | st.integers() | st.booleans() | st.lists(st.text(max_size=5)),
)


@given(st.sampled_from(sorted(OF_CONTROL)), anything, st.text(max_size=20), st.uuids())
def test_whatever_an_event_holds_it_is_one_whole_sentence(
    type: EventType, details: dict[str, Any], actor: str, id: UUID
) -> None:
    details.pop("status", None)
    said = sentence([event(type, ("volume", str(id)), actor, **details)])
    told = "".join(str(value) for value in details.values()) + actor
    if "{" not in told and "[" not in told:
        assert not re.search(r"[{\[]", said)
    assert said.endswith(".")
