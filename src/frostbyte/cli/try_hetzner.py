"""`frostbyte try-hetzner`: what `demo-online` shows, on a Hetzner account of one's own, for money and for a time."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Annotated, Final

import typer

from frostbyte import __version__
from frostbyte.cli.demo import say, step
from frostbyte.cli.demo_sky import TENANT, Sky, document, ended
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.exits import Exit
from frostbyte.cli.findings import Level
from frostbyte.cli.output import err, hint, out, table, text

if TYPE_CHECKING:
    from frostbyte.control_plane.provisioning.trial import Cost
    from frostbyte.control_plane.settings import ControlSettings

PROJECT: Final = "main"
FILE: Final = "try.json"
RELEASE_SECONDS: Final = 15.0
_HANDED_ON: Final = ("FROSTBYTE_SOPS", "FROSTBYTE_TRAEFIK", "FROSTBYTE_LOCATIONS", "FROSTBYTE_OPERATOR_KEYS")
_LEFT: Final = "What is there costs money; if the base stands, all goes at {end}. At once: frostbyte try-hetzner --end"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What was begun, as its folder keeps it: the same command goes on with it.

    Attributes:
        environment: that everything is labelled with; no other has this name.
        ends_at: when the control plane on the edge's host takes everything away (ISO 8601).
        recipient: for secrets; nobody has its identity, for nothing of a try is to be recovered.
        done: stages that are behind.
    """

    environment: str
    zone: str
    email: str
    operators: str
    ends_at: str
    recipient: str
    done: tuple[str, ...] = ()

    @property
    def domain(self) -> str:
        """Names of a try lie below one of its own, so that none that is there is touched."""
        return f"{self.environment}.{self.zone}"

    @property
    def over(self) -> bool:
        """Whether its time is up."""
        return datetime.now(UTC) >= datetime.fromisoformat(self.ends_at)

    def keep(self, folder: Path) -> None:
        """Write it down, before anything depends on it."""
        part = folder / f"{FILE}.part"
        part.write_text(json.dumps(asdict(self), indent=2), encoding="utf-8")
        part.replace(folder / FILE)

    @classmethod
    def kept(cls, folder: Path) -> Trial | None:
        """What was begun here; None where nothing was."""
        try:
            found = json.loads((folder / FILE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return cls(**found | {"done": tuple(found["done"])})


def try_hetzner(
    zone: Annotated[str, typer.Option("--zone", help="A DNS zone of the project, delegated to Hetzner.")] = "",
    email: Annotated[str, typer.Option("--email", help="For Let's Encrypt, which certifies the edge.")] = "",
    operators: Annotated[
        str, typer.Option("--operators", help="Your network as the internet sees it (CIDR): who may use SSH.")
    ] = "",
    image: Annotated[
        list[str] | None, typer.Option("--image", help="As `hosts build` takes them; the usual names by default.")
    ] = None,
    file: Annotated[list[str] | None, typer.Option("--file", help="As `hosts build` takes them.")] = None,
    max_cost: Annotated[
        str,
        typer.Option("--max-cost", help="Refuse if it can cost more, net, in the account's currency."),
    ] = "1.00",
    ttl: Annotated[
        float, typer.Option("--ttl", min=0.25, max=48.0, help="Hours until everything is taken away by itself.")
    ] = 2.0,
    folder: Annotated[
        Path, typer.Option("--folder", help="What is known of the try; the same command goes on with it.")
    ] = Path(".frostbyte-try"),
    samples: Annotated[Path, typer.Option("--samples", help="A folder with a document to send.")] = Path("samples"),
    end: Annotated[bool, typer.Option("--end", help="Take everything of the try away now.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; it costs money.")] = False,
) -> None:
    """Show a tenant's life on your own Hetzner project (HCLOUD_TOKEN), for money: cost first, all gone after --ttl.

    Interrupted, the same command goes on. The control plane that it makes takes everything away when the time is over,
    whether this machine sleeps or not.
    """
    folder = folder.absolute()
    trial = Trial.kept(folder)
    if end or (trial is not None and trial.over):
        _ended(trial, folder)
        return
    sent = document(samples)
    if trial is None:
        trial = _begun(folder, _new(zone, email, operators, ttl), _limit(max_cost), image or [], yes=yes)
    else:
        say(f"Going on with {trial.environment}, which ends at {trial.ends_at}.")
    words = [f"--image={one}" for one in image or ()] + [f"--file={one}" for one in file or ()]
    try:
        Story(_sky(trial, folder), trial, folder, sent, words).tell()
    except (CommandFailed, KeyboardInterrupt):
        err().print(text(_LEFT.format(end=trial.ends_at), "yellow"), soft_wrap=True)
        err().print(text("The same command goes on: frostbyte try-hetzner", "yellow"))
        raise
    _ended(trial, folder)


# -- before anything is made -------------------------------------------------------------------------------------------


def _new(zone: str, email: str, operators: str, ttl: float) -> Trial:
    """Raises CommandFailed: `try_incomplete`."""
    from frostbyte.adapters.vault.age import fresh

    if _simulated():
        email, operators = email or "nobody@example.org", operators or "127.0.0.0/8"
    lacking = [f"--{name}" for name, given in (("zone", zone), ("email", email), ("operators", operators)) if not given]
    if lacking:
        raise CommandFailed(
            "try_incomplete",
            f"A try needs {', '.join(lacking)}.",
            "For example: --zone example.com --email you@example.com --operators 198.51.100.7/32",
        )
    return Trial(
        environment=f"try-{token_hex(3)}",
        zone=zone,
        email=email,
        operators=operators,
        ends_at=(datetime.now(UTC) + timedelta(hours=ttl)).isoformat(timespec="seconds"),
        recipient=fresh()[1],
    )


def _limit(given: str) -> Decimal:
    try:
        limit = Decimal(given)
    except InvalidOperation:
        limit = Decimal(-1)
    if not limit.is_finite() or limit < 0:
        raise CommandFailed("max_cost_invalid", f"{given} is no sum of money.", "Write it as 1.00.")
    return limit


def _begun(folder: Path, trial: Trial, limit: Decimal, images: list[str], *, yes: bool) -> Trial:
    """Look at everything, show what it costs, ask; nothing is made before.

    Raises:
        CommandFailed: `cloud_token_missing`, `try_not_ready`, `try_place_taken`, `try_images_missing`,
            `cost_above_limit`, `confirmation_missing`.
    """
    settings = _settings(trial, folder)
    _see_that_it_can_be(settings, images)
    cost = _cost(settings, trial)
    _show(cost, trial)
    if cost.most > limit:
        raise CommandFailed(
            "cost_above_limit",
            f"It can cost {cost.most} {cost.currency}, and {limit} is the most that you allow.",
            "Nothing was made. Allow more with --max-cost, or less time with --ttl.",
            exit_code=Exit.REFUSED,
        )
    if not yes:
        _confirm(cost)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    trial.keep(folder)
    return trial


def _see_that_it_can_be(settings: ControlSettings, images: list[str]) -> None:
    from frostbyte.bootstrap.local_hosts import usual
    from frostbyte.bootstrap.on_account import taken
    from frostbyte.cli.doctor_cloud import check_cloud

    for finding in check_cloud(settings):
        if finding.level is Level.FAIL:
            raise CommandFailed(
                "try_not_ready", f"A try cannot begin: {finding.message}", finding.remedy, exit_code=Exit.REFUSED
            )
    if taken(settings, PROJECT):
        raise CommandFailed(
            "try_place_taken",
            "There is a base of Frostbyte in this project already.",
            "Make a project of its own for the try, and a token of it.",
            exit_code=Exit.REFUSED,
        )
    lacking = sorted(usual(__version__).images.keys() - {one.partition("=")[0] for one in images})
    if lacking and not _simulated():
        raise CommandFailed(
            "try_images_missing",
            f"Hosts fetch nothing, so the snapshot has to hold: {', '.join(lacking)}.",
            "Name each: --image NAME=ARCHIVE of `docker save`, or NAME=REFERENCE of this machine's engine.",
        )


def _cost(settings: ControlSettings, trial: Trial) -> Cost:
    from frostbyte.bootstrap.on_account import catalogue
    from frostbyte.control_plane.provisioning.trial import cost

    now = datetime.now(UTC)
    left = (datetime.fromisoformat(trial.ends_at) - now).total_seconds()
    return cost(catalogue(settings, PROJECT), settings.provisioning.locations, now, left)


def _show(cost: Cost, trial: Trial) -> None:
    shown = table("=what", "=kind", ">a month", ">a month at most", title="What is made, for money")
    for item in cost.items:
        shown.add_row(text(item.what), text(item.kind), text(f"{item.monthly:.2f}"), text(f"{item.dearest:.2f}"))
    out().print(shown)
    say("Free: a network, firewalls, an SSH key, names below " + trial.domain + ".")
    say(f"Everything goes at {trial.ends_at}, taken away by the control plane that is made.")
    out().print(
        text(f"At most {cost.most} {cost.currency}, net: all of it for {cost.hours} begun hours.", "bold"),
        soft_wrap=True,
    )


def _confirm(cost: Cost) -> None:
    if not sys.stdin.isatty():
        raise CommandFailed(
            "confirmation_missing",
            f"This can cost {cost.most} {cost.currency}, and nobody is there to be asked.",
            "Look at it, and say --yes.",
        )
    if not typer.confirm(f"Spend up to {cost.most} {cost.currency} of your account's money?", err=True):
        raise typer.Exit(Exit.REFUSED)


# -- what the commands are told ----------------------------------------------------------------------------------------


def _endpoint() -> str:
    from frostbyte.control_plane.provisioning.settings import ENDPOINT

    return os.environ.get("HCLOUD_ENDPOINT", "") or ENDPOINT


def _simulated() -> bool:
    from frostbyte.adapters.hetzner.calls import on_this_host

    return on_this_host(_endpoint())


def _told(trial: Trial, folder: Path) -> dict[str, str]:
    """Settings of every command. Raises CommandFailed: `cloud_token_missing`."""
    token = os.environ.get("HCLOUD_TOKEN", "")
    if not token:
        raise CommandFailed(
            "cloud_token_missing",
            "There is no token to act with.",
            "Set HCLOUD_TOKEN to one of an empty Hetzner project that may read and write.",
        )
    told = {name: os.environ[name] for name in _HANDED_ON if os.environ.get(name)}
    told |= {
        "FROSTBYTE_MODE": "development",
        "FROSTBYTE_CONTROL_DATA_DIR": str(folder / "operator"),
        "FROSTBYTE_CONTROL_DOMAIN": trial.domain,
        "FROSTBYTE_CONTROL_ENVIRONMENT": trial.environment,
        "FROSTBYTE_HCLOUD_TOKEN": token,
        "FROSTBYTE_HCLOUD_ENDPOINT": _endpoint(),
        "FROSTBYTE_DNS_ZONE": trial.zone,
        "FROSTBYTE_OPERATORS": trial.operators,
        "FROSTBYTE_RECOVERY_RECIPIENT": trial.recipient,
    }
    if _simulated():
        return told | {"FROSTBYTE_HOSTS_DIR": str(folder / "hosts")}
    return told | {"FROSTBYTE_CONTROL_EDGE_TLS": "acme", "FROSTBYTE_CONTROL_EDGE_ACME_EMAIL": trial.email}


def _settings(trial: Trial, folder: Path) -> ControlSettings:
    from frostbyte.control_plane.settings import load

    return load(_told(trial, folder))


def _sky(trial: Trial, folder: Path) -> Sky:
    told = _told(trial, folder)
    return Sky(folder, told) if _simulated() else Real(folder, told)


class Real(Sky):
    """The same with servers that are none of this machine: nothing of them lies here."""

    def meet(self) -> None:
        data = Path(self.environment["FROSTBYTE_CONTROL_DATA_DIR"])
        for name, file in (("URL", "edge-url"), ("TOKEN", "edge-token")):
            self.environment[f"FROSTBYTE_CONTROL_{name}"] = (data / file).read_text(encoding="ascii").strip()
        say(f"The control plane is at {self.environment['FROSTBYTE_CONTROL_URL']}.")

    def ingest(self, document: Path) -> str:
        """Nobody outside has a token of the tenant's plane yet: it makes its own, on its host."""
        self.type("tenant", "hosts", TENANT, "--ssh", str(self.folder / "ssh"))
        say("A plane makes its own tokens. There: docker compose exec intake-gateway frostbyte token mint --help")
        say(f"Then, here: FROSTBYTE_URL={self._url} FROSTBYTE_TOKEN=... frostbyte ingest {document}")
        return ""

    def expect(self, status: int) -> None:
        """Without a token: 503 where the edge is shut, anything else of the plane's own where it is open."""
        shut = status == 503
        self.until(lambda: (self._status() == 503) is shut, f"the edge did not come to be {'shut' if shut else 'open'}")
        say(f"Through the edge: {'503' if shut else 'open again'}.")

    @property
    def _url(self) -> str:
        return f"https://{TENANT}.{self.environment['FROSTBYTE_CONTROL_DOMAIN']}"

    def _status(self) -> int:
        import httpx

        try:
            return httpx.post(f"{self._url}/api/v1/query", json={"query": "anything"}, timeout=10).status_code
        except httpx.HTTPError:
            return 0


# -- what happens ------------------------------------------------------------------------------------------------------


class Story:
    """Stages in order; each may be begun again, and one that is behind is not done twice.

    Args:
        document: what is sent.
        words: what `hosts build` is told.
    """

    def __init__(self, sky: Sky, trial: Trial, folder: Path, document: Path, words: list[str]) -> None:
        self._sky, self._trial, self._folder = sky, trial, folder
        self._document, self._words = document, words

    def tell(self) -> None:
        """All that is not behind. Raises CommandFailed where something does not go as it should."""
        stages: tuple[tuple[str, str, Callable[[], None]], ...] = (
            ("snapshot", "The snapshot that all hosts start from", self._snapshot),
            ("base", "The base: edge with the control plane, bastion, firewalls, names", self._base),
            ("tenant", "A tenant of one server", self._tenant),
            ("document", "A document goes in through the edge, and is found", self._sent),
            ("stop", "It is suspended: refused at once. Then it goes on", self._stopped),
            ("gone", "It is deprovisioned, with a signed receipt", self._gone),
            ("down", "The base goes", self._down),
        )
        for number, (name, title, stage) in enumerate(stages, 1):
            if name in self._trial.done:
                if name == "base" and "down" not in self._trial.done:
                    self._sky.meet()
                continue
            step(number, title)
            stage()
            self._trial = replace(self._trial, done=(*self._trial.done, name))
            self._trial.keep(self._folder)

    def _snapshot(self) -> None:
        self._sky.type("hosts", "build", *self._words)

    def _base(self) -> None:
        self._sky.type("control", "up", "--yes", "--expires-at", self._trial.ends_at)
        self._sky.meet()

    def _tenant(self) -> None:
        state = self._state()
        if state in ("", "PENDING"):
            asked = ("--project", PROJECT, "--shape", "small", "--volume-gb", str(_volume()))
            self._sky.type("tenant", "provision", TENANT, "--create", *asked, "--yes")
        elif state == "FAILED":
            self._sky.type("tenant", "retry", TENANT)
        elif state == "PROVISIONING":
            self._follow()
        self._sky.type("tenant", "show", TENANT)

    def _sent(self) -> None:
        self._sky.ingest(self._document)

    def _stopped(self) -> None:
        if self._state() == "ACTIVE":
            self._sky.type("tenant", "suspend", TENANT, "--reason", "payment")
        self._sky.expect(503)
        self._sky.type("tenant", "resume", TENANT, "--reason", "requested")
        self._sky.expect(200)

    def _gone(self) -> None:
        state = self._state()
        if state in ("ACTIVE", "SUSPENDED"):
            told = ("--confirm", TENANT, "--destroy-data", "--reason", "requested")
            self._sky.type("tenant", "deprovision", TENANT, *told)
        elif state == "FAILED":
            self._sky.type("tenant", "retry", TENANT)
        elif state == "DEPROVISIONING":
            self._follow()
        self._sky.type("tenant", "receipt", TENANT)

    def _down(self) -> None:
        self._sky.type("control", "down", "--confirm", PROJECT)

    def _state(self) -> str:
        """Of the tenant; '' where it is not in the register."""
        rows = self._sky.asked("tenant", "list")["tenants"]
        return next((str(row["state"]) for row in rows if row["tenant_id"] == TENANT), "")

    def _follow(self) -> None:
        (newest, *_) = self._sky.asked("tenant", "operations", TENANT)["operations"]
        self._sky.type("tenant", "operations", TENANT, str(newest["operation_id"]))


def _volume() -> int:
    from frostbyte.control_plane.provisioning.trial import VOLUME_GB

    return VOLUME_GB


def _ended(trial: Trial | None, folder: Path) -> None:
    """Take away what is left of it, by its labels, and forget it.

    Raises:
        CommandFailed: `try_unknown`; `try_left`: something could not be taken away, and is named.
    """
    from frostbyte.bootstrap.on_account import taken_away

    if trial is None:
        raise CommandFailed("try_unknown", f"No try is known in {folder}.", "Name its folder with --folder.")
    left = taken_away(_settings(trial, folder), PROJECT, lambda: time.sleep(RELEASE_SECONDS))
    if _simulated():
        ended(folder)
    if left:
        raise CommandFailed(
            "try_left",
            f"Something is left, and may cost money: {', '.join(left)}.",
            "Type it again: frostbyte try-hetzner --end. What stays then, remove in Hetzner's console.",
            exit_code=Exit.PROBLEMS,
        )
    shutil.rmtree(folder)
    out().print(text(f"Nothing of {trial.environment} is left in the project.", "green"))
    hint("Delete the token in Hetzner's console if it was made for this.")
