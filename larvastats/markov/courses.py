"""Numbers of a fitted model: coefficients and probabilities, with errors of the replicates."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special, stats

from larvastats.markov.logit import probabilities_of
from larvastats.markov.smooth import OriginFit

Array = NDArray[np.float64]
Index = NDArray[np.int64]

LEAST_BAND = 1.0
"""A probability whose logit has a larger model standard error rests on less than one transition."""

VAGUE = 0.1
"""Half-width beyond which such a probability is blank: not even its first digit is known."""


def jackknife(deleted: Array, stratum: Index) -> tuple[Array, Array]:
    """Return variance and degrees of freedom from leave-one-cluster-out values.

    Within each stratum ``(m-1)/m sum (theta_(c) - mean)^2``; degrees of freedom by Satterthwaite
    from the strata, so that a number that one stratum alone decides has m - 1.

    Parameters
    ----------
    deleted : ndarray, shape (cluster, ...)
    stratum : ndarray of int, shape (cluster,)
        A stratum of one cluster has no variance: its numbers get NaN.

    Returns
    -------
    variance, df : ndarray, shape (...)
    """
    shape = deleted.shape[1:]
    variance, spread = np.zeros(shape), np.zeros(shape)
    alone = np.zeros(shape, dtype=bool)
    if len(deleted) < 2:
        return np.full(shape, np.nan), np.full(shape, np.nan)
    whole = deleted.mean(axis=0)
    for s in np.unique(stratum):
        own = deleted[stratum == s]
        m = len(own)
        if m == 1:
            alone |= ~np.isclose(own[0], whole, rtol=1e-6, atol=1e-9)
            continue
        part = (m - 1) / m * ((own - own.mean(axis=0)) ** 2).sum(axis=0)
        variance += part
        spread += part**2 / (m - 1)
    df = np.divide(variance**2, spread, out=np.full(shape, np.nan), where=spread > 0)
    return np.where(alone, np.nan, variance), np.where(alone, np.nan, df)


def coefficient_table(fit: OriginFit, level: float = 0.95) -> pd.DataFrame:
    """Return one row per coefficient: estimate, jackknife standard error, df, t, p, limits.

    Coefficients with next to no transition behind them are blank.
    """
    beta = fit.logit.beta
    variance, df = jackknife(fit.deleted, fit.stratum)
    free = fit.logit.free
    parts = []
    for k, j in enumerate(free):
        empty = fit.empty[k]
        estimate = np.where(empty, np.nan, beta[:, j])
        error = np.where(empty, np.nan, np.sqrt(variance[:, j]))
        degrees = np.where(np.isnan(error), np.nan, df[:, j])
        with np.errstate(invalid="ignore", divide="ignore"):
            t = estimate / error
        half = stats.t.ppf((1 + level) / 2, degrees) * error
        parts.append(
            pd.DataFrame({
                "from": fit.start, "to": fit.to[j], "reference": fit.to[fit.logit.reference],
                "term": fit.design.names, "estimate": estimate, "std_error": error,
                "df": degrees, "statistic": t, "p_value": 2 * stats.t.sf(np.abs(t), degrees),
                "conf_low": estimate - half, "conf_high": estimate + half,
            })
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def predict_origin(fit: OriginFit, table: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Return probabilities with pointwise bands, one row per row of `table` and destination.

    Bands are symmetric on the logit scale, from the jackknife and Student's t. Where less than one
    transition lies behind a probability there is no band, and no probability unless it is clearly
    close to 0 or 1; a genotype that never leaves the state has no probabilities.

    Parameters
    ----------
    fit : OriginFit
    table : DataFrame
        The variables of the formula.
    level : float
    """
    x, allowed = fit.design.columns(table), fit.allowed(table)
    p = probabilities_of(x, fit.logit.beta, allowed)
    unknown = np.zeros(len(table), dtype=bool)
    if fit.seen:
        unknown = ~table["genotype"].astype("str").isin(fit.seen).to_numpy(bool)
    without = np.stack([probabilities_of(x, beta, allowed) for beta in fit.deleted])
    variance, df = jackknife(without, fit.stratum)
    # on the scale of probabilities, where a cluster that holds a rare action entire moves them by
    # no more than there is; then as a slope on the logit scale
    error = np.sqrt(variance) / np.maximum(p * (1 - p), 1e-300)
    own = _model_error(fit, x, p)
    reach = np.maximum(_expit(_logit(p) + own) - p, p - _expit(_logit(p) - own))
    vague = (own > LEAST_BAND) & (reach > VAGUE)
    # cells that cannot be have no band either
    error = np.where((own <= LEAST_BAND) & (p > 0) & (p < 1), error, np.nan)
    half = stats.t.ppf((1 + level) / 2, np.maximum(df, 1.0)) * error
    eta = _logit(p)
    error[unknown], half[unknown] = np.nan, np.nan
    columns = {
        "p": np.where(unknown[:, None] | vague, np.nan, p),
        "p_low": _expit(eta - half),
        "p_high": _expit(eta + half),
        "df": np.where(np.isnan(error), np.nan, df),
    }
    k = len(fit.to)
    out = table.loc[table.index.repeat(k)].reset_index(drop=True)
    if "from" not in out:
        out.insert(0, "from", fit.start)
    out["to"] = np.tile(np.array(fit.to, dtype=object), len(table))
    for name, values in columns.items():
        out[name] = values.ravel()
    possible = (out["from"].astype("str") != out["to"]).to_numpy()
    return out[possible].reset_index(drop=True)


def _model_error(fit: OriginFit, x: Array, p: Array) -> Array:
    """Return the standard error of each logit of independent transitions, shape (row, to)."""
    free, m = fit.logit.free, x.shape[1]
    v = fit.variance.reshape(len(free), m, len(free), m)
    # variance of the linear predictors of every row, (row, to, to)
    between = np.einsum("ra,iajb,rb->rij", x, v, x, optimize=True)
    full = np.zeros((len(x), p.shape[1], p.shape[1]))
    full[np.ix_(np.arange(len(x)), free, free)] = between
    # d logit(p_j) / d eta_k = (delta_jk - p_k) / (1 - p_j)
    slope = (np.eye(p.shape[1])[None] - p[:, None, :]) / np.maximum(1 - p, 1e-12)[:, :, None]
    return np.sqrt(np.maximum(np.einsum("rjk,rkl,rjl->rj", slope, full, slope, optimize=True), 0.0))


def _logit(p: Array) -> Array:
    p = np.clip(p, 1e-15, 1 - 1e-15)
    return np.asarray(np.log(p) - np.log1p(-p), dtype=np.float64)


def _expit(eta: Array) -> Array:
    return np.asarray(special.expit(eta), dtype=np.float64)
