"""Differences between recordings, before anyone looks at behaviour."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from larvastats.ethogram import Ethogram
from larvastats.inference.design.blocks import Design

Array = NDArray[np.float64]

LEVEL = 0.01
RATIO = 1.25
"""Smaller differences than this factor are not worth a warning."""


def recording_quality(ethogram: Ethogram) -> dict[str, Array]:
    """Return, for every assay, its larvae and how long each was tracked, shape (assay,) each."""
    n = len(ethogram.assays)
    larvae = ethogram.larvae_per_assay.astype(np.float64)
    seconds = np.bincount(
        ethogram.assay_index, weights=ethogram.t_stop - ethogram.t_start, minlength=n
    )
    gaps = np.bincount(ethogram.assay_index[~ethogram.follows], minlength=n) - larvae
    per = np.maximum(larvae, 1)
    return {
        "larvae per plate": larvae,
        "seconds tracked per larva": seconds / per,
        "tracks lost per larva": gaps / per,
    }


def quality_notes(quality: dict[str, Array], design: Design) -> list[str]:
    """Say where the line's recordings differ from its control's.

    A difference in larvae per plate, in tracking time or in lost tracks is an outcome in its own
    right, and can make behaviour look different. Welch's t-test over assays at .01, and a factor of
    1.25 at least.
    """
    notes: list[str] = []
    line, control = design.units[design.is_line], design.units[~design.is_line]
    if len(line) < 2 or len(control) < 2:
        return notes
    for name, values in quality.items():
        a, b = values[line], values[control]
        mean_a, mean_b = float(a.mean()), float(b.mean())
        low, high = sorted((mean_a, mean_b))
        if high <= max(low * RATIO, 1e-9) or (name.startswith("tracks") and high < 0.1):
            continue
        # recordings of one length differ by rounding alone; from moments, SciPy does not warn of it
        sd_a, sd_b = float(a.std(ddof=1)), float(b.std(ddof=1))
        test = (mean_a, sd_a, len(a), mean_b, sd_b, len(b), False)
        same = sd_a + sd_b < 1e-9 * high
        p = 0.0 if same else float(stats.ttest_ind_from_stats(*test).pvalue)
        if p <= LEVEL:
            notes.append(f"{name}: {mean_a:.3g} against {mean_b:.3g} in the control")
    return notes
