"""The part of Go's templates that the scripts use with `--format`."""

from __future__ import annotations

import json
import re
from typing import Any


def path_in(thing: Any, path: str) -> Any:
    for word in path.strip(".").split("."):
        thing = thing if not word else thing[word]
    return thing


def expression(words: str, thing: Any) -> str:
    if words.startswith("json "):
        return json.dumps(path_in(thing, words[5:]))
    if label := re.fullmatch(r'\.Label "(.*)"', words):
        return str(thing["Labels"].get(label[1], ""))
    if label := re.fullmatch(r'index \.(?:Config\.)?Labels "(.*)"', words):
        return str(thing["Labels"].get(label[1], ""))
    if words.startswith('"'):
        return str(json.loads(words))
    if words == ".":
        return str(thing)
    if not words.startswith("."):
        raise ValueError(f"template parsing error: {words}")
    value = path_in(thing, words)
    return str(value).lower() if isinstance(value, bool) else str(value)


def listed(template: str, thing: Any) -> str:
    """As `docker ps` and its like show a row: signs for tabs and line ends in the template are these."""
    return shown(template.replace("\\t", "\t").replace("\\n", "\n"), thing)


def shown(template: str, thing: Any) -> str:
    """The part of Go's templates that the scripts use, as `docker inspect` shows it."""

    def each(match: re.Match[str]) -> str:
        return "".join(shown(match[2], item) for item in path_in(thing, match[1]))

    text = re.sub(r"\{\{\s*range ([^\s}]+)\s*\}\}(.*?)\{\{\s*end\s*\}\}", each, template)
    return re.sub(r"\{\{\s*(.*?)\s*\}\}", lambda match: expression(match[1], thing), text)
