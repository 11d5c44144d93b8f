"""FIMTrack tables made here, and the real ones beside the repository."""

import gzip
import re

import numpy as np
import pandas as pd
import pytest

from larvastats.errors import DataError, UsageError
from larvastats.io import fimtrack

FLAGS = ("is_coiled", "left_bended", "right_bended", "go_phase")


def table(rows, *, larvae=("larva(0)",), separator=",", extra=("mom_x",)):
    """A table as FIMTrack writes it; `rows` maps a feature to one list per larva."""
    lines = [separator.join(["", *larvae])]
    n = len(next(iter(rows.values()))[0])
    features = {name: [[5] * n] * len(larvae) for name in extra} | rows
    for name, columns in features.items():
        for frame in range(n):
            cells = ["" if column[frame] is None else str(column[frame]) for column in columns]
            lines.append(separator.join([f"{name}({frame})", *cells]))
    return "\n".join(lines) + "\n"


def flags(**given):
    """Rows of all four flags for one larva; a flag that is not given is 0."""
    n = max(len(values) for values in given.values())
    return {name: [list(given.get(name, [0] * n))] for name in FLAGS}


def reads(tmp_path, text, name="group_1.csv", fps=10, **more):
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    return fimtrack.read(path, fps=fps, **more)


def named(ethogram):
    names = [ethogram.states[code] for code in ethogram.state]
    return list(zip(names, ethogram.t_start.round(6), ethogram.t_stop.round(6), strict=True))


MAPPED = {
    "coiled before all": (dict(is_coiled=1, left_bended=1, right_bended=1, go_phase=1), "coiled"),
    "left": (dict(left_bended=1), "cast"),
    "right": (dict(right_bended=1), "cast"),
    "bend before go": (dict(right_bended=1, go_phase=1), "cast"),
    "go": (dict(go_phase=1), "run"),
    "neither": (dict(go_phase=0), "stop"),
    "bend where go is not known": (dict(left_bended=1, go_phase=None), "cast"),
}


@pytest.mark.parametrize("name", MAPPED)
def test_the_default_mapping(tmp_path, name):
    frame, state = MAPPED[name]
    rows = flags(**{flag: [value] * 3 for flag, value in frame.items()})
    assert named(reads(tmp_path, table(rows))) == [(state, 0, 0.3)]


def test_straight_frames_without_go_phase_and_empty_cells_are_not_tracked(tmp_path):
    rows = flags(go_phase=[None] * 5 + [1] * 5 + [None] * 5 + [0] * 5)
    for flag in FLAGS:
        rows[flag][0][10:15] = [None] * 5
    assert named(reads(tmp_path, table(rows))) == [("run", 0.5, 1.0), ("stop", 1.5, 2.0)]


def test_every_larva_is_its_own_track(tmp_path):
    one, two = flags(go_phase=[1] * 4), flags(go_phase=[0] * 4)
    rows = {name: [one[name][0], two[name][0]] for name in FLAGS}
    ethogram = reads(tmp_path, table(rows, larvae=("larva(3)", "larva(12)")))
    assert sorted(ethogram.larvae["larva"]) == ["12", "3"]
    larvae = ethogram.larvae["larva"][ethogram.larva_index]
    assert dict(zip(larvae, named(ethogram), strict=True)) == {
        "3": ("run", 0, 0.4), "12": ("stop", 0, 0.4),
    }  # fmt: skip


def test_frame_rate_sets_the_times(tmp_path):
    assert named(reads(tmp_path, table(flags(go_phase=[1] * 10)), fps=25)) == [("run", 0, 0.4)]


@pytest.mark.parametrize("name", ["group_1.csv", "group_1.csv.gz", "group_1"])
def test_the_file_name_names_assay_and_line(tmp_path, name):
    assay = reads(tmp_path, table(flags(go_phase=[1, 1])), name).assays.iloc[0]
    assert (assay["assay"], assay["genotype"]) == ("group_1", "group_1")


