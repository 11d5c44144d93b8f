import numpy as np
import pandas as pd
import pytest

from larvastats.errors import DataError
from larvastats.tabular import assay_table, complete_assays, levels, present, texts


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("20200131", "20200131"),
        ("2020-01-31", "20200131"),
        ("2020/1/3", "20200103"),
        ("2020-01-31 00:00:00", "20200131"),
        ("2020-01-31T09:30:00", "20200131"),
        ("31.01.2020", "31.01.2020"),
        ("day 1", "day 1"),
        (20200131, "20200131"),
        (20200131.0, "20200131"),
        (pd.Timestamp("2020-01-31"), "20200131"),
    ],
)
def test_dates_that_are_written_year_first_become_one_spelling(written, read):
    table = pd.DataFrame({"assay": ["p"], "line": ["A"], "date": [written]})
    assert complete_assays(table)["date"].tolist() == [read]


@pytest.mark.parametrize(
    ("written", "read"),
    [("093000", "093000"), ("09:30", "093000"), ("9:30:05", "093005"), (93000, "093000"),
     ("09:30:05.25", "093005"), ("morning", "morning")],
)  # fmt: skip
def test_times_of_day_become_one_spelling(written, read):
    table = pd.DataFrame({"assay": ["p"], "line": ["A"], "time": [written]})
    assert complete_assays(table)["time"].tolist() == [read]


def test_empty_identity_is_missing_and_leaves_no_trace_in_the_genotype():
    table = pd.DataFrame({"assay": ["p", "q"], "line": ["A", "B"], "effector": ["", "E"]})
    assays = complete_assays(table)
    assert assays["effector"].isna().tolist() == [True, False]
    assert assays["genotype"].tolist() == ["A", "B@E"]
    assert assays["protocol"].isna().all()


def test_a_genotype_column_is_made_anew():
    table = pd.DataFrame({"assay": ["p"], "line": ["A"], "genotype": ["old"]})
    assert complete_assays(table)["genotype"].tolist() == ["A"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, 2.0, np.nan], ["1", "2", ""]),
        ([1.5, 2.0], ["1.5", "2.0"]),
        ([np.inf, 2.0], ["inf", "2"]),
        ([" a ", None, ""], ["a", "", ""]),
        (pd.array([1, None], dtype="Int64"), ["1", ""]),
        ([True, False], ["True", "False"]),
        (pd.Categorical(["b", None, "a"]), ["b", "", "a"]),
    ],
)
def test_values_as_text(values, expected):
    assert texts(pd.Series(values)) == expected


def test_levels_are_sorted_and_merge_what_differs_by_blanks_only():
    table = pd.DataFrame({"larva": ["b", "a ", " a", "b "]})
    codes, names = levels(table, "larva", "x")
    assert names == ["a", "b"]
    assert codes.tolist() == [1, 0, 0, 1]


def test_levels_skip_categories_that_do_not_occur():
    table = pd.DataFrame({"larva": pd.Categorical(["b", "c"], categories=["a", "b", "c"])})
    codes, names = levels(table, "larva", "x")
    assert names == ["b", "c"]
    assert codes.tolist() == [0, 1]


def test_present_is_neither_missing_nor_blank():
    values = pd.Series(["a", "", " ", None, "b"])
    assert present(values).tolist() == [True, False, False, False, True]
    assert present(values.astype("category")).tolist() == [True, False, False, False, True]


def test_covariates_are_what_is_constant_within_every_assay():
    table = pd.DataFrame(
        {
            "line": "A",
            "wind": [1.0, 1.0, np.nan],
            "frame": [1, 2, 3],
            "plate": pd.Categorical(["x", "x", "y"]),
            "odd": [[1], [1], [1]],
        }
    )
    assays = assay_table(table, np.array([0, 0, 1]), ["p", "q"], "x")
    assert list(assays.columns[8:]) == ["wind", "plate"]
    assert assays["plate"].tolist() == ["x", "y"]
    assert not isinstance(assays["plate"].dtype, pd.CategoricalDtype)


def test_the_second_value_of_an_identity_column_is_shown():
    table = pd.DataFrame({"line": "A", "protocol": ["x", "x", "y"]})
    with pytest.raises(DataError, match=r"assay 'p' must have one protocol.*'x' and 'y' \(row 3\)"):
        assay_table(table, np.array([0, 0, 0]), ["p"], "my.csv")
