"""The port `Dns` for zones elsewhere, through dns-lexicon's providers (docs/adr/0094-dns-by-lexicon.md).

A provider is used without lexicon's client, which would guess where a zone begins, with a list fetched from the
internet; the zone is known here. Such records carry no labels. A TXT record beside them says whose they are: it is
written first and removed last, and without it nothing is replaced or removed.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from functools import partial
from importlib import import_module
from typing import Any, Final, TypeVar

import yaml
from lexicon.config import ConfigResolver
from lexicon.exceptions import AuthenticationError
from lexicon.interfaces import Provider

from frostbyte.adapters.dns.answers import Answering, Authority
from frostbyte.adapters.dns.records import found, fresh, plain, removable, unreachable
from frostbyte.control_plane.provisioning.resources import (
    ENVIRONMENT,
    FROSTBYTE,
    MANAGED_BY,
    OWNER,
    RUN,
    STEP,
    Found,
    WantedRecord,
)
from frostbyte.kernel.errors import Conflict, FrostbyteError, Invalid

SECONDS: Final = 60.0
"""For one change or question. Most providers' code sets no limit of its own."""
_MARK: Final = "_frostbyte"
_TEXT_LIMIT: Final = 255
"""Bytes of a text in DNS (RFC 1035, section 3.3)."""
_T = TypeVar("_T")


class LexiconDns:
    """The zones of one account at a provider.

    Args:
        provider: lexicon's name of it: `cloudflare`, `route53`, `ovh`, `powerdns` ...
        credentials: lexicon's options of that provider (`auth_token` ...). Never shown.
        zones: those that `observe` looks into.
        authority: whom to believe; without one, the name servers that a zone is delegated to.

    Raises:
        Invalid: `dns_provider_unknown`.
    """

    def __init__(
        self,
        provider: str,
        credentials: Mapping[str, str],
        zones: Sequence[str] = (),
        authority: Answering | None = None,
        seconds: float = SECONDS,
    ) -> None:
        self._provider = provider
        self._credentials = dict(credentials)
        self._class = _provider_class(provider)
        self._zones = tuple(zones)
        self._authority = authority or Authority()
        self._seconds = seconds
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"LexiconDns({self._provider})"

    def find(self, zone: str, name: str, type: str) -> Found | None:
        """With the labels that the mark beside them says; whoever's they are."""
        return self._with(zone, 0, lambda provider: _find(provider, zone, name, type))

    def put(self, wanted: WantedRecord) -> Found:
        """Mark, then make or replace ours; what is as it should be is left as it is."""

        def change(provider: Provider) -> Found:
            there = _find(provider, wanted.zone, wanted.name, wanted.type)
            mark = _labels_of(provider, wanted.zone, wanted.name, wanted.type)
            if mark:  # what a mark stands for and is gone is ours to make, if the mark is ours
                fresh(wanted, found(wanted.zone, wanted.name, wanted.type, (), 0, mark))
            if there is not None and fresh(wanted, there):
                return there
            if not mark:
                host = _full(_mark(wanted.name, wanted.type), wanted.zone)
                provider.create_record("TXT", host, _written(wanted.labels))
            host = _full(wanted.name, wanted.zone)
            had = [] if there is None else there.facts["values"]
            values = [plain(wanted.type, value) for value in wanted.values]
            if there is not None and there.facts["ttl"] != wanted.ttl:
                _delete(provider, wanted.type, host, had)
                had = []
            for value in values:
                if value not in had:
                    provider.create_record(wanted.type, host, value)
            _delete(provider, wanted.type, host, [value for value in had if value not in values])
            return found(wanted.zone, wanted.name, wanted.type, values, wanted.ttl, mark or wanted.labels)

        return self._with(wanted.zone, wanted.ttl, change)

    def remove(self, zone: str, name: str, type: str) -> None:
        """Remove ours, then the mark; what is not there is no error."""

        def change(provider: Provider) -> None:
            there = _find(provider, zone, name, type)
            if there is not None and removable(there, zone):
                _delete(provider, type, _full(name, zone), there.facts["values"])
            host = _full(_mark(name, type), zone)
            _delete(provider, "TXT", host, _values(provider, "TXT", host))

        self._with(zone, 0, change)

    def observe(self) -> list[Found]:
        """What has a mark, in the zones that were named; a mark without records is shown too, without values."""
        return [one for zone in self._zones for one in self._with(zone, 0, partial(_marked, zone=zone))]

    def answer(self, zone: str, name: str, type: str) -> tuple[str, ...]:
        """By whom is believed."""
        return self._authority.answer(zone, name, type)

    def _with(self, zone: str, ttl: int, work: Callable[[Provider], _T]) -> _T:
        """Do it in a thread that can be given up: one change at a time."""

        def run() -> _T:
            config = ConfigResolver().with_dict(  # type: ignore[no-untyped-call]
                {
                    "provider_name": self._provider,
                    "domain": zone,
                    **({"ttl": ttl} if ttl else {}),
                    self._provider: self._credentials,
                }
            )
            provider = self._class(config)
            provider.authenticate()
            try:
                return work(provider)
            finally:
                provider.cleanup()

        with self._lock:
            return self._limited(run)

    def _limited(self, run: Callable[[], _T]) -> _T:
        result: Future[_T] = Future()

        def work() -> None:
            try:
                result.set_result(run())
            except BaseException as error:  # noqa: BLE001  # providers raise whatever they like
                result.set_exception(error)

        threading.Thread(target=work, name="dns", daemon=True).start()
        done, _ = wait([result], self._seconds)
        if not done:
            raise unreachable(f"the provider {self._provider} takes too long")
        trouble = result.exception()
        if trouble is not None:
            raise self._said(trouble)  # its own words may hold an address with a password in it
        return result.result()

    def _said(self, error: BaseException) -> FrostbyteError:
        if isinstance(error, FrostbyteError):
            return error
        status = getattr(getattr(error, "response", None), "status_code", 0)
        if isinstance(error, AuthenticationError) or status in (401, 403):
            return Conflict(
                "dns_refused",
                f"The provider {self._provider} does not take these credentials, or does not have this zone.",
                "Correct FROSTBYTE_DNS_TOKEN, or FROSTBYTE_DNS_ZONE.",
            )
        return unreachable(
            f"the provider {self._provider} failed ({type(error).__name__}, HTTP status {status or '-'})"
        )


