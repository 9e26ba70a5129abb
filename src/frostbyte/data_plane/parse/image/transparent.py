"""Pictures with transparent parts, put on a ground on which what they show can be seen."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from PIL import Image as Pillow
from PIL import ImageChops

_JUDGED: Final = 2_000_000
"""Pixels by which a picture is judged."""
_CLEAR: Final = 0.5
"""Part of the picture that must be clear before light writing on it is looked for."""
_LEAST, _MOST = 0.0002, 0.3
"""Part of the picture that such writing covers."""
_LIGHT: Final = 170
_DARK: Final = 128
_BESIDE: Final = 3
"""How many times more often it must stand beside clear pixels than beside dark ones: else it is paper, not ink."""


def on_ground(picture: Pillow.Image) -> Pillow.Image:
    """The picture on white; where light writing stands on clear ground, which white would swallow, as grey with that
    writing dark, whatever else is dark left as it is."""
    rgba = picture.convert("RGBA")
    white = Pillow.alpha_composite(Pillow.new("RGBA", rgba.size, (255, 255, 255, 255)), rgba).convert("RGB")
    if not _light_on_clear(rgba):
        return white
    black = Pillow.alpha_composite(Pillow.new("RGBA", rgba.size, (0, 0, 0, 255)), rgba).convert("L")
    return ImageChops.darker(white.convert("L"), ImageChops.invert(black))


def _light_on_clear(rgba: Pillow.Image) -> bool:
    shrink = max(1.0, (rgba.width * rgba.height / _JUDGED) ** 0.5)
    if shrink > 1:
        size = (max(1, round(rgba.width / shrink)), max(1, round(rgba.height / shrink)))
        rgba = rgba.resize(size, Pillow.Resampling.NEAREST)
    alpha = np.asarray(rgba.getchannel("A"))
    clear = alpha < 32
    if clear.mean() < _CLEAR:
        return False
    grey = np.asarray(rgba.convert("RGB").convert("L"))
    light = (alpha >= 128) & (grey >= _LIGHT)
    if not _LEAST < light.mean() < _MOST:
        return False
    beside_clear = int((light & _around(clear)).sum())
    beside_dark = int((light & _around((alpha >= 128) & (grey < _DARK))).sum())
    return beside_clear > _BESIDE * beside_dark


def _around(mask: Any) -> Any:
    """The mask and two pixels to each side of it."""
    wider = mask.copy()
    for step in (1, 2):
        wider[step:] |= mask[:-step]
        wider[:-step] |= mask[step:]
        wider[:, step:] |= mask[:, :-step]
        wider[:, :-step] |= mask[:, step:]
    return wider
