"""A template and a view become a page. Every value is escaped unless it is markup of ours already."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from frostbyte.console import words
from frostbyte.console.assets import asset_url
from frostbyte.console.navigation import Entry
from frostbyte.data_plane import noted


class Shell(msgspec.Struct, frozen=True, kw_only=True):
    """What surrounds every page."""

    place: str
    """Where one is: a tenant, or the control plane's environment."""
    kind: str
    """`plane` or `control`."""
    path: str
    """Of the page."""
    entries: tuple[Entry, ...] = ()
    """What the person may go to."""
    current: str = ""
    person: str = ""
    """Who signed in; '' on pages for nobody in particular."""
    role: str = ""
    csrf: str = ""
    said: str = ""
    """A sentence about the action that led here."""
    notices: tuple[str, ...] = ()
    """What a person should know about the whole server, as /health says it."""

    @property
    def field(self) -> Markup:
        """What every form that changes something carries."""
        return Markup('<input type="hidden" name="csrf" value="{}">').format(self.csrf)


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("frostbyte.console", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals["asset"] = asset_url
    filters = {
        "size": words.size,
        "count": words.count,
        "seconds": words.seconds,
        "state": words.state,
        "stage": words.stage,
        "moment": words.moment,
        "short": words.short,
        "told": noted.told,
    }
    made.filters.update(filters)
    return made


_PAGES: Final = _environment()


def warm() -> None:
    """Read every template, so that the first who asks for a page does not wait for that. From any thread."""
    for name in _PAGES.list_templates():
        _PAGES.get_template(name)


def render(template: str, shell: Shell, **view: Any) -> str:
    """The page.

    Args:
        template: path below `templates/`.
        shell: what surrounds it.
        view: what the template asks for; a name that it asks for and does not get is an error.
    """
    return _PAGES.get_template(template).render(shell=shell, **view)
