import dataclasses
import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from larvastats.errors import UsageError
from larvastats.protocol import (
    Window,
    canonical_protocol,
    contrast,
    default_window,
    match_protocol,
    parse_protocol,
    windows,
)

LIGHT = "r_LED100_30s2x15s30s#n#n#n"
PUFFS = "p_8_45s1x30s0s#p_8_105s10x2s10s#n#n"
INF = math.inf


def times(protocol, spec, **options):
    return {window.name: window.intervals for window in windows(protocol, spec, **options)}


# Resolved times: the report's own protocols, and those that fill their 600 s only as pauses.


def test_light_of_the_report_is_two_lightings_with_15_s_between():
    protocol = parse_protocol(LIGHT)
    assert protocol.intervals == ((30, 45), (60, 75))
    (stimulus,) = protocol.stimuli
    assert (stimulus.slot, stimulus.kind, stimulus.spec) == (1, "r", "LED100")
    assert (stimulus.onset, stimulus.repeats, stimulus.duration, stimulus.gap) == (30, 2, 15, 30)
    assert stimulus.gap_rule == "period"


def test_puffs_of_the_report_start_ten_seconds_apart():
    protocol = parse_protocol(PUFFS)
    starts = [start for start, _ in protocol.intervals]
    assert starts == [45, *range(105, 196, 10)]
    assert {stop - start for start, stop in protocol.intervals[1:]} == {2}


@pytest.mark.parametrize(
    ("text", "last"),
    [("p_5gradient2_0s150x1s3s", (596, 597)), ("p_5gradient2_2s100x1s5s", (596, 597))],
)
def test_other_gaps_are_pauses(text, last):
    protocol = parse_protocol(text)
    assert protocol.stimuli[0].gap_rule == "pause"
    assert protocol.intervals[-1] == last


def test_gap_overrides_the_default_reading():
    assert parse_protocol(LIGHT, gap="pause").intervals == ((30, 45), (75, 90))
    last = parse_protocol("p_5gradient2_0s150x1s3s", gap="period").intervals[-1]
    assert last == (447, 448)


@pytest.mark.parametrize(
    ("slot", "rule"),
    [
        ("r_LED5_1s2x1s2s", "period"),
        ("p_3_1s2x1s2s", "period"),
        ("p_5gradient2_1s2x1s2s", "pause"),
        ("p_1s2x1s2s", "pause"),
        ("r_laser_1s2x1s2s", "pause"),
        ("ch_95grad_1s2x1s2s", "pause"),
    ],
)
def test_default_gap_rule(slot, rule):
    assert parse_protocol(slot).stimuli[0].gap_rule == rule


def test_gap_must_be_a_rule():
    with pytest.raises(UsageError, match=r"gap must be 'period' or 'pause', got 'start'"):
        parse_protocol(LIGHT, gap="start")


def test_one_repeat_with_gap_0_and_decimals():
    assert parse_protocol("ch_95grad_2s1x600s0s").intervals == ((2, 602),)
    protocol = parse_protocol("p_8_0.1s3x0.1s0.1s", gap="pause")
    assert protocol.intervals == ((0.1, 0.2), (0.3, 0.4), (0.5, 0.6))


def test_spec_may_contain_underscores_or_be_absent():
    stimulus = parse_protocol("ch_70grad_m_0s1x600s0s").stimuli[0]
    assert (stimulus.kind, stimulus.spec) == ("ch", "70grad_m")
    stimulus = parse_protocol("ch_2s1x600s0s").stimuli[0]
    assert (stimulus.kind, stimulus.spec) == ("ch", "")


def test_repeats_that_overlap_are_merged_and_noted():
    protocol = parse_protocol("r_LED100_30s3x15s10s")
    assert protocol.stimuli[0].intervals == ((30, 45), (40, 55), (50, 65))
    assert protocol.intervals == ((30, 65),)
    assert windows(protocol)[0].intervals == ((30, 65),)
    (note,) = protocol.notes
    assert "period of 10 s is shorter than the stimulus of 15 s" in note
    assert "--gap pause" in note
    assert note in protocol.describe()
    assert parse_protocol("r_LED100_30s3x15s15s").notes == ()


