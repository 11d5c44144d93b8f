"""The memory that relabellings may take changes how they are made, and nothing that comes out."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from larvastats import UsageError, screen
from larvastats.inference.design.blocks import make_design
from larvastats.inference.lines import nulls
from larvastats.inference.lines.engine import DatedGeometry
from larvastats.inference.lines.linetest import LineData
from larvastats.inference.options import Options
from larvastats.inference.relabelling.plans import Budget, date_members, dated_plan
from larvastats.markov.transitions import possible_cells


def dated_line(cells, dates=5, m=3, c=7, seed=0):
    rng = np.random.default_rng(seed)
    days = np.array([f"d{d}" for d in range(dates) for _ in range(m + c)], dtype=object)
    line = np.concatenate([np.arange(m + c) < m for _ in range(dates)])
    design = make_design(np.flatnonzero(line), np.flatnonzero(~line), days)
    x = rng.normal(size=(len(days), cells))[design.units]
    return LineData(design, x, None, np.ones(3), possible_cells(3, "jump"))


def test_gathered_differences_are_the_tabulated_ones():
    data = dated_line(20)
    plan = dated_plan(tuple(data.design.sizes), Budget(500, 1))
    x = [data.x[m] for m in date_members(data.design)]
    wide, narrow = (DatedGeometry(plan, budget=Budget(memory=mib)) for mib in (512, 1))
    assert wide.pairs and not narrow.pairs
    for one, other in zip(wide.null(x), narrow.null(x), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10)


def test_the_result_does_not_depend_on_it(small, undated, quick):
    for table in (small, undated):
        wide = screen(table, statistic="combined", null="relabel", **quick)
        narrow = screen(table, statistic="combined", null="relabel", memory=1, **quick)
        assert wide.table["p_value"].equals(narrow.table["p_value"])
        assert wide.table["kl_p_value"].equals(narrow.table["kl_p_value"])


def test_it_is_a_bound():
    """3432 ways on each of five dates: their products alone would take 2.2 GiB."""
    data = dated_line(12, m=7, c=7)
    nulls._geometry.cache_clear()
    tracemalloc.start()
    tested = nulls.test_lines([data], [(data.x,)], 5.0, Budget(300, 1, memory=16))[0]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 1 / 301 <= tested.p["main"] <= 1
    assert peak < 64 << 20


def test_no_memory_is_refused():
    with pytest.raises(UsageError, match="memory must be at least 1 MiB, but is 0"):
        Options(memory=0)
