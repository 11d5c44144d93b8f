"""Films for the convolutional model: outlines drawn as images of two values, eight pixels a byte.

An image is 1 everywhere but on the larva, which is 0, as the report has it. Each frame is centred
on its centroid, all frames of a sequence are turned once so that the larva points to the right in
the first, and lengths are divided by the larva's own: the image is :data:`WIDTH` body lengths wide.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from generative.frames import Pose
from generative.models.cnn3d_vae import SIDE
from larvastats.errors import DataError
from larvastats.io.contours import Contours

WIDTH = 1.5
"""Body lengths from edge to edge."""

PACKED = SIDE * SIDE // 8
"""Bytes of an image."""

Drawing = Literal["filled", "outline"]


def draw_contours(
    contours: Contours,
    centroid: NDArray[np.floating],
    pose: Pose,
    drawing: Drawing = "filled",
) -> NDArray[np.uint8]:
    """Draw the outlines of a sequence.

    Parameters
    ----------
    contours : Contours
        One outline per frame, in the unit of the pose.
    centroid : ndarray, shape (T, 2)
        Middle of the image of every frame.
    pose : Pose
        Of this sequence: its heading turns, its length scales.
    drawing : {'filled', 'outline'}

    Returns
    -------
    ndarray of uint8, shape (T, 128, 128)
        0 on the larva, 1 elsewhere.

    Raises
    ------
    DataError
        A frame has no outline.
    """
    counts = contours.counts
    if (counts < 3).any():
        raise DataError(
            f"expected an outline in every frame, but {int((counts < 3).sum())} frames have none; "
            "cut sequences at gaps, as `larvastats generate index --images` does."
        )
    cos, sin = float(np.cos(pose.heading)), float(np.sin(pose.heading))
    scale = SIDE / (WIDTH * float(pose.length))
    films = np.empty((len(contours), SIDE, SIDE), np.uint8)
    for k in range(len(contours)):
        own = contours.vertices[contours.start[k] : contours.start[k + 1]].astype(np.float64)
        x, y = (own - centroid[k]).T
        # the image's rows count downwards, so that left of the larva is up
        across, down = cos * x + sin * y, -(cos * y - sin * x)
        xy = np.stack((across, down), axis=1) * scale + SIDE / 2 - 0.5
        films[k] = _drawn(xy, drawing)
    return films


def _drawn(xy: NDArray[np.float64], drawing: Drawing) -> NDArray[np.uint8]:
    image = Image.new("L", (SIDE, SIDE), 1)
    corners = [tuple(corner) for corner in np.clip(xy, -4 * SIDE, 4 * SIDE).tolist()]
    fill = 0 if drawing == "filled" else None
    ImageDraw.Draw(image).polygon(corners, fill=fill, outline=0)
    return np.asarray(image, np.uint8)


def pack_images(films: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Put eight pixels into a byte; shape (..., 128, 128) to (..., 2048)."""
    return np.packbits(films.reshape(*films.shape[:-2], SIDE * SIDE), axis=-1)


def unpack_images(packed: Tensor) -> Tensor:
    """Take pixels from bytes, 1 on the larva; (..., 2048) to float32 of (..., 128, 128)."""
    shifts = torch.arange(7, -1, -1, dtype=torch.uint8, device=packed.device)
    background = (packed[..., None] >> shifts) & 1  # (..., 2048, 8)
    return (1 - background.reshape(*packed.shape[:-1], SIDE, SIDE)).float()
