"""Makes a scan what Tesseract reads best: dark on white, upright, straight, letters some 30 pixels high.

Everything is judged on a small copy with NumPy, so that a good page costs a few hundredths of a second and is handed
on as it came. Every place found on the result can be told in pixels of the scan.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from PIL import Image as Pillow

from frostbyte.data_plane.document import Box

MAX_PIXELS: Final = 40_000_000
"""Larger scans are scaled down: letters need some 30 pixels, not 150."""
_SMALL_SIDE: Final = 1_200
"""Pixels of the longer side of the copy that is judged; scans without a line of text below it are doubled."""
_LEAST_CONTRAST: Final = 24
"""Grey levels between the darkest and the lightest spot below which nothing stands on a scan."""
_GOOD_CONTRAST: Final = 130
_DARK_SHARE: Final = 0.55
"""Part of the inner page that is dark from which letters are taken to be the light ones."""
_POINTS: Final = 20_000
"""Dark pixels by which the slope is measured."""
_STEEPEST: Final = 12.0
"""Degrees of slope that are looked for; feeders and hands stay below 10."""
_LEAST_SLOPE: Final = 0.25
"""Degrees that Tesseract copes with by itself."""
_LOW, _HIGH, _GOAL = 14.0, 66.0, 26.0
"""Height of a line of letters in pixels: scaled below the first and above the second to the third."""
_SPECKS: Final = 0.03
"""Share of dark pixels without a dark neighbour above which specks are taken out; a clean page has none."""
_STRIPS: Final = 4
"""Parts into which the page's width is cut when lines are looked for: columns need not be level."""

Array = Any


@dataclass(frozen=True, slots=True)
class Affine:
    """Where a point of the prepared picture lies on the scan: x = a u + b v + c, y = d u + e v + f."""

    a: float = 1.0
    b: float = 0.0
    c: float = 0.0
    d: float = 0.0
    e: float = 1.0
    f: float = 0.0

    def after(self, inner: Affine) -> Affine:
        """The mapping that first applies `inner`, then this."""
        return Affine(
            self.a * inner.a + self.b * inner.d,
            self.a * inner.b + self.b * inner.e,
            self.a * inner.c + self.b * inner.f + self.c,
            self.d * inner.a + self.e * inner.d,
            self.d * inner.b + self.e * inner.e,
            self.d * inner.c + self.e * inner.f + self.f,
        )

    def box(self, box: Box) -> Box:
        """The upright box around the mapped one."""
        corners = [(box[0], box[1]), (box[2], box[1]), (box[0], box[3]), (box[2], box[3])]
        xs = [self.a * x + self.b * y + self.c for x, y in corners]
        ys = [self.d * x + self.e * y + self.f for x, y in corners]
        return (min(xs), min(ys), max(xs), max(ys))


AS_IT_IS: Final = Affine()


@dataclass(frozen=True, slots=True)
class Straight:
    """A scan made ready."""

    picture: Pillow.Image
    """Grey, dark on white."""
    place: Affine
    dpi: int
    turned: int
    """Degrees clockwise by which the text stands on the scan; undone here."""
    slope: float
    """Degrees by which lines fell to the right; undone here."""
    scale: float
    """Pixels of the picture per pixel of the scan."""
    strips: tuple[Box, ...]
    """Where single lines stand on the picture, or parts of them: the largest."""


@dataclass(slots=True)
class Judged:
    """A scan with dark letters and square pixels, and what its small copy says."""

    grey: Pillow.Image
    base: Affine
    dpi: int
    ink: Array
    """Dark pixels of the small copy; frames and solid areas left out."""
    step: int
    """Pixels of `grey` for one of `ink`."""
    level: float
    slopes: dict[bool, float]
    """Degrees by which lines fall to the right, seen from the front (False) and from the side (True)."""
    sideways: float
    """How much more the dark pixels look like lines from the side than from the front; 1 is neither."""