def credentials(text: str) -> dict[str, str]:
    """A provider's options from a secret: a token alone, or `option: value` on each line, as lexicon names them.

    Raises:
        Invalid: `dns_credentials_unreadable`; nothing of what it holds is shown.
    """
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError:
        data = None
    if isinstance(data, str | int) and len(text.split()) == 1:
        return {"auth_token": text.strip()}
    if not data or not isinstance(data, dict) or not all(isinstance(value, str | int) for value in data.values()):
        raise Invalid(
            "dns_credentials_unreadable",
            "The DNS provider's credentials are neither a token nor `option: value` on each line.",
            "Write them into the file of FROSTBYTE_DNS_TOKEN_FILE, with the options' names as dns-lexicon lists them.",
        )
    return {str(key): str(value) for key, value in data.items()}


def _provider_class(name: str) -> type[Provider]:
    try:
        if not re.fullmatch(r"[a-z0-9]+", name):
            raise ImportError
        module = import_module(f"lexicon._private.providers.{name}")
        chosen: type[Provider] = module.Provider
    except (ImportError, AttributeError):
        raise Invalid(
            "dns_provider_unknown",
            f"There is no DNS provider {name[:40]!r} that can be used here.",
            "Use `hetzner`, or a name that dns-lexicon lists; some need a package more: pip install dns-lexicon[NAME].",
        ) from None
    return chosen


def _find(provider: Provider, zone: str, name: str, type: str) -> Found | None:
    records = _records(provider, type, _full(name, zone))
    if not records:
        return None
    ttl = next((int(record["ttl"]) for record in records if str(record.get("ttl") or "").isdigit()), 0)
    values = [_content(record) for record in records]
    return found(zone, name, type, values, ttl, _labels_of(provider, zone, name, type))


def _marked(provider: Provider, zone: str) -> list[Found]:
    seen: dict[tuple[str, str], dict[str, str]] = {}
    for record in provider.list_records("TXT"):
        place = _place(_bare(str(record["name"])), zone)
        labels = _labels(_content(record))
        if place and labels:
            seen[place] = labels
    return [
        _find(provider, zone, name, type) or found(zone, name, type, (), 0, labels)
        for (name, type), labels in sorted(seen.items())
    ]


def _records(provider: Provider, type: str, host: str) -> list[dict[str, Any]]:
    """Providers filter by name as they like, so it is done again."""
    records = provider.list_records(type, host)
    return [record for record in records if (record["type"], _bare(str(record["name"]))) == (type, host)]


def _values(provider: Provider, type: str, host: str) -> list[str]:
    return [_content(record) for record in _records(provider, type, host)]


def _delete(provider: Provider, type: str, host: str, values: Sequence[str]) -> None:
    for value in values:
        provider.delete_record(rtype=type, name=host, content=value)


def _labels_of(provider: Provider, zone: str, name: str, type: str) -> dict[str, str]:
    texts = _values(provider, "TXT", _full(_mark(name, type), zone))
    return next((labels for labels in map(_labels, texts) if labels), {})


def _full(name: str, zone: str) -> str:
    return zone if name == "@" else f"{name}.{zone}"


def _bare(host: str) -> str:
    return host.rstrip(".").lower()


def _content(record: Mapping[str, Any]) -> str:
    text = str(record["content"])
    return text.strip('"') if record["type"] == "TXT" else text


def _mark(name: str, type: str) -> str:
    """Where the mark of records is: `_frostbyte-a.acme.pipeline`, for `*` with `_any` in its place."""
    own = f"{_MARK}-{type.lower()}"
    return own if name == "@" else f"{own}.{name.replace('*', '_any')}"


def _place(host: str, zone: str) -> tuple[str, str] | None:
    """Name and type that a mark stands for; None if it is none."""
    first, _, rest = host.partition(".")
    kind = first.removeprefix(f"{_MARK}-")
    if kind == first or not host.endswith(zone):
        return None
    name = rest[: -len(zone)].rstrip(".")
    return (name.replace("_any", "*") or "@", kind.upper())


def _written(labels: Mapping[str, str]) -> str:
    """Labels as one text. What does not fit in is left out, but never whose it is."""
    text = ",".join(f"{key}={labels.get(key, '')}" for key in (MANAGED_BY, ENVIRONMENT, OWNER))
    for key in (RUN, STEP):
        more = f"{text},{key}={labels.get(key, '')}"
        text = more if len(more) <= _TEXT_LIMIT else text
    return text


def _labels(text: str) -> dict[str, str]:
    """What `_written` wrote; {} for any other text."""
    parts = dict(part.split("=", 1) for part in text.split(",") if "=" in part)
    return parts if parts.get(MANAGED_BY) == FROSTBYTE else {}
