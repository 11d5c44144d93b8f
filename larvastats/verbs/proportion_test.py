"""Equal proportions of individuals: the field's classic test, with its unit said aloud."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from larvastats.errors import UsageError
from larvastats.results import HTest

SMALL_EXPECTED = 5


def proportion_test(
    successes: Sequence[int],
    trials: Sequence[int],
    *,
    correct: bool = False,
    conf_level: float = 0.95,
    names: Sequence[str] | None = None,
) -> HTest:
    """Test whether groups have equal proportions, by Pearson's chi-square.

    The counterpart of R's ``prop.test``, without the continuity correction by default. It takes
    every individual as independent: animals that shared a plate were not.

    Parameters
    ----------
    successes, trials : sequence of int, shape (group,)
        At least two groups.
    correct : bool
        Yates' continuity correction, for two groups.
    conf_level : float
        Level of the interval of the difference, for two groups (Wald, as in R).
    names : sequence of str, optional
        Names of the groups, all different.

    Returns
    -------
    HTest
        ``X-squared`` with ``df``; `p_value` is NaN when no or every trial is a success.

    Raises
    ------
    UsageError
        Numbers that are no counts, or fewer than two groups.

    References
    ----------
    Pearson 1900, Phil. Mag. 50:157.
    """
    k, n = _counts("successes", successes), _counts("trials", trials)
    if len(k) != len(n) or len(k) < 2:
        raise UsageError(
            f"successes and trials must have one number per group, for two groups or more, but "
            f"have {len(k)} and {len(n)}."
        )
    if (k > n).any() or (n < 1).any():
        g = int(np.flatnonzero((k > n) | (n < 1))[0])
        raise UsageError(
            f"successes must not exceed trials, and trials must be positive, but group {g + 1} has "
            f"{k[g]} of {n[g]}."
        )
    if not 0 < conf_level < 1:
        raise UsageError(f"conf_level must lie between 0 and 1, but is {conf_level!r}.")
    if names is not None and not len(k) == len(names) == len(set(names)):
        raise UsageError(
            f"names must be one per group, all different, but are {list(names)!r} for {len(k)} "
            "groups."
        )
    table = np.stack([k, n - k])
    statistic, p_value, notes = _chi_square(table, correct)
    labels = list(names) if names is not None else [f"prop {g + 1}" for g in range(len(k))]
    title = "with" if correct and len(k) == 2 else "without"
    return HTest(
        method=f"{len(k)}-sample test for equality of proportions {title} continuity correction",
        data_name=", ".join(f"{a} of {b}" for a, b in zip(k, n, strict=True)),
        statistic={"X-squared": statistic},
        parameter={"df": len(k) - 1},
        p_value=p_value,
        alternative="two.sided",
        estimate=dict(zip(labels, (k / n).tolist(), strict=True)),
        conf_int=_wald(k, n, correct, conf_level) if len(k) == 2 else None,
        conf_level=conf_level,
        design={"unit": "individual"},
        notes=notes,
    )


def _counts(name: str, values: Sequence[int]) -> np.ndarray:
    array = np.atleast_1d(np.asarray(values))
    whole = array.ndim == 1 and np.issubdtype(array.dtype, np.number)
    if not whole or not (np.isfinite(array) & (array >= 0) & (array == np.round(array))).all():
        raise UsageError(f"{name} must be whole numbers from 0 up, but is {values!r}.")
    return array.astype(np.int64)


def _chi_square(table: np.ndarray, correct: bool) -> tuple[float, float, tuple[str, ...]]:
    if (table.sum(axis=1) == 0).any():
        reason = "every individual did the same: there is nothing to compare"
        return float("nan"), float("nan"), (reason,)
    result = stats.chi2_contingency(table, correction=correct)
    notes: tuple[str, ...] = ()
    if (result.expected_freq < SMALL_EXPECTED).any():
        notes = ("expected counts below 5: the chi-square approximation may be poor",)
    return float(result.statistic), float(result.pvalue), notes


def _wald(k: np.ndarray, n: np.ndarray, correct: bool, level: float) -> tuple[float, float]:
    p = k / n
    half = stats.norm.ppf((1 + level) / 2) * np.sqrt((p * (1 - p) / n).sum())
    if correct:
        half += min(0.5, abs(p[0] - p[1]) / (1 / n).sum()) * (1 / n).sum()
    low, high = np.clip([p[0] - p[1] - half, p[0] - p[1] + half], -1.0, 1.0)
    return float(low), float(high)
