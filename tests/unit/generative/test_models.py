"""Every model: shapes, free-running decoding, what each is known for."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch (extra generative)")

from generative.config import LossConfig
from generative.losses import compute_loss
from generative.models import (
    DEFAULT,
    MODELS,
    PRESETS,
    Batch,
    Conditions,
    Posterior,
    Shape,
    build_model,
    hyperparameters,
)
from generative.models.transition_ae import SPAN
from larvastats.errors import UsageError

SHAPE = Shape(24, 30, 6, 3, 4)
OF_FRAMES = [name for name in MODELS if not MODELS[name].IMAGES]
WITH_POSTERIOR = ["lstm_vae", "transformer_vae_report", "transformer_vae"]


def make(name: str, **options):
    torch.manual_seed(0)
    return build_model(name, SHAPE, hyperparameters(name, "tiny", options)).eval()


@pytest.fixture
def batch(rng: np.random.Generator) -> Batch:
    x = torch.from_numpy(rng.normal(size=(8, 30, 24)).astype(np.float32))
    mask = torch.ones(8, 30, dtype=torch.bool)
    mask[0, 21:] = False
    x = x * mask[:, :, None]
    codes = [torch.from_numpy(rng.integers(-1, n, 8)) for n in (6, 3, 4)]
    return Batch(x, mask, Conditions(*codes))


@pytest.mark.parametrize("name", OF_FRAMES)
def test_shapes_and_gradients(name: str, batch: Batch, rng: np.random.Generator) -> None:
    model = make(name)
    posterior = model.encode(batch)
    assert posterior.mean.shape[-1] == model.latent
    assert model.reconstruct(batch).shape == batch.x.shape
    noise = torch.zeros(model.noise_shape(8, 30))
    assert posterior.mean.shape == noise.shape
    terms = model.terms(batch, noise)
    assert terms.prediction.shape == terms.target.shape
    loss = compute_loss(terms, LossConfig(), 1.0).total
    assert torch.isfinite(loss)
    if model.TRAINED:
        loss.backward()
        assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize("name", WITH_POSTERIOR)
def test_what_lies_beyond_the_end_changes_nothing(name: str, batch: Batch) -> None:
    model = make(name)
    filled = batch.x.clone()
    filled[0, 21:] = 9.0
    with torch.no_grad():
        one = model.encode(batch).mean
        other = model.encode(Batch(filled, batch.mask, batch.conditions)).mean
    torch.testing.assert_close(one, other)


@pytest.mark.parametrize("name", WITH_POSTERIOR)
def test_sequences_longer_than_in_training_can_be_decoded(name: str, batch: Batch) -> None:
    model = make(name)
    z = model.prior().sample(8, torch.Generator().manual_seed(1))
    with torch.no_grad():
        made = model.decode(z, batch.conditions, 45)
    assert made.shape == (8, 45, 24)
    assert torch.isfinite(made).all()


@pytest.mark.parametrize("name", ["lstm_vae", "transformer_vae"])
def test_conditions_change_what_is_decoded(name: str, batch: Batch) -> None:
    model = make(name)
    z = torch.zeros(8, model.latent)
    with torch.no_grad():
        made = model.decode(z, batch.conditions)
        kinds = torch.stack((batch.conditions.action, batch.conditions.genotype,
                             batch.conditions.stimulus), 1)  # fmt: skip
    for a in range(8):
        for b in range(a):
            same = bool((kinds[a] == kinds[b]).all())
            assert torch.equal(made[a], made[b]) == same


def test_autoregressive_decoder_agrees_with_itself_when_given_its_own_frames(batch: Batch) -> None:
    for name in ("transformer_vae_report", "lstm_vae"):
        model = make(name)
        with torch.no_grad():
            z = model.encode(batch).mean
            own = model.decode(z, batch.conditions)
            whole = Batch(own, torch.ones_like(batch.mask), batch.conditions)
            # what it makes from its own frames is what it made
            model.encode = lambda _, z=z: Posterior(z, torch.zeros_like(z))
            again = model.terms(whole, torch.zeros_like(z)).prediction
        torch.testing.assert_close(again, own, rtol=1e-3, atol=1e-4)


def test_attention_to_a_memory_of_one_token_learns_no_query_and_no_key(batch: Batch) -> None:
    model = make("transformer_vae_report")
    compute_loss(
        model.terms(batch, torch.zeros(8, model.latent)), LossConfig(), 1.0
    ).total.backward()
    for layer in model.decoder:
        query, key, value = layer.multihead_attn.in_proj_weight.grad.chunk(3)
        assert query.abs().max() < 1e-7 and key.abs().max() < 1e-7
        assert value.abs().max() > 1e-5


def test_report_model_has_the_size_of_the_report() -> None:
    model = build_model("transformer_vae_report", Shape(24, 50, 6, 1, 1),
                        hyperparameters("transformer_vae_report", "base", {}))  # fmt: skip
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(14.5e6, rel=0.01)


def test_interpolation_is_a_line_with_noise_of_the_fitted_size(batch: Batch) -> None:
    model = make("interpolate")
    start, end = batch.x[:, 0], batch.x[:, 9]
    line = model.transition(start, end, SPAN)
    torch.testing.assert_close(line[:, 0], start)
    torch.testing.assert_close(line[:, -1], end)
    torch.testing.assert_close(line[:, 3], start + (end - start) * 3 / 9)
    model.fit(batch)
    noisy = model.transition(start.repeat(200, 1), end.repeat(200, 1), SPAN,
                             torch.Generator().manual_seed(0))  # fmt: skip
    spread = (noisy - line.repeat(200, 1, 1)).std(dim=(0, 1))
    torch.testing.assert_close(spread, model.noise, rtol=0.05, atol=0)


def test_transition_of_frames_goes_through_the_latent(batch: Batch) -> None:
    model = make("frame_ae")
    made = model.transition(batch.x[:, 0], batch.x[:, 9], 5)
    torch.testing.assert_close(made[:, 0], model.decoder(model.encoder(batch.x[:, 0])))
    torch.testing.assert_close(made[:, -1], model.decoder(model.encoder(batch.x[:, 9])))


def test_transitions_leave_out_stretches_that_are_not_whole(batch: Batch) -> None:
    terms = make("transition_ae").terms(batch, torch.zeros(8, 16))
    assert terms.prediction.shape == (24, SPAN, 24)
    assert (
        terms.mask.all(dim=1).sum() == 23
    )  # of the first sequence the last ten frames are not there


def test_names_presets_and_options_are_checked() -> None:
    for name in MODELS:
        for preset in PRESETS:
            assert hyperparameters(name, preset, {}) == MODELS[name].PRESETS[preset]
    with pytest.raises(UsageError, match=r"one of interpolate, .*, but is 'gan'"):
        hyperparameters("gan", "tiny", {})
    with pytest.raises(UsageError, match="one of tiny, small, base"):
        hyperparameters("lstm_vae", "huge", {})
    with pytest.raises(UsageError, match=r"cannot be built with .*depth=3"):
        build_model("lstm_vae", SHAPE, hyperparameters("lstm_vae", "tiny", {"depth": 3}))


@pytest.mark.parametrize("preset", PRESETS)
def test_the_default_makes_bodies_and_the_plain_one_stays(preset: str) -> None:
    model = build_model(DEFAULT, SHAPE, hyperparameters(DEFAULT, preset, {}))
    assert (model.body, model.latent, model.beta_warmup) == (True, 64, 0.0)
    plain = build_model(DEFAULT, SHAPE, hyperparameters(DEFAULT, preset, {"body": False}))
    assert (plain.body, plain.latent, plain.beta_warmup) == (False, 64, 0.3)


@pytest.mark.parametrize("name", ["interpolate", "transition_ae"])
def test_sequences_shorter_than_a_transition_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="take 10 frames, but sequences have 8"):
        build_model(name, Shape(24, 8, 6, 3, 4), hyperparameters(name, "tiny", {}))


def test_posterior_is_clamped_and_its_divergence_that_of_torch() -> None:
    wild = Posterior.clamped(torch.zeros(2, 3), torch.full((2, 3), 200.0))
    assert torch.isfinite(wild.kl()).all()
    q = Posterior(torch.randn(5, 3), torch.randn(5, 3))
    normal = torch.distributions.Normal(q.mean, (0.5 * q.log_variance).exp())
    expected = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0))
    torch.testing.assert_close(q.kl(), expected, rtol=1e-4, atol=1e-5)
