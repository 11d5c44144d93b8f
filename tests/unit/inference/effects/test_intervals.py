"""Bootstrap intervals of the divergences; their coverage is measured in tests/statistical."""

from __future__ import annotations

import numpy as np
import pytest

from larvastats.divergence import hellinger_rows
from larvastats.inference.design.blocks import make_design
from larvastats.inference.effects.divergences import plug_in
from larvastats.inference.effects.intervals import bootstrap_intervals, sampling_variance
from larvastats.markov.transitions import possible_cells, probabilities

JUMP = possible_cells(4, "jump")
NAMES = ("hellinger", "js", "kl")


def intervals(counts, m, dates=None, df=5.0, resamples=400, seed=0, level=0.95):
    dates = None if dates is None else np.array(dates, dtype=object)
    design = make_design(np.arange(m), np.arange(m, len(counts)), dates)
    rng = np.random.default_rng(seed)
    return bootstrap_intervals(
        design, counts.astype(float), JUMP, "uniform", df, resamples, rng, level
    )


def test_limits_are_ordered_and_in_range(draw_counts):
    found = intervals(draw_counts(10), 4)
    for name in NAMES:
        low, high = found[name]
        assert 0 <= low <= high
    assert found["hellinger"][1] <= 1 and found["js"][1] <= 1


def test_the_same_seed_gives_the_same_limits(draw_counts):
    counts = draw_counts(10)
    assert intervals(counts, 4) == intervals(counts, 4)
    assert intervals(counts, 4, seed=1) != intervals(counts, 4)


def test_higher_levels_and_fewer_degrees_of_freedom_are_wider(draw_counts):
    counts = draw_counts(12, visits=(60, 60, 60, 60))

    def width(**options):
        low, high = intervals(counts, 5, **options)["hellinger"]
        return high - low

    assert width(level=0.8) < width() < width(df=2.0)


LINE = np.array([[0, 6, 2, 2], [4, 0, 4, 2], [1, 1, 0, 8], [2, 2, 2, 0]])
CONTROL = np.array([[0, 2, 6, 2], [4, 0, 4, 2], [1, 1, 0, 8], [2, 2, 2, 0]])


def test_assays_that_are_all_alike_leave_sampling_to_doubt():
    """Replicates agree to the last digit; so would a few throws of a coin. The more, the surer."""
    value = plug_in(3.0 * LINE, 4.0 * CONTROL, JUMP, "uniform")
    widths = []
    for times in (1, 100, 1_000_000):
        found = intervals(times * np.array([LINE] * 3 + [CONTROL] * 4), 3)
        for name in ("hellinger", "js"):
            low, high = found[name]
            assert low <= float(value[name]) <= high
        widths.append(found["hellinger"][1] - found["hellinger"][0])
    assert widths[0] > 0.05 > widths[1] > 0.01 > 0.001 > widths[2] > 0


def test_sampling_variance_of_a_hellinger_row():
    """The delta method: ``(2 - H^2) / 16 (1/n + 1/m)`` for n and m independent transitions."""
    line, control = 200.0 * LINE, 300.0 * CONTROL
    found = sampling_variance(line, control, JUMP, np.random.default_rng(0), 20_000)["hellinger"]
    h = hellinger_rows(probabilities(line), probabilities(control))[0]
    expected = (2 - h**2) / 16 * (1 / line[0].sum() + 1 / control[0].sum())
    assert found[0] == pytest.approx(expected, rel=0.05)


def test_a_rare_row_widens_the_interval(draw_counts):
    """Five visits that all went the same way are no certainty, in however many resamples."""
    counts = draw_counts(12, visits=(200, 200, 200, 200))
    counts[:, 3] = 0
    counts[:5, 3, 0] = 1
    counts[5:, 3, 1] = 40
    rare = intervals(counts, 5, df=10.0)["hellinger"]
    counts[:5, 3, 0] = 1000
    often = intervals(counts, 5, df=10.0)["hellinger"]
    assert rare[1] - rare[0] > 1.2 * (often[1] - often[0])


def test_dates_are_drawn_whole(draw_counts):
    """Plates of one date move together: what differs between dates, not plates, makes the width."""
    rng = np.random.default_rng(3)
    base = draw_counts(1, visits=(400, 400, 400, 400))[0]
    calm, wild = [], []
    dates = [f"d{d}" for d in range(4) for _ in range(2)] * 2
    for side in range(2):
        for _ in range(4):
            shift = rng.integers(0, 300, base.shape) * JUMP * (1 - side)
            for _ in range(2):
                wild.append(base + shift)
                calm.append(base + 150 * JUMP * (1 - side))
    found = {
        name: intervals(np.array(counts), 8, dates)["hellinger"]
        for name, counts in (("calm", calm), ("wild", wild))
    }
    calm, wild = (found[name][1] - found[name][0] for name in ("calm", "wild"))
    assert calm < 0.02 < 2 * calm < wild


@pytest.mark.parametrize("case", ["one assay", "switched off", "no degrees of freedom"])
def test_no_interval_where_none_is_possible(draw_counts, case):
    counts = draw_counts(6)
    m = 1 if case == "one assay" else 3
    df = float("nan") if case == "no degrees of freedom" else 3.0
    found = intervals(counts, m, df=df, resamples=0 if case == "switched off" else 200)
    assert all(np.isnan(found[name]).all() for name in NAMES)
