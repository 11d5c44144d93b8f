"""Linear mixed models by an R-like formula, fitted by statsmodels.

``value ~ genotype * led + (1 | assay)``: to the left of ``~`` the response, to the right fixed
effects as formulaic reads them, and random ones in parentheses. Supported are

- ``(1 | assay)``: assays differ in level;
- ``(1 + led | assay)`` or ``(led | assay)``: they differ in level and in response, correlated;
- ``(1 | date) + (1 | assay)``: assays within dates; both levels.

Larvae are the rows and the assay is the group, so that larvae of one plate are not taken for
replicates. Wald tests of few groups are too eager: p-values and limits are those of Student's t
with the assays, less the fixed effects, as degrees of freedom.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from larvastats.errors import DataError, UsageError

GROUPS = ("assay", "date")
SUPPORTED = ("(1 | assay), (1 + led | assay), or (1 | date) + (1 | assay)",)

ABSURD = 100.0
"""Standard deviations of the response; larger standard errors come from a singular Hessian."""

_RANDOM = re.compile(r"\(([^()|]*)\|([^()|]*)\)")


@dataclass(frozen=True, slots=True)
class MixedFormula:
    """A formula, taken apart.

    Attributes
    ----------
    fixed : str
        ``value ~ genotype * led``.
    groups : str
        Column whose levels are independent.
    slopes : str
        Random effects within them, ``1`` or ``1 + led``.
    nested : str or None
        Column of a second level within `groups`.
    """

    fixed: str
    groups: str
    slopes: str
    nested: str | None


@dataclass(frozen=True, slots=True, eq=False)
class MixedFit:
    """A fitted model.

    Attributes
    ----------
    terms : DataFrame
        ``term estimate std_error statistic df p_value low high``.
    variances : DataFrame
        ``component variance``.
    n, n_groups : int
    """

    terms: pd.DataFrame
    variances: pd.DataFrame
    n: int
    n_groups: int


def parse_mixed(formula: str, columns: tuple[str, ...]) -> MixedFormula:
    """Take a formula apart.

    Parameters
    ----------
    formula : str
    columns : tuple of str
        Names that may occur.

    Raises
    ------
    UsageError
        No random part, or one that is not supported; an unknown name.
    """
    if formula.count("~") != 1:
        raise _refused(formula, "it needs one ~ between response and effects")
    parts = [(a.strip(), g.strip()) for a, g in _RANDOM.findall(formula)]
    fixed = re.sub(r"\+\s*(?=\+|$)", "", re.sub(r"\s+", " ", _RANDOM.sub("", formula)).strip())
    fixed = re.sub(r"~\s*\+\s*", "~ ", fixed.strip().rstrip("+").strip())
    if "|" in fixed or not parts:
        raise _refused(formula, "a random part such as (1 | assay) is missing or damaged")
    names = set(re.findall(r"[A-Za-z_][A-Za-z0-9_]*", re.sub(r"[A-Za-z_]\w*\(", "(", fixed)))
    unknown = sorted(names - set(columns))
    if unknown:
        raise _refused(formula, f"{unknown[0]!r} is unknown; there are {', '.join(columns)}")
    if len(parts) == 2 and all(a == "1" for a, _ in parts) and {g for _, g in parts} == set(GROUPS):
        return MixedFormula(fixed, "date", "1", "assay")
    if len(parts) > 1 or parts[0][1] != "assay":
        raise _refused(formula, "that random part is not supported")
    slope = re.fullmatch(r"(?:1\s*\+\s*)?([A-Za-z_]\w*)|1", parts[0][0])
    if slope is None or (slope[1] and slope[1] not in columns):
        raise _refused(formula, f"the random effect {parts[0][0]!r} is not supported")
    return MixedFormula(fixed, "assay", f"1 + {slope[1]}" if slope[1] else "1", None)


def _refused(formula: str, why: str) -> UsageError:
    return UsageError(
        f"the formula {formula!r} cannot be fitted: {why}; expected the like of value ~ genotype * "
        f"led + (1 | assay), with random parts {SUPPORTED[0]}."
    )


def fit_mixed(table: pd.DataFrame, formula: str, level: float = 0.95) -> MixedFit:
    """Fit a linear mixed model by restricted maximum likelihood.

    Parameters
    ----------
    table : DataFrame
        One row per observation (larva and condition), with the columns of the formula.
    formula : str
        See the module.
    level : float
        Of the limits.

    Raises
    ------
    UsageError
        A formula that is not supported.
    DataError
        Too few groups, constant values, effects that cannot be told apart, or a fit that does not
        converge.
    """
    import statsmodels.formula.api as smf

    parsed = parse_mixed(formula, tuple(map(str, table.columns)))
    response = parsed.fixed.partition("~")[0].strip()
    used = table.dropna(subset=[response, parsed.groups])
    n_groups = used[parsed.groups].nunique()
    if n_groups < 2 or used["assay"].nunique() < 3:
        raise DataError(
            f"a mixed model needs at least three assays (and two dates, if it has them), but there "
            f"are {used['assay'].nunique()} assays in {n_groups} {parsed.groups}s."
        )
    if used[response].std() <= 1e-12 * max(abs(float(used[response].mean())), 1e-12):
        raise DataError(f"{response} is the same in every row: there is nothing to fit.")
    more: dict[str, Any] = {}
    if parsed.slopes != "1":
        more["re_formula"] = f"~ {parsed.slopes}"
    if parsed.nested:
        more |= {"vc_formula": {"assay": "0 + C(assay)"}, "re_formula": "1"}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model = smf.mixedlm(parsed.fixed, used, groups=used[parsed.groups], **more)
            # gradient methods stop at a variance of exactly 0, with nonsense for everything else
            fit = model.fit(reml=True, method=["powell", "bfgs"])
        except (np.linalg.LinAlgError, ValueError) as error:
            raise DataError(
                f"the mixed model {formula!r} cannot be fitted ({str(error).splitlines()[0]}): its "
                "effects cannot be told apart in these data; leave one out."
            ) from error
    failed = [w for w in caught if "did not converge" in str(w.message).lower()
              or "failed to converge" in str(w.message).lower()]  # fmt: skip
    se = np.asarray(fit.bse_fe, dtype=float)
    sound = np.isfinite(se).all() and se.max() < ABSURD * float(used[response].std())
    if not (fit.converged and sound):
        raise _not_converged(formula, failed)
    return _tabulate(fit, used, parsed, level, n_groups)


def _not_converged(formula: str, caught: list[Any]) -> DataError:
    said = f" ({caught[0].message})" if caught else ""
    return DataError(
        f"the mixed model {formula!r} did not converge{said}: no number of it can be trusted; "
        "try a simpler random part, such as (1 | assay)."
    )


def _tabulate(
    fit: Any, used: pd.DataFrame, parsed: MixedFormula, level: float, n_groups: int
) -> MixedFit:
    estimate, se = np.asarray(fit.fe_params, float), np.asarray(fit.bse_fe, float)
    df = used["assay"].nunique() - len(estimate)
    if df < 1:
        raise DataError(
            f"{used['assay'].nunique()} assays are too few for {len(estimate)} fixed effects: "
            "leave some out of the formula."
        )
    t = estimate / se
    half = stats.t.ppf((1 + level) / 2, df) * se
    terms = pd.DataFrame({
        "term": list(fit.fe_params.index), "estimate": estimate, "std_error": se, "statistic": t,
        "df": df, "p_value": 2 * stats.t.sf(np.abs(t), df), "low": estimate - half,
        "high": estimate + half,
    })  # fmt: skip
    covariance = np.asarray(fit.cov_re, float)
    names = ["level"] if parsed.slopes == "1" else ["level", *map(str, fit.cov_re.index[1:])]
    parts = [(f"{parsed.groups} {n}", float(covariance[k, k])) for k, n in enumerate(names)]
    if parsed.nested:
        parts.append(("assay level", float(np.asarray(fit.vcomp)[0])))
    parts.append(("residual", float(fit.scale)))
    return MixedFit(
        terms, pd.DataFrame(parts, columns=["component", "variance"]), len(used), n_groups
    )
