"""Documents that answer nothing: letters, offers, minutes, instructions in English and German, made from lists.

They share the everyday words of the sets (invoices, notice, Miete, Wartung), so that a search has to tell them apart.
The same number makes the same documents.
"""

from __future__ import annotations

import random
from typing import Final

_FIRMS: Final = (
    *(
        "Aldermoor Printing",
        "Brightwater Foods",
        "Castell Optics",
        "Dunmore Haulage",
        "Elstow Timber",
        "Fenwick Paints",
    ),
    *(
        "Grünwald Feinmechanik GmbH",
        "Hollenstedt Fenster KG",
        "Immergut Backwaren",
        "Jessen Schiffstechnik",
        "Kolbe Textil",
    ),
)
_PEOPLE: Final = (
    *("Arthur Penhale", "Bettina Krull", "Cora Winslade", "Detlef Ohlsen", "Esther Mbeki", "Frieda Lanz", "Hugo Marsh"),
    *("Ilse Bremer", "Jonas Wiebe", "Kate Orrell"),
)
_ENGLISH: Final = (
    "The delivery of {n} cartons to {firm} was late by {d} days because the lorry broke down near the depot.",
    "Please confirm by {date} whether the offer of GBP {money} for the maintenance of the lifts is accepted.",
    "The fire drill on {date} took {d} minutes; the meeting point behind the canteen was too small for {n} people.",
    "{person} takes over the project from {other} and reports progress to the steering group every {d} weeks.",
    "The service interval of the compressor is {n} hours. Filters are replaced at every second service.",
    "Our records show an open balance of GBP {money}. Interest is charged from the {d}th day after the due date.",
    "The parties may end the licence with {d} months' notice in writing to the end of a calendar year.",
    "Visitors register at the gate, wear a badge and are accompanied by {person} or another member of staff.",
    "The sample was stored at {d} degrees and tested for moisture, fat and protein; no deviation was found.",
    "Training on the new till takes place in room {n} and lasts about {d} hours. Bring your own headphones.",
    "The insurance covers theft and storm damage up to GBP {money}; floods are excluded unless agreed otherwise.",
    "The committee discussed the budget for the coming year and asked {person} for three quotations for the roof.",
)
_GERMAN: Final = (
    "Die Lieferung von {n} Kartons an {firm} verzögerte sich um {d} Tage, weil der Lastwagen ausfiel.",
    "Bitte bestätigen Sie bis zum {date}, ob das Angebot über {money} EUR für die Wartung der Aufzüge angenommen wird.",
    "Die Räumungsübung am {date} dauerte {d} Minuten; der Sammelplatz war für {n} Personen zu klein.",
    "{person} übernimmt das Projekt von {other} und berichtet alle {d} Wochen an den Lenkungskreis.",
    "Das Wartungsintervall des Kompressors beträgt {n} Stunden. Filter werden bei jeder zweiten Wartung ersetzt.",
    "Nach unseren Unterlagen ist ein Betrag von {money} EUR offen. Verzugszinsen werden ab dem {d}. Tag berechnet.",
    "Der Vertrag kann mit einer Frist von {d} Monaten zum Ende eines Kalenderjahres schriftlich gekündigt werden.",
    "Besucher melden sich am Tor, tragen einen Ausweis und werden von {person} begleitet.",
    "Die Probe wurde bei {d} Grad gelagert und auf Feuchte, Fett und Eiweiß geprüft; es gab keine Abweichung.",
    "Die Schulung an der neuen Kasse findet in Raum {n} statt und dauert etwa {d} Stunden.",
    "Die Versicherung deckt Diebstahl und Sturmschäden bis {money} EUR; Hochwasser ist ausgeschlossen.",
    "Der Ausschuss beriet über den Haushalt des kommenden Jahres und bat {person} um drei Angebote für das Dach.",
)
_TITLES: Final = {
    "en": ("Letter to {firm}", "Minutes of the works meeting", "Instruction {n}", "Offer {n} for {firm}"),
    "de": ("Schreiben an {firm}", "Niederschrift der Werksbesprechung", "Anweisung {n}", "Angebot {n} für {firm}"),
}


def documents(count: int, seed: int = 7) -> dict[str, str]:
    """Markdown by name."""
    noise = random.Random(seed)
    return {f"distractor-{number:03}": _document(noise, "en" if number % 2 else "de") for number in range(count)}


def _document(noise: random.Random, language: str) -> str:
    sentences = _ENGLISH if language == "en" else _GERMAN
    pieces = ["# " + _filled(noise, noise.choice(_TITLES[language]))]
    for number in range(noise.randint(2, 5)):
        pieces.append(f"## {number + 1} " + ("Section" if language == "en" else "Abschnitt"))
        for _ in range(noise.randint(1, 3)):
            chosen = noise.sample(sentences, noise.randint(2, 4))
            pieces.append(" ".join(_filled(noise, sentence) for sentence in chosen))
    return "\n\n".join(pieces) + "\n"


def _filled(noise: random.Random, text: str) -> str:
    person, other = noise.sample(_PEOPLE, 2)
    money = noise.randint(200, 90_000)
    return text.format(
        n=noise.randint(12, 980),
        d=noise.randint(2, 28),
        firm=noise.choice(_FIRMS),
        person=person,
        other=other,
        date=f"{noise.randint(1, 28)}.{noise.randint(1, 12)}.2026",
        money=f"{money:,}" if noise.random() < 0.5 else f"{money:,}".replace(",", "."),
    )
