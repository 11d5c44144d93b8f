"""Films: drawing, packing, and a convolutional model that neither overflows nor turns white."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch (extra generative)")

from scipy import ndimage

from generative.batches import Batches
from generative.checkpoints import load_model
from generative.config import LossConfig, make_config
from generative.dataset.build import Draw, build_sequences
from generative.dataset.index import read_index
from generative.dataset.indexing import build_index
from generative.dataset.sequences import Sequences
from generative.dataset.windows import Cutting
from generative.distance import from_distance, to_distance
from generative.frames import Pose
from generative.images import PACKED, SIDE, WIDTH, draw_contours, pack_images, unpack_images
from generative.losses import compute_loss
from generative.models import Batch, Conditions, Shape, build_model, hyperparameters
from generative.sampling.films import draw_films, film_latents, film_shapes
from generative.training import train
from larvastats.errors import DataError, UsageError
from larvastats.io import trx
from larvastats.io.contours import Contours
from larvastats.io.paths import database_path


def ellipse(n: int, angle: float = 0.0, bend: float = 0.0) -> np.ndarray:
    """Outline of a larva 4 mm long and 0.8 mm wide."""
    t = np.linspace(0, 2 * np.pi, n, endpoint=False)
    x, y = 2.0 * np.cos(t), 0.4 * np.sin(t)
    y = y + bend * (x**2 - 2.0) / 4
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack((cos * x - sin * y, sin * x + cos * y), axis=1)


POSE = Pose(np.zeros(2), np.array(0.0), np.array(4.0))


def films(rng: np.random.Generator, n: int, frames: int = 30) -> np.ndarray:
    out = []
    for _ in range(n):
        bend = 0.8 * np.sin(np.linspace(0, rng.uniform(2, 9), frames) + rng.uniform(0, 6))
        padded = np.stack([ellipse(60, 0.0, b) for b in bend])
        outline = Contours.from_padded(padded)
        out.append(draw_contours(outline, np.zeros((frames, 2)), POSE))
    return np.stack(out)


def test_a_drawn_larva_has_its_area_and_place() -> None:
    contours = Contours.from_padded(np.stack([ellipse(200), ellipse(200) + np.array([0.5, 0.25])]))
    drawn = draw_contours(contours, np.zeros((2, 2)), POSE)
    scale = SIDE / (WIDTH * 4.0)
    area = np.pi * 2.0 * 0.4 * scale**2
    assert (drawn == 0).sum(axis=(1, 2)) == pytest.approx(
        area, rel=0.1
    )  # edge pixels are the larva's
    centre = np.array(ndimage.center_of_mass(drawn[0] == 0))
    assert centre == pytest.approx([SIDE / 2 - 0.5] * 2, abs=0.6)
    moved = np.array(ndimage.center_of_mass(drawn[1] == 0)) - centre
    assert moved == pytest.approx([-0.25 * scale, 0.5 * scale], abs=0.6)  # up is left


def test_heading_is_turned_away_and_outlines_can_stay_hollow() -> None:
    turned = Contours.from_padded(ellipse(200, angle=1.1)[None])
    pose = Pose(np.zeros(2), np.array(1.1), np.array(4.0))
    straight = draw_contours(Contours.from_padded(ellipse(200)[None]), np.zeros((1, 2)), POSE)
    again = draw_contours(turned, np.zeros((1, 2)), pose)
    assert (straight != again).mean() < 0.003
    hollow = draw_contours(turned, np.zeros((1, 2)), pose, "outline")
    assert (hollow == 0).sum() < 0.4 * (again == 0).sum()
    assert ndimage.label(hollow[0] == 0, np.ones((3, 3)))[1] == 1


def test_packing_takes_a_bit_a_pixel_and_comes_back(rng: np.random.Generator) -> None:
    drawn = (rng.random((2, 3, SIDE, SIDE)) < 0.9).astype(np.uint8)
    packed = pack_images(drawn)
    assert packed.shape == (2, 3, PACKED) and packed.nbytes * 8 == drawn.size
    np.testing.assert_array_equal(unpack_images(torch.from_numpy(packed)).numpy(), 1 - drawn)


def test_frames_without_an_outline_are_refused() -> None:
    with pytest.raises(DataError, match="1 frames have none"):
        draw_contours(Contours.from_counts(ellipse(20), np.array([20, 0])), np.zeros((2, 2)), POSE)


def film_batch(seed: int, n: int) -> Batch:
    x = unpack_images(torch.from_numpy(pack_images(films(np.random.default_rng(seed), n))))
    none = torch.full((n,), -1)
    return Batch(x, torch.ones(n, 30, dtype=torch.bool), Conditions(none, none, none))


def film_model(**options: Any) -> Any:
    torch.manual_seed(0)
    values = hyperparameters("cnn3d_vae", "tiny", options)
    return build_model("cnn3d_vae", Shape(SIDE * SIDE, 30, 1, 1, 1), values)


def overlap(made: torch.Tensor, real: torch.Tensor) -> float:
    a, b = made > 0, real > 0.5
    return float((a & b).sum() / (a | b).sum())


def trained(n: int, steps: int, **options: Any) -> tuple[Any, Batch, list[float]]:
    """A model of a few films, and its losses on the way."""
    batch, model = film_batch(7, n), film_model(skip_dropout=0.5, **options)
    model.begin_films([batch])
    optimizer = torch.optim.AdamW(model.parameters(), 4e-3)
    generator = torch.Generator().manual_seed(0)
    losses = []
    for _ in range(steps):
        noise = torch.randn(model.noise_shape(n, 30), generator=generator)
        loss = compute_loss(model.terms(batch, noise), LossConfig(), 1.0, images=True).total
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model.eval(), batch, losses


@pytest.mark.parametrize("skip", [False, True])
def test_output_starts_at_the_odds_of_the_foreground_and_the_loss_falls(skip: bool) -> None:
    model, batch = film_model(distance=False, skip=skip), film_batch(7, 2)
    model.begin_films([batch])
    with torch.no_grad():
        first = torch.sigmoid(model.decode(torch.zeros(2, model.latent), batch.conditions))
    assert float(first.mean()) == pytest.approx(float(batch.x.mean()), rel=0.6)
    _, _, losses = trained(2, 5, distance=False, skip=skip)
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]


def test_the_foreground_is_that_of_training_films_unless_it_is_given() -> None:
    batch = film_batch(7, 2)
    shorter = Batch(batch.x * 0.5, batch.mask.clone(), batch.conditions)
    shorter.mask[:, 10:] = False
    model = film_model(distance=False)
    model.begin_films([batch, shorter])
    share = (30 * batch.x.mean() + 10 * shorter.x[:, :10].mean()) / 40
    fitted = float(torch.sigmoid(model.image_out.bias.detach()))
    assert fitted == pytest.approx(float(share), rel=1e-4)
    given = film_model(distance=False, foreground=0.5)
    given.begin_films([batch])
    assert float(given.image_out.bias.detach()) == 0.0  # even odds, as the report had it


@pytest.mark.parametrize(("options", "words"), [
    ({"foreground": 0.0, "distance": False}, "foreground must be above 0"),
    ({"foreground": 1.5, "distance": False}, "foreground must be above 0"),
    ({"foreground": 0.1}, "foreground needs distance = false"),
    ({"skip_dropout": 1.5}, "skip_dropout must be from 0 to 1"),
])  # fmt: skip
def test_options_that_cannot_be_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        film_model(**options)


def test_films_come_back_from_directions_and_distances() -> None:
    turns = np.linspace(0, 2.5, 30)  # farther than the axis of a body could tell from one frame
    outline = Contours.from_padded(np.stack([ellipse(60, a, 0.4) for a in turns]))
    drawn = draw_contours(outline, np.zeros((30, 2)), POSE)
    x = unpack_images(torch.from_numpy(pack_images(drawn[None])))
    mask = torch.arange(30)[None] < 24
    angle, maps = to_distance(x, mask)
    assert angle[0, :24].numpy() == pytest.approx(-turns[:24], abs=0.05)  # rows count downwards
    assert overlap(from_distance(angle, maps)[:, :24], x[:, :24]) >= 0.88
    assert bool((maps[0, 24:] == maps[0, 23]).all()) and bool((angle[0, 24:] == angle[0, 23]).all())
    assert float(maps.abs().max()) == 16.0


def test_distances_are_those_of_scipy() -> None:
    x = film_batch(7, 1).x[:, :1]
    cells = np.zeros((64, 64), bool)
    cells[20:40, 9:50] = True
    square = torch.from_numpy(np.kron(cells, np.ones((2, 2)))).float()[None, None]
    maps = to_distance(square, torch.ones(1, 1, dtype=torch.bool))[1][0, 0].numpy()
    inside, outside = (ndimage.distance_transform_edt(c) for c in (cells, ~cells))
    fine = 2 * (np.minimum(inside, 8) - np.minimum(outside, 8))
    np.testing.assert_allclose(maps, fine.reshape(32, 2, 32, 2).mean((1, 3)), atol=1e-4)
    empty = to_distance(torch.zeros_like(x), torch.ones(1, 1, dtype=torch.bool))
    assert bool(torch.isfinite(empty[0]).all()) and bool((empty[1] == -16).all())


def test_directions_are_exact_in_half_precision() -> None:
    batch = film_batch(7, 2)
    angle, maps = to_distance(batch.x, batch.mask)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = to_distance(batch.x, batch.mask)
        back = from_distance(angle, maps)
    torch.testing.assert_close(half[0], angle)
    torch.testing.assert_close(half[1], maps)
    torch.testing.assert_close(back, from_distance(angle, maps))


def test_the_default_begins_with_films_that_it_can_make() -> None:
    model = film_model().eval()
    model.begin_films([film_batch(1, 24), film_batch(2, 24)])
    other = film_batch(3, 6)
    with torch.no_grad():
        posterior = model.encode(other)
        assert overlap(model.decode(posterior.mean, other.conditions), other.x) >= 0.8
        shorter = Batch(other.x[:, :20], other.mask[:, :20], other.conditions)
        assert model.reconstruct(shorter).shape == (6, 20, SIDE, SIDE)
    assert 0.5 < float(posterior.mean.std()) < 1.5  # a latent of unit size
    _, _, losses = trained(4, 5)
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]


@pytest.mark.slow
@pytest.mark.parametrize("skip", [False, True])
def test_reconstructions_from_the_latent_alone_are_larvae(skip: bool) -> None:
    model, batch, losses = trained(6, 250, distance=False, skip=skip)
    assert np.isfinite(losses).all()
    with torch.no_grad():
        made = (model.reconstruct(batch) > 0).numpy()
    real = batch.x.numpy() > 0.5
    assert (made & real).sum() / (made | real).sum() >= 0.8
    assert made.sum() == pytest.approx(real.sum(), rel=0.2)
    pieces = [ndimage.label(image)[1] for film in made for image in film]
    assert np.mean(np.array(pieces) == 1) > 0.95


def test_films_from_recordings_to_a_trained_model(
    make_tracks: Any, alone: Any, tmp_path: Path
) -> None:
    database = tmp_path / "database"
    for k in range(3):
        bare = make_tracks(np.random.default_rng(k), "A", f"20240101_12000{k}", 1, 90)
        along = np.gradient(bare.midline, axis=1)
        across = np.stack((-along[:, :, 1], along[:, :, 0]), axis=2)  # as wide as points are apart
        sides = [bare.midline + across, (bare.midline - across)[:, ::-1]]
        outline = Contours.from_padded(np.concatenate(sides, axis=1))
        tracks = replace(bare, contour=outline)
        path = database / database_path(tracks.identity, "trx.mat")
        path.parent.mkdir(parents=True)
        trx.write(tracks, path)
    build_index(database, tmp_path / "index.h5", Cutting(30, 20, 30, images=True))
    index = read_index(tmp_path / "index.h5")
    sequences = build_sequences(index, tmp_path / "films.h5", Draw((3, 2, 0), "natural"))
    assert sequences.images and sequences.frames.shape == (5, 30, PACKED)
    drawn = unpack_images(torch.from_numpy(np.array(sequences.frames)))
    assert 0.01 < float(drawn.mean()) < 0.3
    config = make_config({"model": {"name": "cnn3d_vae", "preset": "tiny"},
                          "training": {"epochs": 1, "batch_size": 2}})  # fmt: skip
    row = train(sequences, config, tmp_path / "run", alone).rows[0]
    assert np.isfinite(row["bce"]) and np.isfinite(row["validation_loss"])
    assert 0 <= row["r2"] <= 1
    model, description = load_model(tmp_path / "run")
    assert model.IMAGES and description.normaliser is None
    latents = film_latents(model, description, sequences)
    assert latents.z.shape == latents.twins.shape == (3, 32)
    made = draw_films(model, latents, np.array([[0, 0, -1]] * 2), kind="standard")
    assert made.shape == (2, 30, SIDE, SIDE) and made.dtype == bool
    assert (tmp_path / "run" / "losses.png").is_file()


def test_wild_logits_do_not_overflow() -> None:
    from generative.models import Terms

    wild = torch.full((1, 2, 8, 8), 1e4)
    terms = Terms(wild, torch.zeros_like(wild), torch.ones(1, 2).bool(), None)
    assert torch.isfinite(compute_loss(terms, LossConfig(dice=1.0), 1.0, images=True).total)


def test_no_larva_stands_beyond_the_end_of_a_film() -> None:
    frames = np.zeros((1, 30, PACKED), np.uint8)
    frames[0, :12] = pack_images(films(np.random.default_rng(7), 1))[0, :12]
    one = np.zeros(1, np.int16)
    columns = {"length": one + 12, "action": one, "genotype": one, "stimulus": one}
    few = Sequences(frames, columns, {"actions": ("run",)}, True, "mm", "")
    batch = Batches(few, np.array([0]), None, torch.device("cpu")).take(np.array([0]))
    assert batch.mask.sum() == 12
    assert float(batch.x[0, 11].sum()) > 0 and float(batch.x[0, 12:].sum()) == 0


def test_shapes_of_films_are_counted() -> None:
    made = np.zeros((1, 3, 8, 8), bool)
    made[0, 1, 2:4, 2:4] = made[0, 2, 1, 1] = made[0, 2, 6, 6] = True
    found = film_shapes(made)
    np.testing.assert_array_equal(found.area, [[0, 4, 2]])
    np.testing.assert_array_equal(found.pieces, [[0, 1, 2]])
    assert found.white == found.whole == pytest.approx(1 / 3)


def test_films_are_not_drawn_from_a_model_of_midlines(sequences: Any, trained: Path) -> None:
    model, description = load_model(trained)
    with pytest.raises(DataError, match="expected films, but the model is of midlines"):
        film_latents(model, description, sequences)
