"""Score tests of time courses against the same written out slowly, relabelling by relabelling."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from larvastats import Ethogram, transition_model
from larvastats.inference.design.setting import make_setting
from larvastats.inference.transitions import layout
from larvastats.inference.transitions.courses import COURSE, LEVEL, contributions
from larvastats.markov.formula import read_formula
from larvastats.markov.logit import fit_logit
from larvastats.markov.smooth import count_jumps
from larvastats.protocol import Window

STATES = ("run", "cast", "stop")
FORMULA = "to ~ genotype * t"


def bouts(plates=(4, 4), seed=0, level=0.0, slope=0.0, larvae=5, scatter=0.3, dates=None):
    """Plates of a mutant and a wild type; logits shift by a level, and by a slope over time."""
    rng = np.random.default_rng(seed)
    base = np.array([[0, 0.5, 0.5], [0.6, 0, 0.4], [0.5, 0.5, 0]])
    rows = []
    for name, n in zip(("mutant", "wild"), plates, strict=True):
        for k in range(n):
            shift = rng.normal(0, scatter, (3, 3))
            for larva in range(larvae):
                t, s = 0.0, int(rng.integers(3))
                while t < 20:
                    stop = round(t + rng.gamma(2, 0.4) + 0.05, 2)
                    eta = shift[s].copy()
                    eta[1] += (name == "mutant") * (level + slope * (stop - 10) / 10)
                    p = base[s] * np.exp(eta)
                    day = None if dates is None else f"d{k % dates}"
                    rows.append((f"{name}{k}", name, larva, STATES[s], t, stop, day))
                    t, s = stop, int(rng.choice(3, p=p / p.sum()))
    columns = ["assay", "line", "larva", "state", "t_start", "t_stop", "date"]
    table = pd.DataFrame(rows, columns=columns)
    return table if dates else table.drop(columns="date")


def laid_out(table, formula=FORMULA):
    setting = make_setting(Ethogram.from_bouts(table), protocol=None)
    right, variables = read_formula(formula, layout.known_variables(setting))
    jumps = count_jumps(setting.ethogram, Window("whole", ((0, 99),)), 0.1)
    names = layout.levels(setting, "wild")
    origins, _ = layout.origins(setting, jumps, right, variables, formula, names)
    return setting, origins


def welch(x, label):
    a, b = x[label], x[~label]
    v = a.var(axis=0, ddof=1).sum() / len(a) + b.var(axis=0, ddof=1).sum() / len(b)
    return ((a.mean(axis=0) - b.mean(axis=0)) ** 2).sum() / v


def test_p_values_are_those_of_relabelled_contributions():
    table = bouts(seed=1, slope=0.5)
    model = transition_model(FORMULA, table, control="wild", null="relabel")
    setting, origins = laid_out(table)
    rows = np.arange(8)
    is_line = (setting.ethogram.assays["line"] == "mutant").to_numpy()
    parts = {}
    for term in (LEVEL, COURSE):
        x = [contributions(o, rows, ("mutant", "wild"), term, 1.0) for o in origins]
        parts[term] = [np.concatenate(x, axis=1), *x]
    labels = [np.isin(rows, chosen) for chosen in combinations(rows, 4)]
    for term, features in parts.items():
        own = model.tests[model.tests["term"] == term]
        assert list(own["from"]) == ["all", *STATES]
        null = np.array([[welch(x, label) for x in features] for label in labels])
        observed = np.array([welch(x, is_line) for x in features])
        np.testing.assert_allclose(own["statistic"], observed, rtol=1e-8)
        p = (null >= observed * (1 - 1e-9)).mean(axis=0)
        np.testing.assert_allclose(own["p_value"], p, atol=1e-12)
        largest = null[:, 1:].max(axis=1)
        single = (largest[:, None] >= observed[1:] * (1 - 1e-9)).mean(axis=0)
        adjusted = own["p_adjusted"].to_numpy()[1:]
        assert adjusted.min() == pytest.approx(single.min()) and (adjusted <= single + 1e-12).all()


def test_contributions_are_scores_of_the_common_model():
    """Observed minus expected, summed over an assay; the common model is in balance over all."""
    _, origins = laid_out(bouts(seed=2))
    origin = origins[0]
    rows = np.arange(8)
    x = contributions(origin, rows, ("mutant", "wild"), LEVEL, 0.0)
    assert x.shape == (8, 2)  # one free destination; level and slope
    n = np.bincount(origin.jumps.assay, origin.jumps.counts.sum(axis=1), 8)
    sums = x * (n / n.mean())[:, None]  # contributions are means per transition
    np.testing.assert_allclose(sums.sum(axis=0), 0.0, atol=1e-6)
    # in units of the information: were transitions independent, the line's half would be a quarter
    # of a chi-square statistic
    patterns = origin.patterns
    counts = np.zeros((len(patterns.table), 3))
    np.add.at(counts, patterns.row, origin.jumps.counts)
    counts = counts[:, 1:]  # out of run: to cast and stop
    full = origin.design.columns(patterns.table)
    null = full[:, [k for k, n in enumerate(origin.design.names) if "genotype" not in n]]
    gain = fit_logit(full, counts).log_likelihood - fit_logit(null, counts).log_likelihood
    assert 4 * (sums[:4].sum(axis=0) ** 2).sum() == pytest.approx(2 * gain, rel=0.15)


def test_a_level_is_no_course_and_a_course_is_found():
    level = transition_model(FORMULA, bouts(plates=(6, 6), seed=3, level=1.5, scatter=0.1),
                             control="wild", null="relabel").tests  # fmt: skip
    level = level[level["from"] == "all"].set_index("term")["p_value"]
    assert level[LEVEL] < 0.01 and level[COURSE] > 0.05
    slope = transition_model(FORMULA, bouts(plates=(6, 6), seed=4, slope=1.2, scatter=0.1),
                             control="wild", null="relabel").tests  # fmt: skip
    slope = slope[slope["from"] == "all"].set_index("term")["p_value"]
    assert slope[COURSE] < 0.01


def test_a_formula_without_interaction_asks_one_question():
    table = bouts(seed=5)
    one = transition_model("to ~ genotype + t", table, control="wild").tests
    assert set(one["term"]) == {LEVEL}
    none = transition_model("to ~ t", table, control="wild")
    assert none.tests.empty and len(none.predictions)


def test_dates_are_replicates():
    table = bouts(plates=(6, 6), seed=6, dates=3)
    model = transition_model(FORMULA, table, control="wild")
    assert model.design["replicate"] == "line x date" and model.design["n_replicates"] == 6
    assert set(model.tests["n_dates"]) == {3}
    plates = transition_model(FORMULA, table, control="wild", block="none")
    assert plates.design["n_replicates"] == 12
