"""Vials: plates of one cross on one date share a vial, and what that does to their independence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from larvastats.ethogram import Ethogram
from larvastats.inference.significance.pvalues import MIN_DF, effective_dimension, p_f

Array = NDArray[np.float64]

VISIBLE = 0.01
"""Vials are seen where the test of their component has a p-value at or below this."""

RELEVANT = 0.2
"""Vials that vary less, as a share of their plates, leave a relabelling of plates alone."""


def has_crosses(ethogram: Ethogram) -> bool:
    """Whether some cross is known to have several assays of one genotype and date."""
    if "cross" not in ethogram.assays:
        return False
    code = cross_of_assay(ethogram.assays)
    return int(code.max(initial=-1)) + 1 < len(code)


def cross_of_assay(assays: pd.DataFrame) -> NDArray[np.int64]:
    """Return codes of the crosses, in the order of their first assays, shape (assay,).

    A cross is a name in the column ``cross`` within a genotype and a date; an assay without one is
    a cross of its own.
    """
    known = assays["cross"].notna().to_numpy(bool)
    own = np.arange(len(assays)).astype(str)
    name = np.where(known, "cross " + assays["cross"].astype("str"), "assay " + own)
    date = assays["date"].astype("object").where(assays["date"].notna(), "")
    keys = assays["genotype"].astype("str") + "\x1f" + date.astype("str") + "\x1f" + name
    return pd.factorize(keys)[0].astype(np.int64)


def crosses_as_units(ethogram: Ethogram) -> Ethogram:
    """Pool the assays of one genotype, date and cross into one.

    Exchanging whole blocks of what may depend on each other is Winkler et al. 2015 (NeuroImage
    123:253); pooled blocks make it the ordinary relabelling of fewer units. Columns of numbers are
    averaged over the assays of a cross, of others the first value is kept.
    """
    assays = ethogram.assays
    code = cross_of_assay(assays)
    first = np.unique(code, return_index=True)[1]
    table = assays.iloc[first].reset_index(drop=True)
    for column in assays.columns:
        if pd.api.types.is_float_dtype(assays[column]):
            table[column] = assays[column].groupby(code).mean().to_numpy()
    several = np.bincount(code) > 1
    named = table["assay"].astype("str") + " and the rest of cross " + table["cross"].astype("str")
    table["assay"] = table["assay"].astype("str").where(~several, named)
    plate = ethogram.larvae["assay_index"].to_numpy()
    names = ethogram.larvae["larva"].astype("str")
    full = assays["assay"].astype("str").to_numpy(object)[plate] + "/" + names
    larvae = ethogram.larvae.assign(
        assay_index=code[plate], larva=names.where(~several[code[plate]], full)
    )
    return Ethogram(
        ethogram.states, ethogram.larva_index, ethogram.state, ethogram.t_start, ethogram.t_stop,
        larvae, table,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Vials:
    """What plates of one line and date share beyond line and date.

    Attributes
    ----------
    ratio : float
        Variance between vials over the variance between plates of a vial (larvae included), by the
        traces of the profiles; may be negative.
    p : float
        That vials do not vary; NaN where it cannot be told.
    df : tuple of int
        Degrees of freedom of vials and of plates.
    """

    ratio: float
    p: float
    df: tuple[int, int]

    @property
    def visible(self) -> bool:
        """Whether the data show that vials vary."""
        return bool(self.p <= VISIBLE and self.ratio > 0)

    def sentence(self, by_plate: bool) -> str:
        """Say what vials of this size do to a test that takes plates as exchangeable.

        Parameters
        ----------
        by_plate : bool
            Whether the variance is that of plates; else plates are relabelled and divided by dates.

        Returns
        -------
        str
            Empty where vials are not seen, or too small to matter. The sizes are those of
            `analyses/calibration` (4 dates of 2 plates against 3).
        """
        if not self.visible or not (by_plate or self.ratio >= RELEVANT):
            return ""
        seen = (
            "plates of one line and date resemble each other beyond line and date: vials vary "
            f"{self.ratio:.2g} times as much as plates of a vial"
        )
        if by_plate:
            return (
                f"{seen}, and variance='plate' assumes that they do not (simulated null lines at "
                "p <= .05: .14 at a ratio of .08, .40 at .34); use variance='date'"
            )
        return (
            f"{seen}, and relabelling plates finds a little too much then (simulated null lines at "
            "p <= .05: .068 at a ratio of .34); null='F' does not, nor does a column 'cross'"
        )


def vial_component(x: Array, genotype: NDArray[np.integer], date: NDArray[np.integer]) -> Vials:
    """Estimate the component of line x date: the scatter of their means that plates do not explain.

    Means of line x date, weighted by their plates, scatter around an additive model of line and
    date by ``n0`` times the vials' variance more than plates within them, with ``n0`` from the
    leverages (Henderson's third method: Henderson 1953, Biometrics 9:226). One vial per line and
    date cannot be told from an effect of the line that changes from date to date.

    Parameters
    ----------
    x : ndarray, shape (assay, cell)
    genotype, date : ndarray of int, shape (assay,)
    """
    pairs, code = np.unique(np.stack([genotype, date]), axis=1, return_inverse=True)
    code = code.ravel()
    size = np.bincount(code).astype(np.float64)
    mean = np.zeros((len(size), x.shape[1]))
    np.add.at(mean, code, x)
    mean /= size[:, None]
    within = x - mean[code]
    plates = len(x) - len(size)
    rows, columns = (np.unique(side, return_inverse=True)[1] for side in pairs)
    design = np.zeros((len(size), rows.max() + columns.max() + 2))
    design[np.arange(len(size)), rows] = 1.0
    design[np.arange(len(size)), rows.max() + 1 + columns] = 1.0
    weighted = design * np.sqrt(size)[:, None]
    values, vectors = np.linalg.eigh(weighted.T @ weighted)
    kept = values > values.max() * 1e-10
    basis = weighted @ (vectors[:, kept] / np.sqrt(values[kept]))
    vials = len(size) - int(kept.sum())
    if vials < MIN_DF or plates < MIN_DF:
        return Vials(float("nan"), float("nan"), (vials, plates))
    scaled = mean * np.sqrt(size)[:, None]
    between = float(((scaled - basis @ (basis.T @ scaled)) ** 2).sum()) / vials
    own = float((within**2).sum()) / plates
    if own <= 0:
        return Vials(float("nan"), float("nan"), (vials, plates))
    n0 = float((size * (1 - (basis**2).sum(axis=1))).sum()) / vials
    f1 = effective_dimension(within, plates)
    p = p_f(between / own, f1 * vials, plates / vials)
    return Vials((between / own - 1) / n0, p, (vials, plates))
