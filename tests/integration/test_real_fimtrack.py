"""Twenty real larvae under FIMTrack: matrices, divergences, and the warning they deserve."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

SCRIPT = Path(__file__).resolve().parents[2] / "analyses" / "02_fimtrack_larvae.py"


@pytest.fixture(scope="module")
def analysis():
    return runpy.run_path(str(SCRIPT))


@pytest.fixture(scope="module")
def folder(shared_data):
    return shared_data / "fimtrack"


@pytest.fixture(scope="module")
def found(analysis, folder):
    return analysis["run"](folder)


def test_twenty_larvae_in_four_recordings(found):
    larvae = found["larvae"]
    assert larvae.states == ("run", "cast", "stop", "coiled")
    assert larvae.larvae_per_assay.tolist() == [7, 4, 6, 3]
    assert larvae.n_bouts == 1907
    # 33,865 larva-frames at 10 per second, of which 189 carry no state; a frame before a gap of
    # one or two such frames lasts until the next one
    seconds = (larvae.t_stop - larvae.t_start).sum()
    assert 3367.6 - 1e-6 < seconds < 3386.5
    assert seconds == pytest.approx(3370.8, abs=0.05)


def test_matrices_are_row_stochastic_and_unvisited_rows_are_said(found):
    for group in found["larvae"].genotypes:
        matrix = found["matrices"].matrix(group).to_numpy()
        sums = matrix.sum(axis=1)
        visited = ~np.isnan(sums)
        np.testing.assert_allclose(sums[visited], 1.0, atol=1e-12)
        # no larva of group_2 ever coils
        assert visited.tolist() == [True, True, True, group != "group_2"]


def test_divergences_are_those_of_scipy(found):
    matrices = found["matrices"]
    for row in found["distances"].itertuples():
        p, q = (matrices.matrix(name).to_numpy() for name in row.groups.split(" | "))
        both = ~np.isnan(p).any(axis=1) & ~np.isnan(q).any(axis=1)
        p, q = p[both], q[both]
        js = np.mean([jensenshannon(a, b, base=2) for a, b in zip(p, q, strict=True)])
        hellinger = np.linalg.norm(np.sqrt(p) - np.sqrt(q), axis=1).mean() / np.sqrt(2)
        assert row.js == pytest.approx(js, rel=1e-9)
        assert row.hellinger == pytest.approx(hellinger, rel=1e-9)


def test_larvae_as_units_are_enumerated_and_warned_about(found):
    table = found["distances"].set_index("groups")
    assert table["p_as_share"].to_dict() == {
        "group_1 | group_2": "43/330",
        "group_1 | group_3": "850/1716",
        "group_1 | group_4": "88/120",
        "group_2 | group_3": "4/210",
        "group_2 | group_4": "22/35",
        "group_3 | group_4": "27/84",
    }
    assert table["q_value"].min() == pytest.approx(6 * 4 / 210)
    assert table["warning"].str.contains("cannot tell a line from a plate").all()
    # recordings of unequal length are an outcome of their own, and are flagged
    assert "seconds tracked per larva: 123 against 240" in table["recordings"]["group_1 | group_3"]


def test_distance_and_statistic_order_the_pairs_alike_but_for_few_larvae(found):
    table = found["agreement"].set_index("groups")
    assert table["rank_H"].tolist() == [1, 2, 3, 4, 5, 6]
    # three larvae of group_4 make a large distance and no evidence
    assert table.loc["group_1 | group_4", "rank_T"] == 6
    assert table.index[table["rank_T"] == 1].tolist() == ["group_2 | group_3"]
    assert table.index[table["rank_p"] == 1].tolist() == ["group_2 | group_3"]


def test_recordings_as_units_allow_no_test(found):
    honest = found["honest"]
    assert honest["genotype"].tolist() == ["group_2", "group_3", "group_4"]
    assert honest["p_floor"].isna().all()
    assert honest["note"].str.contains("one assay of the line").all()


def test_a_screen_of_single_recordings_describes_and_tests_nothing(analysis, found):
    table = analysis["ls"].screen(found["larvae"], control="group_1").table
    assert table["p_value"].isna().all() and table["q_value"].isna().all()
    assert table["hellinger"].notna().all()
    assert table["note"].str.contains("one assay of the line").all()


def test_occupancies_add_up(found):
    shares = found["occupancy"]
    assert len(shares) == 20
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, atol=1e-12)


def test_the_script_prints_what_the_design_cannot_say(analysis, folder, tmp_path, capsys):
    analysis["main"]([str(folder), "--out", str(tmp_path)])
    said = capsys.readouterr().out
    assert "What this design cannot say: whether the groups differ" in said
    assert "warning: unit is the larva" in said
    names = {path.name for path in tmp_path.iterdir()}
    assert {
        "ethograms.png",
        "matrices.png",
        "distances.csv",
        "transitions.csv",
        "old_and_new.csv",
    } <= names
