"""Which transitions changed: z of every cell, and its family-wise p-value."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from larvastats.inference.lines import cells


def by_hand(line, control):
    """One cell at a time, in the words of its definition."""
    both = np.concatenate([line, control]).astype(float)
    k = both.shape[1]
    z = np.zeros((k, k))
    for i, j in np.ndindex(k, k):
        n = both[:, i].sum(axis=1)
        total = n.sum()
        if total == 0:
            continue
        p_bar = both[:, i, j].sum() / total
        seen = n > 0
        share = both[seen, i, j] / n[seen]
        q = (n[seen] * (share - p_bar) ** 2).sum()
        room = total - (n**2).sum() / total
        excess = q - (seen.sum() - 1) * p_bar * (1 - p_bar)
        tau2 = max(0.0, excess / room) if room > 0 else 0.0
        sides = [n[: len(line)], n[len(line) :]]
        totals = [side.sum() for side in sides]
        if min(totals) == 0 or totals[0] * p_bar < 5:
            continue
        variance = p_bar * (1 - p_bar) * sum(1 / t for t in totals)
        variance += tau2 * sum((s**2).sum() / t**2 for s, t in zip(sides, totals, strict=True))
        difference = line[:, i, j].sum() / totals[0] - control[:, i, j].sum() / totals[1]
        z[i, j] = difference / variance**0.5 if variance > 0 else 0.0
    return z


@pytest.mark.parametrize("seed", range(6))
def test_z_is_the_formula(draw_counts, seed):
    counts = draw_counts(9, seed=seed)
    z = cells.scores(counts[:3].astype(float), counts[3:].astype(float))
    np.testing.assert_allclose(z, by_hand(counts[:3], counts[3:]), rtol=1e-9, atol=1e-12)


@given(st.integers(0, 1000))
def test_exchanging_the_sides_turns_z_round(seed):
    counts = np.random.default_rng(seed).poisson(20.0, (8, 3, 3)).astype(float)
    there, back = cells.scores(counts[:4], counts[4:]), cells.scores(counts[4:], counts[:4])
    np.testing.assert_allclose(there, -back, rtol=1e-9, atol=1e-12)


def test_cells_expected_fewer_than_five_times_are_not_judged():
    line = np.tile([[0, 10, 1], [10, 0, 1], [0, 0, 0]], (3, 1, 1)).astype(float)
    control = np.tile([[0, 40, 1], [40, 0, 9], [5, 5, 0]], (6, 1, 1)).astype(float)
    z = cells.scores(line, control)
    assert z[0, 1] != 0 and z[0, 2] == 0  # 33 departures x 9/279 is less than five
    assert not z[2].any()  # the line never left this state


def test_plates_that_scatter_more_than_sampling_does_lower_z():
    def study(spread):
        p = 0.5 + spread * np.array([-1, 1, -1, 1])
        made = np.round(200 * p)
        calm = np.zeros((4, 2, 2))
        calm[:, 0, 0], calm[:, 0, 1] = made, 200 - made
        line = calm.copy()
        line[:, 0, 0] += 20
        line[:, 0, 1] -= 20
        return abs(cells.scores(line, calm)[0, 0])

    assert study(0.2) < study(0.05) < study(0.0)


def test_one_side_without_assays_scores_nothing():
    assert not cells.scores(np.zeros((0, 2, 2)), np.ones((3, 2, 2))).any()
