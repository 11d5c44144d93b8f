"""How good the time constants of `habituation` are, and how often two are called different.

    python analyses/calibration/habituation.py --draws 1000

20 larvae on each of 5 assays, as in Berne et al. 2023 (eLife 12:e69205, CC BY 4.0), whose
published time constants are among the truths; larvae that go on for a while and plates that differ
(`waning.py`). Beside larvastats stands what is usually done: least squares on the 10 Hz curve of
all larvae, with the intervals of `scipy.optimize.curve_fit`.
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats
from scipy.optimize import OptimizeWarning, curve_fit, minimize
from scipy.special import betaln
from waning import RATE, Truth, binned, frames

from larvastats.inference.habituation import intervals
from larvastats.inference.habituation.compare import Group, compare_tau
from larvastats.inference.habituation.curves import Curves
from larvastats.inference.habituation.fit import fit_curve, make_grid
from larvastats.inference.habituation.gate import gate
from larvastats.inference.habituation.model import (
    Shape,
    berne_shape,
    decay,
    pulse_shape,
    recovery_shape,
    resensitisation,
)
from larvastats.inference.habituation.scores import scores
from larvastats.inference.habituation.study import Choices, Task, study

LARVAE, ASSAYS, BINS = 20, 5, 30
CANTON_S, RUT = 18.9, 5.2
"""tau_des in s of Canton-S and rut, Berne et al. 2023."""

RES_CANTON_S, RES_RUT = 5.3, 3.6
"""tau_res in s after the first pulse."""


def train(tau: float, tau_res: float = RES_CANTON_S, pause: float = 20.0, n: int = 5) -> Truth:
    """Return pulses of 10 s whose start follows Berne's formula with one tau_res."""
    back = 1 - np.exp(-pause / tau_res)
    return Truth(tau, floor=0.0, length=10.0, level=(1.0, *([back] * (n - 1))), pause=pause)


def shape_of(truth: Truth) -> Shape:
    """Return the bins of a truth: 30 of a long stimulus, 1 s of pulses."""
    if len(truth.level) == 1:
        return recovery_shape(np.linspace(0, truth.length, BINS + 1))
    return berne_shape(np.arange(0, truth.length + 0.5), len(truth.level), truth.pause)


def to_curves(share: np.ndarray, shape: Shape, larvae: int = LARVAE) -> Curves:
    """Return the curves of one experiment from frames (assay, pulse, frame)."""
    width = float((shape.stop - shape.start)[0])
    mean = binned(share, width)
    weight = np.full(mean.shape, float(larvae))
    before = np.zeros(len(mean))
    return Curves(mean, weight, before, shape.stop - shape.start, shape, True, "action")


def experiments(truth: Truth, draws: int, seed: int, assays: int = ASSAYS):
    """Yield the frames of experiments, (assay, pulse, frame); drawn in batches."""
    rng = np.random.default_rng(seed)
    for start in range(0, draws, 50):
        n = min(50, draws - start)
        yield from np.split(frames(truth, n * assays, LARVAE, rng), n)


