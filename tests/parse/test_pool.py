"""What a document can do to a parser ends with that parser."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from frostbyte.adapters.children.troubles import Bounds
from frostbyte.adapters.parsing import ParserPool
from frostbyte.kernel.errors import StageFailed, Unavailable

pytestmark = pytest.mark.slow

ROGUE = (sys.executable, str(Path(__file__).parent / "rogue.py"))


@pytest.fixture
def rogue():
    pools = []

    def make(**options):
        pools.append(ParserPool(**({"size": 1, "timeout": 20.0, "command": ROGUE} | options)))
        return pools[-1]

    yield make
    for pool in pools:
        pool.close()


def ask(pool, mime, data=b"some text"):
    return pool.parse([data], sha256="aa", mime=mime, size=len(data))


def code_of(pool, mime):
    with pytest.raises(StageFailed) as caught:
        ask(pool, mime)
    assert caught.value.remedy
    return caught.value.code


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    ("mime", "code", "options"),
    [
        ("test/hang", "parser_timeout", {"timeout": 2.0}),
        ("test/slow", "parser_timeout", {"total_timeout": 2.0}),
        ("test/spin", "parser_timeout", {"bounds": Bounds(cpu_seconds=1)}),
        ("test/crash", "parser_crashed", {}),
        ("test/exit", "parser_crashed", {}),
        ("test/memory", "parser_memory", {"bounds": Bounds(memory=1 << 30)}),
        ("test/flood", "output_too_large", {"max_output": 1 << 20}),
        ("test/nonsense", "parser_crashed", {}),
        ("test/other", "parser_crashed", {}),
        ("test/write", "parser_crashed", {}),
    ],
)
def test_each_trouble_has_its_code_and_the_next_document_is_served(rogue, mime, code, options):
    pool = rogue(**options)
    began = time.monotonic()
    assert code_of(pool, mime) == code
    assert time.monotonic() - began < 15
    assert ask(pool, "test/fine").pages[0].text == "some text"


def test_a_killed_child_is_replaced(rogue):
    pool = rogue()
    ask(pool, "test/fine")
    (first,) = pool.pids
    os.kill(first, signal.SIGKILL)
    time.sleep(0.2)
    assert ask(pool, "test/fine").pages[0].text == "some text"
    assert pool.pids != (first,)


def test_a_hung_child_is_gone_afterwards(rogue):
    pool = rogue(timeout=2.0)
    ask(pool, "test/fine")
    (first,) = pool.pids
    assert code_of(pool, "test/hang") == "parser_timeout"
    assert not is_alive(first)
    assert pool.pids == ()


def test_children_are_warm_and_recycled(rogue):
    pool = rogue(recycle_after=2)
    ask(pool, "test/fine")
    (first,) = pool.pids
    ask(pool, "test/fine")
    assert pool.pids == ()
    ask(pool, "test/fine")
    assert pool.pids != (first,)


def test_a_good_failure_keeps_the_child(pool):
    for _ in range(2):
        with pytest.raises(StageFailed):
            pool.parse([b"%PDF-"], sha256="", mime="application/pdf", size=5)
    (first,) = pool.pids
    pool.parse([b"text"], sha256="", mime="text/plain", size=4)
    assert pool.pids == (first,)


def test_what_libraries_print_goes_nowhere(rogue, capfd):
    assert ask(rogue(), "test/print").pages[0].text == "some text"
    assert capfd.readouterr() == ("", "")


def test_children_see_no_settings(rogue, monkeypatch):
    monkeypatch.setenv("FROSTBYTE_SECRET", "x")
    assert ask(rogue(), "test/secrets").pages_found == 1


def test_children_are_started_when_they_are_needed():
    pool = ParserPool(size=3)
    assert pool.pids == ()
    pool.close()
    with pytest.raises(Unavailable):
        pool.parse([b""], sha256="", mime="text/plain", size=0)


def test_closing_blames_no_document(rogue):
    pool = rogue(timeout=30.0)
    caught = []

    def work():
        try:
            ask(pool, "test/hang")
        except Unavailable as error:
            caught.append(error.code)

    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(1.5)
    pool.close()
    thread.join(10)
    assert caught == ["parser_unavailable"]
    assert pool.pids == ()


def test_a_program_that_cannot_start_is_unavailable():
    pool = ParserPool(command=("/nonexistent/parser",))
    with pytest.raises(Unavailable) as caught:
        pool.parse([b""], sha256="", mime="text/plain", size=0)
    assert caught.value.code == "parser_unavailable"


def test_a_large_document_streams_through(pool):
    line = b"All work and no play makes a long file, over and over again.\n"
    data = line * 100_000
    chunks = (data[start : start + 65_536] for start in range(0, len(data), 65_536))
    document = pool.parse(chunks, sha256="", mime="text/plain", size=len(data))
    assert len(document.pages[0].text) == len(data)


def test_children_end_with_their_parent(tmp_path):
    script = (
        "import os, sys, time\n"
        "from frostbyte.adapters.parsing import ParserPool\n"
        "pool = ParserPool(size=1)\n"
        "pool.parse([b'x'], sha256='', mime='text/plain', size=1)\n"
        "print(pool.pids[0], flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    child = int(result.stdout)
    limit = time.monotonic() + 10
    while is_alive(child) and time.monotonic() < limit:
        time.sleep(0.1)
    assert not is_alive(child)


def test_a_warmed_pool_has_one_child_before_it_is_asked_and_none_after_it_was_closed(rogue):
    pool = rogue(size=2)
    assert pool.pids == ()
    pool.warm()
    pool.warm()
    (pid,) = pool.pids
    assert ask(pool, "test/fine").pages[0].text == "some text"
    assert pool.pids == (pid,)
    pool.close()
    pool.warm()
    assert pool.pids == ()
    assert not is_alive(pid)
