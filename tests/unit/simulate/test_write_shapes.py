"""Shapes on disk: what readers read back, any number of workers, and bad input."""

import json

import h5py
import numpy as np
import pytest

from larvastats.errors import UsageError
from larvastats.io import choreography, fimtrack, trx
from larvastats.io.ingest import ingest
from larvastats.io.source import load
from larvastats.simulate.design import ScreenDesign, plan
from larvastats.simulate.recording import Camera, film_plate
from larvastats.simulate.states import screen_model
from larvastats.verbs.simulate import simulate

TINY = {"lines": 1, "assays_per_line": 1, "dates": 1, "control_assays_per_date": 1, "larvae": 4}
FORMATS = ("trx", "choreography", "fimtrack")
FAULTY = "jitter=0.05,nan=0.05,points=0.05,flip=0.05,merge=0.02,lost=0.03"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    root = tmp_path_factory.mktemp("shapes")
    for name in FORMATS:
        simulate(
            root / name, format=name, shapes="contour", contour_points=20, faults=FAULTY, seed=5,
            effects=[], **TINY,
        )  # fmt: skip
    return root


@pytest.fixture(scope="module")
def original():
    """What is filmed on the control's plate."""
    design = ScreenDesign(
        screen_model(), ("GMR_72F11_AE_01",), dates=1, assays_per_line=1,
        control_assays_per_date=1, larvae=(3, 5),
    )  # fmt: skip
    plate = next(p for p in plan(design) if p.line == design.control)
    rates = {part.split("=")[0]: float(part.split("=")[1]) for part in FAULTY.split(",")}
    return film_plate(design, 5, plate, Camera(contour_points=20, faults=rates))


def only(root, pattern):
    (found,) = root.rglob(pattern)
    return found


def test_trx_holds_spine_contour_series_and_actions(written, original):
    path = only(written / "trx", "*FCF*/**/trx.mat")
    (tracks,) = trx.read_tracks(path)
    expected = original[0]
    assert tracks.larvae == expected.larvae and (tracks.t == expected.t).all()
    np.testing.assert_array_equal(tracks.midline, expected.midline)
    np.testing.assert_array_equal(tracks.contour.vertices, expected.contour.vertices)
    assert (tracks.contour.counts == expected.contour.counts).all()
    for name, series in expected.features.items():
        np.testing.assert_array_equal(tracks.features[name], series)
    assert [tracks.states[k] for k in tracks.state] == [expected.states[k] for k in expected.state]
    with h5py.File(path) as file:
        contour = file[file["trx/x_contour"][0, 0]]
        assert contour.shape[0] == 500 and np.isnan(contour[21:]).all()


def test_choreography_holds_spines_outlines_and_labels(written, original):
    folder = only(written / "choreography", "*FCF*/**/*.spine").parent
    tracks = choreography.read(only(folder, "*.spine"))
    expected = original[0]
    whole = np.isfinite(expected.midline).all(axis=(1, 2)) & (expected.contour.counts > 0)
    kept = expected.take(whole)
    assert tracks.n_frames == whole.sum()
    np.testing.assert_allclose(tracks.midline, kept.midline, atol=6e-4)
    np.testing.assert_allclose(tracks.contour.vertices, kept.contour.vertices, atol=6e-4)
    assert load(written / "choreography").states[:3] == ("run", "cast", "stop")


def test_fimtrack_holds_five_points_in_pixels(written, original):
    path = only(written / "fimtrack", "*FCF*/**/fimtrack.csv")
    tracks = fimtrack.read_tracks(path, fps=10, px_per_mm=10)
    expected = original[0]
    whole = np.isfinite(expected.midline).all(axis=(1, 2))
    assert tracks.midline.shape == (whole.sum(), 5, 2)
    # y points down and the origin is the image's: shapes agree up to that
    head = tracks.midline[:, 0] - tracks.midline[:, -1]
    true = (expected.midline[whole, 0] - expected.midline[whole, -1]) * [1, -1]
    np.testing.assert_allclose(head, true, atol=0.02)
    assert set(tracks.states) >= {"run", "cast", "stop"}


def test_all_of_it_can_be_ingested(written, tmp_path):
    for name in FORMATS:
        options = {"fps": 10.0, "px_per_mm": 10.0} if name == "fimtrack" else {}
        keep = "midline" if name == "fimtrack" else "contour"
        report = ingest(written / name, tmp_path / name, keep=keep, **options)
        assert report.n_failed == 0 and report.n_ok == 2, name
        assert len(load(tmp_path / name).assays) == 2


