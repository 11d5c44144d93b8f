"""Results: what they print, and the tables they hand out. Nothing is computed here."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest

from larvastats.errors import UsageError
from larvastats.results import (
    SCREEN_COLUMNS,
    TRANSITION_COLUMNS,
    HTest,
    ScreenResult,
    SourceInfo,
    TransitionsResult,
)

NAN = float("nan")

COMPARISON = HTest(
    method="Studentised distance of transition profiles, exact relabelling within dates",
    data_name="72F11@UAS and FCF@UAS in during",
    statistic={"T": 27.65993},
    p_value=1 / 3375,
    parameter={"assays": 6, "control assays": 12, "dates": 3},
    estimate={"Hellinger distance": 0.2910781, "adjusted": 0.2743749, "Jensen-Shannon": 0.32231773},
    alternative="transition probabilities differ",
    conf_int=(0.196706912, 0.365356),
    design={"unit": "assay"},
    seed=7,
    n_resamples=3375,
    notes=("2 assays on dates without control left out",),
    units=pd.DataFrame({"assay": ["a", "b"], "distance": [0.5, 0.25]}),
)

PRINTED = """
\tStudentised distance of transition profiles, exact relabelling within dates

data:  72F11@UAS and FCF@UAS in during
T = 27.66, assays = 6, control assays = 12, dates = 3, p-value = 0.0002963
alternative hypothesis: transition probabilities differ
95 percent confidence interval:
 0.1967069 0.3653560
sample estimates:
Hellinger distance           adjusted     Jensen-Shannon \n\
         0.2910781          0.2743749          0.3223177 \n\
