"""Witnesses: in memory, over HTTP, and what the sequencer makes of them."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from frostbyte.adapters.memory.witness import MemoryWitness
from frostbyte.adapters.witness import HttpWitness
from frostbyte.kernel.audit.checkpoint import Cosigner, open_cosignature
from frostbyte.kernel.audit.sequencer import Sequencer
from frostbyte.kernel.errors import Conflict, Unavailable

COSIGNER = Cosigner(b"\x09" * 32, "ledger.example/w")


def served(witness: MemoryWitness, spoil: dict[str, Any] | None = None) -> httpx.Client:
    """A tlog-witness server around a witness; `spoil` replaces the answer."""

    def answer(request: httpx.Request) -> httpx.Response:
        if spoil:
            return httpx.Response(**spoil)
        head, _, note = request.content.decode().partition("\n\n")
        old, *proof = head.split("\n")
        size = int(old.removeprefix("old "))
        if size != witness.last_size():
            return httpx.Response(409, text=f"{witness.last_size()}\n", headers={"Content-Type": "text/x.tlog.size"})
        try:
            return httpx.Response(200, text=witness.cosign(note, size, [base64.b64decode(line) for line in proof]))
        except Conflict:
            return httpx.Response(422)

    return httpx.Client(transport=httpx.MockTransport(answer))


@pytest.fixture(params=["memory", "http"])
def witness(request: pytest.FixtureRequest, plane: Any) -> Any:
    inner = MemoryWitness(COSIGNER, plane.signer.public_key, plane.clock)
    return inner if request.param == "memory" else HttpWitness("http://w/", COSIGNER.public_key, served(inner))


def watched(plane: Any, witness: Any) -> Sequencer:
    plane.sequencer = Sequencer(plane.unit_of_work, plane.signer, plane.clock, [witness])
    return plane.sequencer


def test_each_checkpoint_is_cosigned_as_it_grows(plane: Any, witness: Any) -> None:
    sequencer = watched(plane, witness)
    plane.grow(2, runs=4)
    with plane.unit_of_work() as uow:
        points = uow.audit.checkpoints()
    assert [point.size for point in points] == [6, 12, 18, 24]
    assert all(open_cosignature(point.note, COSIGNER.public_key) for point in points)
    assert (sequencer.trouble, witness.last_size()) == ({}, 24)


def test_a_log_that_was_set_back_is_refused_and_reported(plane: Any, witness: Any) -> None:
    watched(plane, witness)
    plane.grow(2, runs=2)
    plane.set_back(6)
    sequencer = watched(plane, witness)
    plane.grow(3)
    assert sequencer.trouble == {"ledger.example/w": "witness_refused"}
    with plane.unit_of_work() as uow:
        point = uow.audit.latest_checkpoint()
    assert point.size == 15
    assert open_cosignature(point.note, COSIGNER.public_key) is None


def test_a_witness_that_has_seen_more_is_asked_again_from_there(plane: Any) -> None:
    inner = MemoryWitness(COSIGNER, plane.signer.public_key, plane.clock)
    watched(plane, inner)
    plane.grow(2)
    forgetful = HttpWitness("http://w", COSIGNER.public_key, served(inner))
    sequencer = watched(plane, forgetful)
    plane.grow(1)
    assert sequencer.trouble == {}
    assert forgetful.last_size() == 9


def test_an_outage_leaves_the_checkpoint_without_and_is_tried_again_later(plane: Any) -> None:
    inner = MemoryWitness(COSIGNER, plane.signer.public_key, plane.clock)
    spoil: dict[str, Any] = {"status_code": 503}
    sequencer = watched(plane, HttpWitness("http://w", COSIGNER.public_key, served(inner, spoil)))
    plane.grow(1)
    assert sequencer.trouble == {"ledger.example/w": "witness_unavailable"}
    spoil.clear()
    plane.grow(1)
    assert inner.last_size() == 0, "a witness that just failed is left alone for a while"
    for _ in range(30):
        plane.clock.now()
    plane.grow(1)
    assert (inner.last_size(), sequencer.trouble) == (9, {})


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        ({"status_code": 500}, Unavailable),
        ({"status_code": 200, "text": ""}, Unavailable),
        ({"status_code": 200, "text": "\u2014 ledger.example/w AAAA\n"}, Unavailable),
        ({"status_code": 200, "text": "x" * 20_000}, Unavailable),
        ({"status_code": 404}, Conflict),
        ({"status_code": 409, "text": "0\n"}, Conflict),
        ({"status_code": 409, "text": "99\n"}, Conflict),
        ({"status_code": 409, "text": "many\n"}, Conflict),
        ({"status_code": 422}, Conflict),
    ],
)
def test_answers_that_are_no_cosignature_are_not_taken(
    plane: Any, spoil: dict[str, Any], error: type[Exception]
) -> None:
    inner = MemoryWitness(COSIGNER, plane.signer.public_key, plane.clock)
    remote = HttpWitness("http://w", COSIGNER.public_key, served(inner, spoil))
    with pytest.raises(error):
        remote.cosign(plane.signer.sign(3, b"\x01" * 32), 0, [])
    assert remote.last_size() == 0


def test_a_witness_that_cannot_be_reached_is_unavailable(plane: Any) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route")

    remote = HttpWitness("http://w", COSIGNER.public_key, httpx.Client(transport=httpx.MockTransport(fail)))
    with pytest.raises(Unavailable):
        remote.cosign(plane.signer.sign(3, b"\x01" * 32), 0, [])


def test_a_checkpoint_of_another_log_is_refused(plane: Any) -> None:
    inner = MemoryWitness(COSIGNER, plane.signer.public_key, plane.clock)
    with pytest.raises(Conflict):
        inner.cosign(Cosigner(bytes(32), "x").cosign(plane.signer.sign(1, bytes(32)), 1), 0, [])