def test_repeats_that_touch_stay_apart_as_presentations():
    protocol = parse_protocol("p_8_0s3x2s2s")
    assert protocol.intervals == ((0, 2), (2, 4), (4, 6))
    assert windows(protocol, "during")[0].intervals == ((0, 6),)


# Slots that are no stimulus.


@pytest.mark.parametrize("slot", ["fe_0", "fe_0_suc", "st_90_suc", "s_020"])
def test_condition_without_times(slot):
    protocol = parse_protocol(f"{slot}#n#n#n")
    assert protocol.conditions == (slot,)
    assert (protocol.stimuli, protocol.unparsed) == ((), ())
    assert protocol.describe() == f"no stimulus with times; without times: {slot}"


@pytest.mark.parametrize(
    "slot",
    [
        "paired",
        "postch",
        "p_8_45s1x30s",
        "p_8_45s0x30s0s",
        "p_8_45s1x0s0s",
        "p_8_1s999999x1s1s",
        "p_8_٣s1x2s0s",
        "_8_45s1x30s0s",
    ],
)
def test_slot_that_follows_no_rule_is_kept_as_text(slot):
    protocol = parse_protocol(f"ch_95grad_2s1x300s0s#{slot}#n#n")
    assert protocol.unparsed == (slot,)
    assert f"not understood: {slot}" in protocol.describe()
    assert protocol.intervals == ((2, 302),)


@pytest.mark.parametrize("text", ["", "n", "n#n#n#n", " # ", "#", "n@100"])
def test_no_stimulus(text):
    protocol = parse_protocol(text)
    assert protocol.slots == ("n", "n", "n", "n")
    assert not protocol.has_stimulus
    assert protocol.intervals == ()
    assert protocol.describe() == "no stimulus with times"


def test_missing_slots_are_empty_and_a_fifth_is_read():
    assert parse_protocol("paired").slots == ("paired", "n", "n", "n")
    protocol = parse_protocol(f"n#n#n#n#{LIGHT[:20]}")
    assert protocol.stimuli[0].slot == 5


def test_raw_is_kept_and_the_suffix_ignored():
    protocol = parse_protocol(LIGHT + "@100")
    assert protocol.raw == LIGHT + "@100"
    assert protocol.slots == tuple(LIGHT.split("#"))
    assert canonical_protocol(f" {LIGHT} @100@100 ") == LIGHT
    assert canonical_protocol("p@100x") == "p@100x"


def test_frozen_and_hashable():
    protocol = parse_protocol(PUFFS)
    assert hash(protocol) == hash(parse_protocol(PUFFS))
    with pytest.raises(dataclasses.FrozenInstanceError):
        protocol.raw = "x"


def test_intervals_of_all_slots_in_order_without_doubles():
    protocol = parse_protocol("p_8_60s1x2s0s#ch_95grad_2s1x100s0s#x_1_60s1x2s0s#n")
    assert protocol.intervals == ((2, 102), (60, 62))


# Text for people.


def test_describe_prints_resolved_times():
    assert parse_protocol(LIGHT).describe() == (
        "red light LED100: 30–45, 60–75 s (gap read as period, start to start)"
    )
    assert parse_protocol("ch_95grad_2s1x420s0s#p_8_10.5s1x2s0s").describe() == (
        "ch 95grad: 2–422 s; air puff 8: 10.5–12.5 s"
    )
    assert parse_protocol("p_5gradient2_0s150x1s3s").describe() == (
        "air puff 5gradient2: 0–1, 4–5, 8–9, …, 596–597 s (150 intervals) "
        "(gap read as pause, stop to start)"
    )


def test_window_describe():
    assert windows(parse_protocol(LIGHT))[0].describe() == "during: 30–45, 60–75 s"
    assert Window("before", ((-INF, 30),)).describe() == "before 30 s"
    assert Window("after", ((75, INF),)).describe() == "after: from 75 s"
    assert Window("whole", ((-INF, INF),)).describe() == "whole recording"
    assert Window("40:50.5", ((40, 50.5),)).describe() == "40–50.5 s"


# Windows.


