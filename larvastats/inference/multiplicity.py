"""Many lines, one screen: adjusted p-values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

from larvastats.errors import UsageError

CORRECTIONS = ("bh", "by", "bonferroni", "none")


def adjust(p: NDArray[np.float64], method: str = "bh") -> NDArray[np.float64]:
    """Adjust p-values for the number of tests; NaN (no test) stays NaN and does not count.

    Parameters
    ----------
    p : ndarray, shape (test,)
    method : {'bh', 'by', 'bonferroni', 'none'}
        Benjamini & Hochberg 1995 (J. R. Stat. Soc. B 57:289), Benjamini & Yekutieli 2001 (Ann.
        Stat. 29:1165), Bonferroni, or nothing.

    Returns
    -------
    ndarray, shape (test,)

    Raises
    ------
    UsageError
        An unknown method.
    """
    if method not in CORRECTIONS:
        raise UsageError(f"correction must be one of {', '.join(CORRECTIONS)}, but is {method!r}.")
    p = np.asarray(p, dtype=np.float64)
    out = np.full(p.shape, np.nan)
    tested = ~np.isnan(p)
    if not tested.any():
        return out
    if method == "none":
        out[tested] = p[tested]
    elif method == "bonferroni":
        out[tested] = np.minimum(1.0, p[tested] * tested.sum())
    else:
        out[tested] = false_discovery_control(p[tested], method=method)
    return out
