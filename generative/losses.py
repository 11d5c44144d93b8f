"""What training minimises: reconstruction, KL divergence, and what keeps motion lively.

Three losses by name, for ``D`` numbers per sequence (frames that are there, times numbers each):

``report_plain``
    ``MSE + KL``, the report's first. As a likelihood this is a Gaussian decoder of variance
    ``D / 2``: 600 for 50 frames of 24 numbers of unit variance, more than any direction of the
    data has, so that the best posterior is the prior (Lucas et al. 2019, Don't Blame the ELBO,
    arXiv:1911.02469): posterior collapse.
``report_warmup``
    ``MSE + b_t KL``, ``b_t = min(0.1, 0.005 (t + 1))`` in epoch t, the report's second:
    variance 60.
``calibrated``
    ``1/2 log MSE + b_t KL / D``: the variance is the one that fits best (sigma-VAE, Rybkin,
    Daniilidis & Levine 2021, arXiv:2006.13202), divided by D. ``b_t`` rises from 0 to ``beta`` over
    the first ``beta_warmup`` of all steps; by default .3, and 0 where a model begins with a latent
    that is used.

The report does not say whether its KL is summed or averaged over dimensions; ``kl`` chooses, and is
``sum`` in ``calibrated``. For films the error is a cross-entropy per pixel. With ``b_t KL / D``, D
pixels of a film, that is the bound on the likelihood of pixels, divided by D; with ``b_t KL``, as
the report has it, a nat in the latent has to spare a nat in every pixel. ``calibrated`` adds
``1 - Dice`` of every image, which an empty image does not lower.

Further terms: ``velocity`` weighs the error of first differences (of the target's, so a larva that
moves is asked for). ``acceleration`` weighs squared second differences of the prediction alone; its
minimum is a larva that stands still or glides, and that is what it makes (the report saw so).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from generative.config import LossConfig
from generative.models.base import Terms

Reduce = Callable[[Tensor], Tensor]
"""Sum of a tensor of numbers over all processes; without gradient."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Value to minimise, and the parts that are logged (detached, of all processes).

    Attributes
    ----------
    total : Tensor, shape ()
    parts : dict of str to float tensors, shape ()
        ``loss``, ``mse`` (films: ``bce``), ``kl`` (nats), ``beta``, and further terms as used.
    """

    total: Tensor
    parts: dict[str, Tensor]


def alone(values: Tensor) -> Tensor:
    """Sum over the one process there is."""
    return values


def beta_at(
    config: LossConfig, step: int, steps: int, epoch: int, warmup: float = 0.3
) -> float:  # fmt: skip
    """Weight of the KL divergence.

    Parameters
    ----------
    config : LossConfig
    step, steps : int
        Step, from 0, of how many.
    epoch : int
        From 0.
    warmup : float
        The model's ``beta_warmup``; counts where the configuration has none.
    """
    if config.name == "report_plain":
        return 1.0
    if config.name == "report_warmup":
        return min(0.1, 0.005 * (epoch + 1))
    share = warmup if config.beta_warmup is None else config.beta_warmup
    ramp = max(1.0, share * steps)
    return config.beta * min(1.0, step / ramp)


def final_beta(config: LossConfig) -> float:
    """Weight at which validation losses are compared, whatever the epoch."""
    return {"report_plain": 1.0, "report_warmup": 0.1}.get(config.name, config.beta)


def compute_loss(
    terms: Terms,
    config: LossConfig,
    beta: float,
    *,
    images: bool = False,
    total: Reduce = alone,
    processes: int = 1,
) -> Loss:
    """Compute a loss.

    Parameters
    ----------
    terms : Terms
        Of this process's share of the batch.
    config : LossConfig
    beta : float
    images : bool
        Whether predictions are logits of films.
    total : callable
        Sums a tensor over all processes. Means are over the whole batch: the gradients, averaged
        over processes, are the same for any number of them.
    processes : int

    Returns
    -------
    Loss
    """
    mean = _Means(total, processes)
    n = terms.mask.sum()
    width = terms.target.shape[2:].numel()
    if images:
        error, parts = _film_error(terms, config, mean)
    else:
        squares = (terms.prediction - terms.target).square().flatten(2).mean(2)
        error = mean((squares * terms.mask).sum(), n)
        parts = {"mse": mean.value(error)}
    loss = error
    if config.name == "calibrated" and not images:
        loss = _half_log(error, mean.value(error))
    kl, kl_nats = _kl(terms, config, mean)
    if kl is not None and kl_nats is not None:
        # numbers per sequence
        d = mean.value(mean(n * width, terms.mask.new_tensor(len(terms.mask), dtype=torch.int64)))
        loss = loss + beta * (kl / d if config.name == "calibrated" else kl)
        parts |= {"kl": mean.value(kl_nats), "beta": torch.tensor(beta)}
    if not images:
        loss = loss + _motion(terms, config, mean, parts)
    return Loss(loss, {"loss": mean.value(loss), **parts})


class _Means:
    """Means over the batch of all processes, such that averaged gradients are right."""

    def __init__(self, total: Reduce, processes: int) -> None:
        self.total, self.processes = total, processes

    def __call__(self, own_sum: Tensor, own_count: Tensor) -> Tensor:
        count = self.total(own_count.detach().clone()).clamp(min=1)
        return own_sum * self.processes / count

    def value(self, share: Tensor) -> Tensor:
        """Value over all processes of what ``__call__`` returned here; no gradient."""
        return self.total(share.detach().clone()) / self.processes


def _half_log(share: Tensor, whole: Tensor) -> Tensor:
    """Half the log of a mean over all processes; its gradient is right from every share."""
    whole = whole.clamp(min=1e-12)
    return 0.5 * (share / whole - 1.0 + whole.log())


def _kl(terms: Terms, config: LossConfig, mean: _Means) -> tuple[Tensor | None, Tensor | None]:
    """KL divergence as the loss takes it, and in nats summed over dimensions."""
    if terms.posterior is None:
        return None, None
    each = terms.posterior.kl()  # (B, Z)
    count = torch.tensor(len(each), device=each.device)
    per_dimension = mean(each.sum(0), count)  # (Z,)
    nats = per_dimension.sum()
    if config.free_bits > 0:  # Kingma et al. 2016, arXiv:1606.04934, equation 15
        whole = mean.value(per_dimension)
        per_dimension = torch.where(whole > config.free_bits, per_dimension, config.free_bits)
    kl = per_dimension.mean() if config.kl == "mean" else per_dimension.sum()
    return kl, nats


def _motion(terms: Terms, config: LossConfig, mean: _Means, parts: dict[str, Tensor]) -> Tensor:
    """Terms of velocity and acceleration."""
    extra = terms.prediction.new_zeros(())
    if config.velocity_weight > 0 and terms.target.shape[1] > 1:
        both = terms.mask[:, 1:] & terms.mask[:, :-1]
        rest = (terms.prediction - terms.target).diff(dim=1).square().mean(2)
        error = mean((rest * both).sum(), both.sum())
        whole = mean.value(error)
        parts["velocity"] = whole
        scaled = _half_log(error, whole) if config.name == "calibrated" else error
        extra = extra + config.velocity_weight * scaled
    if config.acceleration > 0 and terms.target.shape[1] > 2:
        all_three = terms.mask[:, 2:] & terms.mask[:, 1:-1] & terms.mask[:, :-2]
        bends = terms.prediction.diff(n=2, dim=1).square().mean(2)
        error = mean((bends * all_three).sum(), all_three.sum())
        parts["acceleration"] = mean.value(error)
        extra = extra + config.acceleration * error
    return extra


def _film_error(terms: Terms, config: LossConfig, mean: _Means) -> tuple[Tensor, dict[str, Tensor]]:
    """Cross-entropy per pixel, and 1 - Dice; target 1 where the larva is."""
    weight = terms.target.new_tensor(config.positive_weight)
    each = functional.binary_cross_entropy_with_logits(
        terms.prediction, terms.target, reduction="none", pos_weight=weight
    )
    bce = mean((each.flatten(2).mean(2) * terms.mask).sum(), terms.mask.sum())
    parts = {"bce": mean.value(bce)}
    if config.dice_weight <= 0:
        return bce, parts
    # Milletari, Navab & Ahmadi 2016, V-Net, arXiv:1606.04797, image by image
    p = torch.sigmoid(terms.prediction).flatten(2)
    y = terms.target.flatten(2)
    overlap = (2 * (p * y).sum(2) + 1) / (p.square().sum(2) + y.square().sum(2) + 1)
    missing = mean(((1 - overlap) * terms.mask).sum(), terms.mask.sum())
    parts["dice"] = mean.value(missing)
    return bce + config.dice_weight * missing, parts
