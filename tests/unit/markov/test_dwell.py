"""Which bouts a window shows, and what cuts them: against a loop, and by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from larvastats.errors import UsageError
from larvastats.ethogram import CONTIGUOUS, Ethogram
from larvastats.markov.dwell import ENDED, LOST, RECORDING, WINDOW, dwell_times
from larvastats.protocol import Window

STATES = ("run", "cast", "stop")


def ethogram(*larvae):
    rows = [
        (assay, assay, larva, state, start, stop)
        for larva, (assay, bouts) in enumerate(larvae)
        for state, start, stop in bouts
    ]
    columns = ["assay", "line", "larva", "state", "t_start", "t_stop"]
    return Ethogram.from_bouts(pd.DataFrame(rows, columns=columns), states=STATES)


ONE = ethogram(
    ("p", [("run", 0, 8), ("cast", 8, 12), ("run", 12, 25), ("cast", 25, 31)]),
    ("p", [("run", 0, 11), ("stop", 11, 13), ("cast", 15, 16), ("run", 16, 40)]),
)


def as_rows(dwells):
    columns = zip(dwells.state, dwells.entry, dwells.duration, dwells.end, dwells.room, strict=True)
    return {tuple(float(v) for v in row) for row in columns}


def test_bouts_that_begin_in_the_window():
    # larva 0: run 12-25 is cut at 20; larva 1: stop 11-13 is lost, cast at 15 has no known
    # beginning, run 16-40 is cut; the casts before 10 s began too early
    found = dwell_times(ONE, Window("w", ((10.0, 20.0),)))
    assert as_rows(found) == {(0, 0, 8, WINDOW, 8), (2, 0, 2, LOST, 9), (0, 0, 4, WINDOW, 4)}


def test_bouts_in_progress_come_in_late():
    found = dwell_times(ONE, Window("w", ((10.0, 20.0),)), entry="delayed")
    added = as_rows(found) - as_rows(dwell_times(ONE, Window("w", ((10.0, 20.0),))))
    # the first bout of a track never counts: its age is unknown
    assert added == {(1, 2, 4, ENDED, 12)}


def test_the_end_of_the_recording_is_no_loss():
    found = dwell_times(ONE, Window("whole", ((-math.inf, math.inf),)))
    # cast 25-31 ends 9 s before the plate's last track: lost; run 16-40 ends with it
    ends = {(int(s), float(d)): int(e) for s, d, e in zip(found.state, found.duration, found.end,
                                                          strict=True)}  # fmt: skip
    assert ends[1, 6.0] == LOST and ends[0, 24.0] == RECORDING and ends[1, 4.0] == ENDED
    assert found.room[(found.end == LOST) & (found.state == 1)] == pytest.approx([15.0])


def test_intervals_of_a_window_are_slits_of_their_own():
    found = dwell_times(ONE, Window("w", ((7.0, 10.0), (12.0, 30.0))))
    assert (1.0, 0.0, 2.0, WINDOW, 2.0) in as_rows(found)  # cast 8-12, cut at 10
    assert (0.0, 0.0, 13.0, ENDED, 18.0) in as_rows(found)  # run 12-25


def test_lost_tracks_can_be_read_three_ways():
    found = dwell_times(ONE, Window("w", ((10.0, 20.0),)))
    lost = found.end == LOST
    assert found.with_lost("censored").ended.sum() == 0
    ended = found.with_lost("ended")
    assert ended.ended[lost].all() and np.array_equal(ended.duration, found.duration)
    stayed = found.with_lost("stayed")
    assert not stayed.ended.any() and stayed.duration[lost] == pytest.approx(found.room[lost])
    with pytest.raises(UsageError, match="lost must be one of censored, ended, stayed"):
        found.with_lost("gone")


def test_unknown_entry_is_refused():
    with pytest.raises(UsageError, match="entry must be one of onset, delayed"):
        dwell_times(ONE, Window("w", ((0.0, 1.0),)), entry="late")


@st.composite
def plates(draw):
    larvae = []
    for _ in range(draw(st.integers(1, 4))):
        t, bouts, last = draw(st.integers(0, 20)) / 4, [], None
        for _ in range(draw(st.integers(1, 8))):
            state = draw(st.sampled_from([s for s in STATES if s != last]))
            stop = t + draw(st.integers(1, 24)) / 4
            bouts.append((state, t, stop))
            gap = draw(st.sampled_from([0, 0, 0, 2.5]))
            t, last = stop + gap, state if gap == 0 else None
        larvae.append((draw(st.sampled_from("pq")), bouts))
    return ethogram(*larvae)


def naive(data, window, delayed):
    table = data.to_bouts().sort_values(["assay", "larva", "t_start"]).reset_index(drop=True)
    ends = table.groupby("assay")["t_stop"].max()
    rows = []
    for low, high in window.intervals:
        for i, bout in table.iterrows():
            same = [
                0 <= j < len(table) and table.loc[j, "larva"] == bout.larva
                and table.loc[j, "assay"] == bout.assay for j in (i - 1, i + 1)
            ]  # fmt: skip
            known = same[0] and bout.t_start - table.loc[i - 1, "t_stop"] <= CONTIGUOUS
            follows = same[1] and table.loc[i + 1, "t_start"] - bout.t_stop <= CONTIGUOUS
            if not known or bout.t_start >= high or bout.t_stop <= low:
                continue
            if bout.t_start < low and not delayed:
                continue
            if bout.t_stop > high:
                end = WINDOW
            elif follows:
                end = ENDED
            else:
                end = RECORDING if bout.t_stop >= ends[bout.assay] - 1 else LOST
            stop = min(bout.t_stop, high)
            rows.append((STATES.index(bout.state), max(low - bout.t_start, 0.0),
                         stop - bout.t_start, end))  # fmt: skip
    return sorted(rows)


@given(plates(), st.integers(0, 8), st.integers(1, 20), st.booleans())
def test_against_a_loop(data, start, width, delayed):
    window = Window("w", ((start, start + width), (start + width + 2, start + width + 9.5)))
    found = dwell_times(data, window, "delayed" if delayed else "onset")
    rows = zip(found.state, found.entry, found.duration, found.end, strict=True)
    expected = naive(data, window, delayed)
    assert [tuple(np.round(r, 6)) for r in sorted(rows)] == [tuple(np.round(r, 6)) for r in
                                                             expected]  # fmt: skip
    assert (found.room >= found.duration).all() and (found.duration > found.entry).all()
