"""300 real lines described by their occupancy: a ranking, and no p-value from frames."""

import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import jensenshannon

from larvastats.errors import DataError

SCRIPT = Path(__file__).resolve().parents[2] / "analyses" / "03_t5_occupancy.py"


@pytest.fixture(scope="module")
def analysis():
    return runpy.run_path(str(SCRIPT))


@pytest.fixture(scope="module")
def path(shared_data):
    return shared_data / "pasteur_t5" / "action_counts_2s.csv"


@pytest.fixture(scope="module")
def found(analysis, path):
    return analysis["run"](path)


def test_the_table_has_300_lines_and_whole_protocol_names(analysis, found):
    table = found["table"]
    assert len(table) == 300 and table["line"].is_unique
    assert set(table["protocol"]) == {"p_8_45s1x30s0s#p_8_105s10x2s10s#n#n@100"}
    frames = table[list(analysis["ACTIONS"])].sum(axis=1)
    assert (frames == table["n_frames_min"]).all()


def test_all_lines_but_the_control_are_ranked(analysis, found):
    ranking = found["ranking"]
    assert len(ranking) == 299 and analysis["CONTROL"] not in set(ranking["line"])
    assert ranking["hellinger"].is_monotonic_decreasing
    best = ranking.iloc[0]
    assert best["driver"] == "GMR_11D06_AE_01"
    assert best["hellinger"] == pytest.approx(0.3291, abs=1e-4)
    assert ranking.loc[ranking["driver"] == "pBDPGAL4U", "rank"].item() == 201


def test_distances_are_those_of_scipy(analysis, found):
    actions = list(analysis["ACTIONS"])
    table = found["table"].set_index("line")[actions]
    control = table.loc[analysis["CONTROL"]].to_numpy(float)
    control /= control.sum()
    for row in found["ranking"].iloc[::40].itertuples():
        own = table.loc[row.line].to_numpy(float)
        own /= own.sum()
        assert row.js == pytest.approx(jensenshannon(own, control, base=2), rel=1e-9)
        assert row.hellinger == pytest.approx(
            np.sqrt(1 - np.sqrt(own * control).sum()), rel=1e-6
        )  # the other way to write it


def test_frames_taken_for_observations_call_everything_a_hit(found):
    assert (found["frames"]["q_value"] <= 0.05).mean() == 1.0
    # one observation per larva is still wrong, and still calls most lines hits
    assert (found["larvae"]["q_value"] <= 0.05).mean() == pytest.approx(0.602, abs=1e-3)


def test_no_p_value_is_offered(analysis, found, path, tmp_path, capsys):
    assert not any(name.startswith(("p_", "q_")) for name in found["ranking"].columns)
    analysis["main"]([str(path), "--out", str(tmp_path)])
    said = capsys.readouterr().out
    assert "No p-value is given" in said and "100.0% of 299 lines are 'hits'" in said
    names = {file.name for file in tmp_path.iterdir()}
    assert names == {
        "ranking.csv", "ranking.png", "ranking.svg", "occupancy.png", "occupancy.svg",
    }  # fmt: skip
    assert len(pd.read_csv(tmp_path / "ranking.csv")) == 299


def test_another_table_is_refused_in_words(analysis, tmp_path):
    other = tmp_path / "other.csv"
    other.write_text("# remark\nline,run\nA@B,1\n")
    with pytest.raises(DataError, match=r"expected the columns of the t5 table.*bend"):
        analysis["run"](other)