def test_the_truth_of_every_frame_is_there(written, original):
    tracks, truth = original
    content = json.loads((written / "trx" / "truth.json").read_text())["film"]
    assert content["fps"] == 10 and content["contour_points"] == 20
    assert content["fault_rates"]["jitter"] == 0.05
    with h5py.File(written / "trx" / content["file"]) as file:
        group = file[tracks.identity.assay]
        assert list(file.attrs["states"]) == list(tracks.states)
        assert (group["larva"][:] == truth.larva).all()
        assert (group["true_larva"][:] == truth.true_larva).all()
        assert (group["t"][:] == tracks.t).all() and (group["state"][:] == truth.state).all()
        for name, mark in truth.faults.items():
            assert (group[f"fault_{name}"][:] == mark).all()
        np.testing.assert_array_equal(group["bodies/length"][:], truth.bodies.length)
        frames = sum(len(file[p]["t"]) for p in _assays(file))
    assert frames == content["frames"]["written"]


def _assays(file):
    found = []
    file.visit(lambda name: found.append(name[:-2]) if name.endswith("/t") else None)
    return found


def test_any_number_of_workers_writes_the_same_files(written, tmp_path):
    simulate(
        tmp_path / "trx", format="trx", shapes="contour", contour_points=20, faults=FAULTY, seed=5,
        effects=[], jobs=2, **TINY,
    )  # fmt: skip
    one = {p.relative_to(written): p for p in sorted((written / "trx").rglob("*"))}
    two = {p.relative_to(tmp_path): p for p in sorted((tmp_path / "trx").rglob("*"))}
    assert list(one) == list(two)
    for path in one:
        if one[path].is_file():
            assert one[path].read_bytes() == two[path].read_bytes(), path


def test_shapes_change_no_action(tmp_path):
    plain = load(simulate(tmp_path / "plain", format="trx", seed=5, **TINY))
    filmed = load(simulate(tmp_path / "film", format="trx", shapes="midline", seed=5, **TINY))
    for name in ("state", "t_start", "t_stop", "larva_index"):
        np.testing.assert_allclose(getattr(plain, name), getattr(filmed, name), atol=1e-9)


def test_an_earlier_film_is_replaced_and_other_files_are_not(tmp_path):
    for _ in range(2):
        simulate(tmp_path / "a", format="choreography", seed=1, contour_points=8, **TINY)
    (tmp_path / "a" / "mine.spine.txt").write_text("x")
    with pytest.raises(UsageError, match=r"holds mine.spine.txt"):
        simulate(tmp_path / "a", format="choreography", seed=1, **TINY)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": "choreo"}, "format must be one of .* but is 'choreo'; did you mean 'choreog"),
        ({"format": "tidy", "shapes": "midline"}, "A tidy table holds no shapes"),
        ({"format": "tidy", "fps": 20}, "fps says how shapes are filmed, but no shapes are"),
        ({"format": "trx", "faults": "nan=0.1"}, "faults says how shapes are filmed"),
        ({"shapes": "none"}, "Format 'choreography' holds nothing but shapes"),
        ({"shapes": "spines"}, "shapes must be one of none, midline, contour, but is 'spines'"),
        ({"fps": 3}, "fps must be a number from 5"),
        ({"contour_points": 2}, "contour_points must be a whole number from 8 to 2000"),
        ({"faults": "nann=0.1"}, "did you mean 'nan'"),
        ({"format": "fimtrack", "faults": "times=0.1"}, "FIMTrack counts frames and knows no ti"),
        ({"format": "fimtrack", "px_per_mm": 0}, "px_per_mm must be a positive number"),
        ({"format": "tidy", "effects": [{"line": "GMR_72F11_AE_01", "kind": "speed", "delta": 2}]},
         "An effect of kind 'speed' .* shows in frames alone, but bouts are written"),
        ({"larvae": 0}, "larvae must be a whole number of at least 1, but is 0"),
        ({"seed": -1}, "seed must be a whole number from 0 on"),
        ({"jobs": 0}, "jobs must be a whole number from 1 up"),
        ({"lines": 8000, "assays_per_line": 400, "larvae": 100, "fps": 100, "dates": 100},
         "billion frames of larvae, but at most 2 billion"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence_and_writes_nothing(tmp_path, change, words):
    settings = {"format": "choreography", "effects": [], **TINY, **change}
    with pytest.raises(UsageError, match=words):
        simulate(tmp_path / "x", **settings)
    assert not list(tmp_path.iterdir())
