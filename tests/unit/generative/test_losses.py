"""Losses against their formulas, term by term."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch (extra generative)")

from generative.config import LossConfig
from generative.losses import beta_at, compute_loss, final_beta
from generative.models import Posterior, Terms


@pytest.fixture
def terms(rng: np.random.Generator) -> Terms:
    def normal(*shape: int) -> torch.Tensor:
        return torch.from_numpy(rng.normal(size=shape).astype(np.float32))

    mask = torch.ones(6, 10, dtype=torch.bool)
    mask[0, 7:] = mask[1, 4:] = False
    return Terms(normal(6, 10, 4), normal(6, 10, 4), mask, Posterior(normal(6, 3), normal(6, 3)))


def plain_mse(terms: Terms) -> float:
    return float((terms.prediction - terms.target)[terms.mask].square().mean())


def plain_kl(terms: Terms) -> torch.Tensor:
    q = torch.distributions.Normal(terms.posterior.mean, (0.5 * terms.posterior.log_variance).exp())
    return torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).mean(0)


@pytest.mark.parametrize("kl", ["sum", "mean"])
@pytest.mark.parametrize("name", ["report_plain", "report_warmup"])
def test_report_losses_are_their_formulas(terms: Terms, name, kl) -> None:
    config = LossConfig(name=name, kl=kl, velocity=0.0)
    beta = beta_at(config, 0, 100, epoch=3)
    assert beta == {"report_plain": 1.0, "report_warmup": 0.02}[name]
    loss = compute_loss(terms, config, beta)
    divergence = float(plain_kl(terms).sum() if kl == "sum" else plain_kl(terms).mean())
    assert float(loss.total) == pytest.approx(plain_mse(terms) + beta * divergence, rel=1e-5)
    assert float(loss.parts["kl"]) == pytest.approx(float(plain_kl(terms).sum()), rel=1e-5)


def test_report_schedule_ends_at_a_tenth() -> None:
    config = LossConfig(name="report_warmup")
    assert [beta_at(config, 0, 1, epoch) for epoch in (0, 1, 19, 20, 99)] == pytest.approx(
        [0.005, 0.01, 0.1, 0.1, 0.1]
    )
    assert final_beta(config) == 0.1
    assert final_beta(LossConfig(name="report_plain")) == 1.0


def test_calibrated_loss_is_the_best_gaussian_likelihood_per_number(terms: Terms) -> None:
    config = LossConfig(velocity=0.0)
    loss = compute_loss(terms, config, 0.5)
    numbers = float(terms.mask.sum()) * 4 / 6  # per sequence
    mse = plain_mse(terms)
    expected = 0.5 * np.log(mse) + 0.5 * float(plain_kl(terms).sum()) / numbers
    assert float(loss.total) == pytest.approx(expected, rel=1e-5)
    # the Gaussian log likelihood is largest at variance = MSE
    variance = np.linspace(0.5, 2, 301) * mse
    likelihood = 0.5 * (mse / variance + np.log(variance)) - 0.5
    assert likelihood.min() == pytest.approx(0.5 * np.log(mse), abs=1e-9)


def test_calibrated_gradient_is_that_of_the_log(terms: Terms) -> None:
    prediction = terms.prediction.clone().requires_grad_()
    own = Terms(prediction, terms.target, terms.mask, None)
    compute_loss(own, LossConfig(velocity=0.0), 1.0).total.backward()
    other = terms.prediction.clone().requires_grad_()
    (0.5 * (other - terms.target)[terms.mask].square().mean().log()).backward()
    torch.testing.assert_close(prediction.grad, other.grad)


def test_beta_rises_over_the_first_share_of_the_steps() -> None:
    config = LossConfig(beta=5.0, beta_warmup=0.3)
    assert [beta_at(config, step, 100, 0) for step in (0, 15, 30, 99)] == [0.0, 2.5, 5.0, 5.0]
    assert beta_at(LossConfig(beta_warmup=0.0), 1, 100, 0) == 1.0
    # where the configuration leaves it open, the model says
    assert beta_at(LossConfig(), 15, 100, 0) == 0.5
    assert beta_at(LossConfig(), 1, 100, 0, warmup=0.0) == 1.0
    assert beta_at(LossConfig(beta_warmup=0.3), 15, 100, 0, warmup=0.0) == 0.5


def test_velocity_compares_first_differences_of_frames_that_are_there(terms: Terms) -> None:
    loss = compute_loss(terms, LossConfig(name="report_plain", velocity=2.0), 0.0)
    rest = (terms.prediction - terms.target).diff(dim=1)
    there = terms.mask[:, 1:]
    assert float(loss.parts["velocity"]) == pytest.approx(
        float(rest[there].square().mean()), rel=1e-5
    )
    assert float(loss.total) == pytest.approx(
        plain_mse(terms) + 2 * float(loss.parts["velocity"]), rel=1e-5
    )


def test_acceleration_asks_for_standing_still_and_velocity_does_not() -> None:
    t = torch.linspace(0, 6, 40)
    moving = torch.sin(t)[None, :, None].repeat(2, 1, 4)
    mask = torch.ones(2, 40, dtype=torch.bool)
    scale = torch.tensor(1.0, requires_grad=True)
    for name, sign in (("acceleration", 1), ("velocity", 0)):
        config = LossConfig(name="report_plain", **{"velocity": 0.0, name: 1.0})
        scale.grad = None
        # the exact prediction: only the further term can pull at the size of the movement
        compute_loss(Terms(scale * moving, moving, mask, None), config, 0.0).total.backward()
        assert np.sign(round(float(scale.grad), 6)) == sign


def test_free_bits_leave_small_divergences_alone() -> None:
    mean = torch.tensor([[0.1, 2.0]] * 4, requires_grad=True)
    posterior = Posterior(mean, torch.zeros(4, 2))
    terms = Terms(torch.ones(4, 3, 2), torch.zeros(4, 3, 2), torch.ones(4, 3).bool(), posterior)
    config = LossConfig(name="report_plain", velocity=0.0, free_bits=0.5)
    loss = compute_loss(terms, config, 1.0)
    assert loss.total.item() == pytest.approx(1.0 + 0.5 + 2.0)
    loss.total.backward()
    assert (mean.grad[:, 0] == 0).all() and (mean.grad[:, 1] > 0).all()


def test_two_halves_of_a_batch_give_the_gradient_of_the_whole(terms: Terms) -> None:
    config = LossConfig(velocity=0.3, acceleration=0.1)

    def gradient(parts: list[slice]) -> torch.Tensor:
        """Mean of the gradients of threads that sum what they say, as processes do."""
        barrier, said = threading.Barrier(len(parts)), [torch.zeros(())] * len(parts)

        def one(k: int) -> torch.Tensor:
            def total(value: torch.Tensor) -> torch.Tensor:
                said[k] = value
                barrier.wait(60)
                summed = sum(said)
                barrier.wait(60)
                return summed

            weight, part = torch.ones(4, requires_grad=True), parts[k]
            mean = weight[:3] * terms.posterior.mean[part]
            own = Terms(weight * terms.prediction[part], terms.target[part], terms.mask[part],
                        Posterior(mean, terms.posterior.log_variance[part]))  # fmt: skip
            loss = compute_loss(own, config, 0.7, total=total, processes=len(parts))
            loss.total.backward()
            return weight.grad

        with ThreadPoolExecutor(len(parts)) as pool:
            return sum(pool.map(one, range(len(parts)))) / len(parts)

    whole = gradient([slice(0, 6)])
    halves = gradient([slice(0, 2), slice(2, 6)])
    torch.testing.assert_close(halves, whole, rtol=1e-4, atol=1e-6)


def test_dice_is_in_the_calibrated_loss_of_films_unless_it_is_changed() -> None:
    logits = torch.full((2, 3, 8, 8), -4.0)  # white images
    target = torch.zeros(2, 3, 8, 8)
    target[:, :, 2:4, 2:6] = 1.0
    terms = Terms(logits, target, torch.ones(2, 3).bool(), None)
    plain = compute_loss(terms, LossConfig(dice=0.0), 1.0, images=True)
    for config in (LossConfig(name="report_plain"), LossConfig(name="report_warmup")):
        assert float(compute_loss(terms, config, 1.0, images=True).total) == float(plain.total)
    p = float(torch.sigmoid(torch.tensor(-4.0)))
    missing = 1 - (2 * 8 * p + 1) / (64 * p * p + 8 + 1)
    for config, weight in ((LossConfig(), 1.0), (LossConfig(dice=0.3), 0.3)):
        both = compute_loss(terms, config, 1.0, images=True)
        assert float(both.total - plain.total) == pytest.approx(weight * missing, rel=1e-4)
