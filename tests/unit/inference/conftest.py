"""The statistics of one line, written out slowly from their definitions."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest


def profiles(counts):
    """``sqrt(pi_i) (p_ij - pbar_ij) / sqrt(pbar_ij)``, assay by assay and cell by cell."""
    n, k, _ = counts.shape
    total = counts.sum(axis=0)
    x = np.zeros((n, k * k))
    for a in range(n):
        for i in range(k):
            visits, pooled = counts[a, i].sum(), total[i].sum()
            for j in range(k):
                if visits == 0 or total[i, j] == 0:
                    continue
                p, p_bar = counts[a, i, j] / visits, total[i, j] / pooled
                pi = pooled / total.sum()
                x[a, i * k + j] = pi**0.5 * (p - p_bar) / p_bar**0.5
    return x


def rows(counts):
    """Transition probabilities of every assay; a row it never visited is the pooled one."""
    total = counts.sum(axis=0)
    out = np.zeros(counts.shape)
    for a, i in np.ndindex(counts.shape[:2]):
        source = counts[a, i] if counts[a, i].sum() else total[i]
        out[a, i] = source / max(source.sum(), 1)
    return out


def trace_of_covariance(x):
    return sum(np.var(column, ddof=1) for column in x.T)


def welch(x, is_line):
    """Multivariate Welch statistic without dates."""
    line, control = x[is_line], x[~is_line]
    distance = ((line.mean(axis=0) - control.mean(axis=0)) ** 2).sum()
    return distance / welch_variance(x, is_line)


def welch_variance(x, is_line):
    return sum(trace_of_covariance(g) / len(g) for g in (x[is_line], x[~is_line]))


def date_parts(x, is_line, date):
    """Weight and difference of every date."""
    weight, difference = [], []
    for d in sorted(set(date)):
        line, control = x[is_line & (date == d)], x[~is_line & (date == d)]
        weight.append(len(line) * len(control) / (len(line) + len(control)))
        difference.append(line.mean(axis=0) - control.mean(axis=0))
    return np.array(weight) / sum(weight), np.array(difference)


def dated(x, is_line, date):
    """``|Dbar|^2 / V`` with ``V = n/(n-1) sum w_d^2 |D_d - Dbar|^2``."""
    weight, difference = date_parts(x, is_line, date)
    mean = sum(w * d for w, d in zip(weight, difference, strict=True))
    return (mean**2).sum() / dated_variance(x, is_line, date)


def dated_variance(x, is_line, date):
    weight, difference = date_parts(x, is_line, date)
    mean = sum(w * d for w, d in zip(weight, difference, strict=True))
    n = len(weight)
    terms = [w**2 * ((d - mean) ** 2).sum() for w, d in zip(weight, difference, strict=True)]
    return n / (n - 1) * sum(terms)


@pytest.fixture(scope="session")
def naive():
    return SimpleNamespace(
        profiles=profiles, rows=rows, welch=welch, welch_variance=welch_variance,
        dated=dated, dated_variance=dated_variance, date_parts=date_parts,
    )  # fmt: skip


@pytest.fixture(scope="session")
def draw_counts():
    """Counts of a few assays whose rows differ in how often they are visited, some never."""

    def draw(n, k=4, seed=0, visits=(40, 20, 5, 1)):
        rng = np.random.default_rng(seed)
        p = rng.dirichlet(np.full(k, 1.5), size=(n, k))
        p[:, np.arange(k), np.arange(k)] = 0
        p /= p.sum(axis=-1, keepdims=True)
        n_visits = rng.poisson(np.resize(visits, k), size=(n, k))
        return rng.multinomial(n_visits, p)

    return draw