def judge(grey: Pillow.Image, dpi: tuple[float, float]) -> Judged | None:
    """Look at a scan; None if nothing stands on it.

    Args:
        grey: mode L.
        dpi: across and down, as the file says or as is usual.
    """
    grey, base, resolution = _squared(grey, dpi)
    step = max(1, round(max(grey.size) / _SMALL_SIDE))
    small = np.asarray(grey.reduce(step) if step > 1 else grey)
    low, high = (int(value) for value in np.percentile(small, (0.02, 99.9)))
    if high - low < _LEAST_CONTRAST:
        return None
    level = _otsu(small)
    if _inner(small < level).mean() > _DARK_SHARE:
        grey = grey.point([255 - value for value in range(256)])
        small = 255 - small
        low, high, level = 255 - high, 255 - low, 255 - level
    if high - low < _GOOD_CONTRAST:
        curve = [round(min(255.0, max(0.0, (value - low) * 255 / (high - low)))) for value in range(256)]
        grey = grey.point(curve)
        small = np.asarray(curve, dtype=np.uint8)[small]
        level = (level - low) * 255 / (high - low)
    if _specked(grey, level):
        grey = _unspecked(grey, level)
        small = np.asarray(grey.reduce(step) if step > 1 else grey)
    ink = _letters(small < level)
    (front, sharp), (side, sharp_side) = _slope(ink), _slope(ink.T[::-1])
    return Judged(
        grey=grey,
        base=base,
        dpi=resolution,
        ink=ink,
        step=step,
        level=level,
        slopes={False: front, True: side},
        sideways=sharp_side / sharp if sharp else 1.0,
    )


def straighten(judged: Judged, turned: int) -> Straight:
    """The scan as it is if its text stands turned clockwise by `turned` degrees, made straight and of a good size."""
    slope = judged.slopes[turned in (90, 270)]  # upside down it is the same
    turn = _turn(judged.grey.size, turned)
    picture = judged.grey
    if turned:
        way = {90: Pillow.Transpose.ROTATE_90, 180: Pillow.Transpose.ROTATE_180, 270: Pillow.Transpose.ROTATE_270}
        picture = picture.transpose(way[turned])
    place = judged.base.after(turn)
    if abs(slope) >= _LEAST_SLOPE:
        picture, level_ = _levelled(picture, slope)
        place = place.after(level_)
    else:
        slope = 0.0
    bands = _bands(picture, judged)
    scale = _scale(picture, bands)
    if scale != 1.0:
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        place = place.after(Affine(a=picture.width / size[0], e=picture.height / size[1]))
        picture = picture.resize(size, Pillow.Resampling.BICUBIC if scale > 1 else Pillow.Resampling.LANCZOS)
        bands = [(x * scale, y * scale, right * scale, bottom * scale) for x, y, right, bottom in bands]
    return Straight(picture, place, round(judged.dpi * scale), turned, slope, scale, _samples(bands))


def _squared(grey: Pillow.Image, dpi: tuple[float, float]) -> tuple[Pillow.Image, Affine, int]:
    """With square pixels (a fax has twice as many across as down) and at most `MAX_PIXELS`."""
    across, down = (value if 30 <= value <= 2400 else 200.0 for value in dpi)
    width, height = grey.size
    x, y = (1.0, across / down) if across > 1.15 * down else ((down / across, 1.0) if down > 1.15 * across else (1, 1))
    if x * y > 4:
        x = y = 1.0
    pixels = width * height * x * y
    if pixels > MAX_PIXELS:
        x, y = x * (MAX_PIXELS / pixels) ** 0.5, y * (MAX_PIXELS / pixels) ** 0.5
    resolution = round(across * x)
    if x == y == 1.0:
        return grey, Affine(), resolution
    size = (max(1, round(width * x)), max(1, round(height * y)))
    return grey.resize(size, Pillow.Resampling.LANCZOS), Affine(a=width / size[0], e=height / size[1]), resolution