def least_squares(share: np.ndarray, truth: Truth) -> tuple[float, float]:
    """Fit the 10 Hz mean of all larvae; return log tau and its standard error."""
    y = share.mean(axis=0).ravel()
    t = np.tile((np.arange(share.shape[2]) + 0.5) / RATE, share.shape[1])
    pulse = np.repeat(np.arange(share.shape[1]), share.shape[2])

    def model(_, log_tau, *levels):
        e = np.exp(-t / np.exp(log_tau))
        if truth.floor:
            return levels[0] + (levels[1] - levels[0]) * e
        return np.array(levels)[pulse] * e

    levels = [0.2, 0.6] if truth.floor else [0.6] * share.shape[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", (OptimizeWarning, RuntimeWarning))
        try:
            best, cov = curve_fit(model, t, y, [np.log(truth.length / 4), *levels], maxfev=5000)
        except RuntimeError:
            return float("nan"), float("nan")
    return float(best[0]), float(np.sqrt(cov[0, 0]))


def recovered(name: str, truth: Truth, draws: int, seed: int, boot: int) -> dict[str, object]:
    """Bias and coverage of one truth, given that the gate was passed."""
    shape = shape_of(truth)
    grid = make_grid(shape)
    rng = np.random.default_rng([seed, 1])
    passed, taus, held = 0, [], []
    for share in experiments(truth, draws, seed):
        curves = to_curves(share, shape)
        out = study(Task(str(passed), curves, None, Choices()))
        log_tau, se = least_squares(share, truth)
        if out.fit is None:
            continue
        passed += 1
        own = np.arange(ASSAYS)
        arrays = curves.mean, curves.weight, out.fit
        limits = {"profile": out.limits, "score": intervals.score_interval(*arrays, grid, own)}
        if boot:
            limits["bootstrap-t"] = intervals.bootstrap_t_interval(
                *arrays, out.scores, grid, own, boot, rng
            )
        half = min(1.96 * se, 50.0)
        limits["least squares"] = (np.exp(log_tau - half), np.exp(log_tau + half))
        taus.append(out.fit.tau)
        held.append([low <= truth.tau <= high for low, high in limits.values()])
    tau = np.array(taus)
    inside = tau < shape.longest
    row = {"truth": name, "tau": truth.tau, "passed": passed / draws,
           "censored": 1 - inside.mean(), "bias": tau[inside].mean() / truth.tau - 1,
           "median": np.median(tau) / truth.tau - 1}  # fmt: skip
    return row | dict(zip(limits, np.mean(held, axis=0), strict=True))


def truths() -> list[tuple[str, Truth]]:
    """Return the designs of the first table."""
    out = [(f"Berne, 5 x 10 s, tau {t:g}", train(t)) for t in (2, RUT, 10, CANTON_S, 30, 40)]
    long = ((30, 2), (30, RUT), (30, 10), (60, CANTON_S), (120, 40))
    out += [(f"recovery in {n} s, tau {t:g}", Truth(t, floor=0.15, length=n)) for n, t in long]
    weak = Truth(RUT, start=0.3, floor=0.15, length=30)
    out.append(("recovery in 30 s, weak (.30 to .15)", weak))
    out.append(("recovery in 30 s, plates' tau SD .2", Truth(RUT, floor=0.15, tau_sd=0.2)))
    return out


def resensitised(tau_des: float, tau_res: float, draws: int, seed: int) -> dict[str, object]:
    """Bias and coverage of tau_res, and false positives of two groups; pauses of 5 s."""
    truth = train(tau_des, tau_res, pause=5.0, n=3)
    weaker = replace(truth, start=0.4)
    shape, found, held, p = shape_of(truth), [], [], []
    for share, other in zip(experiments(truth, draws, seed), experiments(weaker, draws, seed + 500),
                            strict=True):  # fmt: skip
        control = to_curves(other, shape)
        fit = study(Task("y", control, None, Choices())).fit
        out = study(Task("x", to_curves(share, shape), None, Choices(), control, None, fit))
        if out.pulses:
            p.append(out.resensitisation_p)
            second = out.pulses[1]
            found.append(second.tau_res)
            held.append(second.tau_res_low <= tau_res <= second.tau_res_high)
    value = np.array(found)
    inside = np.isfinite(value)
    return {"tau_des": tau_des, "tau_res": tau_res, "passed": len(found) / draws,
            "censored": 1 - inside.mean(), "bias": value[inside].mean() / tau_res - 1,
            "median": np.median(value[inside]) / tau_res - 1, "covered": np.mean(held),
            "two groups": np.mean(np.array(p)[~np.isnan(p)] <= 0.05)}  # fmt: skip


def gate_errors(draws: int, seed: int) -> pd.DataFrame:
    """Return false positives of the gate: a response that starts at the onset and stays."""
    rows = []
    for memory in (0.5, 1.5, 4.0):
        for level in (0.1, 0.5):
            truth = Truth(1e9, start=level, floor=0.0, memory=memory)
            shape = shape_of(truth)
            rng = np.random.default_rng([seed, 2])
            p = [gate(to_curves(s, shape), 999, rng).p_value
                 for s in experiments(truth, draws, seed)]  # fmt: skip
            pulses = replace(truth, length=2.0, level=(1.0,) * 10)
            ten = pulse_shape(10)
            q = []
            for share in experiments(pulses, draws, seed + 1):
                mean = share.mean(axis=2)
                weight = np.full(mean.shape, float(LARVAE))
                curves = Curves(mean, weight, np.zeros(ASSAYS), np.ones(10), ten, True, "action")
                q.append(gate(curves, 999, rng).p_value)
            rows.append({"level": level, "memory": memory, "30 s": np.mean(np.array(p) <= 0.05),
                         "10 pulses": np.mean(np.array(q) <= 0.05)})  # fmt: skip
    return pd.DataFrame(rows)


def two_groups(
    name: str, a: Truth, b: Truth, draws: int, seed: int, sizes: tuple[int, int] = (5, 5)
) -> dict[str, object]:
    """How often two genotypes are called different."""
    shape = shape_of(a)
    grid, rng = make_grid(shape), np.random.default_rng([seed, 3])
    sides = zip(experiments(a, draws, seed, sizes[0]), experiments(b, draws, seed + 1000, sizes[1]),
                strict=True)  # fmt: skip
    p = []
    for one, other in sides:
        curves = [to_curves(share, shape) for share in (one, other)]
        groups = [Group(c.mean, c.weight, np.arange(len(c.mean))) for c in curves]
        found = compare_tau(groups[0], groups[1], grid, True, False, 499, rng)
        (x, sx), (y, sy) = least_squares(one, a), least_squares(other, b)
        wald = 2 * stats.norm.sf(abs(x - y) / np.hypot(sx, sy))
        p.append([found.p_wild, found.p_approx, wald])
    share = np.mean(np.array(p) <= 0.05 + 1e-9, axis=0)
    return {"groups": name, "assays": f"{sizes[0]} v {sizes[1]}", "wild": share[0], "F": share[1],
            "least squares": share[2]}  # fmt: skip


def comparisons(draws: int) -> pd.DataFrame:
    """Return the table of two groups."""
    even = Truth(8.0, start=0.6, floor=0.2)
    high, low = Truth(8.0, start=0.7, floor=0.3), Truth(8.0, start=0.5, floor=0.4)
    wild, rut = train(CANTON_S), train(RUT, RES_RUT)
    rows = [
        two_groups("equal tau, equal levels", even, even, draws, 1),
        two_groups("equal tau, .7 to .3 v .5 to .4", high, low, draws, 2),
        two_groups("equal tau, .7 to .3 v .5 to .4", high, low, draws, 3, (5, 15)),
        two_groups("equal tau, .7 to .3 v .5 to .4", high, low, draws, 4, (10, 10)),
        two_groups("equal tau, Berne's pulses", wild, wild, draws, 5),
        two_groups("rut v Canton-S, Berne's pulses", rut, wild, max(50, draws // 4), 6),
        two_groups("tau 5.2 v 10, recovery", replace(even, tau=5.2), replace(even, tau=10.0),
                   max(50, draws // 4), 7),
    ]  # fmt: skip
    return pd.DataFrame(rows)


def beta_binomial(curves: Curves, shape: Shape) -> tuple[float, float]:
    """Fit a beta-binomial to every bin of every assay; return log tau and its standard error.

    The sensitivity analysis that takes care of differences between assays, but not of larvae that
    go on from bin to bin.
    """
    n, y = curves.weight, np.rint(curves.weight * curves.mean)

    def minus_log_likelihood(x: np.ndarray) -> float:
        start, floor = 1 / (1 + np.exp(-x[1:3]))
        p = floor + (start - floor) * decay(np.exp(x[:1]), shape)[0]
        precision = np.exp(x[3])
        a, b = np.clip(p, 1e-4, 1 - 1e-4) * precision, np.clip(1 - p, 1e-4, 1 - 1e-4) * precision
        return -float((betaln(y + a, n - y + b) - betaln(a, b)).sum())

    first = np.array([np.log(8.0), 0.4, -1.7, 3.0])
    bounds = [(-1, 6), (-6, 6), (-9, 6), (-2, 8)]
    at = minimize(minus_log_likelihood, first, method="L-BFGS-B", bounds=bounds).x
    h, f = 0.02, minus_log_likelihood
    steps = h * np.eye(4)[:3]  # the precision may lie at its bound and hardly moves the others
    hessian = np.array(
        [[(f(at + i + j) - f(at + i - j) - f(at - i + j) + f(at - i - j)) / (4 * h * h)
          for j in steps] for i in steps]
    )  # fmt: skip
    try:
        variance = np.linalg.inv(hessian)[0, 0]
    except np.linalg.LinAlgError:
        return float(at[0]), float("nan")
    return float(at[0]), float(np.sqrt(variance)) if variance > 0 else float("nan")


def sensitivity(draws: int, seed: int) -> pd.DataFrame:
    """Return the coverage of a beta-binomial model's Wald intervals beside those of the profile."""
    rows = []
    for memory in (0.1, 1.5, 4.0):
        truth = Truth(8.0, floor=0.15, memory=memory)
        shape, held = shape_of(truth), []
        for share in experiments(truth, draws, seed):
            curves = to_curves(share, shape)
            out = study(Task("x", curves, None, Choices()))
            if out.fit is None:
                continue
            log_tau, se = beta_binomial(curves, shape)
            held.append([out.limits[0] <= truth.tau <= out.limits[1],
                         abs(log_tau - np.log(truth.tau)) <= 1.96 * se])  # fmt: skip
        profile, beta = np.mean(held, axis=0)
        rows.append({"memory": memory, "profile": profile, "beta-binomial": beta})
    return pd.DataFrame(rows)


def dated(dates: int, tau_sd: float, draws: int, seed: int) -> dict[str, object]:
    """Coverage and false positives where vials differ: by assay, and by line x date.

    2 plates of line and control per date; SD of the logit of the start .3 between dates, .2 between
    vials, .2 between plates; log tau differs between vials.
    """
    rng = np.random.default_rng(seed)
    truth = Truth(8.0, start=0.6, floor=0.15, plate_sd=0.2)
    shape, m = shape_of(truth), 2 * dates
    grid, day = make_grid(shape), np.repeat(np.arange(dates), 2)
    held, widths, p = [], [], []
    for _ in range(draws):
        date = rng.normal(0, 0.3, dates)
        groups = []
        for _ in range(2):
            vial = [replace(truth, tau=8 * np.exp(rng.normal(0, tau_sd)),
                            start=1 / (1 + np.exp(-(0.4 + d + rng.normal(0, 0.2)))))
                    for d in date]  # fmt: skip
            share = np.concatenate([frames(one, 2, LARVAE, rng) for one in vial])
            groups.append(to_curves(share, shape))
        c = groups[0]
        fit = fit_curve(*c.pooled, grid, True)
        limits = [
            intervals.profile_interval(
                fit, scores(c.mean, c.weight, fit, grid, own), grid, int(own.max())
            )
            for own in (np.arange(m), day)
        ]
        held.append([low <= 8 <= high for low, high in limits])
        widths.append([np.log(min(high, 200) / max(low, 0.3)) for low, high in limits])
        p.append([
            compare_tau(*(Group(g.mean, g.weight, own) for g in groups), grid, True, paired, 99,
                        rng).p_approx
            for own, paired in ((np.arange(m), False), (day, True))
        ])  # fmt: skip
    size = np.mean(np.array(p) <= 0.05, axis=0)
    return {"dates": dates, "tau SD": tau_sd, "covered by assay": np.mean(held, axis=0)[0],
            "by date": np.mean(held, axis=0)[1], "width by assay": np.mean(widths, axis=0)[0],
            "width by date": np.mean(widths, axis=0)[1], "size by assay": size[0],
            "size by date": size[1]}  # fmt: skip


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--boot", type=int, default=199)
    parser.add_argument("--only", default="recovered,resensitised,gate,groups,dates,sensitivity")
    args = parser.parse_args()
    tables = {
        "recovered": lambda: pd.DataFrame(
            [recovered(name, truth, args.draws, 10 + i, args.boot)
             for i, (name, truth) in enumerate(truths())]
        ),
        "resensitised": lambda: pd.DataFrame(
            [resensitised(*taus, args.draws, 50 + i)
             for i, taus in enumerate(((CANTON_S, RES_CANTON_S), (RUT, RES_RUT)))]
        ),
        "gate": lambda: gate_errors(args.draws, 70),
        "dates": lambda: pd.DataFrame(
            [dated(d, sd, args.draws, 90 + d) for d in (2, 3, 5) for sd in (0.0, 0.2, 0.3)]
        ),
        "sensitivity": lambda: sensitivity(max(50, args.draws // 3), 95),
        "groups": lambda: comparisons(args.draws),
    }  # fmt: skip
    assert np.isclose(resensitisation(1 - np.exp(-1.0), 5.0), 5.0)
    for name in args.only.split(","):
        print(tables[name]().to_string(index=False, float_format="%.3f"), "\n", flush=True)


if __name__ == "__main__":
    main()
