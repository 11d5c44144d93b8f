"""From bouts to counted jumps, patterns of covariates, and errors of replicates."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from larvastats import Ethogram, UsageError, parse_protocol
from larvastats.errors import DataError
from larvastats.markov.courses import jackknife
from larvastats.markov.formula import make_design, read_formula
from larvastats.markov.smooth import count_jumps, make_patterns, time_columns
from larvastats.protocol import Window

KNOWN = ("t", "on", "since", "from", "genotype", "temperature")


def bouts(n_larvae=8, seed=0):
    rng = np.random.default_rng(seed)
    rows = []
    for assay in ("a", "b"):
        for larva in range(n_larvae):
            t, s = 0.0, int(rng.integers(3))
            while t < 9:
                stop = round(t + rng.exponential(0.6) + 0.01, 3)
                rows.append((assay, f"line_{assay}", larva, "xyz"[s], t, stop))
                t = stop if rng.random() > 0.1 else stop + 0.2  # tracking is lost now and then
                s = (s + int(rng.integers(1, 3))) % 3
    columns = ["assay", "line", "larva", "state", "t_start", "t_stop"]
    return pd.DataFrame(rows, columns=columns)


def test_jumps_are_counted_one_by_one():
    ethogram = Ethogram.from_bouts(bouts())
    jumps = count_jumps(ethogram, Window("w", ((1.0, 4.0), (6.0, 8.5))), 0.5)
    slow = {}
    for b in np.flatnonzero(ethogram.follows):
        t = ethogram.t_start[b]
        if 1 <= t < 4 or 6 <= t < 8.5:
            key = (ethogram.state[b - 1], ethogram.assay_index[b], int(t // 0.5))
            slow.setdefault(key, [0, 0, 0])[ethogram.state[b]] += 1
    found = {
        (s, a, k): list(c)
        for s, a, k, c in zip(jumps.start, jumps.assay, jumps.bin, jumps.counts, strict=True)
    }
    assert found == slow and jumps.counts.sum() > 100
    assert list(map(tuple, np.column_stack([jumps.start, jumps.assay, jumps.bin]))) == sorted(slow)


def test_a_jump_at_the_edge_of_a_bin_belongs_to_the_next():
    table = pd.DataFrame({
        "assay": "a", "line": "l", "larva": 0, "state": ["x", "y", "x"],
        "t_start": [0.0, 0.3, 0.7], "t_stop": [0.3, 0.7, 1.0],
    })  # fmt: skip
    jumps = count_jumps(Ethogram.from_bouts(table), Window("w", ((0, 9),)), 0.1)
    assert sorted(jumps.bin) == [3, 7]
    np.testing.assert_allclose(np.sort(jumps.t), [0.35, 0.75])


def test_variables_of_time():
    protocol = parse_protocol("r_LED100_30s2x15s30s#n#n#n")
    made = time_columns(np.array([0.0, 29.9, 30.0, 44.9, 45.0, 61.0, 80.0]), protocol)
    np.testing.assert_array_equal(made["on"], [0, 0, 1, 1, 0, 1, 0])
    np.testing.assert_allclose(made["since"], [0, 0, 0, 14.9, 15, 1, 20])


def test_patterns_are_the_distinct_rows():
    ethogram = Ethogram.from_bouts(bouts())
    jumps = count_jumps(ethogram, Window("w", ((0, 9),)), 0.5)
    groups = pd.DataFrame({"genotype": ["u", "v"]})
    patterns = make_patterns(jumps, np.array([1, 0]), groups, parse_protocol(""), ("x", "y", "z"))
    table = patterns.table.loc[patterns.row].reset_index(drop=True)
    np.testing.assert_allclose(table["t"], jumps.t)
    assert list(table["genotype"]) == [["v", "u"][a] for a in jumps.assay]
    assert list(table["from"]) == ["xyz"[s] for s in jumps.start]
    assert not patterns.table.duplicated().any()


def test_the_jackknife_of_a_mean_is_its_standard_error():
    rng = np.random.default_rng(1)
    values, stratum = rng.normal(size=9), np.array([0] * 5 + [1] * 4)
    # a difference of means, from leave-one-out values
    without = []
    for c in range(9):
        keep = np.arange(9) != c
        without.append(values[keep & (stratum == 0)].mean() - values[keep & (stratum == 1)].mean())
    variance, df = jackknife(np.array(without)[:, None], stratum)
    parts = [values[stratum == s].var(ddof=1) / (stratum == s).sum() for s in (0, 1)]
    assert variance[0] == pytest.approx(sum(parts))
    # Welch and Satterthwaite
    expected = sum(parts) ** 2 / (parts[0] ** 2 / 4 + parts[1] ** 2 / 3)
    assert df[0] == pytest.approx(expected)


def test_one_replicate_has_no_error():
    variance, df = jackknife(np.array([[1.0, 5.0], [1.1, 5.0], [1.0, 9.0]]), np.array([0, 0, 1]))
    assert np.isnan(variance[1]) and np.isnan(df[1])


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("to ~ genotype *", "cannot be read"),
        ("genotype * t", "not about the next state"),
        ("from ~ t", "not about the next state"),
        ("to ~ cr(u, df=4)", "names u; there are t, on"),
        ("to ~ genotype + np.log(humidity)", "names humidity"),
    ],
)
def test_formulas_that_cannot_be(formula, words):
    with pytest.raises(UsageError, match=words):
        read_formula(formula, KNOWN)


def test_variables_inside_of_functions_are_found():
    text = "to ~ `from` + genotype * cr(t, df=4) + np.log(since + 1) + I(temperature ** 2)"
    assert read_formula(text, KNOWN)[1] == {"from", "genotype", "t", "since", "temperature"}


def test_a_formula_that_fails_on_the_data_is_a_sentence():
    right, _ = read_formula("to ~ cr(t, df=3, degree=9)", KNOWN)
    with pytest.raises(UsageError, match=r"cannot be used: .*degree"):
        make_design(right, "to ~ cr(t, df=3, degree=9)", pd.DataFrame({"t": np.arange(9.0)}))
    right, _ = read_formula("to ~ temperature", KNOWN)
    with pytest.raises(DataError, match="column temperature is missing in some assays"):
        make_design(right, "to ~ temperature", pd.DataFrame({"temperature": [1.0, np.nan]}))


def test_a_spline_that_sums_to_one_loses_a_column_and_no_freedom():
    right, _ = read_formula("to ~ genotype * cr(t, df=5)", KNOWN)
    table = pd.DataFrame({"t": np.tile(np.arange(20.0), 2)})
    table["genotype"] = pd.Categorical(np.repeat(["c", "l"], 20))
    design = make_design(right, "…", table)
    x = design.columns(table)
    assert x.shape == (40, 10) and np.linalg.matrix_rank(x) == 10
    assert design.aliased == ("cr(t, df=5)[5]", "genotype[T.l]:cr(t, df=5)[5]")
    assert design.variables >= {"genotype", "t"}
