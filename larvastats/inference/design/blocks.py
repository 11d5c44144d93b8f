"""Who is compared with whom: the assays of a line and its control, and the dates they share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import comb, prod

import numpy as np
from numpy.typing import NDArray

MAX_ENUMERATION = 100_000
"""Designs with at most this many relabellings are enumerated, others sampled."""

REFINED = 1_000_000
"""Relabellings behind a small p-value of a sampled plan."""

REFINE_FROM = 10_000
"""Plans of at least this many relabellings are refined where p is small."""


@dataclass(frozen=True, slots=True)
class Design:
    """One line against its control.

    Attributes
    ----------
    units : ndarray of int, shape (unit,)
        Rows of the assay table that take part.
    is_line : ndarray of bool, shape (unit,)
    block : ndarray of int, shape (unit,)
        Date of each unit, coded 0 ... n_blocks - 1; all zero without dates.
    dated : bool
        Whether blocks are dates.
    n_dropped : tuple of int
        Assays of the line and of the control on dates that lack the other.
    reason : str
        Why no test is possible; empty when one is.
    variance : {'date', 'plate'}
        With dates, what the statistic is divided by: the scatter of the dates' differences, so that
        the replicate is line x date; or the scatter of plates within dates, which assumes that
        plates of one vial have nothing in common.
    """

    units: NDArray[np.int64]
    is_line: NDArray[np.bool_]
    block: NDArray[np.int64]
    dated: bool
    n_dropped: tuple[int, int] = (0, 0)
    reason: str = ""
    variance: str = "date"

    @property
    def by_plate(self) -> bool:
        """Whether the variance is that of plates within dates."""
        return self.dated and self.variance == "plate"

    @property
    def n_blocks(self) -> int:
        """Number of blocks (dates)."""
        return int(self.block.max()) + 1 if len(self.block) else 0

    @property
    def n_line(self) -> int:
        """Assays of the line that take part."""
        return int(self.is_line.sum())

    @property
    def n_control(self) -> int:
        """Assays of the control that take part."""
        return int((~self.is_line).sum())

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Assays (line, control) of each block."""
        line = np.bincount(self.block[self.is_line], minlength=self.n_blocks)
        control = np.bincount(self.block[~self.is_line], minlength=self.n_blocks)
        return [(int(m), int(c)) for m, c in zip(line, control, strict=True)]


def make_design(
    line: NDArray[np.integer],
    control: NDArray[np.integer],
    dates: NDArray[np.object_] | None,
    variance: str = "date",
) -> Design:
    """Lay out one comparison.

    Parameters
    ----------
    line, control : ndarray of int
        Rows of the assay table.
    dates : ndarray of object, shape (assay,), or None
        Date of every assay, None where unknown; None altogether: one block, assays exchange
        freely.
    variance : {'date', 'plate'}
        With dates: from what the variance comes.

    Returns
    -------
    Design
        Assays on dates that lack the line or the control are left out and counted.
    """
    units = np.concatenate([line, control]).astype(np.int64)
    is_line = np.arange(len(units)) < len(line)
    if dates is None:
        block = np.zeros(len(units), dtype=np.int64)
        reason = _reason_free(line, control)
        return Design(units, is_line, block, False, (0, 0), reason, variance)
    day = dates[units]
    shared = sorted({d for d in day[is_line] if d is not None} & set(day[~is_line]))
    keep = np.array([d in shared for d in day], dtype=bool)
    block = np.array([shared.index(d) for d in day[keep]], dtype=np.int64)
    dropped = int((~keep & is_line).sum()), int((~keep & ~is_line).sum())
    design = Design(units[keep], is_line[keep], block, True, dropped, "", variance)
    if variance == "plate":
        return replace(design, reason=_reason_plates(design))
    return replace(design, reason=_reason_dated(line, control, len(shared)))


def _reason_free(line: NDArray[np.integer], control: NDArray[np.integer]) -> str:
    for who, group in (("line", line), ("control", control)):
        if len(group) < 2:
            return f"{_number(len(group))} of the {who}: no variance, no test"
    return ""


def _reason_dated(line: NDArray[np.integer], control: NDArray[np.integer], n_shared: int) -> str:
    for who, group in (("line", line), ("control", control)):
        if len(group) < 2:
            return f"{_number(len(group))} of the {who}: no variance, no test"
    if n_shared == 0:
        return (
            "line and control share no date: no test across dates "
            "(block='none' compares plates, blind to effects of date and vial)"
        )
    if n_shared == 1:
        return (
            "line and control share only one date: no test across dates "
            "(variance='plate' compares plates within it, blind to effects of the vial)"
        )
    return ""


def _reason_plates(design: Design) -> str:
    if not design.n_blocks:
        return "line and control share no date: no test within dates"
    if max(max(pair) for pair in design.sizes) < 2:
        return "one plate of line and control on every date: no variance of plates, no test"
    return ""


def _number(n: int) -> str:
    return "no assay" if n == 0 else "one assay"


def count_relabellings(design: Design) -> int:
    """Return the number of ways to choose the line's assays within blocks."""
    return prod(comb(m + c, m) for m, c in design.sizes)


def p_floor(design: Design, resamples: int) -> float:
    """Return the smallest p-value that relabelling can give under this design.

    With equal groups in every block a relabelling and its complement give the same statistic, so
    that the most extreme value is always reached twice. Sampled plans cannot go below
    ``1 / (1 + resamples)``.

    Parameters
    ----------
    design : Design
    resamples : int
        Used only when the design is too large to enumerate.

    Returns
    -------
    float
        NaN when no test is possible.
    """
    if design.reason:
        return float("nan")
    total = count_relabellings(design)
    twins = 2 if all(m == c for m, c in design.sizes) else 1
    if total <= MAX_ENUMERATION:
        return twins / total
    most = REFINED if resamples >= REFINE_FROM else resamples
    return max(twins / total, 1 / (1 + most))
