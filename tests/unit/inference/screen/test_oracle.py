"""The whole way from bouts to p-values, against a slow one that shares no code with it."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import jensenshannon

from larvastats import screen

STATES = ("run", "cast", "stop")


def bouts(sizes, seed, dated, larvae=3):
    """A table of bouts; `sizes` are (line, control) plates of each date."""
    rng = np.random.default_rng(seed)
    rows = []
    for d, pair in enumerate(sizes):
        for name, n in zip(("mutant", "wild", "other"), (*pair, 2), strict=True):
            for k in range(n):
                p = rng.dirichlet(np.full(3, 3.0), size=3) * (1 - np.eye(3))
                for larva in range(larvae):
                    t, s = 0.0, int(rng.integers(3))
                    while t < 20:
                        stop = t + round(float(rng.gamma(2, 0.5)), 2) + 0.05
                        rows.append((f"{name}{d}{k}", name, larva, STATES[s], t, stop, f"d{d}"))
                        t, s = stop, int(rng.choice(3, p=p[s] / p[s].sum()))
    columns = ["assay", "line", "larva", "state", "t_start", "t_stop", "date"]
    table = pd.DataFrame(rows, columns=columns)
    return table if dated else table.drop(columns="date")


def count(table, low, high):
    """Jumps of every assay, row by row; assays in the order of their names."""
    names = sorted(table["assay"].unique())
    counts = np.zeros((len(names), 3, 3), dtype=int)
    previous = None
    for one in table.sort_values(["assay", "larva", "t_start"]).itertuples():
        if previous and (previous.assay, previous.larva) == (one.assay, one.larva):
            inside = low <= one.t_start < high
            if inside and previous.state != one.state:
                cell = STATES.index(previous.state), STATES.index(one.state)
                counts[names.index(one.assay)][cell] += 1
        previous = one
    return names, counts


def labellings(is_line, date):
    """All labels with as many line assays on every date as there are."""
    dates = sorted(set(date))
    members = [np.flatnonzero(date == d) for d in dates]
    sizes = [int(is_line[m].sum()) for m in members]
    for chosen in product(*(combinations(m, n) for m, n in zip(members, sizes, strict=True))):
        yield np.isin(np.arange(len(date)), np.concatenate(chosen))


def squared(rows, label, date, naive, measure):
    """Row-averaged squared divergence of the mean rows, dates weighted as in the test."""
    weight, _ = naive.date_parts(rows.reshape(len(rows), -1), label, date)
    sides = []
    for group in (label, ~label):
        by_date = [rows[group & (date == d)].mean(axis=0) for d in sorted(set(date))]
        sides.append(sum(w * m for w, m in zip(weight, by_date, strict=True)))
    return np.mean([measure(p, q) ** 2 for p, q in zip(*sides, strict=True)])


def hellinger(p, q):
    return (((np.sqrt(p) - np.sqrt(q)) ** 2).sum() / 2) ** 0.5


MEASURES = {"hellinger": hellinger, "js": lambda p, q: jensenshannon(p, q, base=2)}


def slow_screen(table, naive, dated):
    names, counts = count(table, 5.0, 18.0)
    of = np.array([n.rstrip("0123456789") for n in names])
    x, rows = naive.profiles(counts), naive.rows(counts)  # scaled by all assays, third line too
    keep = of != "other"
    is_line = of[keep] == "mutant"
    date = np.array([n[-2] for n in names])[keep] if dated else np.zeros(keep.sum())
    x, rows = x[keep], rows[keep]
    variance = naive.dated_variance if dated else (lambda a, b, _: naive.welch_variance(a, b))
    statistic = naive.dated if dated else (lambda a, b, _: naive.welch(a, b))
    out = {"welch": [], "hellinger": [], "js": []}
    for label in [is_line, *labellings(is_line, date)]:
        v = variance(x, label, date)
        out["welch"].append(statistic(x, label, date))
        for name, measure in MEASURES.items():
            out[name].append(squared(rows, label, date, naive, measure) / v)
    p = {n: np.mean(np.array(v[1:]) >= v[0] * (1 - 1e-9)) for n, v in out.items()}
    return out["welch"][0], p, x, rows, is_line, date


CASES = [
    ([(4, 4)], False, 1),
    ([(3, 5)], False, 2),
    ([(2, 2), (2, 2)], True, 3),
    ([(2, 3), (1, 2), (2, 2)], True, 4),
]


@pytest.mark.parametrize(("sizes", "dated", "seed"), CASES)
def test_a_screen_is_what_its_definition_says(naive, sizes, dated, seed):
    table = bouts(sizes, seed, dated)
    t, p, x, _, is_line, date = slow_screen(table, naive, dated)
    result = screen(
        table, control="wild", window="5:18", null="relabel", bootstrap=0, calibrate=False
    )
    one = result.table.set_index("line").loc["mutant"]
    assert one["statistic"] == pytest.approx(t, rel=1e-9)
    assert one["p_exact"] == pytest.approx(p["welch"], abs=1e-12)
    assert one["hellinger_p_value"] == pytest.approx(p["hellinger"], abs=1e-12)
    assert one["js_p_value"] == pytest.approx(p["js"], abs=1e-12)

    units = result.units[~result.units["genotype"].isin(["other"])]
    for a, distance in enumerate(units["distance"]):
        controls = ~is_line & (date == date[a])
        expected = np.linalg.norm(x[a] - x[controls].mean(axis=0))
        assert distance == pytest.approx(expected, rel=1e-9)


def test_a_sampled_p_is_close_to_a_slow_sample(naive):
    table = bouts([(9, 11)], 5, False, larvae=2)
    names, counts = count(table, -np.inf, np.inf)
    of = np.array([n.rstrip("0123456789") for n in names])
    x, is_line = naive.profiles(counts)[of != "other"], of[of != "other"] == "mutant"
    rng = np.random.default_rng(0)
    null = [naive.welch(x, rng.permutation(is_line)) for _ in range(1500)]
    p = np.mean(np.array(null) >= naive.welch(x, is_line))
    one = screen(table, control="wild", resamples=4000, bootstrap=0, calibrate=False).table
    one = one.set_index("line").loc["mutant"]
    assert one["p_floor"] == 1 / 4001
    assert one["p_exact"] == pytest.approx(p, abs=5 * (p * (1 - p) * (1 / 1500 + 1 / 4000)) ** 0.5)