def test_window_merges_sorts_and_measures():
    window = Window("x", ((5.0, 6.0), (1.0, 2.0), (2.0, 3.0), (2.5, 4.0)))
    assert window.intervals == ((1, 4), (5, 6))
    assert window.duration == 4
    assert Window("x", ((3, INF),)).duration == INF


@pytest.mark.parametrize("intervals", [((2.0, 2.0),), ((3.0, 2.0),), ((math.nan, 2.0),)])
def test_window_refuses_empty_intervals(intervals):
    with pytest.raises(UsageError, match=r"'x' has an interval from .* start before the stop"):
        Window("x", intervals)
    with pytest.raises(UsageError, match="'x' has no interval"):
        Window("x", ())


def test_each_named_window():
    light = parse_protocol(LIGHT)
    assert times(light, "before") == {"before": ((-INF, 30),)}
    assert times(light, "during") == {"during": ((30, 45), (60, 75))}
    assert times(light, "during_2") == {"during_2": ((60, 75),)}
    assert times(light, "after") == {"after": ((75, INF),)}
    assert times(light, "whole") == {"whole": ((-INF, INF),)}
    assert list(times(light, "each")) == ["before", "during_1", "during_2", "after"]


def test_after_follows_the_last_offset_not_the_last_onset():
    protocol = parse_protocol("ch_95grad_2s1x100s0s#p_8_50s1x2s0s")
    assert times(protocol, "after") == {"after": ((102, INF),)}


def test_stimuli_that_follow_each_other_keep_their_own_window():
    protocol = parse_protocol("ch_95grad_2s1x420s0s#p_5gradient2_422s1x420s0s#n#n")
    assert times(protocol, "during_2") == {"during_2": ((422, 842),)}
    assert times(protocol, "during") == {"during": ((2, 842),)}


def test_default_window():
    assert default_window(parse_protocol(LIGHT)) == windows(parse_protocol(LIGHT), "during")[0]
    assert default_window(parse_protocol("paired")) == Window("whole", ((-INF, INF),))
    assert windows(parse_protocol("paired"), "each") == (Window("whole", ((-INF, INF),)),)


def test_stimulus_from_the_start_has_no_before():
    protocol = parse_protocol("ch_70grad_0s1x600s0s")
    assert list(times(protocol, "each")) == ["during_1", "after"]
    with pytest.raises(UsageError, match="first stimulus at 0 s, so nothing lies before"):
        windows(protocol, "before")
    with pytest.raises(UsageError, match="it has during, during_1, after and whole"):
        windows(protocol, "during_2")


@pytest.mark.parametrize("name", ["before", "during", "during_1", "after"])
def test_window_of_a_stimulus_that_is_not_there(name):
    with pytest.raises(UsageError, match=f"'paired#n#n#n' has no stimulus .* no window '{name}'"):
        windows(parse_protocol("paired#n#n#n"), name)


def test_during_beyond_the_last_names_what_there_is():
    message = r"no window 'during_3'; it has before, during, during_1 to during_2.*30–45, 60–75 s"
    with pytest.raises(UsageError, match=message):
        windows(parse_protocol(LIGHT), "during_3")


@pytest.mark.parametrize("name", ["", "x", "during_0", "during_01", "during_x", "between", "45-60"])
def test_unknown_window(name):
    with pytest.raises(UsageError, match=f"Window '{name}' is not known; expected before"):
        windows(parse_protocol(LIGHT), name)


@pytest.mark.parametrize(
    ("spec", "name", "interval"),
    [
        ("45:60", "45:60", (45, 60)),
        (" 0045.50 : 60. ", "45.5:60", (45.5, 60)),
        (":.5", ":0.5", (-INF, 0.5)),
        ("45:", "45:", (45, INF)),
        (":", "whole", (-INF, INF)),
    ],
)
def test_start_stop(spec, name, interval):
    assert times(parse_protocol("paired"), spec) == {name: (interval,)}


@pytest.mark.parametrize("spec", ["60:45", "45:45", ":0", "0:0"])
def test_start_stop_empty(spec):
    with pytest.raises(UsageError, match=f"'{spec}' is empty; expected the start before the stop"):
        windows(parse_protocol(LIGHT), spec)


