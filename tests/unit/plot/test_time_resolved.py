"""Survival curves by state and sorted z-scores of triples: what they show, and where it stands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from larvastats.errors import UsageError
from larvastats.plot.survival import plot_survival
from larvastats.plot.triples import plot_triples
from larvastats.results import DwellResult, OrderResult
from larvastats.vocabulary import LARVA_STATES


def dwell_result(pictures, states=LARVA_STATES, missing=()):
    names = (pictures.control, pictures.best)
    time = np.linspace(0.1, 6, 40)
    rows, curves, cells = [], [], []
    for g, genotype in enumerate(names):
        for s, state in enumerate(states):
            n = 0 if (genotype, state) in missing else 100 + 1000 * g + s
            rows.append({"genotype": genotype, "window": "during", "state": state, "n_bouts": n,
                         "n_lost": 0, "horizon": 5.0 + s})  # fmt: skip
            if n:
                survival = np.exp(-time / (1 + g + 0.2 * s))
                curves.append(pd.DataFrame({
                    "genotype": genotype, "window": "during", "state": state, "time": time,
                    "survival": survival, "low": 0.8 * survival, "high": survival**0.8,
                    "at_risk": 100.0,
                }))  # fmt: skip
    for s, state in enumerate(states):
        tested = (names[1], state) not in missing
        cells.append({"genotype": names[1], "control": names[0], "window": "during",
                      "state": state, "difference": 0.3 * s - 1 if tested else np.nan,
                      "p_adjusted": 0.01 * (s + 1) if tested else np.nan})  # fmt: skip
    tests = pd.DataFrame([{"genotype": names[1], "control": names[0], "p_value": 0.0012}])
    design = {"data_name": "by hand", "windows_text": {"during": "during: 30–45, 60–75 s"}}
    nothing = pd.DataFrame()
    return DwellResult(
        pd.DataFrame(rows), nothing, pd.concat(curves), tests, pd.DataFrame(cells), nothing,
        tuple(states), 0.05, design, 1,
    )  # fmt: skip


def order_result(pictures, n=60, alpha=0.05):
    rng = np.random.default_rng(n)
    z = rng.normal(0, 2, n)
    z = z[np.argsort(-np.abs(z))]
    a, b = (np.array(LARVA_STATES)[rng.integers(0, 6, n)] for _ in range(2))
    table = pd.DataFrame({
        "triple": [f"{x}→{y}→{x}" for x, y in zip(a, b, strict=True)], "returns": a == a,
        "z": z, "p_adjusted": np.where(np.abs(z) > 3, 0.01, 0.6), "z_pooled": 1.5 * z,
    })  # fmt: skip
    table.loc[n // 2 :, "returns"] = False
    design = {"genotype": pictures.best, "window_text": "during: 30–45, 60–75 s",
              "z_threshold": 3.0, "data_name": "by hand"}  # fmt: skip
    back = {"share": 0.541, "expected": 0.536, "p_value": 0.22}
    return OrderResult(table, pd.DataFrame(), pd.DataFrame(), 45.5, 0.19, back, {}, alpha, design,
                       1, 2000)  # fmt: skip


@pytest.mark.parametrize("states", [LARVA_STATES, LARVA_STATES[:2], ("only one",)])
def test_one_panel_per_state_and_nothing_in_the_way(pictures, states):
    figure = plot_survival(dwell_result(pictures, states))
    assert [axes.get_label() for axes in figure.axes] == list(states)
    assert pictures.outside(figure) == [] and pictures.overlaps(figure) == []
    for axes in figure.axes:
        assert len(axes.lines) == 2 and len(axes.collections) == 2
        assert axes.get_title() or axes.get_title(loc="left")


def test_curves_start_at_one_and_are_steps(pictures):
    result = dwell_result(pictures)
    axes = plot_survival(result).axes[1]
    own = result.curves.query("state == 'cast'")
    for line, genotype in zip(axes.lines, (pictures.control, pictures.best), strict=True):
        assert line.get_drawstyle() == "steps-post"
        curve = own[own["genotype"] == genotype]
        np.testing.assert_allclose(line.get_xdata(), [0.0, *curve["time"]])
        np.testing.assert_allclose(line.get_ydata(), [1.0, *curve["survival"]])
    assert axes.get_xlim()[1] == pytest.approx(1.15 * 6.0)
    assert axes.get_title(loc="right") == "−0.70 s, p = 0.020"


def test_a_state_that_one_never_shows(pictures):
    result = dwell_result(pictures, missing={(pictures.best, "roll")})
    axes = plot_survival(result).axes[LARVA_STATES.index("roll")]
    assert len(axes.lines) == 1 and axes.get_title(loc="right") == "not tested"
    assert any("v 0 bouts" in t.get_text() for t in axes.texts)


def test_the_surest_window_by_default(pictures):
    result = dwell_result(pictures)
    late = {name: getattr(result, name).assign(window="after") for name in
            ("table", "curves", "cells")}  # fmt: skip
    late["cells"]["p_adjusted"] /= 20
    both = {name: pd.concat([getattr(result, name), late[name]]) for name in late}
    for window, p in (("after", "p = 0.00050"), ("during", "p = 0.010")):
        asked = None if window == "after" else window
        axes = plot_survival(replace(result, **both), window=asked).axes[0]
        assert axes.get_title(loc="right").endswith(p)


def test_too_many_genotypes_at_once(pictures):
    result = dwell_result(pictures)
    many = pd.concat([result.table.assign(genotype=f"g{i}") for i in range(9)])
    with pytest.raises(UsageError, match="9 genotypes are too many"):
        plot_survival(replace(result, table=many, tests=result.tests.iloc[:0]))


@pytest.mark.parametrize("n", [1, 12, 60])
def test_triples_are_sorted_and_what_is_called_is_coloured(pictures, n):
    result = order_result(pictures, n)
    figure = plot_triples(result)
    (axes,) = figure.axes
    shown = result.table.head(40).sort_values("z")
    labels = axes.get_yticklabels()
    assert [t.get_text() for t in labels] == list(shown["triple"])
    assert [t.get_fontweight() == "bold" for t in labels] == list(shown["returns"])
    own = next(c for c in axes.collections if c.get_label() == "each larva its own chain")
    np.testing.assert_allclose(np.asarray(own.get_offsets())[:, 0], shown["z"])
    called = shown["p_adjusted"] <= 0.05
    assert len(np.unique(own.get_facecolors(), axis=0)) == called.nunique()
    assert pictures.outside(figure) == [] and pictures.overlaps(figure) == []


def test_no_scored_triple_no_picture(pictures):
    result = order_result(pictures)
    with pytest.raises(UsageError, match="nothing to draw"):
        plot_triples(replace(result, table=result.table.assign(z=np.nan)))
