"""Counting, against loops that follow every larva frame by frame and bout by bout."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from larvastats.errors import UsageError
from larvastats.ethogram import CONTIGUOUS, Ethogram
from larvastats.markov import counts as counts_module
from larvastats.markov.counts import count_transitions
from larvastats.protocol import Window

INF = math.inf
WHOLE = Window("whole", ((-INF, INF),))
STATES = ("run", "cast", "stop", "roll")


def ethogram(*larvae, states=STATES):
    """Larvae as ``(assay, [(state, start, stop), ...])``."""
    rows = [
        (assay, assay, larva, state, start, stop)
        for larva, (assay, bouts) in enumerate(larvae)
        for state, start, stop in bouts
    ]
    columns = ["assay", "line", "larva", "state", "t_start", "t_stop"]
    return Ethogram.from_bouts(pd.DataFrame(rows, columns=columns), states=states)


def contains(window, t):
    return any(low <= t < high for low, high in window.intervals)


def naive_jumps(data, windows):
    """Walk through the table of bouts row by row."""
    table = data.to_bouts().sort_values(["assay", "larva", "t_start"])
    assays, k = list(data.assays["assay"]), data.n_states
    out = np.zeros((len(assays), len(windows), k, k), dtype=int)
    previous = None
    for bout in table.itertuples():
        if (
            previous is not None
            and (previous.assay, previous.larva) == (bout.assay, bout.larva)
            and bout.t_start - previous.t_stop <= CONTIGUOUS
        ):
            a, i, j = (assays.index(bout.assay), data.states.index(previous.state),
                       data.states.index(bout.state))  # fmt: skip
            for w, window in enumerate(windows):
                out[a, w, i, j] += contains(window, bout.t_start)
        previous = bout
    return out


def naive_frames(data, windows, dt):
    """Look up the state of every larva at every multiple of dt; a gap of tracking cuts pairs."""
    table = data.to_bouts()
    assays, k = list(data.assays["assay"]), data.n_states
    out = np.zeros((len(assays), len(windows), k, k), dtype=int)
    for (assay, _), bouts in table.groupby(["assay", "larva"]):
        bouts = list(bouts.sort_values("t_start").itertuples())
        stretch = np.cumsum([0] + [b.t_start - a.t_stop > CONTIGUOUS for a, b in pairwise(bouts)])
        state_at = {}
        for bout, part in zip(bouts, stretch, strict=True):
            for frame in range(int(bout.t_start / dt) - 2, int(bout.t_stop / dt) + 3):
                # times are written in decimals, frames in multiples: a millionth of a step apart
                if bout.t_start / dt - 1e-6 <= frame < bout.t_stop / dt - 1e-6:
                    state_at[frame] = (data.states.index(bout.state), part)
        for frame, (i, part) in state_at.items():
            j, next_part = state_at.get(frame + 1, (None, None))
            if next_part != part:
                continue
            for w, window in enumerate(windows):
                both = all(
                    any(lo / dt - 1e-6 <= f < hi / dt - 1e-6 for lo, hi in window.intervals)
                    for f in (frame, frame + 1)
                )
                out[assays.index(assay), w, i, j] += both
    return out


# Times on a lattice that shares points with the grid, and times that do not: both must agree.
ticks = st.integers(1, 30).map(lambda n: n / 20)
odd = st.floats(0.003, 1.7, allow_nan=False)


@st.composite
def ethograms(draw):
    """A few larvae on a few assays, with gaps of tracking, on regular or irregular times."""
    step = draw(st.sampled_from([ticks, odd]))
    larvae = []
    for _ in range(draw(st.integers(1, 4))):
        t, bouts = draw(st.integers(0, 20)) / 10, []
        for _ in range(draw(st.integers(1, 8))):
            stop = t + draw(step)
            bouts.append((draw(st.sampled_from(STATES)), t, stop))
            t = stop + (draw(step) if draw(st.integers(0, 3)) == 0 else 0.0)
        larvae.append((draw(st.sampled_from(["a1", "a2", "a3"])), bouts))
    return ethogram(*larvae)


@st.composite
def windows(draw):
    """Unions of intervals, open and closed, that may overlap one another."""
    out = []
    for w in range(draw(st.integers(1, 3))):
        edges = draw(st.lists(st.integers(0, 200), min_size=2, max_size=6, unique=True))
        edges = sorted(e / 20 for e in edges)
        if len(edges) % 2:
            edges = [*edges, INF]
        out.append(Window(f"w{w}", tuple(zip(edges[::2], edges[1::2], strict=True))))
    return [*out, WHOLE]


@given(ethograms(), windows())
def test_jumps_agree_with_a_walk_through_the_bouts(data, chosen):
    result = count_transitions(data, chosen)
    np.testing.assert_array_equal(result.counts, naive_jumps(data, chosen))


@given(ethograms(), windows(), st.sampled_from([0.1, 0.05, 0.23]))
def test_frames_agree_with_a_look_at_every_frame(data, chosen, dt):
    result = count_transitions(data, chosen, "frame", dt)
    np.testing.assert_array_equal(result.counts, naive_frames(data, chosen, dt))


@given(ethograms(), st.lists(st.integers(1, 200), min_size=1, max_size=4, unique=True))
def test_windows_that_touch_partition_the_jumps(data, cuts):
    edges = [-INF, *sorted(c / 20 for c in cuts), INF]
    parts = [Window(f"{a}", ((a, b),)) for a, b in pairwise(edges)]
    counts = count_transitions(data, [*parts, WHOLE]).counts
    np.testing.assert_array_equal(counts[:, :-1].sum(axis=1), counts[:, -1])


@given(ethograms(), windows())
def test_jumps_have_no_diagonal_and_count_every_change_of_state_once(data, chosen):
    counts = count_transitions(data, chosen).counts
    assert not np.diagonal(counts, axis1=2, axis2=3).any()
    assert counts[:, -1].sum() == data.follows.sum()


@given(ethograms(), windows(), st.sampled_from(["jump", "frame"]))
def test_chunks_do_not_show(data, chosen, kind):
    whole = count_transitions(data, chosen, kind).counts
    before = counts_module.CHUNK
    try:
        counts_module.CHUNK = 3
        np.testing.assert_array_equal(count_transitions(data, chosen, kind).counts, whole)
    finally:
        counts_module.CHUNK = before


@given(ethograms(), st.sampled_from(["jump", "frame"]))
def test_an_assay_counts_the_same_alone_and_in_company(data, kind):
    together = count_transitions(data, [WHOLE], kind).counts
    for a in range(len(data.assays)):
        alone = count_transitions(data.subset(np.arange(len(data.assays)) == a), [WHOLE], kind)
        np.testing.assert_array_equal(alone.counts[0], together[a])


def test_a_jump_belongs_to_the_window_that_contains_its_time():
    data = ethogram(("a", [("run", 0, 10), ("cast", 10, 20), ("run", 20, 30)]))
    before, during = Window("before", ((-INF, 10),)), Window("during", ((10, 20),))
    counts = count_transitions(data, [before, during]).counts[0]
    assert counts[0].sum() == 0
    assert counts[1, 0, 1] == 1 and counts[1].sum() == 1  # at 20 s the window is over


def test_a_jump_into_a_window_counts_although_its_bout_began_outside():
    data = ethogram(("a", [("run", 0, 15), ("cast", 15, 100)]))
    counts = count_transitions(data, [Window("during", ((10, 20),))]).counts[0, 0]
    assert counts[0, 1] == 1


def test_a_frame_pair_needs_both_frames_in_the_window():
    data = ethogram(("a", [("run", 0, 1), ("cast", 1, 2)]))
    early, late = Window("early", ((0, 1),)), Window("late", ((1, 2),))
    counts = count_transitions(data, [early, late, WHOLE], "frame", 0.1).counts[0]
    assert counts[0, 0, 0] == 9 and counts[0].sum() == 9
    assert counts[1, 1, 1] == 9 and counts[1].sum() == 9
    assert counts[2, 0, 1] == 1 and counts[2].sum() == 19


def test_a_window_whose_pause_holds_no_frame_keeps_the_pair_across_it():
    data = ethogram(("a", [("run", 0, 2)]))
    pause = Window("pause", ((0, 0.95), (0.97, 2)))
    assert count_transitions(data, [pause], "frame", 0.1).counts[0, 0, 0, 0] == 19


def test_frames_skip_bouts_too_short_to_hold_one():
    data = ethogram(("a", [("run", 0, 0.92), ("cast", 0.92, 0.98), ("stop", 0.98, 2)]))
    counts = count_transitions(data, [WHOLE], "frame", 0.1).counts[0, 0]
    assert counts[0, 2] == 1 and counts[:, 1].sum() == 0


@pytest.mark.parametrize("kind", ["jump", "frame"])
def test_lost_tracking_is_no_transition(kind):
    data = ethogram(("a", [("run", 0, 1), ("cast", 1.5, 2)]))
    counts = count_transitions(data, [WHOLE], kind, 0.1).counts[0, 0]
    assert counts[0, 1] == 0


@pytest.mark.parametrize("kind", ["jump", "frame"])
@pytest.mark.parametrize(("gap", "together"), [(5e-7, 1), (2e-6, 0)])
def test_a_microsecond_is_the_longest_gap_that_is_none(kind, gap, together):
    data = ethogram(("a", [("run", 0, 1), ("cast", 1 + gap, 2)]))
    assert count_transitions(data, [WHOLE], kind, 0.1).counts[0, 0, 0, 1] == together


def test_seams_within_rounding_neither_lose_nor_double_a_frame():
    # half a microsecond before, at and after a frame of the grid, overlapping or apart
    for first, second in [(1 - 5e-7, 1), (1, 1 + 5e-7), (1 + 5e-7, 1), (1 - 5e-7, 1 + 4e-7)]:
        data = ethogram(("a", [("run", 0, first), ("cast", second, 2)]))
        assert count_transitions(data, [WHOLE], "frame", 0.1).counts.sum() == 19, (first, second)


def test_two_larvae_do_not_follow_each_other():
    data = ethogram(("a", [("run", 0, 1)]), ("a", [("cast", 1, 2)]))
    assert count_transitions(data, [WHOLE]).counts.sum() == 0
    assert count_transitions(data, [WHOLE], "frame", 0.1).counts[0, 0, 0, 1] == 0


def test_an_assay_without_bouts_counts_nothing_and_keeps_its_row():
    data = ethogram(("a", [("run", 0, 1), ("cast", 1, 2)]), ("b", [("run", 5, 6)]))
    cut = data.clip([(0, 3)])
    assert count_transitions(cut, [WHOLE]).counts.shape == (2, 1, 4, 4)
    assert count_transitions(cut, [WHOLE]).counts[1].sum() == 0


def test_the_result_says_how_it_was_counted():
    data = ethogram(("a", [("run", 0, 1), ("cast", 1, 2)]))
    jumps, frames = (count_transitions(data, [WHOLE], kind, 0.2) for kind in ("jump", "frame"))
    assert (jumps.kind, jumps.dt, frames.kind, frames.dt) == ("jump", None, "frame", 0.2)
    assert jumps.counts.dtype == frames.counts.dtype == np.int64
    assert jumps.states == STATES and jumps.windows == (WHOLE,)


def test_counts_do_not_depend_on_the_order_of_rows():
    data = ethogram(("b", [("run", 0, 1), ("cast", 1, 2)]), ("a", [("stop", 0, 1), ("roll", 1, 2)]))
    table = data.to_bouts().assign(state=lambda t: t["state"].astype("str"))
    shuffled = Ethogram.from_bouts(table.sample(frac=1, random_state=3), states=STATES)
    np.testing.assert_array_equal(
        count_transitions(shuffled, [WHOLE]).counts, count_transitions(data, [WHOLE]).counts
    )


def test_an_unknown_kind_is_refused():
    data = ethogram(("a", [("run", 0, 1)]))
    with pytest.raises(UsageError, match="transitions must be one of jump, frame, but is 'hop'"):
        count_transitions(data, [WHOLE], "hop")


@pytest.mark.parametrize("dt", [0, -0.1, math.nan, math.inf])
def test_a_step_must_be_positive(dt):
    data = ethogram(("a", [("run", 0, 1)]))
    with pytest.raises(UsageError, match="dt must be a positive number of seconds"):
        count_transitions(data, [WHOLE], "frame", dt)
