"""Numbers and layout against R: stored values, and R itself where it is installed.

``make_*.R`` made the files beside this one; the live tests run the scripts again and compare.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from larvastats import Ethogram, predict, proportion_test, transition_model, transitions
from larvastats.inference.significance.multiplicity import adjust
from larvastats.printing import together

HERE = Path(__file__).parent
SCRIPTS = {
    "make_markovchain.R": ["markovchain.csv"],
    "make_p_adjust.R": ["p_adjust.csv"],
    "make_prop_test.R": ["prop_test.csv", "prop_test_print.txt"],
    "make_format.R": ["format.csv"],
    "make_multinom.R": ["multinom_coefficients.csv", "multinom_predictions.csv"],
}
PACKAGES = {"make_markovchain.R": "'markovchain'", "make_multinom.R": "'nnet'"}


def stored(name, **options):
    return pd.read_csv(HERE / name, comment="#", **options)


# Transition matrices: markovchain::markovchainFit(method = "mle")


@pytest.fixture(scope="module")
def frames():
    """The sequences that R fitted, a frame per second."""
    table = stored("sequences.csv")
    table["t"] = table.groupby(["set", "larva"]).cumcount().astype(float)
    return table.rename(columns={"set": "line"}).assign(assay=lambda t: t["line"])


@pytest.mark.parametrize("kind", ["frame", "jump"])
@pytest.mark.parametrize("name", ["one larva", "many larvae", "two states", "never left"])
def test_transition_matrices_are_those_of_markovchain(frames, name, kind):
    own = frames[frames["line"] == name]
    result = transitions(Ethogram.from_frames(own), windows="whole", transitions=kind, dt=1.0)
    found = result.matrix(name)
    reference = stored("markovchain.csv")
    reference = reference[(reference["set"] == name) & (reference["kind"] == kind)]
    expected = reference.pivot(index="from", columns="to", values="p")
    expected = expected.loc[found.index, found.columns]
    # R writes zeros in a row that was never left; here it is missing
    left = found.notna().all(axis=1)
    assert (expected.sum(axis=1) > 0).equals(left)
    np.testing.assert_allclose(found[left], expected[left], rtol=0, atol=1e-10)


def test_a_row_that_was_never_left_is_missing_not_zero(frames):
    own = frames[frames["line"] == "never left"]
    result = transitions(Ethogram.from_frames(own), windows="whole")
    assert result.matrix("never left").loc["stop"].isna().all()


# Multinomial logits: nnet::multinom

FORMULAS = {
    "poly": "to ~ genotype * (I(t / 60) + I((t / 60) ** 2))",
    # the natural spline of R's ns() has another basis, and the same curves
    "spline": "to ~ genotype * cr(t, knots=[15, 30, 45], lower_bound=0, upper_bound=60)",
}


@pytest.fixture(scope="module")
def models():
    """Smooth models of the bouts that R fitted; transitions are at the middles of bins."""
    options = {"control": "wild", "prior": 0.0, "resamples": 99}
    return {name: transition_model(formula, stored("bouts.csv"), **options)
            for name, formula in FORMULAS.items()}  # fmt: skip


@pytest.mark.parametrize("name", FORMULAS)
def test_smooth_probabilities_are_those_of_multinom(models, name):
    reference = stored("multinom_predictions.csv")
    reference = reference[reference["model"] == name]
    grid = reference[["t", "genotype"]].drop_duplicates()
    found = predict(models[name], grid).merge(reference, on=["from", "to", "t", "genotype"])
    assert len(found) == len(reference) == 4 * 3 * 10
    np.testing.assert_allclose(found["p_x"], found["p_y"], rtol=0, atol=1e-6)
    total = reference.groupby("from")["log_likelihood"].first().sum()
    assert models[name].design["log_likelihood"] == pytest.approx(total, abs=1e-6)


def test_coefficients_are_those_of_multinom(models):
    """R's reference is the first destination, ours the most frequent: differences agree."""
    table, reference = models["poly"].tidy(), stored("multinom_coefficients.csv")
    for start, theirs in reference.groupby("from"):
        wide = theirs.pivot(index="term", columns="to", values="estimate")
        wide[theirs["reference"].iloc[0]] = 0.0
        own = table[table["from"] == start]
        expected = wide.sub(wide[own["reference"].iloc[0]], axis=0)
        for to, ours in own.groupby("to"):
            np.testing.assert_allclose(ours["estimate"], expected[to], rtol=0, atol=1e-5)


# p.adjust


@pytest.mark.parametrize("method", ["bh", "by", "bonferroni"])
@pytest.mark.parametrize("name", ["small", "ties", "mixed", "floor", "missing", "one"])
def test_adjusted_p_values_are_those_of_p_adjust(name, method):
    table = stored("p_adjust.csv")
    table = table[table["set"] == name]
    found = adjust(table["p"].to_numpy(), method)
    np.testing.assert_allclose(found, table[method], rtol=1e-10, atol=0)


# prop.test


def numbers(text):
    return [float(part) for part in str(text).split()]


CASES = [row for _, row in stored("prop_test.csv").iterrows()]