@pytest.mark.parametrize("side", ["nan", "inf", "-5", "1e3", "x", "1,5", "٣", "9" * 400])
def test_start_stop_not_a_time(side):
    with pytest.raises(UsageError, match=r"the start .* expected a number of seconds"):
        windows(parse_protocol(LIGHT), f"{side}:60")
    with pytest.raises(UsageError, match=r"the stop .* expected a number of seconds"):
        windows(parse_protocol(LIGHT), f"6:{side}")


def test_start_stop_with_three_parts():
    with pytest.raises(UsageError, match="has 3 parts; expected START:STOP"):
        windows(parse_protocol(LIGHT), "1:2:3")


def test_sliding():
    protocol = parse_protocol("paired")
    assert times(protocol, "sliding:10:5", extent=(0, 22)) == {
        "0:10": ((0, 10),),
        "5:15": ((5, 15),),
        "10:20": ((10, 20),),
    }
    assert times(protocol, "sliding:10:5:30:40") == {"30:40": ((30, 40),)}
    # In binary, (0.3 - 0.1) / 0.1 is a little less than 2; the last window is full all the same.
    tenths = times(protocol, "sliding:.1:.1:0:.3", extent=(0, 99))
    assert list(tenths) == ["0:0.1", "0.1:0.2", "0.2:0.3"]


@pytest.mark.parametrize(
    ("spec", "extent", "message"),
    [
        ("sliding:10", None, "not complete; expected sliding:WIDTH:STEP"),
        ("sliding", None, "not complete"),
        ("sliding:10:5", None, "no range to slide over; write it as sliding:10:5:START:STOP"),
        ("sliding:10:5", (0, INF), "no range"),
        ("sliding:10:5", (math.nan, 5), "no range"),
        ("sliding:0:5:0:9", None, "a step of 0 s"),
        ("sliding:5:0:0:9", None, "a step of 0 s"),
        ("sliding:x:5:0:9", None, "the width 'x'; expected a number of seconds"),
        ("sliding:5:5:0:", None, "the stop ''; expected a number of seconds"),
        ("sliding:10:5:0:9", None, "no full window of 10 s lies between 0 and 9 s"),
        ("sliding:1:.0001:0:9", None, "makes 80001 windows, more than 10000"),
    ],
)
def test_sliding_refusals(spec, extent, message):
    with pytest.raises(UsageError, match=message):
        windows(parse_protocol(LIGHT), spec, extent=extent)


def test_contrast():
    light = parse_protocol(LIGHT)
    during, before = contrast(light, "during-before")
    assert (during.name, before.name) == ("during", "before")
    first, second = contrast(light, "45:60 - :30")
    assert (first.intervals, second.intervals) == (((45, 60),), ((-INF, 30),))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("during", "is not W1-W2"),
        ("during-", "is not W1-W2"),
        ("a-b-c", "is not W1-W2"),
        ("during-during", "with itself"),
        ("during_1-30:45", "with itself"),
        ("each-before", "'each', which is many windows"),
        ("sliding:1:1:0:9-before", "many windows"),
        ("during-between", "'between' is not known"),
    ],
)
def test_contrast_refusals(spec, message):
    with pytest.raises(UsageError, match=message):
        contrast(parse_protocol(LIGHT), spec)


# Choosing a protocol.


def test_match_exact_before_prefix():
    available = ["a_1", "a_12", "b@100"]
    assert match_protocol("a_1", available) == "a_1"
    assert match_protocol("a_12@100", available) == "a_12"
    assert match_protocol("b", available) == "b"
    assert match_protocol("r_LED100_30s2x15s30s", [LIGHT, PUFFS]) == LIGHT


def test_match_without_query():
    assert match_protocol(None, []) == ""
    assert match_protocol(None, [LIGHT, LIGHT + "@100"]) == LIGHT
    with pytest.raises(UsageError, match=r"has 2 protocols; choose .*--protocol: p_8.*r_LED"):
        match_protocol(None, [LIGHT, PUFFS])
    with pytest.raises(UsageError, match=r"'' \(no protocol\), r_LED"):
        match_protocol(None, [LIGHT, ""])
    assert match_protocol("", [LIGHT, ""]) == ""


