"""Numbers and tables as R prints them.

Expected numbers come from R 4.2.2: ``format(x, digits = d)``; p-values as ``print.htest`` has them.
"""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from larvastats.printing import (
    counted,
    line_notes,
    more_lines,
    named_vector,
    p_text,
    screen_columns,
    screen_text,
    significant,
    table_text,
    text_columns,
)
from larvastats.results import SCREEN_COLUMNS, ScreenResult


@pytest.mark.parametrize(
    ("value", "digits", "printed"),
    [  # sapply(c(...), format, digits = d)
        (3.14159265, 5, "3.1416"),
        (0.000123456, 3, "0.000123"),
        (0.0000123456, 3, "1.23e-05"),
        (123456.789, 5, "123457"),
        (1e5, 5, "1e+05"),
        (100.0, 5, "100"),
        (0.1 + 0.2, 7, "0.3"),
        (-2.5, 3, "-2.5"),
        (0.0, 3, "0"),
        (1e-300, 3, "1e-300"),
        (123456789012.0, 4, "1.235e+11"),
        (9.9996, 4, "10"),
        (float("inf"), 3, "Inf"),
        (float("-inf"), 3, "-Inf"),
        (float("nan"), 3, "NA"),
    ],
)
def test_numbers_look_as_in_r(value, digits, printed):
    assert significant(value, digits) == printed


@given(st.floats(1e-200, 1e200), st.integers(1, 9))
def test_a_printed_number_is_the_number_to_its_digits(value, digits):
    back = float(significant(value, digits))
    assert back == pytest.approx(value, rel=0.5000001 * 10.0 ** (1 - digits))


@pytest.mark.parametrize(
    ("p", "printed"),
    [
        (0.012345, "= 0.01235"),
        (1.0, "= 1"),
        (2e-17, "< 2.2e-16"),
        (0.0, "< 2.2e-16"),
        (3e-16, "= 3e-16"),
        (float("nan"), "= NA"),
    ],
)
def test_p_values_carry_their_relation(p, printed):
    assert p_text(p) == printed


def test_named_vectors_align_names_and_numbers():
    printed = named_vector({"a": 1.5, "much longer": 22.25})
    assert printed.split("\n") == ["          a much longer ", "       1.50       22.25 "]


def test_named_vectors_wrap_at_the_width():
    printed = named_vector({f"estimate {k}": float(k) for k in range(8)}, width=40)
    assert len(printed.split("\n")) == 6
    assert max(map(len, printed.split("\n"))) <= 40


def test_columns_share_decimals_but_p_values_keep_theirs():
    table = pd.DataFrame({"hellinger": [0.5, 0.1234], "p_value": [0.5, 1.234e-7]})
    effect, p = text_columns(table)
    assert effect.cells == ["0.500", "0.123"]
    assert p.cells == ["0.5", "1.23e-07"]
    assert effect.is_number and p.is_number


def test_missing_values_are_blank_and_truth_is_a_word():
    table = pd.DataFrame(
        {
            "n": pd.array([3, None], dtype="Int64"),
            "rejected": pd.array([True, None], dtype="boolean"),
            "note": [None, "why"],
            "x": [float("nan"), float("inf")],
        }
    )
    assert [c.cells for c in text_columns(table)] == [
        ["3", ""], ["yes", ""], ["", "why"], ["", "Inf"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "cells"),
    [
        ([1234567.0, 0.5], ["1234567", "0.5"]),
        ([0.001234, 0.0001], ["0.00123", "1e-04"]),
        ([12.0, 3.0], ["12", "3"]),
        ([150.26, 3.0], ["150.26", "3.00"]),
        ([0.0, 0.0], ["0", "0"]),
    ],
)
def test_shared_decimals_stop_where_they_would_lie(values, cells):
    assert text_columns(pd.DataFrame({"x": values}))[0].cells == cells


def test_tables_align_words_left_and_numbers_right():
    table = pd.DataFrame({"line": ["a", "long name"], "n": [5, 10]})
    assert table_text(table).split("\n") == ["line        n", "a           5", "long name  10"]


def test_an_empty_table_prints_its_head():
    assert table_text(pd.DataFrame({"line": pd.Series([], dtype="str")})) == "line"


def test_counting_words():
    assert (counted(1, "line"), counted(0, "line"), counted(12, "line")) == (
        "1 line", "0 lines", "12 lines",
    )  # fmt: skip
    assert more_lines(20, 20, "there") == []
    assert more_lines(600, 20, "see screen.csv") == ["... and 580 more lines: see screen.csv"]


# -- screens --------------------------------------------------------------------------------------


