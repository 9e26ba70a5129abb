"""How the stand-in for `docker` takes its command line apart, and how it says no."""

from __future__ import annotations


class Refused(Exception):
    """Docker says no."""


class Words:
    """A command line: options with values, flags, and the rest."""

    def __init__(self, words: list[str], *, valued: str, flags: str, stop_at_first: bool = False) -> None:
        self.values: dict[str, list[str]] = {}
        self.rest: list[str] = []
        words = list(words)
        while words:
            word = words.pop(0)
            if not word.startswith("-") or word == "-" or (stop_at_first and self.rest):
                self.rest.append(word)
                if stop_at_first:
                    self.rest += words
                    break
                continue
            name, equals, value = word.partition("=")
            if name in valued.split():
                self.values.setdefault(name, []).append(value if equals else words.pop(0))
            elif word in flags.split():
                self.values.setdefault(word, []).append("")
            else:
                raise Refused(f"unknown flag: {word}")

    def one(self, *names: str) -> str:
        return next((self.values[name][-1] for name in names if name in self.values), "")

    def all(self, *names: str) -> list[str]:
        return [value for name in names for value in self.values.get(name, [])]
