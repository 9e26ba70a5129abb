"""`/volumes`: disks that outlive servers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from frostbyte.adapters.hetzner.world import labels, limits, shown
from frostbyte.adapters.hetzner.world.call import Answer, Call, Routes, Update
from frostbyte.adapters.hetzner.world.records import Action, Charge, Server, Volume
from frostbyte.adapters.hetzner.world.refusals import invalid, limit, not_found, protected, taken, unfit

_FORMATS: Final = ("ext4", "xfs")


class Create(msgspec.Struct, kw_only=True):
    """Body of `POST /volumes`."""

    name: str
    size: int
    location: int | str | None = None
    server: int | None = None
    format: str | None = None
    automount: bool = False
    labels: dict[str, str] = {}


class Attach(msgspec.Struct, kw_only=True):
    """Body of `attach`."""

    server: int
    automount: bool = False


class Resize(msgspec.Struct, kw_only=True):
    """Body of `resize`."""

    size: int


class Protection(msgspec.Struct, kw_only=True):
    """Body of `change_protection`."""

    delete: bool | None = None


def of(call: Call) -> Volume:
    """The volume that the path names."""
    return call.get("volume", call.project.volumes, call.number())


def index(call: Call) -> Answer:
    """`GET /volumes`."""
    wanted = call.query.get("status", ())
    found = [one for one in call.project.volumes.values() if not wanted or one.status in wanted]
    return call.listed("volumes", found, lambda one: shown.volume(call.world, one))


def show(call: Call) -> Answer:
    """`GET /volumes/{id}`."""
    return Answer(200, {"volume": shown.volume(call.world, of(call))})


def create(call: Call) -> Answer:
    """`POST /volumes`: at a location, or where a server is and attached to it."""
    given = call.parse(Create)
    world, project = call.world, call.project
    limits.name_of(given.name)
    labels.check(given.labels)
    _size(given.size)
    if given.format is not None and given.format not in _FORMATS:
        raise invalid("format", f"must be one of {', '.join(_FORMATS)}")
    if (given.location is None) == (given.server is None):
        raise invalid("location", "either location or server is required")
    if given.automount and given.server is None:
        raise invalid("automount", "needs a server")
    server = call.get("server", project.servers, given.server) if given.server is not None else None
    place = world.offers.location(server.location if server else given.location or "")
    if place is None:
        raise not_found("location", given.location or "")
    if server is not None:
        _room(call, server)
    if any(volume.name == given.name for volume in project.volumes.values()):
        raise taken("volume name", "name")
    world.quota(project, "volumes")
    volume = Volume(
        id=world.next_id(),
        name=given.name,
        created=world.clock.now(),
        labels=given.labels,
        size=given.size,
        location=place.name,
        status="creating",
        format=given.format,
    )
    project.volumes[volume.id] = volume
    price = world.offers.volume(volume.size)
    world.charge(
        project,
        Charge(
            kind="volume",
            id=str(volume.id),
            name=volume.name,
            since=volume.created,
            hourly=price.hourly,
            monthly=price.monthly,
            labels=volume.labels,
        ),
    )
    ref = ("volume", volume.id)
    made = {"volume": volume.id}
    first = world.begin(call, "create_volume", [ref], "volume_created", made, takes="create_volume", locks=[ref])
    following = [_attach(call, volume, server, after=first)] if server is not None else []
    return Answer(
        201,
        {
            "volume": shown.volume(world, volume),
            "action": shown.action(world, first),
            "next_actions": [shown.action(world, action) for action in following],
        },
    )


def _size(size: int) -> None:
    least, most = limits.VOLUME_GB
    if not least <= size <= most:
        raise invalid("size", f"must be between {least} and {most} GB")


def _room(call: Call, server: Server) -> None:
    call.world.engine.free(("server", server.id))
    held = sum(volume.server == server.id for volume in call.project.volumes.values())
    if held >= limits.VOLUMES_PER_SERVER:
        raise limit("volumes_per_server_limit")


def _attach(call: Call, volume: Volume, server: Server, after: Action | None = None) -> Action:
    refs = [("volume", volume.id), ("server", server.id)]
    given = {"volume": volume.id, "server": server.id}
    return call.world.begin(
        call,
        "attach_volume",
        refs,
        "volume_attached",
        given,
        takes="attach",
        drives="attached",
        locks=refs,
        after=after,
    )


def update(call: Call) -> Answer:
    """`PUT /volumes/{id}`."""
    volume, given = of(call), call.parse(Update)
    if given.name is not None and given.name != volume.name:
        limits.name_of(given.name)
        if any(other.name == given.name for other in call.project.volumes.values()):
            raise taken("volume name", "name")
        volume.name = given.name
    if given.labels is not None:
        labels.check(given.labels)
        volume.labels = given.labels
    call.world.relabel(call.project, "volume", volume)
    return Answer(200, {"volume": shown.volume(call.world, volume)})


def delete(call: Call) -> Answer:
    """`DELETE /volumes/{id}`: it must be detached."""
    volume = of(call)
    if volume.protected:
        raise protected("volume")
    call.world.engine.free(("volume", volume.id))
    if volume.server is not None:
        raise unfit("volume_already_attached", "the volume is still attached to a server")
    del call.project.volumes[volume.id]
    call.world.discharge(call.project, "volume", volume.id)
    call.world.drives.destroyed(volume)
    return Answer(204)


def attach(call: Call) -> Answer:
    """`attach`."""
    volume, given = of(call), call.parse(Attach)
    server = call.get("server", call.project.servers, given.server)
    call.world.engine.free(("volume", volume.id))
    if volume.server is not None:
        raise unfit("volume_already_attached", "the volume is already attached to a server")
    if server.location != volume.location:
        raise invalid("server", "volume and server must be in the same location")
    _room(call, server)
    return _answer(call, _attach(call, volume, server))


def _answer(call: Call, action: Action) -> Answer:
    return Answer(201, {"action": shown.action(call.world, action)})


def detach(call: Call) -> Answer:
    """`detach`."""
    volume = of(call)
    call.world.engine.free(("volume", volume.id))
    if volume.server is None:
        raise unfit("invalid_input", "the volume is not attached to a server")
    refs = [("volume", volume.id), ("server", volume.server)]
    call.world.engine.free(*refs)
    given = {"volume": volume.id, "server": volume.server}
    action = call.world.begin(
        call, "detach_volume", refs, "volume_detached", given, takes="detach", drives="detached", locks=refs
    )
    return _answer(call, action)


def resize(call: Call) -> Answer:
    """`resize`: only larger."""
    volume, given = of(call), call.parse(Resize)
    _size(given.size)
    if given.size <= volume.size:
        raise invalid("size", "must be larger than the current size")
    return _answer(call, _change(call, volume, "resize_volume", "volume_resized", {"size": given.size}, "resize"))


def _change(call: Call, volume: Volume, command: str, effect: str, given: Mapping[str, Any], takes: str) -> Action:
    ref = ("volume", volume.id)
    call.world.engine.free(ref)
    arguments = {"volume": volume.id} | dict(given)
    return call.world.begin(call, command, [ref], effect, arguments, takes=takes, locks=[ref])


def protect(call: Call) -> Answer:
    """`change_protection`."""
    volume, given = of(call), call.parse(Protection)
    changed = {"kind": "volumes", "id": volume.id, "delete": given.delete}
    return _answer(call, _change(call, volume, "change_volume_protection", "protected", changed, "protection"))


ROUTES: Routes = (
    ("GET", "/volumes", index),
    ("POST", "/volumes", create),
    ("GET", "/volumes/{id}", show),
    ("PUT", "/volumes/{id}", update),
    ("DELETE", "/volumes/{id}", delete),
    ("POST", "/volumes/{id}/actions/attach", attach),
    ("POST", "/volumes/{id}/actions/detach", detach),
    ("POST", "/volumes/{id}/actions/resize", resize),
    ("POST", "/volumes/{id}/actions/change_protection", protect),
)
