"""`--correction maxt`: one screen of twenty calls a null line, however controls are shared.

`analyses/calibration/familywise.py` has the long study.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from larvastats.inference.design.blocks import make_design
from larvastats.inference.lines import nulls
from larvastats.inference.lines.linetest import LineData
from larvastats.inference.relabelling.plans import Budget
from larvastats.inference.significance.multiplicity import adjust
from larvastats.markov.transitions import possible_cells

LINES, SCREENS, CELLS = 30, 120, 4
POSSIBLE = possible_cells(2, "jump")
BUDGET = Budget(1999, 0, most=5000, tail=500)


def screen_of(rng, dates, plates, controls, effects=0):
    """Profiles of lines that share controls; plates of a date share its level."""
    level = rng.normal(size=(dates, 1, CELLS))
    control = level + rng.normal(size=(dates, controls, CELLS))
    days = np.repeat(np.arange(dates).astype(str).astype(object), plates)
    control_days = np.repeat(np.arange(dates).astype(str).astype(object), controls)
    both = np.concatenate([days, control_days]) if dates > 1 else None
    design = make_design(np.arange(len(days)), len(days) + np.arange(len(control_days)), both)
    lines = []
    for who in range(LINES):
        own = level + rng.normal(size=(dates, plates, CELLS)) + 3.0 * (who < effects)
        x = np.concatenate([own.reshape(-1, CELLS), control.reshape(-1, CELLS)])[design.units]
        lines.append(LineData(design, x, None, np.ones(2), POSSIBLE))
    return lines


def adjusted(lines, seed):
    budget = Budget(BUDGET.resamples, seed, BUDGET.most, BUDGET.tail)
    tested = nulls.test_lines(lines, [(line.x,) for line in lines], 4.0, budget)
    p = np.array([t.p["main"] for t in tested])
    tails = [t.attainable["main"] for t in tested]
    return adjust(p, "maxt", tails), adjust(p, "bonferroni")


@pytest.mark.parametrize(
    ("dates", "plates", "controls"), [(1, 4, 40), (1, 3, 20), (4, 2, 3)], ids=str
)
@pytest.mark.parametrize("effects", [0, 5])
def test_family_wise_error(dates, plates, controls, effects):
    wrong, found = np.zeros(2), np.zeros(2)
    for seed in range(SCREENS):
        rng = np.random.default_rng([seed, dates, controls, effects])
        for i, q in enumerate(adjusted(screen_of(rng, dates, plates, controls, effects), seed)):
            wrong[i] += q[effects:].min() <= 0.05
            found[i] += (q[:effects] <= 0.05).sum()
    assert wrong[0] <= stats.binom.ppf(0.99, SCREENS, 0.05), wrong
    # never behind Bonferroni's
    assert wrong[0] >= wrong[1] and found[0] >= found[1]
    assert not effects or found[0] > 0.5 * effects * SCREENS or dates == 1, found
