"""Whether a genotype's chain is the same in several windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from larvastats.divergence import hellinger_rows
from larvastats.errors import DataError, UsageError
from larvastats.inference.design.setting import Setting, find_genotype, make_setting
from larvastats.inference.options import name_list
from larvastats.inference.order import homogeneity as test
from larvastats.inference.relabelling import resampling
from larvastats.markov.counts import TransitionCounts, count_transitions
from larvastats.markov.transitions import probabilities
from larvastats.protocol import Window
from larvastats.protocol import windows as parse_windows
from larvastats.results import HTest
from larvastats.verbs._open import open_source

MOST_SHOWN = 8
"""With more windows than this only the most different one is printed."""


def homogeneity_test(
    source: Any = None,
    genotype: str | None = None,
    *,
    protocol: str | None = None,
    windows: str | Sequence[str] | None = None,
    transitions: str = "jump",
    dt: float = 0.1,
    gap: str | None = None,
    null: str = "auto",
    resamples: int = 10_000,
    alpha: float = 0.05,
    seed: int = 0,
    progress: bool = False,
    **load: Any,
) -> HTest:
    """Test whether the chain of a genotype is the same in every window.

    Every assay is its own control: the test asks whether windows depart from their assay's chain in
    the same direction on every plate. Plates, vials and dates may differ as they like. See
    :mod:`larvastats.inference.order.homogeneity` for the statistic and for when labels of windows
    may be exchanged.

    Parameters
    ----------
    source : Ethogram, DataFrame or path, optional
        The built-in example when left out.
    genotype : str
        A genotype, or a line with one effector; may be left out where there is only one.
    protocol : str, optional
        Name or unique beginning.
    windows : str or sequence of str, optional
        Two or more; ``each`` and ``sliding:WIDTH:STEP`` are many. By default every presentation of
        the stimulus (``during_1``, ``during_2``, ...) where there are several, else ``before`` and
        ``during``.
    transitions : {'jump', 'frame'}
    dt : float
        Step in s under ``frame``.
    gap : {'period', 'pause'}, optional
    null : {'auto', 'exchange', 'flip'}
        Exchange windows within assays, or flip signs of whole assays; ``auto`` exchanges windows
        of one length that do not overlap.
    resamples, alpha, seed, progress
        As in :func:`~larvastats.verbs.screen.screen`.
    **load
        Passed on to :func:`larvastats.io.source.load`.

    Returns
    -------
    HTest
        ``estimate``: Hellinger distance of each window's pooled chain from that of all windows.
        ``design['by_window']``: one mapping per window with ``window statistic p_adjusted
        hellinger n_transitions``. ``augment()``: one row per assay and window.

    Raises
    ------
    UsageError, DataError
    """
    if null not in ("auto", "exchange", "flip"):
        raise UsageError(f"null must be one of auto, exchange, flip, but is {null!r}.")
    opened = open_source(source, progress=progress, **load)
    setting = make_setting(opened.ethogram, protocol=protocol, gap=gap, block="none")
    name = _only(setting, genotype)
    chosen = _windows(setting, windows)
    own = setting.ethogram.select(genotype=name)
    counts = count_transitions(own, chosen, transitions, dt)
    usable = _usable(counts, name, setting)
    alike = test.alike(chosen)
    exchange = null == "exchange" or (null == "auto" and alike)
    rng = resampling.seeded(seed, name, *(w.name for w in chosen), "homogeneity")
    scores = test.window_scores(counts.counts[usable])
    found = test.homogeneity(scores, exchange, resamples, rng)
    pooled = counts.counts[usable].sum(axis=0)
    distance = _distances(pooled)
    x2, df, p_naive = test.chi_square(pooled)
    by_window = [
        {"window": w.name, "statistic": float(found.by_window[i]),
         "p_adjusted": float(found.p_adjusted[i]), "hellinger": float(distance[i]),
         "n_transitions": int(pooled[i].sum())}
        for i, w in enumerate(chosen)
    ]  # fmt: skip
    kind = "windows exchanged within assays" if exchange or len(chosen) == 2 else "signs of assays"
    how = "all ways" if found.exact else "sampled"
    notes = [*opened.notes, *setting.notes,
             *_notes(chosen, usable, found, exchange, alike, alpha)]  # fmt: skip
    return HTest(
        method=f"Homogeneity of the chain over windows, {kind}, {how}",
        data_name=f"{name}, {_listed(chosen)} ({opened.name})",
        statistic={"T": found.statistic},
        parameter={"assays": int(usable.sum()), "windows": len(chosen)},
        p_value=found.p_value,
        alternative="the chain is not the same in all windows",
        estimate=_estimate(by_window),
        design={
            "genotype": name,
            "protocol": setting.protocol.raw or None,
            "windows": tuple(w.name for w in chosen),
            "by_window": by_window,
            "null": "exchange" if exchange else "flip",
            "p_floor": found.p_floor,
            "chi_square": x2,
            "chi_square_df": df,
            "chi_square_p_naive": p_naive,
        },
        seed=None if found.exact else seed,
        n_resamples=found.n_resamples,
        notes=tuple(notes),
        units=_units(own.assays[usable], counts, usable, scores),
    )


def _only(setting: Setting, genotype: str | None) -> str:
    names = setting.ethogram.genotypes
    if genotype is not None:
        return find_genotype(setting.ethogram.assays, genotype)
    if len(names) != 1:
        raise UsageError(f"genotype is missing; name one of the {len(names)} genotypes.")
    return names[0]


def _windows(setting: Setting, specs: str | Sequence[str] | None) -> tuple[Window, ...]:
    protocol = setting.protocol
    if specs is None:
        n = len(protocol.intervals)
        if n == 0 or (n == 1 and protocol.intervals[0][0] <= 0):
            raise UsageError(
                "windows is missing, and this protocol has no two stimuli to compare; name "
                "windows such as '0:30,30:60' or sliding:10:10."
            )
        specs = [f"during_{i}" for i in range(1, n + 1)] if n > 1 else ["before", "during"]
    larvae = setting.ethogram.larvae
    extent = float(larvae["t_from"].min()), float(larvae["t_to"].max())
    chosen = [w for s in name_list(specs) for w in parse_windows(protocol, s, extent=extent)]
    if len({w.intervals for w in chosen}) != len(chosen):
        raise UsageError("windows names the same window twice; name different ones.")
    if len(chosen) < 2:
        raise UsageError(
            f"homogeneity compares two windows or more, but {specs!r} names {len(chosen)}."
        )
    return tuple(chosen)


def _usable(counts: TransitionCounts, name: str, setting: Setting) -> NDArray[np.bool_]:
    """Assays with transitions in every window; two at least."""
    happened = counts.counts.sum(axis=(2, 3)) > 0
    for w, window in enumerate(counts.windows):
        if not happened[:, w].any():
            raise DataError(
                f"window {window.describe()} holds no transition in any assay of {name}; choose "
                "windows within the recordings, or leave it out."
            )
    usable = happened.all(axis=1)
    if usable.sum() < 2:
        raise DataError(
            f"{name} has {int(usable.sum())} assay(s) with transitions in all {len(counts.windows)}"
            " windows; two at least are needed to tell windows from chance."
        )
    return np.asarray(usable)


def _distances(pooled: NDArray[np.int64]) -> NDArray[np.float64]:
    """Hellinger distance of every window from all windows, averaged over rows seen in both."""
    whole = probabilities(pooled.sum(axis=0))
    out = []
    for one in probabilities(pooled):
        both = ~np.isnan(one).any(axis=1) & ~np.isnan(whole).any(axis=1)
        out.append(float(hellinger_rows(one[both], whole[both]).mean()) if both.any() else np.nan)
    return np.array(out)


def _estimate(by_window: list[dict[str, Any]]) -> dict[str, float]:
    shown = by_window
    if len(by_window) > MOST_SHOWN:
        shown = [max(by_window, key=lambda row: row["statistic"])]
    return {f"Hellinger {row['window']}": row["hellinger"] for row in shown}


def _listed(windows: Sequence[Window]) -> str:
    if len(windows) > MOST_SHOWN:
        return f"{len(windows)} windows from {windows[0].name} to {windows[-1].name} s"
    return "; ".join(w.describe() for w in windows)


def _notes(
    windows: Sequence[Window],
    usable: NDArray[np.bool_],
    found: test.Homogeneity,
    exchange: bool,
    alike: bool,
    alpha: float,
) -> list[str]:
    notes = []
    left = int((~usable).sum())
    if left:
        notes.append(f"{left} assay(s) without a transition in one of the windows left out")
    if exchange and not alike and len(windows) > 2:
        notes.append("windows overlap or differ in length: exchanging them is not exact")
    if found.p_floor > alpha:
        notes.append(f"smallest possible p is {found.p_floor:.3g}: cannot reject at {alpha:g}")
    worst = int(np.argmin(found.p_adjusted))
    if found.p_value <= alpha and len(windows) > 2:
        notes.append(
            f"most different: {windows[worst].name} (p {found.p_adjusted[worst]:.3g} for all "
            "windows together)"
        )
    return notes


def _units(
    assays: pd.DataFrame,
    counts: TransitionCounts,
    usable: NDArray[np.bool_],
    scores: NDArray[np.float64],
) -> pd.DataFrame:
    """One row per assay and window."""
    k = len(counts.windows)
    table = assays[["assay", "genotype", "date"]].loc[assays.index.repeat(k)].reset_index(drop=True)
    table["window"] = np.tile([w.name for w in counts.windows], len(assays))
    table["n_transitions"] = counts.counts[usable].sum(axis=(2, 3)).ravel()
    table["distance"] = np.linalg.norm(scores, axis=2).ravel()
    return table
