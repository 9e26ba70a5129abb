"""One request as the world works on it, and its answer."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar
from urllib.parse import urlencode

import msgspec

from frostbyte.adapters.hetzner.world import labels
from frostbyte.adapters.hetzner.world.faults import Fault
from frostbyte.adapters.hetzner.world.records import Action, Project
from frostbyte.adapters.hetzner.world.refusals import Refused, invalid, not_found

if TYPE_CHECKING:
    from frostbyte.adapters.hetzner.world.world import World

PER_PAGE: Final = 25
MOST_PER_PAGE: Final = 50
BODY_BYTES: Final = 1 << 20
_FIELD: Final = re.compile(r"`\$\.?([^`]*)`")
_T = TypeVar("_T")


@dataclass
class Answer:
    """What is sent back.

    Attributes:
        body: JSON; None for an empty one.
        page: sent instead of JSON, as a proxy in between would.
        wait: real seconds to wait before it is sent.
        broken: nothing is sent: the connection breaks.
    """

    status: int
    body: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    page: str = ""
    wait: float = 0.0
    broken: bool = False


@dataclass
class Call:
    """A request that may be worked on.

    Attributes:
        path: below `/v1`.
        names: what stands in the path's places.
        acting: faults that act on it.
        begun: actions that it has begun, in order.
    """

    world: World
    project: Project
    method: str
    path: str
    query: Mapping[str, Sequence[str]]
    body: bytes
    names: Mapping[str, str] = field(default_factory=dict)
    acting: Sequence[Fault] = ()
    begun: list[Action] = field(default_factory=list)

    def parse(self, kind: type[_T]) -> _T:
        """The body. Raises Refused: `json_error` or `invalid_input`."""
        try:
            return msgspec.json.decode(self.body or b"{}", type=kind)
        except msgspec.ValidationError as error:
            raise _unfit(error) from None
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            raise Refused(400, "json_error", "invalid JSON") from None

    def number(self, name: str = "id") -> int:
        """A number from the path; what is none names nothing."""
        text = self.names[name]
        if not text.isascii() or not text.isdigit() or len(text) > 16:
            raise invalid(name, "must be an integer")
        return int(text)

    def one(self, name: str) -> str | None:
        """A query parameter that counts once."""
        values = self.query.get(name)
        return values[-1] if values else None

    def count(self, name: str, otherwise: int) -> int:
        """A query parameter that is a number from 1. Raises Refused."""
        text = self.one(name)
        if text is None:
            return otherwise
        if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) < 1:
            raise invalid(name, "must be an integer of at least 1")
        return int(text)

    def get(self, what: str, found: Mapping[int, _T], which: int) -> _T:
        """Raises Refused: `not_found`."""
        if which not in found:
            raise not_found(what, which)
        return found[which]

    def listed(self, key: str, items: Iterable[Any], show: Callable[[Any], dict[str, Any]]) -> Answer:
        """One page of what has an id, a name and labels, as the query asks for it."""
        chosen = list(items)
        name, wanted = self.one("name"), self.one("label_selector")
        if name is not None:
            chosen = [item for item in chosen if item.name == name]
        if wanted is not None:
            selects = labels.selector(wanted)
            chosen = [item for item in chosen if selects(item.labels)]
        return self.paged(key, self._sorted(chosen), show)

    def paged(self, key: str, items: Sequence[Any], show: Callable[[Any], dict[str, Any]]) -> Answer:
        """One page of items that are chosen and sorted."""
        page, per_page = self.count("page", 1), min(self.count("per_page", PER_PAGE), MOST_PER_PAGE)
        last = max(1, math.ceil(len(items) / per_page))
        shown = [show(item) for item in items[(page - 1) * per_page : page * per_page]]
        meta = {
            "page": page,
            "per_page": per_page,
            "previous_page": page - 1 if page > 1 else None,
            "next_page": page + 1 if page < last else None,
            "last_page": last,
            "total_entries": len(items),
        }
        links = ((meta["previous_page"], "prev"), (meta["next_page"], "next"), (last, "last"))
        link = ", ".join(f'<{self._at(number, per_page)}>; rel="{name}"' for number, name in links if number)
        return Answer(200, {key: shown, "meta": {"pagination": meta}}, {"Link": link})

    def _at(self, page: int, per_page: int) -> str:
        others = [(name, values) for name, values in self.query.items() if name not in ("page", "per_page")]
        asked = urlencode([*others, ("page", [page]), ("per_page", [per_page])], doseq=True)
        return f"{self.world.address}{self.path}?{asked}"

    def _sorted(self, items: list[Any]) -> list[Any]:
        for asked in reversed(self.query.get("sort", ())):
            name, _, way = asked.partition(":")
            if name not in ("id", "name", "created") or way not in ("", "asc", "desc"):
                raise invalid("sort", "is not a field that can be sorted by")
            items = sorted(items, key=lambda item: getattr(item, name), reverse=way == "desc")
        return items


Handler: TypeAlias = Callable[[Call], Answer]
Routes: TypeAlias = Sequence[tuple[str, str, Handler]]


class Update(msgspec.Struct, kw_only=True):
    """Body of every PUT that renames and labels."""

    name: str | None = None
    labels: dict[str, str] | None = None


def _unfit(error: msgspec.ValidationError) -> Refused:
    """A field of the wrong type or a missing one; what was sent is not repeated."""
    text = str(error)
    place = _FIELD.search(text)
    missing = re.search(r"missing required field `([a-z_0-9]+)`", text)
    if missing:
        return invalid(missing[1], "Missing data for required field.")
    return invalid(place[1] if place else "body", text.partition(" - at")[0])
