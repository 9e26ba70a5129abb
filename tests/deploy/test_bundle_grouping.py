"""Images are parted in two that weigh alike and share little."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from frostbyte.deploy.bundle.grouping import halves, size
from frostbyte.kernel.ports.engine import Stored


def image(name: str, layers: Mapping[str, int]) -> Stored:
    return Stored(
        reference=name,
        image_id=name,
        digests=(),
        architecture="amd64",
        layers=tuple(layers),
        sizes=tuple(layers.values()),
    )


SIZES = {"base": 40, "packages": 230, "code": 20, "a": 5, "b": 90, "c": 60, "d": 100, "e": 170}
IMAGES = [
    image(name, {layer: SIZES[layer] for layer in layers.split()})
    for name, layers in {
        "api": "base packages code a",
        "worker": "base packages code b",
        "minio": "base c",
        "postgres": "d",
        "vectors": "base e",
    }.items()
]


def test_what_shares_much_stays_together() -> None:
    one, other = halves(IMAGES)
    assert [each.reference for each in one] == ["api", "worker"]
    assert (size(one), size(other)) == (385, 370)
    assert size(IMAGES) == sum(SIZES.values())


def test_one_image_is_one_part_and_none_is_none() -> None:
    assert halves(IMAGES[:1]) == [IMAGES[:1]]
    assert halves([]) == []


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.dictionaries(st.sampled_from(sorted(SIZES)), st.just(1), min_size=1), min_size=2, max_size=7))
def test_each_image_is_in_one_part_and_both_have_some(given: list[dict[str, int]]) -> None:
    images = [image(str(number), layers) for number, layers in enumerate(given)]
    parts = halves(images)
    assert sorted(each.reference for part in parts for each in part) == sorted(each.reference for each in images)
    assert all(parts)
    assert max(map(size, parts)) <= size(images)