def screen_of(n: int, rejected: int = 1, **design: object) -> ScreenResult:
    """A result of n lines, of which the first are rejected and the last has no test."""
    p = np.linspace(0.001, 0.9, n)
    table = pd.DataFrame({c: [None] * n for c in SCREEN_COLUMNS})
    table["genotype"] = [f"L{k}@U" for k in range(n)]
    table["line"], table["effector"] = [f"L{k}" for k in range(n)], "U"
    table["n_assays"], table["n_dates"] = 6, 3
    table["statistic"], table["p_value"], table["q_value"] = 10 - p, p, p
    table["hellinger"] = np.linspace(0.5, 0.1, n)
    table["rejected"] = pd.array(np.arange(n) < rejected, dtype="boolean")
    table["note"] = ""
    if n > 1:
        table.loc[n - 1, ["p_value", "q_value", "statistic"]] = np.nan
        table.loc[n - 1, "rejected"] = pd.NA
        table.loc[n - 1, "note"] = "one assay of the line: no variance, no test"
    known = {
        "statistic": "welch", "statistic_text": "a distance", "data_name": "made up",
        "stimuli": "red light: 30–45 s", "window": "during", "window_text": "during: 30–45 s",
        "unit_text": "assay", "null": "relabel", "null_text": "assays relabelled",
        "correction": "bh", "correction_text": "Benjamini-Hochberg q <=", "n_resamples": 9,
        "contrast": None,
    }  # fmt: skip
    empty = pd.DataFrame()
    return ScreenResult(table, empty, empty, ("run", "cast"), 0.05, known | design, 0)


def test_a_screen_prints_design_table_note_and_verdict():
    lines = screen_text(screen_of(3)).split("\n")
    assert lines[1] == "\tScreen of 3 lines: a distance"
    assert "stimulus: red light: 30–45 s" in lines
    assert "window:   during: 30–45 s" in lines
    assert lines[9].split() == [
        "genotype", "n_assays", "n_dates", "statistic", "p_value", "q_value", "rejected",
        "hellinger",
    ]  # fmt: skip
    assert lines[10].startswith("L0@U") and "yes" in lines[10]
    assert "note: L2@U: one assay of the line: no variance, no test" in lines
    assert lines[-2] == (
        "1 of 2 tested lines can be said to differ from their control, at Benjamini-Hochberg "
        "q <= 0.05: L0@U."
    )


def test_print_of_a_result_is_that_text():
    result = screen_of(3)
    assert repr(result) == screen_text(result)


def test_a_large_screen_prints_its_best_twenty_lines():
    text = screen_text(screen_of(600, rejected=9), where="see screen.csv")
    assert "L19@U" in text and "L20@U" not in text
    assert "... and 580 more lines: see screen.csv" in text
    assert "Screen of 600 lines" in text
    assert "9 of 599 tested lines" in text and "L5@U and 3 more." in text
    assert "note: L599@U: one assay of the line: no variance, no test" in text


@pytest.mark.parametrize(
    ("n", "rejected", "design", "words"),
    [
        (3, 0, {}, "None of 2 tested lines can be said to differ from their control"),
        (1, 1, {}, "1 of 1 tested line can be said to differ from its control"),
        (3, 1, {"contrast": "during-before"}, "can be said to respond differently from their"),
    ],
)
def test_verdicts_in_words(n, rejected, design, words):
    assert words in screen_text(screen_of(n, rejected, **design))


def test_no_test_at_all_is_said():
    result = screen_of(2, 0)
    result.table.loc[:, "p_value"] = np.nan
    assert "No line could be tested." in screen_text(result)


def test_columns_without_content_are_not_printed():
    result = screen_of(2)
    assert "top_transition" not in screen_columns(result.table)
    result.table["top_transition"] = ["run->cast", None]
    assert "top_transition" in screen_columns(result.table)


def test_lines_with_the_same_note_share_a_sentence():
    table = screen_of(9).table
    table["note"] = "same"
    assert line_notes(table) == ["all 9 lines: same"]
    table.loc[8, "note"] = ""
    assert line_notes(table) == ["8 of 9 lines: same"]
    table.loc[3:, "note"] = ""
    assert line_notes(table) == ["L0@U, L1@U, L2@U: same"]


def test_notes_that_differ_in_numbers_are_told_once_with_their_range():
    table = screen_of(9).table
    table["note"] = [
        f"{280 + k} control assays on dates without the line left out" for k in range(9)
    ]
    table.loc[0, "note"] = "1 control assay on dates without the line left out; one more thing"
    table.loc[4, "note"] += "; no control with the effector UAS_X_0028"
    table.loc[5, "note"] += "; no control with the effector UAS_X_0029"
    table.loc[6, "note"] += "; larvae per plate: 8.25 against 40 in the control"
    table.loc[7, "note"] += "; larvae per plate: 9 against 40 in the control"
    by_line = "(by line in the column note)"
    assert line_notes(table) == [
        f"all 9 lines: 1–288 control assays on dates without the line left out {by_line}",
        "L0@U: one more thing",
        "L4@U: no control with the effector UAS_X_0028",
        "L5@U: no control with the effector UAS_X_0029",
        f"L6@U, L7@U: larvae per plate: 8.25–9 against 40 in the control {by_line}",
    ]
