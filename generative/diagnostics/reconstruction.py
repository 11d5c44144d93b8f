"""Midlines from elsewhere through a trained model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from generative.checkpoints import Description
from generative.diagnostics.collapse import measure_collapse
from generative.diagnostics.motion import midlines_of
from generative.frames import own_length, reduce_points, to_frames
from generative.models import Batch, Conditions, Model
from generative.sampling.latents import Encoded
from generative.sampling.sampler import decode
from larvastats.errors import DataError


def cut_midlines(
    midlines: list[NDArray[np.floating]], description: Description
) -> tuple[NDArray[np.float64], int]:
    """Cut whole sequences; frames in body lengths, shape (n, T, N), and the number of larvae."""
    t = description.shape.frames
    parts = []
    for midline in midlines:
        points = reduce_points(np.asarray(midline, np.float64), description.points)
        length = own_length(points, np.arange(len(points), dtype=float), np.inf)
        whole = [points[k : k + t] for k in range(0, len(points) - t + 1, t)]
        whole = [part for part in whole if np.isfinite(part).all()]
        if whole:
            parts.append(to_frames(np.stack(whole), np.full(len(whole), length))[0])
    if not parts:
        raise DataError(
            f"expected larvae that are seen for {t} frames without a gap, but there is none; give "
            "longer recordings."
        )
    return np.concatenate(parts), len(parts)


def scores(
    model: Model, description: Description, frames: NDArray[np.float64]
) -> tuple[float, float, float]:
    """Return R², R² with another's latent, and the error in body lengths."""
    import torch

    norm = description.normaliser
    assert norm is not None
    x = norm.apply(frames)
    n, t = x.shape[:2]
    mask, none = np.ones((n, t), bool), np.full((n, 3), -1, np.int64)
    code = torch.from_numpy(none.T.copy())
    with torch.no_grad():
        batch = Batch(torch.from_numpy(x), torch.from_numpy(mask), Conditions(*code))
        posterior = model.encode(batch)
    encoded = Encoded(x, mask, none, posterior.mean.numpy(), posterior.log_variance.numpy())
    found = measure_collapse(model, encoded)
    back = norm.invert(decode(model, encoded.mean, none))
    far = np.linalg.norm(midlines_of(back) - midlines_of(frames), axis=-1)
    return found.r2, found.r2_shuffled, float(np.sqrt((far**2).mean()))
