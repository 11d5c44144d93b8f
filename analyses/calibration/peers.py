"""What else could one do? Size and power of larvastats' default beside other tests.

    python analyses/calibration/peers.py --lines 500

4 plates of 30 larvae against 40 controls, plate SD .15, no dates; effect: cast->run -.12. Beside
the default: plug-in Hellinger distance (uniform rows) and G by relabelling plates, unstudentised;
chi-square on pooled transitions (every transition independent, as larva-level tests have it); and
Kruskal-Wallis per transition on per-plate frequencies with plates relabelled and the largest of the
statistics taken (the way of keypoint-MoSeq, with its unit and its p-value put right).
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from chains import LARVA, World, draw_screen, screen_tests
from scipy import stats

from larvastats.inference.calibration.components import with_effect
from larvastats.inference.design.blocks import make_design
from larvastats.inference.lines import pooled
from larvastats.inference.relabelling.plans import Budget, free_plan
from larvastats.markov.transitions import probabilities

WORLD = World("peers", line_plates=4, control_plates=40, plate_sd=0.15)


def chi_square(counts: np.ndarray, is_line: np.ndarray) -> float:
    """Sum of the rows' chi-squares on pooled transitions."""
    total, df = 0.0, 0
    for i in range(counts.shape[1]):
        table = np.stack([counts[is_line, i].sum(axis=0), counts[~is_line, i].sum(axis=0)])
        table = table[:, table.sum(axis=0) > 0]
        if table.shape[1] > 1 and (table.sum(axis=1) > 0).all():
            result = stats.chi2_contingency(table, correction=False)
            total, df = total + result.statistic, df + result.dof
    return float(stats.chi2.sf(total, df))


def kruskal_max(counts: np.ndarray, labels: np.ndarray) -> float:
    """Relabelling p-value of the largest Kruskal-Wallis statistic over transitions."""
    share = np.nan_to_num(probabilities(counts)).reshape(len(counts), -1)
    share = share[:, share.std(axis=0) > 0]
    ranks = stats.rankdata(share, axis=0)
    n, m = len(ranks), int(labels[0].sum())
    mean = (labels @ ranks) / m
    h = ((mean - (n + 1) / 2) ** 2 / ranks.var(axis=0)).max(axis=1)
    return float((1 + (h[1:] >= h[0] * (1 - 1e-9)).sum()) / len(h))


def one(p: np.ndarray, lines: int, seed: int) -> pd.Series:
    """Share of lines with p <= .05 by each test."""
    found: dict[str, list[float]] = {}
    for screen in range(lines // 20):
        rng = np.random.default_rng([seed, screen])
        counts, line, _ = draw_screen(WORLD, 20, rng, [p] * 20)
        tested = screen_tests(counts, line, None, resamples=999, divergences=True)
        for who, (t, _) in enumerate(tested):
            u = np.concatenate([np.flatnonzero(line == who), np.flatnonzero(line == -1)])
            own, is_line = counts[u], line[u] == who
            design = make_design(np.arange(4), np.arange(4, len(u)), None)
            budget = Budget(999, 1)
            plan = free_plan(4, len(u) - 4, budget).labels()
            row = {
                "default (studentised profiles), relabelled": t.p["main"],
                "default, F": t.p_f,
                "Hellinger, studentised": t.p["hellinger"],
                "Jensen-Shannon, studentised": t.p["js"],
                "Kullback-Leibler, studentised": t.p["kl"],
                "Hellinger (plug-in), not studentised": pooled.test(
                    "hellinger", design, own, budget
                ).p,
                "G, not studentised": pooled.test("g", design, own, budget).p,
                "Kruskal-Wallis per transition, max": kruskal_max(
                    own, np.concatenate([is_line[None], plan])
                ),
                "chi-square, transitions independent": chi_square(own, is_line),
            }
            for name, value in row.items():
                found.setdefault(name, []).append(value)
    return pd.Series({name: np.mean(np.array(v) <= 0.05) for name, v in found.items()})


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lines", type=int, default=500)
    args = parser.parse_args()
    table = pd.DataFrame(
        {
            "size": one(LARVA, args.lines, 31),
            "power": one(with_effect(LARVA, 1, 0, -0.12), args.lines, 32),
        }
    )
    print(table.round(3).to_string())


if __name__ == "__main__":
    main()
