"""How much larvae, plates and dates vary: components of the controls, and data like them.

All on the scale of transition profiles: the trace of a covariance is one number per level, turned
into a standard deviation on the logit scale, which is what a simulation needs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from larvastats.inference.calibration.pseudo_lines import Controls
from larvastats.inference.profiles.prepare import profiles
from larvastats.markov.transitions import probabilities

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Components:
    """Variance components of controls.

    Attributes
    ----------
    p : ndarray, shape (from, to)
        Pooled transition probabilities of the controls; never-visited rows are uniform.
    visits : ndarray, shape (from,)
        Mean departures from each state per larva.
    trace_larva, trace_plate, trace_date : float
        Variance of one plate's profile from its larvae, its plate and its date.
    larvae_per_plate : float
    sd_plate, sd_date : float
        Standard deviations on the logit scale that make those traces.
    clumping : float
        How much more larvae vary than independent transitions would: a design effect, at least 1.
    n_plates, n_dates : int
    """

    p: Array
    visits: Array
    trace_larva: float
    trace_plate: float
    trace_date: float
    larvae_per_plate: float
    sd_plate: float
    sd_date: float
    clumping: float
    n_plates: int
    n_dates: int


def estimate(controls: Controls) -> Components:
    """Estimate the components by moments: larvae within plates, plates within dates, dates.

    Parameters
    ----------
    controls : Controls
        In one window, transitions counted as jumps or frames.
    """
    plates = controls.assays.counts[:, 0].astype(np.float64)
    larvae = controls.larvae.counts[:, 0].astype(np.float64)
    total = plates.sum(axis=0)
    p = probabilities(total)
    x = profiles(plates, total).x
    larva = _larva_trace(plates, larvae, controls.assay, total)
    within, between, n_dates, size = _date_traces(x, controls.dates)
    plate = max(0.0, within - larva)
    date = max(0.0, (between - within) / size) if n_dates > 1 else 0.0
    kappa = _kappa(p, total)
    n = len(controls.assay) / len(plates)
    return Components(
        p=_filled(p),
        visits=total.sum(axis=1) / max(len(controls.assay), 1),
        trace_larva=larva,
        trace_plate=plate,
        trace_date=date,
        larvae_per_plate=n,
        sd_plate=float(np.sqrt(plate / kappa)),
        sd_date=float(np.sqrt(date / kappa)),
        clumping=max(1.0, larva / _multinomial_trace(plates, p, total)),
        n_plates=len(plates),
        n_dates=n_dates,
    )


def _larva_trace(plates: Array, larvae: Array, assay: NDArray[np.int64], total: Array) -> float:
    """Mean over plates of the variance that the choice of larvae gives a plate's profile."""
    p_bar, pi = probabilities(total), total.sum(axis=1) / total.sum()
    own = np.nan_to_num(probabilities(plates))[assay]
    visits = larvae.sum(axis=-1, keepdims=True)
    at_plate = plates.sum(axis=-1, keepdims=True)[assay]
    share = np.divide(larvae - visits * own, at_plate, out=np.zeros(own.shape), where=at_plate > 0)
    scale = np.divide(pi[:, None], p_bar, out=np.zeros(p_bar.shape), where=np.nan_to_num(p_bar) > 0)
    square = (share**2 * scale).sum(axis=(1, 2))
    n = np.bincount(assay, minlength=len(plates))
    per_plate = np.bincount(assay, weights=square, minlength=len(plates))
    correction = n / np.maximum(n - 1, 1)
    return float((per_plate * correction)[n > 1].mean()) if (n > 1).any() else 0.0


def _date_traces(x: Array, dates: NDArray[np.object_] | None) -> tuple[float, float, int, float]:
    """Mean squares within and between dates, number of dates, plates per date."""
    code = np.zeros(len(x), dtype=np.int64)
    if dates is not None:
        code = np.unique(dates.astype(str), return_inverse=True)[1]
    n_dates = int(code.max()) + 1
    size = np.bincount(code)
    means = np.zeros((n_dates, x.shape[1]))
    np.add.at(means, code, x)
    means /= size[:, None]
    within = float(((x - means[code]) ** 2).sum()) / max(len(x) - n_dates, 1)
    around = ((means - x.mean(axis=0)) ** 2).sum(axis=1)
    between = float((size * around).sum()) / max(n_dates - 1, 1)
    usual = (len(x) - (size**2).sum() / len(x)) / max(n_dates - 1, 1)
    return within, between, n_dates, float(max(usual, 1.0))


def _kappa(p: Array, total: Array) -> float:
    """Trace that independent unit-variance noise on every logit gives the profile."""
    pi = total.sum(axis=1) / total.sum()
    q = np.nan_to_num(p)
    square = (q**2).sum(axis=1, keepdims=True)
    return float((pi[:, None] * q * ((1 - q) ** 2 + square - q**2)).sum())


def _multinomial_trace(plates: Array, p: Array, total: Array) -> float:
    """Mean over plates of the trace that independent transitions would give."""
    pi = total.sum(axis=1) / total.sum()
    n = plates.sum(axis=-1)
    cells = (np.nan_to_num(1 - p) * (np.nan_to_num(p) > 0)).sum(axis=1)
    each = np.divide(pi * cells, n, out=np.zeros(n.shape), where=n > 0)
    return float(max(each.sum(axis=1).mean(), 1e-12))


def _filled(p: Array) -> Array:
    k = len(p)
    return np.where(np.isnan(p), (1 - np.eye(k)) / (k - 1), p)


def with_effect(p: Array, start: int, end: int, delta: float) -> Array:
    """Return probabilities with `delta` added to one cell and taken from its row in proportion.

    Parameters
    ----------
    p : ndarray, shape (from, to)
    start, end : int
    delta : float
        Cut so that the cell stays within [0, 1].
    """
    out = p.copy()
    new = float(np.clip(p[start, end] + delta, 0.0, 1.0))
    rest = 1 - p[start, end]
    out[start] = p[start] * ((1 - new) / rest if rest > 0 else 0.0)
    out[start, end] = new
    return out


def draw_plates(
    components: Components,
    p: Array,
    date_noise: Array,
    plates: int,
    larvae: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Draw the counts of the plates of one genotype on one date, shape (plate, from, to).

    Logit-normal plates around `p` and the date, Poisson departures, Dirichlet-multinomial targets
    whose clumping is the larvae's.

    Parameters
    ----------
    components : Components
    p : ndarray, shape (from, to)
    date_noise : ndarray, shape (from, to)
        On the logit scale.
    plates, larvae : int
    rng : Generator
    """
    k = len(p)
    noise = date_noise + rng.normal(0.0, components.sd_plate, (plates, k, k))
    weight = p * np.exp(noise)
    q = weight / weight.sum(axis=-1, keepdims=True)
    n = rng.poisson(components.visits * larvae, size=(plates, k))
    if components.clumping > 1:
        q = _clumped(q, n, components.clumping, rng)
    return rng.multinomial(n, q)


def _clumped(q: Array, n: NDArray[np.int64], clumping: float, rng: np.random.Generator) -> Array:
    """Draw row probabilities so that n transitions vary `clumping` times more than multinomial."""
    strength = np.maximum((n - clumping) / (clumping - 1), 0.5)
    gamma = rng.standard_gamma(q * strength[..., None] + 1e-12)
    total = gamma.sum(axis=-1, keepdims=True)
    return np.divide(gamma, total, out=q.copy(), where=total > 1e-9)
