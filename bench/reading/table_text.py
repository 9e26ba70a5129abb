"""Words, numbers and breaks for the generated pages."""

from __future__ import annotations

import random
from typing import Final

from reportlab.pdfbase.pdfmetrics import stringWidth

ENGLISH: Final = (
    "account annual balance branch budget capital cash claim client contract cost credit customer date delivery "
    "deposit division domestic energy equipment expense export factor fee final fixed freight fuel goods gross "
    "group handling import income index insurance interest invoice item labour lease liability license load loss "
    "maintenance margin "
    "market material net office operating order other output paid payment pension period plant policy premium price "
    "product profit project property provision purchase quality rate region rent repair reserve result revenue risk "
    "salary sales sample service share shift site staff stock storage supply tax temperature total trade training "
    "transport travel unit value vendor volume warranty water weight yield"
).split()
GERMAN: Final = (
    "Abschreibung Abteilung Angebot Anlage Aufwand Auftrag Ausgabe Bestand Betrag Betrieb Bilanz Darlehen Einkauf "
    "Energie Entgelt Ergebnis Ertrag Fahrzeug Forderung Förderung Gebühr Gerät Gewinn Grundstück Größe Haftung Handel "
    "Hersteller Jahr Kasse Kosten Kunde Lager Leistung Lieferung Lohn Maschine Material Menge Miete Monat Nachlass "
    "Planung Position Preis Produkt Prüfung Quartal Rabatt Rechnung Rücklage Satz Schaden Steuer Strom Stück Summe "
    "Tätigkeit Umsatz Verbrauch Verkauf Vermögen Versicherung Vertrag Vorrat Wartung Wert Zahlung Zeitraum Zins "
    "Zuschuss"
).split()
FONTS: Final = (
    ("Helvetica", "Helvetica-Bold"),
    ("Helvetica", "Helvetica-Bold"),
    ("Times-Roman", "Times-Bold"),
    ("Times-Roman", "Times-Bold"),
    ("Courier", "Courier-Bold"),
)


def value(noise: random.Random, kind: str, words: list[str], german: bool) -> str:
    """A cell's text of a kind."""
    sign = noise.choice(["", "", "", "-", "−"])
    number = noise.choice([noise.uniform(0, 10), noise.uniform(10, 1000), noise.uniform(1000, 3e6)])
    text = f"{number:,.2f}"
    whole = f"{int(number):,}"
    if german:
        text, whole = (t.translate(str.maketrans(",.", ".,")) for t in (text, whole))
    date = (noise.randint(1, 28), noise.randint(1, 12), noise.randint(1990, 2029))
    return {
        "integer": sign + whole,
        "decimal": sign + text,
        "euro": noise.choice(["{} €", "€ {}", "{} EUR"]).format(text)
        if german
        else noise.choice(["$", "€", "$ "]) + text,
        "percent": f"{number % 100:.1f}" + noise.choice(["%", " %"]),
        "date": f"{date[0]:02}.{date[1]:02}.{date[2]}" if german else f"{date[2]}-{date[1]:02}-{date[0]:02}",
        "code": f"{noise.choice('ABCDEX')}{noise.randint(1, 9)}-{noise.randint(10, 9999)}",
        "label": noise.choice(words).capitalize(),
        "words": " ".join(noise.choices(words, k=noise.randint(1, 3))).capitalize(),
        "yesno": noise.choice(["ja", "nein"] if german else ["yes", "no", "n/a", "–"]),
        "text": " ".join(noise.choices(words, k=noise.randint(3, 12))).capitalize(),
    }[kind]


def alignment(kind: str) -> str:
    """How a column of this kind is set."""
    return {
        "integer": "right",
        "decimal": "decimal",
        "euro": "right",
        "percent": "right",
        "yesno": "center",
        "code": "center",
    }.get(kind, "left")


def wrap(text: str, font: str, size: float, room: float) -> list[str]:
    """The text broken at spaces to fit."""
    lines: list[str] = []
    for word in text.split():
        if lines and stringWidth(f"{lines[-1]} {word}", font, size) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
