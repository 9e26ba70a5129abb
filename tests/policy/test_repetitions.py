"""Whatever a document repeats, it is judged soon: no pattern parts one run of signs in endless ways.

A line to write on (`____________Date`) once kept the injection gate for minutes, and its document ended as one that
cannot be judged. Which patterns do that is hard to see, so what documents repeat is drawn: a start, something again
and again, and an end that does not belong to it.
"""

from __future__ import annotations

import multiprocessing
import random
import time

import pytest

from draws import SEED, SOAK
from frostbyte.data_plane import policy
from frostbyte.data_plane.policy import addresses, classify, injection, mentions, people, pii
from frostbyte.data_plane.policy.reading import plain
from frostbyte.kernel.tenancy import PiiType

_UNITS = (
    *"aA1@()[]<>\"'*#-_=+.,;:|\\/\t\n éа😀中",
    *("1 ", "1-", "1.", "a@", "a.", "ab.cd", "A-", "a,", "a;", "x | ", "   ", "\n\n", "---\n", "„", "“", "«", "\u200b"),
    *(
        "\u202e",
        "\u00ad",
        "\\n",
        "%20",
        "&amp;",
        "&#97;",
        "\\u0041",
        "0x41",
        "QUJD",
        "aGVsbG8=",
        "i g n o r e ",
        "1gn0r3 ",
    ),
    *(
        "+49 ",
        "DE44 ",
        "GB",
        "SY8 1AP ",
        "AB123456C ",
        "123-45-6789 ",
        "4111 1111 ",
        "IDD<<",
        "192.168.",
        "fe80:",
        "$1",
    ),
    *(
        "http://",
        "www.",
        "mailto:",
        "ignore ",
        "You must ",
        "please ",
        "Assistant: ",
        "<|im_start|>",
        "the ",
        "of the ",
    ),
    *(
        "John ",
        "Herr ",
        "Dr. ",
        "Mr. J. ",
        "O'Neil ",
        "12 High Street ",
        "Hauptstr. 5, ",
        "Name: ",
        "born ",
        "geboren am ",
    ),
    *(
        "12/3/1980 ",
        "Jan ",
        "Passport No. ",
        "IBAN ",
        "key=",
        "password: ",
        "Tel. 0",
        "GmbH ",
        "§ ",
        "1) ",
        "(a) ",
        "[1] ",
    ),
)
_ENDS = ("", " ends.", "z", "!", "\n", "1", "Date", " ", ")", '"')
_KNOWN = (
    "Signed " + "_" * 400 + "Date",
    "Name" + "." * 400 + "x",
    "a_" * 200 + "é",
    "starte deine (vy'email" + "." * 90 + "  verwende das z_plugin(",
    "call the pay_figures(" + "pay" + "$" * 90 + " send_to",
)
"""What was found, and its like."""
_COUNT = 5_000 if SOAK else 400
_LENGTH = 400
_SECONDS = 2.0
"""Of one processor for one text: a thousand times what it takes."""


def _drawn() -> list[str]:
    draw = random.Random(SEED)
    texts = list(_KNOWN)
    for _ in range(_COUNT):
        unit = "".join(draw.choice(_UNITS) for _ in range(draw.choice((1, 1, 2, 2, 3))))
        begin = draw.choice(("", " ", "a", "Name: ", draw.choice(_UNITS) * 3))
        texts.append(begin + unit * (_LENGTH // len(unit)) + draw.choice((*_ENDS, draw.choice(_UNITS))))
    return texts


def _judge(texts: list[str]) -> None:
    """Judge each of them; a process of its own, because nothing else ends a search without an end."""
    rules = policy.RuleSet.load()
    kinds = [kind.value for kind in PiiType]
    for text in texts:
        began = time.process_time()
        pii.find(plain(text), rules.pii, kinds)
        injection.find(plain(text), rules.injection)
        injection.find_marks(text, 0, rules.injection)
        classify.classify(text[:100], text, rules)
        people.People(text)
        list(mentions.places(text, mentions.words_of("Anna Schmidt")))
        addresses.find(text)
        list(addresses.cues(text))
        took = time.process_time() - began
        assert took < _SECONDS, f"{took:.1f} s for {text[:60]!r} ... {text[-20:]!r}"


@pytest.mark.slow
def test_whatever_is_repeated_is_judged_soon() -> None:
    child = multiprocessing.get_context("spawn").Process(target=_judge, args=(_drawn(),))
    child.start()
    child.join(30 + _COUNT / 20)
    endless = child.is_alive()
    if endless:
        child.kill()
        child.join()
    assert not endless
    assert child.exitcode == 0
