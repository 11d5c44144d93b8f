"""FIMTrack's tables: what is written is what the reader and the tracker's own features say."""

import numpy as np
import pytest

from larvastats.errors import DataError, UsageError
from larvastats.io import fimtrack, fimtrack_write
from larvastats.io.contours import Contours
from larvastats.io.fimtrack_table import read_features
from larvastats.io.paths import AssayIdentity
from larvastats.io.tracks import Tracks

WHO = AssayIdentity("t5", "A", "E", "n#n#n#n", "20200101", "100000", "a/20200101_100000")


def body(n=25, bend=0.0, speed=0.1):
    """A larva of 4 mm that moves up at `speed` mm per frame, bent to the left by `bend` rad."""
    turn = np.repeat([0.0, bend], 5)
    z = np.concatenate([[0], np.cumsum(0.4 * np.exp(1j * (np.pi / 2 + turn)))])[::-1]
    z = z + 1j * speed * np.arange(n)[:, None]
    return np.stack([z.real, z.imag], axis=-1)


def tracks(midline, larva=None, t=None, **more):
    n = len(midline)
    larva = np.zeros(n, int) if larva is None else larva
    t = np.arange(n) / 10 if t is None else t
    names = [str(k) for k in range(int(np.max(larva)) + 1)]
    return Tracks.build(WHO, names, larva, t, midline=midline, **more)


def test_pixels_frames_and_flags(tmp_path):
    path = tmp_path / "a.csv"
    fimtrack_write.write(tracks(body()), path, fps=10, px_per_mm=10)
    found = read_features(path).values
    assert found["spine_length"][:, 0] == pytest.approx(40)
    assert found["bending"][:, 0] == pytest.approx(180)
    assert found["velocity"][10:, 0] == pytest.approx(1.0)  # pixels per frame
    assert (found["velocity"][:10, 0] == 0).all()
    assert np.isnan(found["go_phase"][:10, 0]).all() and (found["go_phase"][10:, 0] == 1).all()
    assert found["acc_dst"][-1, 0] == pytest.approx(24, abs=0.01)
    assert found["dst_to_origin"][-1, 0] == pytest.approx(24, abs=0.01)
    assert (np.diff(found["head_y"][:, 0]) < 0).all()  # up is down in an image
    assert min(found[name].min() for name in ("head_x", "head_y", "tail_x", "tail_y")) >= 49
    back = fimtrack.read_tracks(path, fps=10, px_per_mm=10)
    assert back.states[back.state[-1]] == "run"
    assert back.features["velocity"][-1] == pytest.approx(1.0)  # mm/s


@pytest.mark.parametrize(("bend", "flag"), [(1.0, "left_bended"), (-1.0, "right_bended")])
def test_bends_have_a_side(tmp_path, bend, flag):
    path = tmp_path / "a.csv"
    fimtrack_write.write(tracks(body(bend=bend)), path, fps=10)
    found = read_features(path).values
    other = {"left_bended": "right_bended", "right_bended": "left_bended"}[flag]
    assert (found[flag] == 1).all() and (found[other] == 0).all()
    assert abs(found["bending"][0, 0] - 180) == pytest.approx(57, abs=8)
    assert (found["go_phase"][10:] == 0).all()


def test_outlines_give_area_perimeter_and_radii(tmp_path):
    square = np.array([[-1, 0], [1, 0], [1, 4], [-1, 4]], float)
    shape = body(5, speed=0)
    contour = Contours.from_counts(np.tile(square, (5, 1)), np.full(5, 4))
    path = tmp_path / "a.csv"
    fimtrack_write.write(tracks(shape, contour=contour), path, fps=10, px_per_mm=10)
    found = read_features(path).values
    assert found["area"][:, 0] == pytest.approx(800)
    assert found["perimeter"][:, 0] == pytest.approx(120)
    assert found["radius_2"][:, 0] == pytest.approx(np.hypot(10, 20))


def test_gaps_and_late_larvae_are_blank(tmp_path):
    shape = np.concatenate([body(4), body(3)])
    shape[2] = np.nan
    made = tracks(shape, larva=[0, 0, 0, 0, 1, 1, 1], t=[0, 0.1, 0.2, 0.5, 0.3, 0.4, 0.5])
    path = tmp_path / "a.csv"
    fimtrack_write.write(made, path, fps=10)
    found = read_features(path)
    assert found.frames.tolist() == [0, 1, 2, 3, 4, 5]
    seen = np.isfinite(found.values["head_x"])
    assert seen[:, 0].tolist() == [True, True, False, False, False, True]
    assert seen[:, 1].tolist() == [False, False, False, True, True, True]


@pytest.mark.parametrize(
    ("make", "options", "error", "words"),
    [
        (lambda: tracks(body()), {"fps": 0}, UsageError, "fps must be a positive number, but is 0"),
        (lambda: tracks(body()), {"fps": 10, "px_per_mm": -1}, UsageError, "px_per_mm must be a"),
        (lambda: tracks(body(), t=np.arange(25) * 0.083), {"fps": 10}, DataError,
         "FIMTrack counts frames, but some times are no multiple of 1/10 s"),
        (lambda: tracks(body()[:, :7]), {"fps": 10}, DataError, "Five vertebrae are made of"),
        (lambda: tracks(body(), length_unit="px"), {"fps": 10}, DataError, "but they are in px"),
        (lambda: Tracks.build(WHO, ["0"], [0], [0.0]), {"fps": 10}, UsageError,
         "expected midlines to write"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_one_sentence(tmp_path, make, options, error, words):
    with pytest.raises(error, match=words):
        fimtrack_write.write(make(), tmp_path / "a.csv", **options)
    assert not list(tmp_path.iterdir())
