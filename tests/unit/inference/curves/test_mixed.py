"""Mixed models: closed forms of balanced designs, formulas that are refused, fits that fail."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from larvastats.errors import DataError, UsageError
from larvastats.inference.curves.mixed import fit_mixed, parse_mixed

COLUMNS = ("value", "genotype", "led", "assay", "date", "larva")


def balanced(assays=8, larvae=5, assay_sd=1.0, date_sd=0.0, effect=0.5, response=0.8, seed=0):
    """Half of the assays are mutant; every larva is measured off and on."""
    rng = np.random.default_rng(seed)
    index = pd.MultiIndex.from_product([range(assays), range(larvae), ["off", "on"]])
    table = index.to_frame(index=False, name=["assay", "larva", "led"])
    mutant = table["assay"] >= assays // 2
    date = table["assay"] % 4
    value = rng.normal(size=len(table))
    value += assay_sd * rng.normal(size=assays)[table["assay"]]
    value += date_sd * rng.normal(size=4)[date]
    value += effect * mutant + response * (table["led"] == "on")
    return table.assign(
        value=value, genotype=np.where(mutant, "mutant", "control"), date=date.map("d{}".format),
        assay=table["assay"].map("a{}".format),
    )  # fmt: skip


def test_a_balanced_design_gives_the_numbers_of_analysis_of_variance():
    table = balanced()
    fit = fit_mixed(table, "value ~ genotype * led + (1 | assay)")
    terms = fit.terms.set_index("term")
    means = table.groupby(["genotype", "led"])["value"].mean()
    assert terms["estimate"]["Intercept"] == pytest.approx(means["control", "off"], abs=1e-5)
    interaction = (means["mutant", "on"] - means["mutant", "off"]) - (
        means["control", "on"] - means["control", "off"]
    )
    name = "genotype[T.mutant]:led[T.on]"
    assert terms["estimate"][name] == pytest.approx(interaction, abs=1e-5)
    # mean squares: between assays within genotype, and within assays
    n = 10
    by_assay = table.groupby(["genotype", "assay"])["value"].mean()
    between = n * by_assay.groupby("genotype").var(ddof=1).mean()
    fixed = table.groupby("assay")["value"].transform("mean") + (
        means.reindex(pd.MultiIndex.from_frame(table[["genotype", "led"]])).to_numpy()
        - table["genotype"].map(table.groupby("genotype")["value"].mean())
    )
    within = ((table["value"] - fixed) ** 2).sum() / (len(table) - 8 - 2)
    variance = fit.variances.set_index("component")["variance"]
    assert variance["residual"] == pytest.approx(within, rel=1e-3)
    assert variance["assay level"] == pytest.approx((between - within) / n, rel=1e-2)
    assert terms["std_error"]["led[T.on]"] == pytest.approx(np.sqrt(within / 10), rel=1e-3)
    assert terms["df"]["Intercept"] == 8 - 4
    p = 2 * stats.t.sf(abs(terms["statistic"][name]), 4)
    assert terms["p_value"][name] == pytest.approx(p)


def test_no_variance_between_assays_is_ordinary_least_squares_not_nonsense():
    table = balanced(assay_sd=0.0, seed=3)
    table["value"] -= table.groupby("assay")["value"].transform("mean")  # less than by chance
    fit = fit_mixed(table, "value ~ led + (1 | assay)")
    means = table.groupby("led")["value"].mean()
    terms = fit.terms.set_index("term")
    assert terms["estimate"]["led[T.on]"] == pytest.approx(means["on"] - means["off"], abs=1e-4)
    assert (terms["std_error"] < 1).all()
    assert fit.variances["variance"].iloc[0] < 1e-6


def test_slopes_and_dates_are_found():
    rng = np.random.default_rng(1)
    table = balanced(assays=40, larvae=8, assay_sd=0.5)
    slope = rng.normal(0, 1.0, 40)[table["assay"].str[1:].astype(int)]
    table["value"] += slope * (table["led"] == "on")
    fit = fit_mixed(table, "value ~ genotype * led + (1 + led | assay)")
    variance = fit.variances.set_index("component")["variance"]
    assert variance["assay led[T.on]"] == pytest.approx(1.0, abs=0.5)
    table = balanced(assays=40, larvae=8, assay_sd=0.5, date_sd=3.0, seed=2)
    nested = fit_mixed(table, "value ~ genotype + (1 | date) + (1 | assay)")
    parts = nested.variances.set_index("component")["variance"]
    assert list(parts.index) == ["date level", "assay level", "residual"]
    assert parts["date level"] > 1 and parts["assay level"] == pytest.approx(0.25, abs=0.2)
    assert nested.n_groups == 4


@pytest.mark.parametrize(
    ("formula", "groups", "slopes", "nested"),
    [
        ("value ~ genotype * led + (1 | assay)", "assay", "1", None),
        ("value~genotype+(1|assay)", "assay", "1", None),
        ("value ~ (1 | assay) + genotype", "assay", "1", None),
        ("value ~ led + (led | assay)", "assay", "1 + led", None),
        ("value ~ led + (1 + led | assay)", "assay", "1 + led", None),
        ("value ~ led + (1 | date) + (1 | assay)", "date", "1", "assay"),
    ],
)
def test_formulas_are_taken_apart(formula, groups, slopes, nested):
    parsed = parse_mixed(formula, COLUMNS)
    assert (parsed.groups, parsed.slopes, parsed.nested) == (groups, slopes, nested)
    assert "|" not in parsed.fixed and not parsed.fixed.endswith("+")
    assert "~ +" not in parsed.fixed


@pytest.mark.parametrize(
    ("formula", "why"),
    [
        ("value ~ genotype", "random part"),
        ("value + genotype + (1 | assay)", "one ~"),
        ("value ~ genotype + (1 | larva)", "not supported"),
        ("value ~ genotype + (1 | assay) + (1 | larva)", "not supported"),
        ("value ~ genotype + (1 | assay", "random part"),
        ("value ~ colour + (1 | assay)", "'colour' is unknown"),
        ("value ~ led + (1 + temperature | assay)", "not supported"),
        ("value ~ led + (0 + led | assay)", "not supported"),
        ("value ~ led + (led:genotype | assay)", "not supported"),
        ("value ~ a ~ led + (1 | assay)", "one ~"),
        ("", "one ~"),
    ],
)
def test_other_formulas_are_refused_in_one_sentence(formula, why):
    with pytest.raises(UsageError, match=why) as caught:
        parse_mixed(formula, COLUMNS)
    assert "(1 | assay)" in str(caught.value)


def test_data_that_allow_no_fit_are_sentences():
    formula = "value ~ genotype + (1 | assay)"
    with pytest.raises(DataError, match="three assays"):
        fit_mixed(balanced(assays=2), formula)
    with pytest.raises(DataError, match="same in every row"):
        fit_mixed(balanced().assign(value=2.0), formula)
    with pytest.raises(DataError, match="8 assays are too few for 16 fixed effects"):
        fit_mixed(balanced(), "value ~ genotype * date * led + (1 | assay)")
    with pytest.raises(DataError, match=r"cannot be told apart|did not converge"):
        table = balanced()
        fit_mixed(table.assign(twin=table["led"]), "value ~ led + twin + (1 | assay)")
