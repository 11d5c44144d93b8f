"""Real and synthetic larvae side by side, moving: an animated GIF."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from generative.diagnostics.diagnose import Diagnosis
from generative.diagnostics.motion import midlines_of
from generative.diagnostics.pictures import examples
from larvastats.errors import DataError

PANEL = 150
"""Pixels of a panel's side."""

COLUMNS = 3
"""Larvae of each kind per action."""

FINER = 2
"""Times that are drawn finer, for smooth lines."""

TOP, LEFT = 22, 52
REAL, SYNTHETIC, FAINT, INK = (44, 95, 138), (178, 60, 46), (225, 225, 225), (30, 30, 30)


def write_film(found: Diagnosis, path: Path, seed: int = 0) -> None:
    """Write the film, in the larvae's own time.

    Raises
    ------
    DataError
        The file cannot be written.
    """
    pictures = draw_film(found, seed)
    try:
        pictures[0].save(path, format="GIF", save_all=True, append_images=pictures[1:], loop=0,
                         duration=max(20, round(1000 * found.description.dt)))  # fmt: skip
    except OSError as error:
        raise DataError(
            f"{path}: the film cannot be written ({error.strerror or error}); choose another "
            "folder."
        ) from error


def draw_film(found: Diagnosis, seed: int = 0) -> list[Image.Image]:
    """Return one picture per frame: a row per action, real larvae left, synthetic ones right."""
    chosen = examples(found, COLUMNS, seed)
    rows = []
    for action, own in chosen.items():
        real, fake = (midlines_of(some.take(own).frames(found.description))
                      for some in (found.held_out, found.synthetic))  # fmt: skip
        rows.append((action, real, fake, found.held_out.mask[own].sum(axis=1)))
    return [_picture(rows, t) for t in range(found.held_out.x.shape[1])]


_Row = tuple[str, NDArray[np.float64], NDArray[np.float64], NDArray[np.integer]]


def _picture(rows: list[_Row], t: int) -> Image.Image:
    width = (LEFT + 2 * COLUMNS * PANEL) * FINER
    height = (TOP + len(rows) * PANEL) * FINER
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    for text, place, colour in (("real, held out", 0, REAL), ("synthetic", COLUMNS, SYNTHETIC)):
        draw.text(((LEFT + place * PANEL) * FINER + 4, 8), text, fill=colour, font_size=24)
    for line, (action, real, fake, lengths) in enumerate(rows):
        top = (TOP + line * PANEL) * FINER
        draw.text((6, top + PANEL * FINER // 2 - 12), action, fill=INK, font_size=22)
        side = 1.1 * max(_extent(m[:n]) for kind in (real, fake)
                         for m, n in zip(kind, lengths, strict=True))  # fmt: skip
        for k in range(len(real)):
            now = min(t, int(lengths[k]) - 1)
            for midline, place, colour in ((real[k], k, REAL), (fake[k], COLUMNS + k, SYNTHETIC)):
                corner = ((LEFT + place * PANEL) * FINER, top)
                _larva(draw, midline[: lengths[k]], now, corner, side, colour)
    small = image.resize((width // FINER, height // FINER), Image.Resampling.LANCZOS)
    return small.quantize(64)


def _extent(midline: NDArray[np.float64]) -> float:
    return float((midline.max(axis=(0, 1)) - midline.min(axis=(0, 1))).max())


def _larva(
    draw: ImageDraw.ImageDraw, midline: NDArray[np.float64], t: int, corner: tuple[int, int],
    side: float, colour: tuple[int, int, int],
) -> None:  # fmt: skip
    """Draw one larva, with the way of its centre so far."""
    size = PANEL * FINER
    draw.rectangle((*corner, corner[0] + size - 1, corner[1] + size - 1), outline=FAINT)
    middle = (midline.max(axis=(0, 1)) + midline.min(axis=(0, 1))) / 2

    def place(points: NDArray[np.float64]) -> list[tuple[float, float]]:
        x, y = ((points - middle) / side * size + size / 2).T
        return list(zip((x + corner[0]).tolist(), (size - y + corner[1]).tolist(), strict=True))

    way = place(midline[: t + 1].mean(axis=1))
    if len(way) > 1:
        draw.line(way, fill=(200, 200, 200), width=FINER)
    body = place(midline[t])
    draw.line(body, fill=colour, width=4 * FINER, joint="curve")
    x, y = body[0]
    draw.ellipse((x - 3 * FINER, y - 3 * FINER, x + 3 * FINER, y + 3 * FINER), fill=INK)
