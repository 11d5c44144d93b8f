"""Do 95 % intervals of the divergences hold the truth about 95 % of the time?

The truth is the divergence between the chains averaged over the plates that might have been
filmed, found by filming a great many.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from larvastats import screen, transitions

UNDATED = {"dates": 1, "dated": False, "vial_sd": 0.0}
OTHER = np.array([
    [0.00, 0.30, 0.25, 0.20, 0.20, 0.05],
    [0.35, 0.00, 0.35, 0.15, 0.10, 0.05],
    [0.25, 0.25, 0.00, 0.25, 0.20, 0.05],
    [0.20, 0.20, 0.35, 0.00, 0.20, 0.05],
    [0.25, 0.25, 0.25, 0.20, 0.00, 0.05],
    [0.30, 0.30, 0.30, 0.05, 0.05, 0.00],
])  # fmt: skip


def hellinger(p, q):
    return np.sqrt(((np.sqrt(p) - np.sqrt(q)) ** 2).sum() / 2)


def truth(simulated, plan, **matrices):
    """Row-averaged distances between the pooled chains of very many plates."""
    many = plan(lines=1, dates=800, plates=2, controls=2, vial_sd=0.0, date_sd=0.0, plate_sd=0.36)
    result = transitions(simulated(many, seed=0, **matrices), windows="during")
    names = sorted(result.table["genotype"].unique())
    control, line = (result.matrix(name).to_numpy() for name in names)
    pairs = list(zip(line, control, strict=True))
    rows = [(hellinger(p, q), jensenshannon(p, q, base=2)) for p, q in pairs]
    return dict(zip(("hellinger", "js"), np.mean(rows, axis=0), strict=True))


@pytest.mark.parametrize(
    ("sizes", "lowest"),
    [
        ({"dates": 5, "plates": 1, "controls": 2, "larvae": 40, "control_larvae": 40}, 0.88),
        ({"plates": 8, "controls": 24, "date_sd": 0.0, **UNDATED}, 0.88),
    ],
    ids=["five dates", "8 against 24 plates"],
)
@pytest.mark.parametrize("share", [0.2, 0.6])
def test_coverage(simulated, plan, base, sizes, lowest, share):
    line = (1 - share) * base + share * OTHER
    matrices = {"line_before": line, "control_before": base}
    true = truth(simulated, plan, **matrices)
    data = simulated(plan(lines=60, **sizes), seed=20, **matrices)
    table = screen(
        data, control="control", bootstrap=300, calibrate=False, null="F", resamples=99
    ).table
    for name in ("hellinger", "js"):
        held = (table[f"{name}_low"] <= true[name]) & (true[name] <= table[f"{name}_high"])
        assert held.mean() >= lowest, (name, held.mean(), true[name])
        # and they say something: narrower than the range of the measure
        assert (table[f"{name}_high"] - table[f"{name}_low"]).median() < 0.3
        # the plug-in is biased upward; what is left of it after the adjustment is small
        bias = table[[name, f"{name}_adjusted"]].mean() - true[name]
        assert bias[name] > 0 and abs(bias[f"{name}_adjusted"]) < 0.025, (name, bias)