def test_line_and_effector_can_be_given(tmp_path):
    assay = reads(tmp_path, table(flags(go_phase=[1, 1])), line="GMR_1@UAS").assays.iloc[0]
    assert (assay["assay"], assay["line"], assay["effector"]) == ("group_1", "GMR_1", "UAS")


def test_a_database_path_gives_identity(tmp_path):
    folder = tmp_path / "t5" / "GMR_1@UAS" / "p_8_45s1x30s0s#n#n#n" / "20200131_093000"
    folder.mkdir(parents=True)
    assay = reads(folder, table(flags(go_phase=[1, 1]))).assays.iloc[0]
    assert assay["genotype"] == "GMR_1@UAS"
    assert (assay["date"], assay["protocol"]) == ("20200131", "p_8_45s1x30s0s#n#n#n")


def test_own_rules_replace_the_mapping(tmp_path):
    rows = flags(go_phase=[1, 1, 0, 0]) | {"velocity": [[9, 1, 9, 1]]}
    rules = [("dash", {"go_phase": 1, "velocity": 9}), ("other", {"is_coiled": 0})]
    assert named(reads(tmp_path, table(rows), mapping=rules)) == [
        ("dash", 0, 0.1), ("other", 0.1, 0.4),
    ]  # fmt: skip


def test_flicker_can_be_merged(tmp_path):
    rows = flags(go_phase=[1] * 10 + [0] + [1] * 10)
    assert named(reads(tmp_path, table(rows), min_bout=0.2)) == [("run", 0, 2.1)]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators(tmp_path, separator):
    text = table(flags(go_phase=[1] * 4), separator=separator)
    assert named(reads(tmp_path, text)) == [("run", 0, 0.4)]


