"""Formulas such as ``to ~ genotype * cr(t, df=6)``: what they may name, and their columns.

The language is that of formulaic (close to R's and patsy's): ``cr``, ``bs`` and ``poly`` make
splines and polynomials, ``*`` and ``:`` interactions.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from larvastats.errors import DataError, UsageError
from larvastats.markov.logit import aliased

TIME = ("t", "on", "since")
"""Variables of time: s from the start; 1 while a stimulus is on; s since the last onset."""

_COLOURS = re.compile(r"\x1b\[[0-9;]*m|⧛|⧚")


@dataclass(frozen=True, slots=True)
class Design:
    """The right side of a formula, ready to make columns of any table.

    Attributes
    ----------
    text : str
    names : tuple of str
        Columns, those that depend on earlier ones left out.
    aliased : tuple of str
        Columns left out.
    """

    text: str
    names: tuple[str, ...]
    aliased: tuple[str, ...]
    _spec: Any
    _kept: NDArray[np.int64]
    _variables: tuple[frozenset[str], ...]

    def columns(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """Return the columns of a table, shape (row, column)."""
        made = self._spec.get_model_matrix(table, context={"np": np})
        return np.asarray(made, dtype=np.float64)[:, self._kept]

    @property
    def variables(self) -> frozenset[str]:
        """All variables."""
        return frozenset().union(*self._variables) if self._variables else frozenset()


def read_formula(text: str, known: Sequence[str]) -> tuple[Any, frozenset[str]]:
    """Read a formula and check what it names.

    Parameters
    ----------
    text : str
        ``to ~ …``.
    known : sequence of str
        Variables that there are.

    Returns
    -------
    right side, its variables

    Raises
    ------
    UsageError
        Not a formula, not about ``to``, or with an unknown variable.
    """
    from formulaic import Formula

    try:
        formula = Formula(text)
        right, left = getattr(formula, "rhs", None), getattr(formula, "lhs", None)
        variables = _named(right) if right is not None else None
    except Exception as error:
        raise UsageError(f"formula {text!r} cannot be read: {_said(error)}") from error
    if right is None or variables is None or str(left) != "to":
        raise UsageError(
            f"formula {text!r} is not about the next state; expected 'to ~ …', such as "
            "'to ~ genotype * cr(t, df=6)'."
        )
    strange = sorted(variables - set(known))
    if strange:
        raise UsageError(
            f"formula {text!r} names {', '.join(strange)}; there are {', '.join(known)}."
        )
    return right, variables


def make_design(right: Any, text: str, table: pd.DataFrame) -> Design:
    """Make the design of a formula from the patterns of covariates that occur.

    Parameters
    ----------
    right : formulaic formula
    text : str
        How errors name it.
    table : DataFrame
        One row per pattern; knots are its quantiles.

    Raises
    ------
    UsageError
        A function in the formula does not accept its arguments.
    DataError
        A variable is missing in some rows.
    """
    from formulaic import model_matrix

    for name in sorted(_named(right)):
        if name in table and table[name].isna().any():
            raise DataError(
                f"column {name} is missing in some assays, and formula {text!r} needs it; fill "
                "it, leave those assays out with --exclude, or take it out of the formula."
            )
    try:
        matrix = model_matrix(right, table, context={"np": np})
        x = np.asarray(matrix, dtype=np.float64)
    except Exception as error:
        raise UsageError(f"formula {text!r} cannot be used: {_said(error)}") from error
    spec = matrix.model_spec
    by_term = {term: frozenset(map(str, v)) for term, v in spec.term_variables.items()}
    variables = [
        by_term[term]
        for term, columns in spec.term_slices.items()
        for _ in range(columns.start, columns.stop)
    ]
    gone = aliased(x)
    kept = np.flatnonzero(~gone)
    names = [str(c) for c in matrix.columns]
    return Design(
        text,
        tuple(names[k] for k in kept),
        tuple(names[k] for k in np.flatnonzero(gone)),
        spec,
        kept,
        tuple(variables[k] for k in kept),
    )


def _named(right: Any) -> frozenset[str]:
    """Return the variables of a formula's right side, those inside of functions included."""
    names: set[str] = set()
    for term in right:
        for factor in term.factors:
            if factor.eval_method.value == "lookup":
                names.add(str(factor.expr))
            elif factor.eval_method.value == "python":
                tree = ast.parse(str(factor.expr), mode="eval")
                called = {n.func.id for n in ast.walk(tree)
                          if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}  # fmt: skip
                names |= {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} - called - {"np"}
    return frozenset(names)


def _said(error: Exception) -> str:
    """Return the first line of a message, without terminal colours."""
    text = _COLOURS.sub("", str(error)).strip() or type(error).__name__
    line = " ".join(text.split("\n")[0].split())
    return line if line.endswith(".") else f"{line}."
