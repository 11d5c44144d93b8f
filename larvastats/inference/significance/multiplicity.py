"""Many lines, one screen: adjusted p-values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

from larvastats.errors import UsageError

CORRECTIONS = ("bh", "by", "bonferroni", "maxt", "none")


def adjust(
    p: NDArray[np.float64],
    method: str = "bh",
    attainable: Sequence[NDArray[np.float64]] | None = None,
) -> NDArray[np.float64]:
    """Adjust p-values for the number of tests; NaN (no test) stays NaN and does not count.

    Parameters
    ----------
    p : ndarray, shape (test,)
    method : {'bh', 'by', 'bonferroni', 'maxt', 'none'}
        Benjamini & Hochberg 1995 (J. R. Stat. Soc. B 57:289), Benjamini & Yekutieli 2001 (Ann.
        Stat. 29:1165), Bonferroni, :func:`step_down`, or nothing.
    attainable : sequence of ndarray, length test, optional
        For ``maxt``: as in :func:`step_down`; by default every p-value could be anything.

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
    elif method == "maxt":
        possible = attainable or [np.zeros(0)] * len(p)
        out[tested] = step_down(p[tested], [a for a, t in zip(possible, tested, strict=True) if t])
    else:
        out[tested] = false_discovery_control(p[tested], method=method)
    return out


def step_down(
    p: NDArray[np.float64], attainable: Sequence[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Adjust p-values by the smallest of each line's own relabelled ones, step by step.

    Step-down min-P (Westfall & Young 1993, algorithm 2.8; Ge, Dudoit & Speed 2003, Test 12:1): the
    k-th smallest p becomes the chance that, of the lines from the k-th on, any would have one as
    small. Each line is relabelled by itself, against its own control, so that a line with an effect
    does not disturb the others; the lines' relabellings are independent of each other, and the
    chance is then ``1 - prod(1 - F_l(x))`` with the share ``F_l`` of line l's relabellings whose p
    is at most x: nothing has to be drawn. A line whose design cannot give p <= x does not count.

    Lines that share controls depend on each other positively, and ignoring that errs on the safe
    side: for Gaussian differences by the correlation inequality (Sidak 1967, J. Am. Stat. Assoc.
    62:626; Royen 2014, Far East J. Theor. Stat. 48:139). To draw the *same* controls for all lines
    does not imitate that dependence: the relabelled lines become nearly one line, and of 50 null
    lines of 4 plates against 40 shared ones some is called different in a third of the screens
    (`analyses/calibration/familywise.py`).

    Parameters
    ----------
    p : ndarray, shape (test,)
        Without NaN.
    attainable : sequence of ndarray, length test
        The smallest p-values that each test could have given, ascending, all of them up to the
        largest that is listed; empty: any. Beyond, F(x) = x bounds it.

    Returns
    -------
    ndarray, shape (test,)
    """
    order = np.argsort(p, kind="stable")
    x = p[order]
    log_rest = np.zeros(len(p))  # log of the chance that none of the lines so far is as small
    for position in range(len(p)):
        own = np.minimum(_reach(x, attainable[order[position]]), 1 - 1e-16)
        log_rest[: position + 1] += np.log1p(-own[: position + 1])
    out = np.empty(len(p))
    out[order] = np.maximum.accumulate(-np.expm1(log_rest))
    return np.clip(out, 0.0, 1.0)


def _reach(x: NDArray[np.float64], attainable: NDArray[np.float64]) -> NDArray[np.float64]:
    """Chance of a p-value at or below each x, ascending, under relabelling."""
    if not len(attainable):
        return x
    position = np.searchsorted(attainable, x * (1 + 1e-9), side="right")
    found = np.concatenate([[0.0], attainable])[position]
    return np.where(x > attainable[-1] * (1 + 1e-9), x, found)


def smallest_adjusted(
    attainable: Sequence[NDArray[np.float64]], floor: NDArray[np.float64]
) -> float:
    """Return the smallest adjusted p-value that :func:`step_down` can give any of the tests.

    Parameters
    ----------
    attainable
        As in :func:`step_down`.
    floor : ndarray, shape (test,)
        Smallest p-value of each test.
    """
    least = np.sort(floor)
    rest = sum(np.log1p(-np.minimum(_reach(least, a), 1 - 1e-16)) for a in attainable)
    return float(np.min(-np.expm1(rest)))
