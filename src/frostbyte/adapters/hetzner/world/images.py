"""`/images`: system images, which belong to all, and a project's snapshots."""

from __future__ import annotations

import msgspec

from frostbyte.adapters.hetzner.world import labels, shown
from frostbyte.adapters.hetzner.world.call import Answer, Call, Routes
from frostbyte.adapters.hetzner.world.records import Image
from frostbyte.adapters.hetzner.world.refusals import Refused, not_found, protected


class Change(msgspec.Struct, kw_only=True):
    """Body of `PUT /images/{id}`."""

    description: str | None = None
    labels: dict[str, str] | None = None


class Protection(msgspec.Struct, kw_only=True):
    """Body of `change_protection`."""

    delete: bool | None = None


def index(call: Call) -> Answer:
    """`GET /images`."""
    now = call.world.clock.now()
    query = call.query
    deprecated = call.one("include_deprecated") == "true"
    found = [
        one
        for one in call.world.images(call.project)
        if (not query.get("type") or one.type in query["type"])
        and (not query.get("status") or one.status in query["status"])
        and (not query.get("architecture") or one.architecture in query["architecture"])
        and (deprecated or one.announced is None or now < one.announced)
        and not query.get("bound_to")
    ]
    return call.listed("images", found, shown.image)


def of(call: Call) -> Image:
    """The image that the path names."""
    image = call.world.image(call.project, call.number())
    if image is None:
        raise not_found("image", call.number())
    return image


def show(call: Call) -> Answer:
    """`GET /images/{id}`."""
    return Answer(200, {"image": shown.image(of(call))})


def _own(call: Call) -> Image:
    image = of(call)
    if image.type == "system":
        raise Refused(403, "forbidden", "system images cannot be changed")
    return image


def update(call: Call) -> Answer:
    """`PUT /images/{id}`."""
    image, given = _own(call), call.parse(Change)
    if given.description is not None:
        image.description = given.description
    if given.labels is not None:
        labels.check(given.labels)
        image.labels = given.labels
    for charge in call.project.charges:
        if charge.kind == "snapshot" and charge.id == str(image.id):
            charge.name, charge.labels = image.description, image.labels
    return Answer(200, {"image": shown.image(image)})


def delete(call: Call) -> Answer:
    """`DELETE /images/{id}`."""
    image = _own(call)
    if image.protected:
        raise protected("image")
    if image.status == "creating":
        raise Refused(423, "locked", "the image is still being created")
    del call.project.images[image.id]
    call.world.discharge(call.project, "snapshot", image.id)
    call.world.drives.unimaged(image.id)
    return Answer(204)


def protect(call: Call) -> Answer:
    """`change_protection`."""
    image, given = _own(call), call.parse(Protection)
    ref = ("image", image.id)
    call.world.engine.free(ref)
    changed = {"kind": "images", "id": image.id, "delete": given.delete}
    action = call.world.begin(
        call, "change_image_protection", [ref], "protected", changed, takes="protection", locks=[ref]
    )
    return Answer(201, {"action": shown.action(call.world, action)})


ROUTES: Routes = (
    ("GET", "/images", index),
    ("GET", "/images/{id}", show),
    ("PUT", "/images/{id}", update),
    ("DELETE", "/images/{id}", delete),
    ("POST", "/images/{id}/actions/change_protection", protect),
)