def our_test(case):
    k, n = ([int(v) for v in numbers(case[c])] for c in ("successes", "trials"))
    return proportion_test(k, n, correct=bool(case["correct"]), conf_level=case["level"])


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["case"])
def test_proportion_test_gives_the_numbers_of_prop_test(case):
    found = our_test(case)
    assert found.statistic["X-squared"] == pytest.approx(case["statistic"], rel=1e-10, abs=1e-12)
    assert found.parameter["df"] == case["df"]
    assert found.p_value == pytest.approx(case["p_value"], rel=1e-10)
    assert list(found.estimate.values()) == pytest.approx(numbers(case["estimate"]), rel=1e-10)
    if np.isnan(case["low"]):
        assert found.conf_int is None
    else:
        assert found.conf_int == pytest.approx((case["low"], case["high"]), rel=1e-10)


def printed_by_r():
    """What R printed, by case."""
    out, name = {}, ""
    for line in (HERE / "prop_test_print.txt").read_text().split("\n"):
        if line.startswith("## case "):
            name = line.removeprefix("## case ")
            out[name] = []
        else:
            out[name].append(line)
    return out


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["case"])
def test_results_print_as_r_prints(case):
    """Line by line, but for ``data:`` (R writes the expressions of the call) and our notes."""
    found = [line for line in repr(our_test(case)).split("\n") if not line.startswith("note: ")]
    expected = printed_by_r()[case["case"]]

    def comparable(lines):
        lines = ["data" if line.startswith("data:  ") else line.rstrip() for line in lines]
        return "\n".join(lines).rstrip("\n")

    assert comparable(found) == comparable(expected)


@pytest.mark.parametrize("row", [*stored("format.csv", dtype=str).itertuples(index=False)])
def test_numbers_side_by_side_look_as_in_r(row):
    values = [np.nan if v == "NA" else float(v) for v in row.values.split("|")]
    assert together(values, int(row.digits)) == row.printed.split("|")


# The published chi-squares of Zhu et al., eLife 93978: counts as printed or solved there

ZHU = [
    ("Fig5C", (26, 33), (110, 73), 9.34, 9.3445, 0.002237),
    ("Fig8A", (54, 29), (81, 119), 35.51, 35.5153, 2.531e-09),
    ("Fig2C", (65, 17), (78, 55), 37.50, 37.4964, 9.158e-10),
]


def agrees(value, printed, digits):
    """Whether a printed number is this value rounded or, as one journal did, cut off."""
    unit = 10.0**-digits
    return abs(value - printed) <= unit / 2 + 1e-9 or 0 <= value - printed < unit


@pytest.mark.parametrize(("figure", "k", "n", "printed", "computed", "p"), ZHU)
def test_published_chi_squares(figure, k, n, printed, computed, p):
    found = proportion_test(k, n)
    assert agrees(found.statistic["X-squared"], printed, 2)
    assert round(found.statistic["X-squared"], 4) == computed
    assert float(f"{found.p_value:.3e}") == p
    # the continuity correction does not reproduce them
    assert not agrees(proportion_test(k, n, correct=True).statistic["X-squared"], printed, 2)


def test_published_chi_squares_from_the_file(shared_data):
    table = pd.read_csv(shared_data / "papers" / "zhu2024_roll_counts_chi2.csv", comment="#")
    assert len(table) == len(ZHU)
    for row in table.itertuples():
        found = proportion_test([row.k1, row.k2], [row.n1, row.n2])
        assert agrees(found.statistic["X-squared"], row.reported_chi2, 2), row.figure
        assert round(found.statistic["X-squared"], 4) == row.chi2_computed
        assert float(f"{found.p_value:.3e}") == pytest.approx(row.p_computed, rel=1e-12)
        if not np.isnan(row.reported_pct1):
            share = found.tidy().filter(like="estimate").iloc[0].to_numpy()
            # 24.4 % of 119 is printed where 29/119 = 24.37
            assert share * 100 == pytest.approx([row.reported_pct1, row.reported_pct2], abs=0.06)


# R itself


def has_r(packages):
    if shutil.which("Rscript") is None:
        return "Rscript is not installed"
    code = f"quit(status = !all(sapply(c({packages}), requireNamespace, quietly = TRUE)))"
    done = subprocess.run(["Rscript", "-e", code], capture_output=True, timeout=120, check=False)
    return "" if done.returncode == 0 else f"R lacks the package {packages}"


@pytest.mark.parametrize("script", SCRIPTS)
def test_stored_values_are_what_r_says_today(script, tmp_path):
    missing = has_r(PACKAGES.get(script, "'stats'"))
    if missing:
        pytest.skip(f"{missing}: the stored values were compared, R was not asked again")
    done = subprocess.run(
        ["Rscript", str(HERE / script), str(tmp_path)],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for name in SCRIPTS[script]:
        if name.endswith(".csv"):
            today = pd.read_csv(tmp_path / name, comment="#")
            # R's optimiser stops a little earlier or later on another machine
            rtol, atol = (1e-4, 1e-6) if script == "make_multinom.R" else (1e-12, 1e-300)
            pd.testing.assert_frame_equal(today, stored(name), rtol=rtol, atol=atol)
        else:
            assert (tmp_path / name).read_text() == (HERE / name).read_text()
