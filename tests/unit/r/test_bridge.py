"""Tables and results in memory, by rpy2; skipped where R or rpy2 is missing."""

from __future__ import annotations

import gc
import shutil

import numpy as np
import pandas as pd
import pytest

import larvastats as ls
from larvastats.errors import DataError
from larvastats.inference.effects.divergences import PSEUDO_COUNT, row_divergences
from larvastats.r import bridge

pytest.importorskip("rpy2", reason="rpy2 is not installed")
if shutil.which("R") is None:
    pytest.skip("R is not installed", allow_module_level=True)


@pytest.fixture(scope="module")
def r():
    """Evaluate R with ``larvastats`` in its workspace."""
    bridge.provide()
    from larvastats.r.host import rinterface

    return rinterface().evalr


TABLE = pd.DataFrame(
    {
        "n": pd.array([1, None, -5], dtype="Int32"),
        "x": [np.pi, np.nan, np.inf],
        "truth": pd.array([True, None, False], dtype="boolean"),
        "text": pd.array(["aä", None, "b"], dtype="str"),
        "level": pd.Categorical(["u", None, "v"], ["v", "u", "w"]),
        "day": pd.array(["2020-02-29", None, "1969-12-31"], dtype="str"),
        "time": pd.to_datetime(["2020-02-29 12:00", None, "1960-01-01 00:00"]).tz_localize(
            "Europe/Berlin"
        ),
        "span": pd.to_timedelta(["1s", None, "1.5s"]),
    }
)
TABLE["day"] = pd.to_datetime(TABLE["day"]).astype("date32[day][pyarrow]")
TABLE["time"] = TABLE["time"].astype("datetime64[us, Europe/Berlin]")
TABLE["span"] = TABLE["span"].astype("timedelta64[us]")


def test_a_table_crosses_and_comes_back_the_same(r):
    there = bridge.to_r(TABLE)
    pd.testing.assert_frame_equal(bridge.from_r(there), TABLE)
    see = r("""function(d) stopifnot(is.data.frame(d), is.na(d$x[2]) && !is.nan(d$x[2]),
        identical(d$n, c(1L, NA, -5L)), identical(d$truth, c(TRUE, NA, FALSE)),
        identical(levels(d$level), c("v", "u", "w")), identical(d$text, c("a\\u00e4", NA, "b")),
        identical(d$day, as.Date(c("2020-02-29", NA, "1969-12-31"))),
        format(d$time[1]) == "2020-02-29 12:00:00", units(d$span) == "secs", d$span[3] == 1.5)""")
    see(there)


@pytest.mark.parametrize("rows", [0, 1])
def test_short_tables_cross_too(r, rows):
    own = TABLE.iloc[:rows]
    found = bridge.from_r(bridge.to_r(own))
    assert list(found.columns) == list(own.columns) and len(found) == rows
    if rows:
        assert found["text"][0] == "aä" and found["n"][0] == 1


def test_an_r_table_is_a_source(r):
    frame = r("""data.frame(assay = rep(c("p", "q"), each = 3), line = factor("w"), larva = 1L,
        state = factor(c("run", "cast", "run")), t_start = c(0, 1, 2), t_stop = c(1, 2, 3),
        date = as.Date("2020-01-31"))""")
    found = ls.load(bridge.from_r(frame))
    assert found.n_bouts == 6 and set(found.assays["date"]) == {"20200131"}


def test_a_result_comes_back_as_the_same_object(r):
    whole = ls.proportion_test([30, 12], [100, 100])
    there = bridge.to_r(whole)
    assert list(there.rclass) == ["larva_htest", "htest"]
    assert bridge.from_r(there) is whole


def test_objects_are_forgotten_when_r_drops_them(r):
    whole = ls.proportion_test([30, 12], [100, 100])
    there = bridge.to_r(whole)
    held = len(bridge._KEPT._objects)
    del there
    gc.collect()
    r("invisible(gc())")
    r("larvastats$parse_protocol('r_LED100_30s2x15s30s')")  # the next question tells
    assert len(bridge._KEPT._objects) <= held
    assert whole not in bridge._KEPT._objects.values()