note: 2 assays on dates without control left out
"""


def test_a_test_prints_as_r_prints():
    assert repr(COMPARISON) == PRINTED
    assert str(COMPARISON) == PRINTED


def test_what_is_missing_is_not_printed():
    bare = HTest(method="A test", data_name="x", statistic={"T": 1.5}, p_value=0.25)
    assert repr(bare) == "\n\tA test\n\ndata:  x\nT = 1.5, p-value = 0.25\n"


@pytest.mark.parametrize(
    ("p", "printed"),
    [(0.0, "p-value < 2.2e-16"), (1e-20, "p-value < 2.2e-16"), (NAN, "p-value = NA"),
     (0.05, "p-value = 0.05"), (1.0, "p-value = 1"), (2.5312345e-9, "p-value = 2.531e-09")],
)  # fmt: skip
def test_p_values(p, printed):
    assert printed in repr(dataclasses.replace(COMPARISON, p_value=p))


def test_other_confidence_levels():
    assert "\n90 percent confidence interval:\n" in repr(
        dataclasses.replace(COMPARISON, conf_level=0.9)
    )


def test_tidy_is_one_row_of_estimates():
    assert COMPARISON.tidy().to_dict("records") == [
        {
            "estimate_hellinger_distance": 0.2910781,
            "estimate_adjusted": 0.2743749,
            "estimate_jensen_shannon": 0.32231773,
            "statistic": 27.65993,
            "p_value": 1 / 3375,
            "parameter_assays": 6,
            "parameter_control_assays": 12,
            "parameter_dates": 3,
            "conf_low": 0.196706912,
            "conf_high": 0.365356,
            "method": COMPARISON.method,
            "alternative": "transition probabilities differ",
        }
    ]


def test_glance_is_one_row_about_the_test():
    assert COMPARISON.glance().to_dict("records") == [
        {
            "statistic": 27.65993,
            "p_value": 1 / 3375,
            "assays": 6,
            "control_assays": 12,
            "dates": 3,
            "method": COMPARISON.method,
            "n_resamples": 3375,
            "seed": 7,
        }
    ]


def test_augment_is_one_row_per_unit_and_a_copy():
    units = COMPARISON.augment()
    assert len(units) == 2
    units.loc[0, "distance"] = 99.0
    assert COMPARISON.units["distance"][0] == 0.5


def test_tests_without_interval_have_empty_limits():
    row = dataclasses.replace(COMPARISON, conf_int=None).tidy().iloc[0]
    assert np.isnan(row["conf_low"]) and np.isnan(row["conf_high"])


def test_results_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        COMPARISON.p_value = 0.0
    with pytest.raises((AttributeError, TypeError)):
        COMPARISON.anything = 1  # slots


def test_a_test_without_matrices_has_no_picture():
    with pytest.raises(UsageError, match="there is no picture of this test; print it instead"):
        COMPARISON.plot()


# A screen


def screen_table(rows):
    table = pd.DataFrame(rows).reindex(columns=list(SCREEN_COLUMNS))
    table["rejected"] = table["rejected"].astype("boolean")
    return table


def make_screen(rows, **changes):
    design = {
        "data_name": "plates.csv", "window": "during", "window_text": "during: 30–45 s",
        "unit_text": "assay, replicate = line x date", "null": "relabel",
        "null_text": "assays relabelled within dates", "statistic": "welch",
        "statistic_text": "studentised distance of transition profiles", "correction": "bh",
        "correction_text": "Benjamini-Hochberg q <=", "n_resamples": 3375, "contrast": None,
    }  # fmt: skip
    result = ScreenResult(
        table=screen_table(rows),
        transitions=pd.DataFrame(columns=list(TRANSITION_COLUMNS)),
        units=pd.DataFrame({"assay": ["a"], "distance": [0.1]}),
        states=("run", "cast"),
        alpha=0.05,
        design=design,
        seed=3,
    )
    return dataclasses.replace(result, **changes)


ROWS = [
    {"genotype": "A@U", "n_assays": 6, "n_dates": 3, "statistic": 27.66, "p_value": 0.000296,
     "q_value": 0.000593, "rejected": True, "hellinger": 0.29108, "hellinger_adjusted": 0.27437,
     "top_transition": "cast->roll", "top_difference": 0.1047, "note": ""},
    {"genotype": "B@U", "n_assays": 1, "n_dates": 1, "statistic": NAN, "p_value": NAN,
     "q_value": NAN, "rejected": None, "hellinger": 0.10249, "hellinger_adjusted": NAN,
     "top_transition": None, "top_difference": NAN,
     "note": "one assay of the line: no variance, no test"},
]  # fmt: skip


def test_a_screen_prints_its_design_its_lines_and_its_notes():
    printed = repr(make_screen(ROWS, notes=("no assay has a date",)))
    lines = printed.split("\n")
    assert lines[1] == "\tScreen of 2 lines: studentised distance of transition profiles"
    for words in (
        "plates.csv",
        "during: 30–45 s",
        "assay, replicate = line x date",
        "assays relabelled within dates",
        "note: B@U: one assay of the line: no variance, no test",
        "note: no assay has a date",
        "Benjamini-Hochberg q <= 0.05",
    ):
        assert words in printed
    (head,) = [i for i, line in enumerate(lines) if line.startswith("genotype ")]
    assert lines[head].split()[:3] == ["genotype", "n_assays", "n_dates"]
    assert lines[head + 1].split()[0] == "A@U" and " yes " in lines[head + 1]
    assert lines[head + 2].split() == ["B@U", "1", "1", "0.102"]


def test_glance_counts_lines_tests_and_rejections():
    (row,) = make_screen(ROWS).glance().to_dict("records")
    assert row == {
        "n_lines": 2, "n_tested": 1, "n_rejected": 1, "alpha": 0.05, "correction": "bh",
        "statistic": "welch", "null": "relabel", "window": "during", "n_resamples": 3375,
        "seed": 3,
    }  # fmt: skip


def test_tidy_and_augment_are_copies():
    result = make_screen(ROWS)
    tidy, augmented = result.tidy(), result.augment()
    tidy["genotype"], augmented["assay"] = "changed", "changed"
    assert result.table["genotype"][0] == "A@U" and result.units["assay"][0] == "a"


def test_an_unknown_picture_is_refused():
    with pytest.raises(UsageError, match="kind must be ranking, volcano, matrices or windows"):
        make_screen(ROWS).plot("pie")


# Matrices


@pytest.fixture
def matrices():
    rows = []
    for window, p in (("before", 0.25), ("during", 0.75)):
        for i, j in (("run", "run"), ("run", "cast"), ("cast", "run"), ("cast", "cast")):
            same = i == j
            visited = i == "run" or window == "during"
            rows.append({"genotype": "A@U", "window": window, "from": i, "to": j,
                         "n": int(visited) * (3 if same else 1),
                         "p": (p if same else 1 - p) if visited else NAN,
                         "n_assays": 2, "n_larvae": 9})  # fmt: skip
    design = {
        "transitions": "frame",
        "data_name": "plates.csv",
        "windows_text": {"before": "before 30 s", "during": "during: 30–45 s"},
    }
    return TransitionsResult(pd.DataFrame(rows), ("run", "cast"), design, ("a note",))


def test_a_matrix_has_origins_in_rows_in_the_vocabularys_order(matrices):
    matrix = matrices.matrix("A@U", "during")
    assert list(matrix.index) == list(matrix.columns) == ["run", "cast"]
    np.testing.assert_array_equal(matrix, [[0.75, 0.25], [0.25, 0.75]])
    assert matrices.matrix("A@U", "before").loc["cast"].isna().all()


def test_matrices_print_with_blanks_where_nothing_was_seen(matrices):
    lines = repr(matrices).split("\n")
    assert "\tTransition probabilities (frame)" in lines
    at = lines.index("A@U, before 30 s:")
    assert lines[at + 3].split() == ["run", "0.25", "0.75"]
    assert lines[at + 4].split() == ["cast"]
    assert "note: a note" in lines


def test_matrices_tidy_glance_augment(matrices):
    assert len(matrices.tidy()) == 8
    assert matrices.glance().to_dict("records") == [
        {"n_genotypes": 1, "n_windows": 2, "n_states": 2, "n_transitions": 12}
    ]
    augmented = matrices.augment()
    assert list(augmented["n_transitions"]) == [4, 8] and list(augmented["n_larvae"]) == [9, 9]


# What is in a source


def test_a_source_prints_its_totals():
    info = SourceInfo(
        source="plates.csv",
        protocols=pd.DataFrame({"protocol": ["r"], "n_assays": [3]}),
        lines=pd.DataFrame({"genotype": ["A@U"], "p_floor": [2 / 70], "note": [""]}),
        dates=pd.DataFrame({"date": ["20200101"], "n_assays": [3]}),
        totals={
            "n_assays": 3,
            "n_larvae": 90,
            "n_bouts": 800,
            "hours": 1.25,
            "states": ["run", "cast"],
        },
        notes=("a note",),
    )
    printed = repr(info)
    assert "3 assays, 90 larvae, 800 bouts, 1.2 larva-hours; states: run, cast" in printed
    assert "0.0286" in printed and printed.split("\n")[-2] == "note: a note"
    assert math.isclose(info.glance()["hours"][0], 1.25) and "states" not in info.glance()
    assert list(info.tidy()["genotype"]) == ["A@U"] and len(info.augment()) == 1


def test_columns_of_a_screen_are_those_that_scripts_depend_on():
    assert (
        tuple(
            [
                "genotype",
                "line",
                "effector",
                "control",
                "protocol",
                "window",
                "n_dates",
                "n_assays",
                "n_control_assays",
                "n_larvae",
                "n_transitions",
                "statistic_name",
                "statistic",
                "p_value",
                "null",
                "p_exact",
                "p_floor",
                "p_approx",
                "q_value",
                "rejected",
                "hellinger",
                "hellinger_adjusted",
                "hellinger_pseudo_95",
                "hellinger_low",
                "hellinger_high",
                "hellinger_p_value",
                "js",
                "js_adjusted",
                "js_low",
                "js_high",
                "js_p_value",
                "kl",
                "kl_adjusted",
                "kl_low",
                "kl_high",
                "kl_p_value",
                "empty_rows",
                "top_transition",
                "top_difference",
                "note",
            ]
        )
        == SCREEN_COLUMNS
    )
