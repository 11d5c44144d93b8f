"""R's formulas in formulaic's language: the splines of ``ns()`` and ``bs()`` with R's own knots.

``larvastats.R`` walks the formula and writes it in formulaic's language; for each spline it leaves
a place, ``{0}``, ``{1}`` ..., and says what R was asked for. Knots that R would take from the data
are quantiles of the times of all transitions, as ``ns(t, 6)`` computes them on a table with one row
per transition. With the same knots, formulaic's ``cr`` and R's ``ns`` span the same curves once
the constant is there; their bases differ, and with them the coefficients, not the fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from larvastats.errors import UsageError
from larvastats.inference.design.setting import make_setting, select_genotypes
from larvastats.inference.screen.layout import extent
from larvastats.markov.smooth import count_jumps, time_columns
from larvastats.protocol import windows
from larvastats.verbs._open import Source, open_source


@dataclass(frozen=True, slots=True)
class Spline:
    """One call of ``ns`` or ``bs``.

    Attributes
    ----------
    function : {'ns', 'bs'}
    variable : str
    df : int or None
    knots, boundary : tuple of float or None
        Inner knots; the two outer ones.
    degree : int
    intercept : bool
    """

    function: str
    variable: str
    df: int | None
    knots: tuple[float, ...] | None
    boundary: tuple[float, ...] | None
    degree: int
    intercept: bool

    @classmethod
    def of(cls, part: Mapping[str, Any]) -> Spline:
        """Read what R sent."""
        df = part.get("df")
        return cls(
            str(part["function"]),
            str(part["variable"]),
            None if df is None else int(df),
            _floats(part.get("knots")),
            _floats(part.get("boundary")),
            int(part.get("degree") or 3),
            bool(part.get("intercept")),
        )

    @property
    def needs_data(self) -> bool:
        """Whether its knots depend on the data."""
        return self.boundary is None or (self.knots is None and self._inner > 0)

    @property
    def _inner(self) -> int:
        """Inner knots that R places for its `df`."""
        df = self.df if self.df is not None else (1 if self.function == "ns" else self.degree)
        base = 1 if self.function == "ns" else self.degree
        return df - base - int(self.intercept)

    def text(self, values: NDArray[np.float64]) -> str:
        """Write the call for formulaic; `values` are those of the variable, one per transition."""
        low, high = self.boundary or (float(values.min()), float(values.max()))
        knots = self.knots
        if knots is None:
            knots = self._quantiles(values[(values >= low) & (values <= high)])
        inside = f"knots={[float(k) for k in knots]}" if knots else "df=2"
        bounds = f"lower_bound={float(low)!r}, upper_bound={float(high)!r}"
        if self.function == "ns":
            return f"cr({self.variable}, {inside}, {bounds})"
        inside = f"{inside}, " if knots else ""
        return (
            f"bs({self.variable}, {inside}degree={self.degree}, "
            f"include_intercept={self.intercept}, {bounds})"
        )

    def _quantiles(self, values: NDArray[np.float64]) -> tuple[float, ...]:
        if self._inner < 0:
            raise UsageError(
                f"{self.function}({self.variable}, df = {self.df}) asks for too few degrees of "
                f"freedom; give at least {(self.df or 0) - self._inner}."
            )
        at = np.linspace(0, 1, self._inner + 2)[1:-1]
        return tuple(np.quantile(values, at).tolist())  # R's quantile(type = 7)


def _floats(value: Any) -> tuple[float, ...] | None:
    if value is None:
        return None
    items = value if isinstance(value, list | tuple | np.ndarray) else [value]
    return tuple(float(v) for v in items)


@dataclass(frozen=True, slots=True)
class RFormula:
    """A formula of R: its text with places ``{0}``, ``{1}`` ..., and the splines to put there."""

    template: str
    splines: tuple[Spline, ...]

    @classmethod
    def of(cls, part: Mapping[str, Any]) -> RFormula:
        """Read what R sent."""
        splines = part.get("splines") or ()
        splines = splines.values() if isinstance(splines, Mapping) else splines
        return cls(str(part["text"]), tuple(Spline.of(s) for s in splines))

    def text(self, columns: Mapping[str, NDArray[np.float64]]) -> str:
        """Write the formula for formulaic."""
        for spline in self.splines:
            if spline.needs_data and spline.variable not in columns:
                known = ", ".join(columns)
                raise UsageError(
                    f"the knots of {spline.function}({spline.variable}) can be taken from the data "
                    f"for {known} only; give knots and Boundary.knots."
                )
        none = np.zeros(1)
        made = [s.text(columns.get(s.variable, none)) for s in self.splines]
        return self.template.format(*made)


def fitted(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``formula`` in formulaic's language, and ``source`` opened where knots need it.

    Parameters
    ----------
    arguments : mapping
        Those of :func:`~larvastats.verbs.transition_model.transition_model`, `formula` an
        :class:`RFormula`.

    Raises
    ------
    UsageError
        The knots of a spline cannot be found.
    """
    formula = arguments["formula"]
    if not any(spline.needs_data for spline in formula.splines):
        return {"formula": formula.text({})}
    opened, columns = _times(arguments)
    return {"formula": formula.text(columns), "source": opened}


_SETTING = ("protocol", "gap", "block")
_READING = ("format", "labels", "min_bout", "fps", "px_per_mm", "exclude", "progress")


def _times(arguments: Mapping[str, Any]) -> tuple[Source, dict[str, NDArray[np.float64]]]:
    """Open the source and return the variables of time, one value per transition."""
    reading = {name: arguments[name] for name in _READING if name in arguments}
    opened = open_source(arguments.get("source"), **reading)
    about = {"protocol": None} | {n: arguments[n] for n in _SETTING if n in arguments}
    setting = make_setting(opened.ethogram, **about)
    if arguments.get("genotypes") is not None:
        setting = select_genotypes(setting, arguments["genotypes"])
    window = windows(setting.protocol, arguments.get("window", "whole"), extent=extent(setting))[0]
    jumps = count_jumps(setting.ethogram, window, float(arguments.get("dt", 0.1)))
    if not len(jumps.bin):
        raise UsageError("there is no transition to take the knots of a spline from.")
    n = jumps.counts.sum(axis=1).astype(np.int64)
    columns = time_columns(jumps.t, setting.protocol)
    return opened, {name: np.repeat(values, n) for name, values in columns.items()}