def _otsu(small: Array) -> float:
    """The grey level that parts dark from light best (Otsu 1979)."""
    counts = np.bincount(small.ravel(), minlength=256).astype(float)
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * np.arange(256))
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = sums / below - (sums[-1] - sums) / above
        score = np.nan_to_num(below * above * gap * gap)
    best = np.flatnonzero(score == score.max())
    return float(best[len(best) // 2]) + 1.0


def _inner(mask: Array) -> Array:
    height, width = mask.shape
    return mask[height // 10 : height - height // 10 or None, width // 10 : width - width // 10 or None]


def _specked(grey: Pillow.Image, level: float) -> bool:
    """Whether many dark pixels stand alone, judged on the middle of the page."""
    width, height = grey.size
    if min(width, height) < 64:
        return False
    side_x, side_y = min(width, 700), min(height, 700)
    left, top = (width - side_x) // 2, (height - side_y) // 2
    pixels = np.asarray(grey.crop((left, top, left + side_x, top + side_y)))
    found = int((pixels < level).sum())
    return found > 200 and int(_lonely(pixels, level).sum()) > _SPECKS * found


def _lonely(pixels: Array, level: float) -> Array:
    """Dark pixels with light around: at most one neighbour is as much as grey, as the edges of small letters are."""
    grey = np.pad(pixels < (level + 255) / 2, 1)
    around = np.zeros(pixels.shape, dtype=np.uint8)
    for y in (0, 1, 2):
        for x in (0, 1, 2):
            if (y, x) != (1, 1):
                around += grey[y : y + pixels.shape[0], x : x + pixels.shape[1]]
    lonely: Array = (pixels < level) & (around <= 1)
    return lonely


def _unspecked(grey: Pillow.Image, level: float) -> Pillow.Image:
    """Without lonely dark pixels, and lonely light ones in letters. A median filter would eat thin strokes."""
    pixels = np.asarray(grey).copy()
    pixels[_lonely(pixels, level)] = 255
    pixels[_lonely(255 - pixels, 255 - level)] = 0
    return Pillow.fromarray(pixels)


def _letters(dark: Array) -> Array:
    """Without the dark frame of a bad copy and without solid areas: pictures have no lines."""
    dark = dark.copy()
    for way in (dark, dark.T):
        share = way.mean(axis=1)
        first, last = 0, len(share)
        while first < len(share) // 8 and share[first] > 0.6:
            first += 1
        while last > len(share) - len(share) // 8 and share[last - 1] > 0.6:
            last -= 1
        way[:first] = False
        way[last:] = False
    height, width = dark.shape[0] // 16 * 16, dark.shape[1] // 16 * 16
    if height and width:
        tiles = dark[:height, :width].reshape(height // 16, 16, width // 16, 16)
        solid = tiles.mean(axis=(1, 3)) > 0.7
        tiles &= ~solid[:, None, :, None]
    return dark


def _slope(ink: Array) -> tuple[float, float]:
    """(degrees by which lines fall to the right, how sharply lines show at that slope).

    Dark pixels are thrown along a slope onto an axis: at the slope of the lines the heap has the steepest edges.
    """
    ys, xs = np.nonzero(ink)
    if len(ys) < 50:
        return 0.0, 0.0
    if len(ys) > _POINTS:
        # A fixed choice that is spread evenly: multiples of the golden ratio.
        chosen = (np.arange(_POINTS) * 0.6180339887498949 % 1.0 * len(ys)).astype(np.intp)
        ys, xs = ys[chosen], xs[chosen]
    y, x = ys.astype(np.float32), xs.astype(np.float32)

    def sharp(degrees: float) -> float:
        slant = math.tan(math.radians(degrees))
        thrown = np.bincount((y - slant * x + slant * 4000.0 * (slant > 0) + 1.0).astype(np.intp))
        return float(np.square(np.diff(thrown.astype(np.float64))).sum()) / len(y)

    coarse = np.arange(-_STEEPEST, _STEEPEST + 0.5, 0.75)
    scores = [sharp(float(angle)) for angle in coarse]
    best = float(coarse[int(np.argmax(scores))])
    fine = [best + step for step in np.arange(-0.75, 0.76, 0.125)]
    scores = [sharp(float(angle)) for angle in fine]
    best = float(fine[int(np.argmax(scores))])
    score, straight = max(scores), sharp(0.0)
    if straight >= 0.97 * score:
        return 0.0, straight
    return best, score


def _turn(size: tuple[int, int], turned: int) -> Affine:
    """Where a point of the turned picture lies on the one before."""
    width, height = float(size[0]), float(size[1])
    if turned == 90:
        return Affine(0, -1, width, 1, 0, 0)
    if turned == 180:
        return Affine(-1, 0, width, 0, -1, height)
    if turned == 270:
        return Affine(0, 1, 0, -1, 0, height)
    return Affine()


def _levelled(picture: Pillow.Image, slope: float) -> tuple[Pillow.Image, Affine]:
    """Turned about its middle so that its lines are level, on a sheet large enough for all of it."""
    cosine, sine = math.cos(math.radians(slope)), math.sin(math.radians(slope))
    width, height = picture.size
    wide = math.ceil(width * abs(cosine) + height * abs(sine))
    high = math.ceil(width * abs(sine) + height * abs(cosine))
    x = width / 2 - cosine * wide / 2 + sine * high / 2
    y = height / 2 - sine * wide / 2 - cosine * high / 2
    back = Affine(cosine, -sine, x, sine, cosine, y)
    data = (back.a, back.b, back.c, back.d, back.e, back.f)
    turned = picture.transform((wide, high), Pillow.Transform.AFFINE, data, Pillow.Resampling.BICUBIC, fillcolor=255)
    return turned, back


def _bands(picture: Pillow.Image, judged: Judged) -> list[Box]:
    """Boxes around runs of dark rows in each strip of the page: mostly lines, in pixels of the picture."""
    # Lines of small letters run into each other on the coarse copy; a finer one costs little here.
    step = max(1, judged.step // 2)
    dark = np.asarray(picture.reduce(step) if step > 1 else picture) < judged.level
    dark = _letters(dark)
    found: list[Box] = []
    width = dark.shape[1] // _STRIPS
    for number in range(_STRIPS):
        left = number * width
        strip = dark[:, left : left + width]
        rows = strip.sum(axis=1)
        full = rows > max(1, 0.01 * width)
        edges = np.flatnonzero(np.diff(np.concatenate(([False], full, [False])).astype(np.int8)))
        for top, bottom in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            columns = np.flatnonzero(strip[top:bottom].any(axis=0))
            first, last = left + int(columns[0]), left + int(columns[-1]) + 1
            if bottom - top >= 3 and last - first >= 2 * (bottom - top):
                found.append((first * step, top * step, last * step, bottom * step))
    return found


def _scale(picture: Pillow.Image, bands: list[Box]) -> float:
    """The factor at which letters have a good size."""
    heights = sorted(box[3] - box[1] for box in bands)
    if len(heights) < 4:
        return 2.0 if max(picture.size) < _SMALL_SIDE else 1.0
    height = heights[int(0.6 * len(heights))]
    factor = 1.0
    if height < _LOW:
        factor = min(4.0, _GOAL / max(height, 4.0))
    elif height > _HIGH:
        factor = max(0.25, _GOAL / height)
    most = (MAX_PIXELS / (picture.width * picture.height)) ** 0.5
    return min(factor, most) if factor > 1.0 else factor


def _samples(bands: list[Box]) -> tuple[Box, ...]:
    """Six bands that are likely lines: of a usual height, the longest, from all over the page."""
    if not bands:
        return ()
    heights = sorted(box[3] - box[1] for box in bands)
    usual = heights[int(0.6 * len(heights))]
    good = [box for box in bands if 0.6 * usual <= box[3] - box[1] <= 1.6 * usual]
    good.sort(key=lambda box: (-round((box[2] - box[0]) / max(1.0, usual) / 3), box[1], box[0]))
    best = good[: max(6, len(good) // 3)]
    return tuple(best[number * len(best) // 6] for number in range(6)) if len(best) >= 6 else tuple(best)
