"""What R asks and what it is answered; R itself is not needed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import larvastats
from larvastats.r import host, requests
from larvastats.r.formula import RFormula
from larvastats.r.parts import Handle, class_name, parts
from larvastats.r.requests import answer, value_of, verbs

COUNTS = {"successes": np.array([30, 12], np.int32), "trials": np.array([100.0, 100.0])}


def ask(verb, **arguments):
    return answer({"verb": verb, "arguments": arguments})


def error(found):
    assert set(found) == {"error"}
    return found["error"]["kind"], found["error"]["message"]


def test_every_public_verb_is_one_for_r():
    public = {n for n in larvastats.__all__ if n[0].islower() and n != "__version__"}
    assert set(verbs()) == public
    about = ask("about")["value"]
    assert set(about["verbs"]) == public
    screen = dict(map(tuple, about["verbs"]["screen"]["arguments"]))
    assert screen["row_weights"] == '"uniform"' and screen["dt"] == "0.1"
    assert screen["protocol"] == "NULL" and screen["calibrate"] == "TRUE" and "..." in screen
    assert dict(map(tuple, about["verbs"]["power"]["arguments"]))["dates"] == "c(2, 4, 8)"
    assert about["verbs"]["ingest"]["arguments"][0] == ["source", ""]


def test_a_test_becomes_an_htest_with_names_in_order():
    found = ask("proportion_test", **COUNTS)["value"][".object"]
    assert found["class"] == ["larva_htest", "htest"]
    assert list(found["fields"])[:6] == [
        "statistic", "parameter", "estimate", "p_value", "conf_int", "conf_level",
    ]  # fmt: skip
    assert found["fields"]["statistic"][".named"]["names"] == ["X-squared"]
    assert isinstance(found["handle"].value, larvastats.HTest)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("ScreenResult", "larva_screen"),
        ("TimecourseResult", "larva_timecourse"),
        ("HTest", "larva_htest"),
        ("TransitionModel", "larva_transition_model"),
        ("SourceInfo", "larva_source_info"),
        ("Result", "larva_result"),
        ("IngestReport", "larva_ingest_report"),
    ],
)
def test_classes_are_named_after_results(name, found):
    assert class_name(type(name, (), {})()) == found


@dataclass(frozen=True, slots=True)
class TimecourseResult:
    """A result that nobody here has heard of."""

    table: pd.DataFrame
    states: tuple[str, ...]
    curve: np.ndarray
    matrix: np.ndarray
    fits: tuple[Handle, ...]
    where: Path
    missing: float = float("nan")
    strange: object = field(default_factory=object)
    notes: tuple[str, ...] = ("one",)

    def tidy(self) -> pd.DataFrame:
        """Return the table."""
        return self.table.copy()

    def glance(self) -> pd.DataFrame:
        """Return one row."""
        return pd.DataFrame([{"n": len(self.table)}])


def test_any_dataclass_with_tidy_tables_is_a_result():
    table = pd.DataFrame({"t": [0.0, 1.0], "on": [True, None]})
    whole = TimecourseResult(table, ("a", "b"), np.arange(3.0), np.eye(2), (Handle(1),), Path("x"))
    found = parts(whole)[".object"]
    assert found["class"] == ["larva_timecourse", "larva_result"]
    assert set(found["fields"]) == {
        "table",
        "states",
        "curve",
        "matrix",
        "where",
        "missing",
        "notes",
    }
    assert found["tidy"] == "table"  # it crosses once
    assert ".table" in found["glance"] and "augment" not in found
    assert found["fields"]["curve"] is whole.curve  # not copied
    assert not found["picture"] and found["notes"] == ["one"]


def test_numbers_of_r_are_whole_where_they_are_whole():
    assert value_of({"seed": 1.0, "x": 0.5, "many": np.array([1.0, 2.5])}) == {
        "seed": 1, "x": 0.5, "many": [1, 2.5],
    }  # fmt: skip
    assert isinstance(value_of(3.0), int)


def test_errors_are_sentences_with_their_kind():
    kind, message = error(ask("screen", source="nowhere.csv"))
    assert kind == "usage" and message == "nowhere.csv: there is no such file; check the path."
    kind, message = error(ask("info", source=pd.DataFrame({"a": [1]})))
    assert kind in ("data", "usage") and "expected the columns" in message
    assert error(ask("sceren"))[1].startswith("there is no verb 'sceren'; there are calibrate")
    assert error(ask("info", resmaples=9))[1].endswith("do you mean resamples?")
    assert "it takes source" in error(ask("info", zzzzz=9))[1]
    assert error(ask("proportion_test", successes=1))[1] == (
        "proportion_test needs the argument trials."
    )
    twice = error(ask("screen", row_weights="uniform", **{"row.weights": "uniform"}))
    assert twice[1] == "screen was given the argument row_weights twice."


@pytest.mark.parametrize(
    ("raised", "kind", "words"),
    [
        (KeyboardInterrupt(), "interrupt", "interrupted."),
        (MemoryError(), "data", "not enough memory"),
        (PermissionError(13, "Permission denied", "x"), "data", "Permission denied (x)"),
        (ZeroDivisionError("oh"), "fault", "fault of larvastats"),
    ],
)
def test_whatever_happens_is_an_answer(monkeypatch, capsys, raised, kind, words):
    def verb():
        raise raised

    monkeypatch.setattr(requests, "verbs", lambda: {"verb": verb})
    found = error(ask("verb"))
    assert found[0] == kind and words in found[1]
    assert ("Traceback" in capsys.readouterr().err) is (kind == "fault")


def test_one_value_is_a_sequence_where_a_verb_wants_one(monkeypatch):
    from collections.abc import Sequence

    def verb(n: Sequence[int] = (), names: str | Sequence[str] = (), progress: bool = False) -> str:
        return f"{n} {names} {progress}"

    verb.__annotations__ = {"n": "Sequence[int]", "names": "str | Sequence[str]"}
    monkeypatch.setattr(requests, "verbs", lambda: {"verb": verb})
    assert ask("verb", n=4.0, names="a")["value"] == "[4] a True"


# -- formulas --------------------------------------------------------------------------------------


def spline(**more):
    return {"function": "ns", "variable": "t", "df": None, "knots": None, "boundary": None,
            "degree": None, "intercept": False} | more  # fmt: skip


def written(values, **more):
    formula = RFormula.of({"text": "to ~ genotype * {0}", "splines": [spline(**more)]})
    return formula.text({"t": np.asarray(values, dtype=float)})


def test_knots_are_quantiles_of_the_times():
    assert written(np.arange(101), df=4) == (
        "to ~ genotype * cr(t, knots=[25.0, 50.0, 75.0], lower_bound=0.0, upper_bound=100.0)"
    )
    assert (
        written([0, 10], df=1) == "to ~ genotype * cr(t, df=2, lower_bound=0.0, upper_bound=10.0)"
    )
    assert written([0, 10], function="bs", df=4) == (
        "to ~ genotype * bs(t, knots=[5.0], degree=3, include_intercept=False, lower_bound=0.0, "
        "upper_bound=10.0)"
    )
    assert written([0], knots=[15, 30], boundary=[0.0, 60.0]) == (
        "to ~ genotype * cr(t, knots=[15.0, 30.0], lower_bound=0.0, upper_bound=60.0)"
    )


def test_too_few_degrees_of_freedom_are_refused():
    with pytest.raises(larvastats.UsageError, match="too few degrees of freedom; give at least 3"):
        written([0, 1], function="bs", df=2)


def test_knots_of_other_variables_must_be_given():
    formula = RFormula.of({"text": "to ~ {0}", "splines": [spline(variable="weight", df=3)]})
    with pytest.raises(larvastats.UsageError, match=r"for t only; give knots and Boundary.knots"):
        formula.text({"t": np.arange(3.0)})


# -- R and rpy2 that do not fit --------------------------------------------------------------------


def test_a_mismatch_is_named_with_both_versions_and_the_pin(monkeypatch):
    monkeypatch.setattr(host, "r_version", lambda: "4.2.2")
    monkeypatch.setattr(host, "rpy2_version", lambda: "3.6.7")
    said = host.why_not(ImportError("libR.so: undefined symbol: R_getVar"))
    assert said.startswith("rpy2 3.6.7 does not fit R 4.2.2 (libR.so: undefined symbol: R_getVar);")
    assert f"pip install --no-binary rpy2-rinterface {host.PINNED}" in said


def test_a_missing_r_and_a_missing_rpy2_are_told_apart(monkeypatch):
    monkeypatch.setattr(host, "r_version", lambda: None)
    assert host.why_not(RuntimeError("Unable to determine R_HOME.")).startswith("R was not found;")
    gone = ModuleNotFoundError("No module named 'rpy2'", name="rpy2")
    assert "which is not installed" in host.why_not(gone)


def test_the_pins_are_those_of_the_constraints():
    text = (Path(__file__).resolve().parents[3] / "constraints.txt").read_text(encoding="utf-8")
    assert set(host.PINNED.split()) <= set(text.split())