def test_match_refusals():
    with pytest.raises(UsageError, match=r"'a' is ambiguous: 2 protocols begin so.*: a_1, a_12\."):
        match_protocol("a", ["a_1", "a_12", "b"])
    with pytest.raises(UsageError, match=r"'c' is unknown in this source; it has a_1, b\."):
        match_protocol("c", ["a_1", "b"])
    with pytest.raises(UsageError, match="has no protocol at all"):
        match_protocol("c", [])


def test_match_names_at_most_eight():
    available = [f"x_{k}" for k in range(10, 30)]
    with pytest.raises(UsageError, match=r"x_17 and 12 more") as caught:
        match_protocol("x", available)
    assert "x_18" not in str(caught.value)


# Properties.

piece = st.one_of(
    st.text(max_size=8),
    st.sampled_from(["n", "#", "_", "@100", "s", "x", "p_8_", "45s1x30s0s", "0s3x2s1s", "9" * 400]),
)
any_text = st.one_of(st.text(), st.lists(piece, max_size=8).map("".join))
seconds = st.integers(0, 10**6).map(lambda n: n / 1000)


@st.composite
def timings(draw):
    kind, spec = draw(st.sampled_from([("p", "8"), ("r", "LED100"), ("ch", "95grad_m")]))
    onset, gap = draw(seconds), draw(seconds)
    repeats, duration = draw(st.integers(1, 30)), draw(seconds.filter(bool))
    return kind, spec, onset, repeats, duration, gap


def written(kind, spec, onset, repeats, duration, gap):
    return f"{kind}_{spec}_{onset:.3f}s{repeats}x{duration:.3f}s{gap:.3f}s"


@settings(max_examples=200, deadline=None)
@given(any_text, st.sampled_from([None, "period", "pause"]))
def test_any_text_is_a_protocol(text, gap):
    protocol = parse_protocol(text, gap=gap)
    assert protocol.raw == text
    kept = len(protocol.stimuli) + len(protocol.conditions) + len(protocol.unparsed)
    assert kept == sum(slot != "n" for slot in protocol.slots)
    assert protocol.describe()
    assert all(window.duration > 0 for window in windows(protocol, "each"))
    assert default_window(protocol).describe()


@settings(max_examples=200, deadline=None)
@given(any_text)
def test_canonical_is_idempotent_and_identifies(text):
    canonical = canonical_protocol(text)
    assert canonical_protocol(canonical) == canonical
    assert canonical_protocol(f"{text}@100") == canonical
    assert parse_protocol(canonical).slots == parse_protocol(text).slots
    assert match_protocol(text, [text]) == canonical


@settings(max_examples=100, deadline=None)
@given(st.lists(timings(), min_size=1, max_size=4))
def test_written_protocol_is_recovered(slots):
    protocol = parse_protocol("#".join(written(*slot) for slot in slots))
    found = [(s.kind, s.spec, s.onset, s.repeats, s.duration, s.gap) for s in protocol.stimuli]
    assert found == slots
    for stimulus in protocol.stimuli:
        assert len(stimulus.intervals) == stimulus.repeats
        assert stimulus.intervals[0][0] == stimulus.onset
        gap = stimulus.gap + (stimulus.duration if stimulus.gap_rule == "pause" else 0)
        steps = [b[0] - a[0] for a, b in pairwise(stimulus.intervals)]
        assert steps == pytest.approx([gap] * len(steps), abs=1e-6)


@settings(max_examples=100, deadline=None)
@given(st.lists(timings(), min_size=1, max_size=4))
def test_windows_are_disjoint_and_in_order(slots):
    protocol = parse_protocol("#".join(written(*slot) for slot in slots))
    each = windows(protocol, "each")
    for window in (*each, *windows(protocol, "during")):
        assert all(a[1] < b[0] for a, b in pairwise(window.intervals))
    starts = [window.intervals[0][0] for window in each]
    assert starts == sorted(starts)
    # Presentations of one stimulus never overlap, nor do they reach before or after.
    if len(slots) == 1:
        stops = [window.intervals[-1][1] for window in each]
        assert all(stop <= start for stop, start in zip(stops[:-1], starts[1:], strict=True))
    pooled = Window("x", tuple(i for w in each if w.name.startswith("during") for i in w.intervals))
    assert pooled.intervals == windows(protocol, "during")[0].intervals