def test_a_result_of_another_session_is_refused(r):
    with pytest.raises(DataError, match="made in another R session"):
        bridge._KEPT.find("other:1")


def test_the_converter_is_local(r):
    import rpy2.robjects as robjects
    from rpy2.robjects.conversion import localconverter

    usual = robjects.default_converter.rpy2py_nc_map
    before = {kind: dict(found._map) for kind, found in usual.items()}
    with localconverter(bridge.converter()):
        robjects.globalenv["larva_table"] = TABLE
        robjects.globalenv["larva_test"] = ls.proportion_test([30, 12], [100, 100])
        assert isinstance(robjects.globalenv["larva_table"], pd.DataFrame)
        assert isinstance(robjects.r("larva_test"), ls.HTest)
        assert robjects.r("class(larva_test)[2]")[0] == "htest"
    assert not isinstance(robjects.globalenv["larva_table"], pd.DataFrame)
    assert {kind: dict(found._map) for kind, found in usual.items()} == before


def test_columns_that_tables_do_not_have_are_named(r):
    with pytest.raises(DataError, match=r"column z of the data.frame is of kind list"):
        bridge.from_r(r("data.frame(z = I(list(1, 2)))"))


def test_a_million_rows_cross_without_objects(r):
    n = 10**6
    rng = np.random.default_rng(1)
    names = np.array([f"assay {i}" for i in range(50)])
    table = pd.DataFrame(
        {"assay": pd.array(names[rng.integers(0, 50, n)], dtype="str"), "x": rng.normal(size=n)}
    )
    found = bridge.from_r(bridge.to_r(table))
    pd.testing.assert_frame_equal(found, table)


@pytest.mark.parametrize("name", ["hellinger", "js", "kl"])
def test_divergences_of_resamples_are_those_of_boot(r, name):
    """boot::boot with R's own formula; the same resamples given to ours."""
    from larvastats.r.host import rinterface

    ri = rinterface()
    rng = np.random.default_rng(4)
    counts = rng.integers(1, 30, size=(8, 3, 3)).astype(float)
    counts[:, range(3), range(3)] = 0
    flat = counts.reshape(8, 9)
    code = """function(line, control, name, more) {
      shares <- function(sums, more = 0) {
        m <- matrix(sums, 3, byrow = TRUE) + more * (1 - diag(3))
        m / rowSums(m)
      }
      part <- function(p, q) rowSums(ifelse(p > 0, p * log(p / q), 0))
      of <- list(
        hellinger = function(a, b) sqrt(rowSums((sqrt(shares(a)) - sqrt(shares(b)))^2) / 2),
        kl = function(a, b) part(shares(a, more), shares(b, more)),
        js = function(a, b) { p <- shares(a); q <- shares(b); m <- (p + q) / 2
          sqrt((part(p, m) + part(q, m)) / 2 / log(2)) })[[name]]
      set.seed(9)
      found <- boot::boot(line, function(d, i) of(colSums(d[i, ]), colSums(control)), R = 30)
      list(found$t, boot::boot.array(found), found$t0)
    }"""
    if not r("requireNamespace('boot', quietly = TRUE)")[0]:
        pytest.skip("R lacks the package boot")
    matrix = ri.baseenv["matrix"]

    def as_matrix(values):
        made = bridge._vector(values.ravel(order="F"))
        return matrix(made, nrow=ri.IntSexpVector([len(values)]))

    more = ri.FloatSexpVector([PSEUDO_COUNT])
    found = r(code)(as_matrix(flat[:4]), as_matrix(flat[4:]), ri.StrSexpVector([name]), more)
    theirs, times, observed = (np.array(part.memoryview(), dtype=float) for part in found)
    theirs, times = theirs.reshape(30, 3, order="F"), times.reshape(30, 4, order="F")
    possible = ~np.eye(3, dtype=bool)
    control = counts[4:].sum(axis=0)
    line = (times @ flat[:4]).reshape(30, 3, 3)
    ours = row_divergences(line, np.broadcast_to(control, line.shape), possible)[name]
    start = row_divergences(counts[:4].sum(axis=0), control, possible)[name]
    np.testing.assert_allclose(start, observed, rtol=0, atol=1e-10)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10)
