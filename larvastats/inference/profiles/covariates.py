"""Known nuisances: taken out of the profiles before anything is relabelled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from larvastats.errors import UsageError
from larvastats.inference.design.blocks import Design

Array = NDArray[np.float64]

SPARE = 3
"""Units that must be left per adjusted column."""


def covariate_matrix(assays: pd.DataFrame, names: Sequence[str]) -> Array:
    """Return numeric covariates of every assay, shape (assay, column); categories as indicators.

    Parameters
    ----------
    assays : DataFrame
        Assay table.
    names : sequence of str
        Its columns; ``time`` (HHMMSS) becomes hours of the day.

    Raises
    ------
    UsageError
        A column that is not there, or has gaps.
    """
    parts = []
    for name in names:
        if name not in assays:
            have = ", ".join(map(str, assays.columns))
            raise UsageError(f"covariate {name!r} is no column of the assays; there are {have}.")
        values = assays[name]
        if values.isna().any():
            raise UsageError(
                f"covariate {name!r} is missing for {int(values.isna().sum())} assays, such as "
                f"{assays['assay'][values.isna()].iloc[0]!r}; fill it in, or --exclude them."
            )
        parts.append(_columns(name, values))
    return np.concatenate(parts, axis=1) if parts else np.zeros((len(assays), 0))


def _columns(name: str, values: pd.Series) -> Array:
    if name == "time":
        text = values.astype("str").str.zfill(6)
        hours = text.str[:2].astype(float) + text.str[2:4].astype(float) / 60
        return hours.to_numpy(np.float64)[:, None]
    number = pd.to_numeric(values, errors="coerce")
    if number.notna().all():
        return number.to_numpy(np.float64)[:, None]
    return pd.get_dummies(values, drop_first=True).to_numpy(np.float64)


def without_covariates(x: Array, z: Array, design: Design) -> Array:
    """Return residuals of the reduced model ``x ~ date + covariates``, shape of `x`.

    The model leaves the genotype out, so that relabelling its residuals is relabelling under the
    null hypothesis (Freedman & Lane 1983, J. Bus. Econ. Stat. 1:292); what the covariates share
    with the genotype is given to them.

    Parameters
    ----------
    x : ndarray, shape (unit, cell)
    z : ndarray, shape (unit, column)
    design : Design

    Raises
    ------
    UsageError
        Too few units for so many covariates.
    """
    day = np.eye(design.n_blocks)[design.block]
    centred = z - day @ (day.T @ z / day.sum(axis=0)[:, None])
    centred = centred[:, np.abs(centred).max(axis=0) > 1e-12]
    if not centred.shape[1]:
        return x
    if len(x) - design.n_blocks < SPARE * centred.shape[1]:
        raise UsageError(
            f"{centred.shape[1]} covariates are too many for {len(x)} assays on "
            f"{design.n_blocks} dates; name fewer."
        )
    own = x - day @ (day.T @ x / day.sum(axis=0)[:, None])
    slope, *_ = np.linalg.lstsq(centred, own, rcond=None)
    return x - centred @ slope
