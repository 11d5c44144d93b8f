"""Whether the next action depends on the present one alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from larvastats.errors import DataError, UsageError
from larvastats.inference.design.replicates import replicates
from larvastats.inference.design.setting import Setting, find_genotype, make_setting
from larvastats.inference.order import shuffles
from larvastats.inference.relabelling import resampling
from larvastats.markov.sequences import (
    Sequences,
    adjusted_residuals,
    first_order,
    order_chi_square,
    sequences,
)
from larvastats.protocol import Window, default_window
from larvastats.protocol import windows as parse_windows
from larvastats.results import OrderResult
from larvastats.verbs._open import open_source


def order_test(
    source: Any = None,
    genotype: str | None = None,
    *,
    protocol: str | None = None,
    window: str | None = None,
    gap: str | None = None,
    resamples: int = 2000,
    alpha: float = 0.05,
    seed: int = 0,
    progress: bool = False,
    **load: Any,
) -> OrderResult:
    """Test whether a first-order chain explains the triples of actions of a genotype.

    Every uninterrupted run of actions is compared with shuffles that keep its first action and all
    of its transitions; under a first-order chain all of these are equally likely, whatever the
    chain and however much larvae, plates and dates differ, so that the test is exact for larvae
    that do not influence each other. z-scores of triples (observed against expected, as in Blanc et
    al. 2025, PLOS Comput. Biol. 21:e1012990, but within larvae) are corrected for their number by
    the largest |z| of every shuffle. A chain that changes during the window, as in habituation,
    looks like memory as well: a short or steady window tells the two apart.

    Parameters
    ----------
    source : Ethogram, DataFrame or path, optional
        The built-in example when left out.
    genotype : str
        A genotype, or a line with one effector; may be left out where there is only one.
    protocol : str, optional
        Name or unique beginning.
    window : str, optional
        By default ``during``; ``whole`` without a stimulus.
    gap : {'period', 'pause'}, optional
    resamples : int
        Shuffles.
    alpha : float
        Level of the verdict on triples.
    seed : int
    progress : bool
    **load
        Passed on to :func:`larvastats.io.source.load`.

    Returns
    -------
    OrderResult

    Raises
    ------
    UsageError, DataError
    """
    if resamples < 19:
        raise UsageError(f"resamples must be at least 19, but is {resamples!r}.")
    opened = open_source(source, progress=progress, **load)
    setting = make_setting(opened.ethogram, protocol=protocol, gap=gap)
    name = _only(setting, genotype)
    chosen = _window(setting, window)
    rows = setting.rows(name)
    ethogram = setting.ethogram.select(genotype=name)
    runs = sequences(ethogram, chosen)
    if not len(runs):
        raise DataError(
            f"{name} has no three actions in a row in window {chosen.describe()}: the order of "
            "the chain cannot be seen; choose a longer window."
        )
    rng = resampling.seeded(seed, name, chosen.name, "order")
    found = shuffles.shuffle_runs(runs, resamples, runs.assay, len(rows), rng)
    test = shuffles.order_statistics(found, alpha)
    if np.isnan(test.p_value):
        raise DataError(
            f"{name} has {int(found.n.sum())} triples of actions in window {chosen.describe()}, "
            "and none of them could vary and is expected "
            f"{shuffles.MIN_EXPECTED:g} times or more: too few to test the order of the chain."
        )
    who = replicates(np.arange(len(rows)), None if setting.dates is None else setting.dates[rows])
    back = shuffles.recurrence(found, who.of(runs.assay), who.n)
    larvae = _larvae(setting, rows, runs, found)
    triples = shuffles.pooled_triples(runs)
    statistic, df = order_chi_square(triples)
    design = {
        "data_name": opened.name,
        "genotype": name,
        "protocol": setting.protocol.raw or None,
        "window": chosen.name,
        "window_text": chosen.describe(),
        "n_larvae": len(larvae),
        "n_assays": len(np.unique(runs.assay)),
        "n_scored": test.n_scored,
        "z_threshold": test.threshold,
        "replicate": who.what + "s",
    }
    notes = list(opened.notes)  # no assays are exchanged: what the setting says of it is idle
    if who.n < 2:
        notes.append("one assay: the shuffles hold for its larvae; nothing is said of others")
    return OrderResult(
        _table(setting.ethogram.states, test, triples),
        larvae,
        _units(setting, rows, larvae),
        test.statistic,
        test.p_value,
        {"share": back.share, "expected": back.expected, "excess": back.share - back.expected,
         "low": back.low, "high": back.high, "z": back.z, "p_value": back.p_value},
        {"statistic": statistic, "df": df,
         "p_value": float(stats.chi2.sf(statistic, df)) if df else float("nan")},
        alpha, design, seed, resamples, tuple(notes),
    )  # fmt: skip


def _only(setting: Setting, genotype: str | None) -> str:
    assays = setting.ethogram.assays
    if genotype is not None:
        return find_genotype(assays, genotype)
    names = setting.ethogram.genotypes
    if len(names) != 1:
        raise UsageError(f"genotype is missing; name one of the {len(names)} genotypes.")
    return names[0]


def _window(setting: Setting, spec: str | None) -> Window:
    if spec is None:
        return default_window(setting.protocol)
    larvae = setting.ethogram.larvae
    extent = float(larvae["t_from"].min()), float(larvae["t_to"].max())
    chosen = parse_windows(setting.protocol, spec, extent=extent)
    if len(chosen) != 1:
        raise UsageError(f"window {spec!r} names {len(chosen)} windows; name one of them.")
    return chosen[0]


def _table(states: tuple[str, ...], test: shuffles.OrderTest, triples: np.ndarray) -> pd.DataFrame:
    """One row per triple that occurs or is expected, surest first."""
    k = len(states)
    a, b, c = (side.ravel() for side in np.indices((k, k, k)))
    names = np.array(states, dtype=object)
    table = pd.DataFrame({"first": names[a], "middle": names[b], "last": names[c]})
    arrow = "→"
    table.insert(0, "triple", table["first"] + arrow + table["middle"] + arrow + table["last"])
    table["returns"] = a == c
    table["observed"], table["expected"] = triples.ravel(), test.expected
    table["ratio"] = _ratio(triples.ravel(), test.expected)
    table["z"], table["p_adjusted"] = test.z, test.p_adjusted
    table["t_assays"] = test.t_assays
    table["expected_pooled"] = first_order(triples).ravel()
    table["z_pooled"] = adjusted_residuals(triples).ravel()
    occurs = (table["observed"] > 0) | (table["expected"] > 0) | (table["expected_pooled"] > 0)
    order = table["z"].abs().fillna(-1.0).sort_values(ascending=False, kind="stable").index
    return table.loc[[i for i in order if occurs[i]]].reset_index(drop=True)


def _ratio(observed: np.ndarray, expected: np.ndarray) -> np.ndarray:
    out = np.full(len(expected), np.nan)
    return np.divide(observed, expected, out=out, where=expected > 0)


def _larvae(
    setting: Setting, rows: np.ndarray, runs: Sequences, found: shuffles.Shuffled
) -> pd.DataFrame:
    """One row per larva; runs of a larva add up."""
    larva, code = np.unique(runs.larva, return_inverse=True)
    own = setting.ethogram.select(genotype=setting.ethogram.assays["genotype"].iloc[rows[0]])
    about = own.larvae.iloc[larva]
    table = pd.DataFrame({
        "assay": own.assays["assay"].to_numpy()[about["assay_index"].to_numpy()],
        "larva": about["larva"].to_numpy(),
        "n_triples": np.bincount(code, found.n).astype(int),
        "returns": np.bincount(code, found.returns).astype(int),
        "expected": np.bincount(code, found.expected),
    })  # fmt: skip
    table["excess"] = table["returns"] - table["expected"]
    sd = np.sqrt(np.bincount(code, found.variance))
    table["z"] = _ratio(table["excess"].to_numpy(), sd)
    return table


def _units(setting: Setting, rows: np.ndarray, larvae: pd.DataFrame) -> pd.DataFrame:
    """One row per assay."""
    about = setting.ethogram.assays.iloc[rows][["assay", "genotype", "date"]]
    sums: Mapping[str, tuple[str, str]] = {
        "n_larvae": ("larva", "size"), "n_triples": ("n_triples", "sum"),
        "returns": ("returns", "sum"), "expected": ("expected", "sum"),
        "excess": ("excess", "sum"),
    }  # fmt: skip
    added = larvae.groupby("assay").agg(**sums)
    return about.merge(added, left_on="assay", right_index=True, how="left").fillna(
        {name: 0 for name in sums}
    ).reset_index(drop=True)  # fmt: skip
