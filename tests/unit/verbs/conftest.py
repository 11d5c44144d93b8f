"""A small light screen as a table of bouts: plates on dates, one line that responds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

PROTOCOL = "r_LED100_30s1x30s0s#n#n#n"
STATES = np.array(["run", "cast", "stop", "roll"])
BASE = np.array(
    [[0, 0.7, 0.25, 0.05], [0.6, 0, 0.35, 0.05], [0.5, 0.45, 0, 0.05], [0.3, 0.4, 0.3, 0]]
)
ROLLS = np.array([[0, 0.2, 0.2, 0.6], [0.2, 0, 0.2, 0.6], [0.2, 0.2, 0, 0.6], [0.3, 0.4, 0.3, 0]])


def plate(rng, assay, line, date, larvae, strength, early, scatter):
    """Bouts of one plate: the effect acts while the light is on, or from the start."""
    rows = []
    shift = np.exp(rng.normal(0, scatter, BASE.shape))
    for larva in range(larvae):
        t, state = rng.uniform(0, 3), rng.integers(4)
        while t < 65:
            stop = min(round(t + rng.gamma(2, 1.2), 3) + 0.01, 66.0)
            rows.append((assay, line, str(larva), STATES[state], t, stop, date))
            acts = early or 30 <= stop < 60
            p = ((1 - strength) * BASE + strength * ROLLS) if acts else BASE
            p = (p * shift)[state]
            state, t = rng.choice(4, p=p / p.sum()), stop
    return rows


def make_screen(
    lines=("A", "B", "C"),
    dates=3,
    plates=2,
    controls=3,
    larvae=5,
    strength=None,
    early=False,
    scatter=0.25,
    seed=0,
    control="FCF_attP2_1500062",
    effector="UAS_X",
    dated=True,
):
    """One row per bout; `strength` maps a line to how much it rolls, from 0 to 1."""
    strength = {"A": 0.8} if strength is None else strength
    rows = []
    for name in (*lines, control):
        for d in range(dates):
            for k in range(controls if name == control else plates):
                # a plate has its own generator: others do not change with it
                rng = np.random.default_rng([seed, d, k, *name.encode()])
                assay = f"{name}_{d}_{k}"
                rows += plate(rng, assay, name, f"2020010{d + 1}", larvae,
                              strength.get(name, 0.0), early, scatter)  # fmt: skip
    columns = ["assay", "line", "larva", "state", "t_start", "t_stop", "date"]
    table = pd.DataFrame(rows, columns=columns)
    table = table.assign(effector=effector, protocol=PROTOCOL)
    return table if dated else table.drop(columns="date")


@pytest.fixture(scope="session")
def recordings():
    return make_screen


@pytest.fixture(scope="session")
def small():
    """Three lines, three dates of 2 plates against 3; A responds to light."""
    return make_screen()


@pytest.fixture(scope="session")
def undated():
    """Three lines of four plates against four, no dates."""
    return make_screen(dates=1, plates=4, controls=4, dated=False, seed=3)


QUICK = {"bootstrap": 0, "calibrate": False}


@pytest.fixture(scope="session")
def quick():
    """Options that leave out what a test does not look at."""
    return dict(QUICK)