GOOD = table(flags(go_phase=[1, 1, 0]))
BAD = {
    "another table": ("assay,line\np,A\n", "expected a FIMTrack table.*begins with b'assay,line"),
    "empty": ("", "expected a FIMTrack table"),
    "no flags": (table({"area": [[1, 2]]}), "none of is_coiled, left_bended, right_bended, go_ph"),
    "one flag missing": (
        table({name: rows for name, rows in flags(go_phase=[1]).items() if name != "go_phase"}),
        "there is none of go_phase",
    ),
    "no frame fits": (table(flags(go_phase=[None, None])), "frames that fit a rule"),
    "no number": (GOOD.replace("go_phase(1),1", "go_phase(1),x"), r"numbers in row go_phase\(1\)"),
    "short row": (
        GOOD.replace(",larva(0)", ",larva(0),larva(1)"), r"2 cells in row is_coiled\(0\).*found 1",
    ),
    "long row": (
        GOOD.replace("go_phase(1),1", "go_phase(1),1,1"), r"1 cells in row go_phase\(1\).*found 2",
    ),
    "twice": (GOOD + "go_phase(1),0\n", r"row go_phase\(1\) occurs twice"),
    "no feature": (GOOD + "nonsense,1\n", "line 17, but found b'nonsense'"),
    "negative frame": (GOOD + "go_phase(-1),1\n", r"expected a row 'feature\(frame\)"),
    "a larva twice": (table({f: [[1]] * 2 for f in FLAGS}, larvae=("larva(1)",) * 2), "own column"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_tables_are_refused_in_a_sentence(tmp_path, name):
    text, words = BAD[name]
    with pytest.raises(DataError, match=words) as caught:
        reads(tmp_path, text, "my.csv")
    assert re.fullmatch(re.escape(str(tmp_path / "my.csv")) + r": .*\.", str(caught.value))


def test_the_frame_rate_is_required(tmp_path):
    with pytest.raises(UsageError, match=r"frame numbers but no frame rate.*--fps"):
        reads(tmp_path, GOOD, fps=None)


@pytest.mark.parametrize("wrong", [0, -10, np.nan, np.inf])
def test_the_frame_rate_is_positive(tmp_path, wrong):
    with pytest.raises(UsageError, match="--fps must be a positive number"):
        reads(tmp_path, GOOD, fps=wrong)


@pytest.mark.parametrize("wrong", [[], [("run",)], [("run", {})], [("", {"go_phase": 1})], [5]])
def test_rules_must_be_rules(tmp_path, wrong):
    with pytest.raises(UsageError, match="mapping"):
        reads(tmp_path, GOOD, mapping=wrong)


def test_rules_may_only_ask_for_what_the_table_has(tmp_path):
    with pytest.raises(DataError, match=r"there is none of speed.*give other rules"):
        reads(tmp_path, GOOD, mapping=[("fast", {"speed": 1})])


def test_sniff(tmp_path):
    (tmp_path / "a").write_bytes(gzip.compress(GOOD.encode()))
    (tmp_path / "b").write_text("assay,larva(0)\n")
    assert fimtrack.sniff(tmp_path / "a")
    assert not fimtrack.sniff(tmp_path / "b")
    assert not fimtrack.sniff(tmp_path / "absent")


# -- real larvae -----------------------------------------------------------------------------------


def long_table(path):
    """The same flags by another way: pandas, one row per larva and frame."""
    wide = pd.read_csv(path, index_col=0)
    name = wide.index.str.extract(r"^(.*)\((\d+)\)$")
    wide.index = pd.MultiIndex.from_arrays([name[0], name[1].astype(int)], names=["flag", "frame"])
    wide.columns = wide.columns.str.extract(r"\((\d+)\)")[0].rename("larva")
    return pd.DataFrame({flag: wide.loc[flag].stack(future_stack=True) for flag in FLAGS})


@pytest.mark.parametrize(("group", "n_larvae"), [(1, 7), (2, 4), (3, 6), (4, 3)])
def test_real_larvae_are_read_as_pandas_reads_them(shared_data, group, n_larvae):
    path = shared_data / "fimtrack" / f"group_{group}.csv.gz"
    ethogram = fimtrack.read(path, fps=10)
    assert len(ethogram.larvae) == n_larvae
    cells = long_table(path)
    bent = (cells["left_bended"] == 1) | (cells["right_bended"] == 1)
    state = np.select(
        [cells["is_coiled"] == 1, bent, cells["go_phase"] == 1, cells["go_phase"] == 0],
        ["coiled", "cast", "run", "stop"],
        "none",
    )
    cells = cells.assign(state=state)[state != "none"].reset_index()
    frames = ethogram.to_frames(0.1)
    frames["frame"] = np.rint(frames["t"] * 10).astype(int)
    both = cells.merge(frames, on=["larva", "frame"], how="outer", suffixes=("", "_read"))
    np.testing.assert_array_equal(both["state"].dropna(), both["state_read"][both["state"].notna()])
    # up to two frames without a state between frames with one are no loss of tracking
    assert both["state"].isna().sum() == {1: 2}.get(group, 0)


def test_what_the_documentation_counts_is_so(shared_data):
    cells = pd.concat(
        [long_table(path) for path in sorted((shared_data / "fimtrack").glob("*.csv.gz"))]
    )
    bent = (cells["left_bended"] == 1) | (cells["right_bended"] == 1)
    coiled = cells["is_coiled"] == 1
    straight = ~bent & ~coiled
    counts = {
        "all": len(cells), "coiled": coiled.sum(), "cast": (bent & ~coiled).sum(),
        "run": (straight & (cells["go_phase"] == 1)).sum(),
        "stop": (straight & (cells["go_phase"] == 0)).sum(),
        "none": (straight & cells["go_phase"].isna()).sum(),
        "go while bent": (bent & (cells["go_phase"] == 1)).sum(),
    }  # fmt: skip
    assert counts == {
        "all": 33895, "coiled": 292, "cast": 4267, "run": 25383, "stop": 3764, "none": 189,
        "go while bent": 0,
    }  # fmt: skip
    assert all(f"{counts[name]:,}".replace(",", "") in fimtrack.reader.__doc__.replace(",", "")
               for name in ("all", "coiled", "cast", "run", "stop", "none"))  # fmt: skip
