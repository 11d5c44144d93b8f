"""Index, proportions, split, draw, training set: against a slow and plain count of the frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

pytest.importorskip("torch", reason="needs torch (extra generative)")

from generative.dataset import indexing as index_module
from generative.dataset.build import Draw, build_sequences, choose
from generative.dataset.draw import draw, natural_weights
from generative.dataset.index import read_index
from generative.dataset.indexing import build_index
from generative.dataset.proportions import Proportions, exact_counts, parse_mix
from generative.dataset.sequences import read_sequences
from generative.dataset.source import read_unit, units
from generative.dataset.split import split_index
from generative.dataset.windows import Cutting, cut
from generative.frames import Pose, from_frames, to_frames
from larvastats.errors import DataError, UsageError
from larvastats.io import trx
from larvastats.io.ingest import ingest
from larvastats.io.tracks import Tracks

Make = Callable[..., Tracks]


def plain_cut(tracks: Tracks, how: Cutting) -> list[tuple[int, int, int, str]]:
    """Larva, start, end, action; frame by frame."""
    found = []
    usual = np.median(np.diff(tracks.t)[np.diff(tracks.larva_index) == 0])
    for larva in range(len(tracks.larvae)):
        own = np.flatnonzero(tracks.larva_index == larva)
        stretch: list[int] = []
        stretches = []
        for k, row in enumerate(own):
            good = np.isfinite(tracks.midline[row]).all() and tracks.state[row] >= 0
            gap = k > 0 and tracks.t[row] - tracks.t[row - 1] > 1.5 * usual
            if stretch and (gap or not good):
                stretches.append(stretch)
                stretch = []
            if good:
                stretch.append(k)
        for frames in [*stretches, stretch]:
            for start in range(0, len(frames), how.length):
                part = frames[start : start + how.length]
                if len(part) >= how.shortest:
                    states = [tracks.states[tracks.state[own[k]]] for k in part]
                    best = max(dict.fromkeys(sorted(states, key=tracks.states.index)),
                               key=states.count)  # fmt: skip
                    found.append((larva, part[0], part[-1] + 1, best))
    return found


def test_cutting_agrees_with_a_plain_count(make_tracks: Make, rng: np.random.Generator) -> None:
    tracks = make_tracks(rng, "A", "20240101_120000", larvae=3, frames=400)
    midline, state = tracks.midline.copy(), tracks.state.copy()
    midline[rng.integers(0, 1200, 12), 3, 0] = np.nan
    state[rng.integers(0, 1200, 6)] = -1
    keep = np.ones(1200, bool)
    keep[rng.integers(0, 1200, 10)] = False  # gaps in time
    holed = Tracks.build(
        tracks.identity, tracks.larvae, tracks.larva_index, tracks.t, midline=midline,
        states=tracks.states, state=state,
    ).take(keep)  # fmt: skip
    how = Cutting(length=40, shortest=7, stride=40)
    windows, actions, lengths = cut(holed, how)
    columns = (windows.larva, windows.start, windows.end, windows.action)
    mine = [(int(a), int(b), int(c), actions[d]) for a, b, c, d in zip(*columns, strict=True)]
    assert mine == plain_cut(holed, how)
    assert len(mine) > 30
    assert np.isfinite(lengths).all()
    np.testing.assert_allclose(windows.dt, 0.1, rtol=1e-5)


def test_overlapping_sequences_reach_every_start(make_tracks: Make, rng) -> None:
    tracks = make_tracks(rng, "A", "20240101_120000", larvae=1, frames=100)
    windows, _, _ = cut(tracks, Cutting(length=40, shortest=10, stride=15))
    assert list(zip(windows.start, windows.end, strict=True)) == [
        (0, 40), (15, 55), (30, 70), (45, 85), (60, 100),
    ]  # fmt: skip


def test_stimulus_state_follows_the_protocol(make_tracks: Make, rng) -> None:
    tracks = make_tracks(rng, "A", "20240101_120000", larvae=1, frames=900)
    windows, _, _ = cut(tracks, Cutting(length=50, shortest=50, stride=50))
    # light at 30-45 s and 60-75 s; sequences of 5 s
    assert list(windows.stimulus) == [1] * 6 + [2] * 3 + [3] * 3 + [2] * 3 + [3] * 3


def test_index_has_the_fields_and_opens_again(indexed: Path, database: Path) -> None:
    index = read_index(indexed)
    assert index.names["genotypes"] == ("A@UAS", "B@UAS")
    assert len(index.names["assays"]) == 8
    unit = units(database)[3]
    tracks = read_unit(unit)[0]
    expected = plain_cut(tracks, index.cutting)
    place = index.names["recordings"].index(unit.name)
    own = np.flatnonzero(index.rows["recording"] == place)
    larva = index.rows["larva"][own] - index.rows["larva"][own].min()
    mine = list(zip(larva, index.rows["start"][own], index.rows["end"][own],
                    [index.names["actions"][k] for k in index.rows["action"][own]],
                    strict=True))  # fmt: skip
    assert mine == expected
    assay = index.names["assays"][index.rows["assay"][own[0]]]
    assert assay == tracks.identity.assay


def test_index_is_the_same_from_several_processes_and_from_pieces(
    database: Path, indexed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*args: object) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "index.h5"
    monkeypatch.setattr(index_module, "_merge", killed)
    with pytest.raises(KeyboardInterrupt):
        build_index(database, path)
    assert not path.exists()
    monkeypatch.undo()
    parts = sorted((tmp_path / ".index.h5.parts").iterdir())
    assert len(parts) == 8
    parts[2].unlink()
    report = build_index(database, path, jobs=2)
    assert report.n_read == 1
    assert not (tmp_path / ".index.h5.parts").exists()
    one, other = read_index(indexed), read_index(path)
    assert one.names == other.names
    for name, column in one.rows.items():
        np.testing.assert_array_equal(column, other.rows[name])
    assert build_index(database, path).n_read == 0  # nothing has changed


def test_a_store_gives_the_same_sequences_as_its_recordings(
    database: Path, indexed: Path, tmp_path: Path
) -> None:
    ingest(database, tmp_path / "store", keep="midline")
    build_index(tmp_path / "store", tmp_path / "index.h5")
    one, other = read_index(indexed), read_index(tmp_path / "index.h5")
    assert one.names["assays"] == other.names["assays"]
    for name in ("larva", "start", "end", "action", "genotype", "stimulus"):
        np.testing.assert_array_equal(one.rows[name], other.rows[name])
    what = Draw((30, 5, 0), "natural")
    first = build_sequences(one, tmp_path / "one.h5", what)
    second = build_sequences(other, tmp_path / "other.h5", what)
    np.testing.assert_allclose(first.frames, second.frames, atol=1e-5)  # a store holds float32
    ingest(database, tmp_path / "bouts", keep="bouts")
    with pytest.raises(DataError, match="made with --keep midline"):
        build_index(tmp_path / "bouts", tmp_path / "no.h5")


def test_recordings_that_cannot_be_read_are_named_and_the_others_go_on(
    database: Path, tmp_path: Path
) -> None:
    import shutil

    copy = tmp_path / "database"
    shutil.copytree(database, copy)
    broken = sorted(copy.rglob("trx.mat"))[0]
    broken.write_bytes(broken.read_bytes()[:4000])
    report = build_index(copy, tmp_path / "index.h5")
    assert report.n_failed == 1
    assert str(broken) in report.failures[0]
    assert report.n_assays == 7


def test_sources_without_sequences_say_why(
    database: Path, tmp_path: Path, make_tracks, rng
) -> None:
    with pytest.raises(UsageError, match="no such file"):
        build_index(tmp_path / "nowhere", tmp_path / "index.h5")
    with pytest.raises(DataError, match="at least 5000 frames"):
        build_index(database, tmp_path / "index.h5", Cutting(5000, 5000, 5000))
    with pytest.raises(UsageError, match="2 <= shortest <= length"):
        build_index(database, tmp_path / "index.h5", Cutting(10, 20, 10))
    tracks = make_tracks(rng, "A", "20240101_120000", larvae=1, frames=60)
    trx.write(tracks.take(np.arange(60)).only(["features"]), tmp_path / "trx.mat")
    with pytest.raises(DataError, match="keep midline"):
        build_index(tmp_path / "trx.mat", tmp_path / "index.h5")
    assert not (tmp_path / "index.h5").exists()


def test_table_of_proportions() -> None:
    table = str(Proportions(("run", "cast", "roll"), (4_800_000, 1_100_000, 100_000)))
    assert table.splitlines() == [
        "action     sequences  proportion",
        "run      4,800,000      80.00%",
        "cast     1,100,000      18.33%",
        "roll       100,000       1.67%",
        "all      6,000,000     100.00%",
    ]


def test_mixes() -> None:
    actions, found = (
        ("run", "cast", "stop", "back", "hunch", "roll"),
        np.array([60, 30, 50, 5, 4, 1]),
    )
    assert "stop" not in parse_mix("natural", actions, found)
    assert parse_mix("natural", actions, found)["run"] == pytest.approx(0.6)
    assert parse_mix("equal", actions, found)["roll"] == pytest.approx(0.2)
    assert exact_counts(parse_mix("report", actions, found), 2_000_000) == {
        "run": 895_000, "cast": 895_000, "back": 100_000, "hunch": 75_000, "roll": 35_000,
    }  # fmt: skip
    assert parse_mix("run=3,stop=1", actions, found) == {"run": 0.75, "stop": 0.25}
    with pytest.raises(UsageError, match="proportions such as"):
        parse_mix("run=lots", actions, found)
    with pytest.raises(DataError, match="'roll'"):
        parse_mix("report", actions, np.array([60, 30, 50, 5, 4, 0]))


@pytest.mark.parametrize("n", [1, 7, 99, 1000])
def test_counts_sum_exactly(n: int, rng: np.random.Generator) -> None:
    share = rng.dirichlet(np.ones(5))
    counts = exact_counts(dict(zip("abcde", share, strict=True)), n)
    assert sum(counts.values()) == n
    assert all(abs(counts[a] - s * n) < 1 for a, s in zip("abcde", share, strict=True))


def test_draw_is_exact_repeats_and_takes_no_frame_twice(database: Path, tmp_path: Path) -> None:
    build_index(database, tmp_path / "index.h5", Cutting(50, 10, 10))
    index = read_index(tmp_path / "index.h5")
    assert index.overlapping
    rows = np.arange(len(index))
    mix = parse_mix("run=0.5,cast=0.4,back=0.1", index.names["actions"],
                    np.bincount(index.rows["action"]))  # fmt: skip
    drawn = draw(index, rows, mix, 200, seed=3)
    np.testing.assert_array_equal(drawn, draw(index, rows, mix, 200, seed=3))
    found = Proportions.of(index.names["actions"], index.rows["action"][drawn])
    assert dict(zip(found.actions, found.counts, strict=True)) | {} == {
        **dict.fromkeys(found.actions, 0), "run": 100, "cast": 80, "back": 20,
    }  # fmt: skip
    taken = {(index.rows["larva"][k], frame) for k in drawn
             for frame in range(index.rows["start"][k], index.rows["end"][k])}  # fmt: skip
    assert len(taken) == (index.rows["end"] - index.rows["start"])[drawn].sum()
    with pytest.raises(DataError, match=r"draw at most [\d,]+ in this mix"):
        draw(index, rows, mix, 4000, seed=3, what="train")


def test_weights_give_back_natural_frequencies(indexed: Path) -> None:
    index = read_index(indexed)
    rows = np.flatnonzero(index.rows["action"] != index.names["actions"].index("stop"))
    mix = parse_mix("equal", index.names["actions"], np.bincount(index.rows["action"]))
    drawn = draw(index, rows, mix, 50, seed=0)
    weight = natural_weights(index, rows, drawn)
    action = index.rows["action"]
    k = len(index.names["actions"])
    natural = np.bincount(action[rows], minlength=k) / len(rows)
    np.testing.assert_allclose(np.bincount(action[drawn], weight, k) / weight.sum(), natural)
    assert weight.mean() == pytest.approx(1.0)


@pytest.mark.parametrize("by", ["assay", "larva"])
def test_no_unit_is_in_two_folds_and_every_genotype_in_each(indexed: Path, by) -> None:
    index = read_index(indexed)
    fold = split_index(index, 0, by=by)
    for unit in np.unique(index.rows[by]):
        assert len(set(fold[index.rows[by] == unit])) == 1
    for genotype in range(2):
        assert set(fold[index.rows["genotype"] == genotype]) == {0, 1, 2}
    assert (fold == 0).mean() > 0.45


def test_too_few_assays_to_split_is_a_sentence(database: Path, tmp_path: Path) -> None:
    recording = sorted(database.rglob("trx.mat"))[0]
    build_index(recording, tmp_path / "index.h5")
    with pytest.raises(DataError, match=r"at least 3 assays .*'A@UAS' has 1; .*--split larva"):
        split_index(read_index(tmp_path / "index.h5"), 0)


def test_training_set_is_in_one_piece_and_gives_back_the_midlines(
    sequences, indexed: Path, database: Path
) -> None:
    with h5py.File(sequences.frames.filename) as file:
        data = file["frames"]
        assert data.chunks is None and data.dtype == np.float32 and data.shape == (384, 50, 24)
    index = read_index(indexed)
    of_name = {unit.name: unit for unit in units(database)}
    column = sequences.columns
    for k in range(0, 384, 37):
        row = column["row"][k]
        name = index.names["recordings"][index.rows["recording"][row]]
        tracks = read_unit(of_name[name])[0]
        larva = index.names["larvae"][column["larva"][k]]
        own = np.flatnonzero(tracks.larva_index == tracks.larvae.index(larva))
        part = own[index.rows["start"][row] : index.rows["end"][row]]
        pose = Pose(column["origin"][k], column["heading"][k], column["body_length"][k])
        n = column["length"][k]
        back = from_frames(sequences.frames[k, :n], pose)
        assert np.abs(back - tracks.midline[part]).max() <= 1e-4  # mm, at 40 mm from the origin
        assert (sequences.frames[k, n:] == 0).all()
        states = [tracks.states[s] for s in tracks.state[part]]
        assert [sequences.actions[a] for a in column["frame_action"][k, :n]] == states
        assert (column["frame_action"][k, n:] == -1).all()


def test_folds_of_a_training_set_share_no_assay(sequences) -> None:
    assay, fold = sequences.columns["assay"], sequences.columns["fold"]
    assert not set(assay[fold == 0]) & set(assay[fold == 1])
    assert (fold == 0).sum() == 320
    assert (fold == 1).sum() == 64
    with pytest.raises(DataError, match="'test'"):
        sequences.fold("test")


def test_a_training_set_is_made_once(indexed: Path, tmp_path: Path) -> None:
    index, path = read_index(indexed), tmp_path / "set.h5"
    first = build_sequences(index, path, Draw((50, 10, 0), "natural", seed=1))
    before = path.stat().st_mtime_ns
    again = build_sequences(index, path, Draw((50, 10, 0), "natural", seed=1), jobs=2)
    assert path.stat().st_mtime_ns == before
    assert again.checksum == first.checksum
    with pytest.raises(DataError, match="other choices"):
        build_sequences(index, path, Draw((50, 10, 0), "natural", seed=2))
    assert [p.name for p in tmp_path.iterdir()] == ["set.h5"]


def test_genotypes_can_be_chosen_and_have_to_exist(indexed: Path) -> None:
    index = read_index(indexed)
    rows, fold, weight = choose(index, Draw((40, 10, 5), "natural", genotypes=("B@UAS",)))
    assert set(index.rows["genotype"][rows]) == {1}
    assert len(rows) == len(fold) == len(weight) == 55
    with pytest.raises(UsageError, match="no genotype 'C'"):
        choose(index, Draw((40, 10, 5), genotypes=("C",)))


def test_a_recording_that_changed_since_is_noticed(database: Path, tmp_path: Path) -> None:
    import os
    import shutil

    copy = tmp_path / "database"
    shutil.copytree(database, copy)
    build_index(copy, tmp_path / "index.h5")
    for path in copy.rglob("trx.mat"):
        os.utime(path, ns=(1, 1))
    with pytest.raises(DataError, match="changed since it was indexed"):
        build_sequences(read_index(tmp_path / "index.h5"), tmp_path / "set.h5",
                        Draw((50, 10, 0), "natural"))  # fmt: skip
    assert sorted(p.name for p in tmp_path.iterdir()) == ["database", "index.h5"]


@pytest.mark.parametrize("kept", [0.001, 0.3, 0.97])
def test_damaged_files_are_sentences(sequences, indexed: Path, tmp_path: Path, kept: float) -> None:
    for whole, read in ((sequences.frames.filename, read_sequences), (indexed, read_index)):
        path = tmp_path / "damaged.h5"
        content = Path(whole).read_bytes()
        path.write_bytes(content[: int(kept * len(content))])
        with pytest.raises(DataError, match=r"damaged\.h5"):
            read(path)
    for read, other in ((read_sequences, indexed), (read_index, sequences.frames.filename)):
        with pytest.raises(DataError, match="something else"):
            read(other)


def test_real_larvae_come_back_exactly(shared_data: Path) -> None:
    for name, reading in (("schleyer", {}), ("fimtrack", {"fps": 10.0, "px_per_mm": 80.0})):
        n = 0
        for unit in units(shared_data / name, reading)[:2]:
            for tracks in read_unit(unit):
                whole = np.isfinite(tracks.midline).all(axis=(1, 2))
                midline = tracks.midline[whole][:500]
                frames, pose = to_frames(midline, 3.0)
                back = from_frames(frames.astype(np.float32), pose)
                assert np.abs(back - midline).max() <= 1e-5 * max(1.0, np.abs(midline).max())
                n += len(midline)
        assert n >= 500
