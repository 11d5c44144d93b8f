"""Transition probabilities as smooth functions of time, with errors of the replicates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from larvastats.errors import DataError, UsageError
from larvastats.inference.design.setting import Setting, find_genotype, make_setting
from larvastats.inference.options import NULLS
from larvastats.inference.relabelling.plans import Budget
from larvastats.inference.screen.layout import extent
from larvastats.inference.transitions import layout, tables
from larvastats.inference.transitions.courses import COURSE, LEVEL, CourseTest, Origin, test_course
from larvastats.markov.courses import coefficient_table, predict_origin
from larvastats.markov.formula import TIME, read_formula
from larvastats.markov.smooth import (
    OriginFit,
    count_jumps,
    fit_origin,
    time_columns,
)
from larvastats.protocol import Window, windows
from larvastats.results import TransitionModel
from larvastats.verbs._open import open_source

DEFAULT = "to ~ genotype * cr(t, df=6)"


def transition_model(
    formula: str = DEFAULT,
    source: Any = None,
    *,
    protocol: str | None = None,
    genotypes: str | Sequence[str] | None = None,
    control: str | None = None,
    window: str = "whole",
    transitions: str = "jump",
    dt: float = 0.1,
    gap: str | None = None,
    block: str = "date",
    prior: float = 1.0,
    level: float = 0.95,
    null: str = "auto",
    resamples: int = 10_000,
    alpha: float = 0.05,
    seed: int = 0,
    progress: bool = False,
    **load: Any,
) -> TransitionModel:
    """Model the next state by multinomial logits, one per state that is left.

    Parameters
    ----------
    formula : str
        ``to ~ …`` in formulaic's language. Variables: ``t`` (s), ``on`` (1 while a stimulus is
        on), ``since`` (s since the last onset, 0 before the first), ``genotype``, any other column
        of the assays, and ``from``: a formula that names it is one model of all origins.
    source : Ethogram, DataFrame or path, optional
        The built-in example when left out.
    protocol : str, optional
        Name or unique beginning.
    genotypes : str or sequence of str, optional
        Genotypes or lines (a string may list them with commas); all by default.
    control : str, optional
        Among them; the level that others are compared with. By default the usual control, else
        the first.
    window : str
        Which transitions: ``whole``, ``during``, ``START:STOP`` ...
    transitions : {'jump'}
        Transitions between bouts. From frame to frame nearly everything stays, and the courses
        would be those of dwell times.
    dt : float
        Width, s, of the bins of time in which transitions are counted together; the model sees
        their middles.
    gap : {'period', 'pause'}, optional
    block : {'date', 'none'}
        With dates the replicate is line x date, and assays are relabelled within dates.
    prior : float
        Prior transitions per column of the formula, following the pooled shares: coefficients stay
        finite where a genotype never takes an action. 0: maximum likelihood.
    level : float
        Coverage of limits and bands, pointwise.
    null : {'auto', 'relabel', 'F'}
        Which p-value is `p_value`, as in :func:`~larvastats.verbs.screen.screen`.
    resamples : int
        Relabellings where there are too many to enumerate.
    alpha : float
    seed : int
    progress : bool
    **load
        Passed on to :func:`larvastats.io.source.load`.

    Returns
    -------
    TransitionModel

    Raises
    ------
    UsageError, DataError
    """
    if transitions != "jump":
        raise UsageError(
            f"transitions must be jump here, but is {transitions!r}: a smooth model is one of "
            "transitions between bouts."
        )
    _check(dt, prior, level, null, resamples, alpha, seed)
    opened = open_source(source, progress=progress, **load)
    setting = make_setting(opened.ethogram, protocol=protocol, gap=gap, block=block)
    setting = _select(setting, genotypes)
    right, variables = read_formula(formula, layout.known_variables(setting))
    chosen = windows(setting.protocol, window, extent=extent(setting))
    if len(chosen) != 1:
        raise UsageError(f"window {window!r} names {len(chosen)} windows; a model takes one.")
    jumps = count_jumps(setting.ethogram, chosen[0], dt)
    if not len(jumps.bin):
        low, high = extent(setting)
        raise DataError(
            f"window {chosen[0].describe()} holds no transition; the recordings run from {low:g} "
            f"to {high:g} s: choose a window within them."
        )
    names = layout.levels(setting, control)
    origins, left_out = layout.origins(setting, jumps, right, variables, formula, names)
    states = setting.ethogram.states
    cluster, stratum = layout.clusters(setting, variables, names)
    fits = [
        fit_origin(o.jumps, o.patterns, o.design, cluster, stratum, (o.name, states), prior)
        for o in origins
    ]
    grid = layout.default_grid(setting, jumps, variables, names)
    tests: list[tuple[str, CourseTest]] = []
    if "genotype" in variables:
        tests = _tests(setting, origins, names, prior, Budget(resamples, seed))
    tested = tables.test_table(tests, names[0], null, alpha)
    table = pd.concat([coefficient_table(f, level) for f in fits], ignore_index=True)
    notes = (
        *opened.notes,
        *setting.notes,
        *left_out,
        *tables.fit_notes(fits, names),
        *tables.empty_notes(table),
        *layout.replicate_notes(setting, names, stratum),
    )
    design = {
        "formula": formula,
        "data_name": opened.name,
        **_said(setting, chosen[0], names, variables),
        "dt": dt,
        "prior": prior,
        "level": level,
        "null": sorted(set(tested["null"].dropna())),
        "aliased": sorted({name for f in fits for name in f.design.aliased}),
        **tables.sizes(fits, jumps, stratum, names),
    }
    return TransitionModel(
        table=table,
        tests=tested,
        predictions=_predictions(fits, grid, level),
        units=tables.unit_table(setting, origins, fits),
        fits=tuple(fits),
        states=states,
        alpha=alpha,
        design=design,
        seed=seed,
        provenance=opened.provenance,
        notes=notes,
    )


def _said(
    setting: Setting, window: Window, names: Sequence[str], variables: frozenset[str]
) -> dict[str, Any]:
    """Describe what was modelled: protocol, window, genotypes, replicate."""
    return {
        "protocol": setting.protocol.raw or None,
        "stimuli": setting.protocol.describe(),
        "stimulus_intervals": [list(i) for i in setting.protocol.intervals],
        "window": window.name,
        "window_text": window.describe(),
        "genotypes": list(names),
        "control": names[0],
        "transitions": "jump",
        "replicate": "line x date" if setting.dates is not None else "assay",
        "typical": layout.typical(setting, variables),
    }


def has_time(model: TransitionModel) -> bool:
    """Whether a model has courses over time, or one moment only."""
    return bool(model.predictions["t"].nunique() > 1)


def predict(
    model: TransitionModel, grid: pd.DataFrame, *, level: float | None = None
) -> pd.DataFrame:
    """Predict transition probabilities, with pointwise bands.

    Parameters
    ----------
    model : TransitionModel
    grid : DataFrame
        The variables of the formula; ``on`` and ``since`` follow from ``t`` where they are
        missing, other variables that are missing take their typical value.
    level : float, optional
        That of the model by default.

    Returns
    -------
    DataFrame
        The columns of `grid`, ``from to p p_low p_high df``; one row per row of `grid`, origin
        and destination.

    Raises
    ------
    UsageError
        A variable or a level that the model does not know.
    """
    level = model.design["level"] if level is None else level
    if not 0 < level < 1:
        raise UsageError(f"level must lie between 0 and 1, but is {level!r}.")
    wanted = frozenset().union(*(f.design.variables for f in model.fits))
    table = _complete(grid.reset_index(drop=True), model.design, wanted)
    return _predictions(model.fits, table, level)


def _complete(
    grid: pd.DataFrame, design: Mapping[str, Any], wanted: frozenset[str]
) -> pd.DataFrame:
    """Fill in what follows from other variables, and check what is left."""
    from larvastats.protocol import parse_protocol

    if not len(grid):
        raise UsageError("the grid to predict has no row; give at least one.")
    if "t" in grid and wanted & {"on", "since"} - set(grid.columns):
        protocol = parse_protocol(design["protocol"] or "")
        made = time_columns(grid["t"].to_numpy(np.float64), protocol)
        grid = grid.assign(**{k: v for k, v in made.items() if k not in grid.columns})
    for name, value in design["typical"].items():
        if name not in grid.columns:
            grid = grid.assign(**{name: value})
    missing = sorted((wanted & {*TIME, "genotype", "from"}) - set(grid.columns))
    if missing:
        raise UsageError(
            f"the grid to predict lacks {', '.join(missing)}, which the formula names."
        )
    if "genotype" in grid.columns:
        strange = sorted(set(grid["genotype"].astype("str")) - set(design["genotypes"]))
        if strange:
            raise UsageError(
                f"genotype {strange[0]!r} is not in the model; it has "
                f"{', '.join(design['genotypes'])}."
            )
        grid = grid.assign(genotype=pd.Categorical(grid["genotype"], design["genotypes"]))
    return grid


def _predictions(fits: Sequence[OriginFit], grid: pd.DataFrame, level: float) -> pd.DataFrame:
    out = pd.concat([predict_origin(f, grid, level) for f in fits], ignore_index=True)
    for name in ("genotype", "from"):
        if name in out:
            out[name] = out[name].astype("str")
    return out


def _check(
    dt: float, prior: float, level: float, null: str, resamples: int, alpha: float, seed: int
) -> None:
    """Refuse what makes no sense, in one sentence."""
    if not (np.isfinite(dt) and dt > 0):
        raise UsageError(f"dt must be a positive number of seconds, but is {dt!r}.")
    if not (np.isfinite(prior) and prior >= 0):
        raise UsageError(f"prior must be a number of transitions from 0 up, but is {prior!r}.")
    for name, value in (("level", level), ("alpha", alpha)):
        if not 0 < value < 1:
            raise UsageError(f"{name} must lie between 0 and 1, but is {value!r}.")
    if null not in NULLS:
        raise UsageError(f"null must be one of {', '.join(NULLS)}, but is {null!r}.")
    if resamples < 99:
        raise UsageError(f"resamples must be at least 99, but is {resamples!r}.")
    if seed < 0:
        raise UsageError(f"seed must be a whole number from 0 up, but is {seed!r}.")


def _select(setting: Setting, genotypes: str | Sequence[str] | None) -> Setting:
    """Keep the assays of some genotypes."""
    if genotypes is None:
        return setting
    assays = setting.ethogram.assays
    names = genotypes.split(",") if isinstance(genotypes, str) else list(genotypes)
    found = [find_genotype(assays, name.strip()) for name in names]
    keep = assays["genotype"].isin(found).to_numpy(bool)
    dates = None if setting.dates is None else setting.dates[keep]
    return Setting(setting.ethogram.subset(keep), setting.protocol, dates, setting.notes)


def _tests(
    setting: Setting,
    origins: Sequence[Origin],
    names: Sequence[str],
    prior: float,
    budget: Budget,
) -> list[tuple[str, CourseTest]]:
    """Test every genotype against the control: any difference, and the shape of the course."""
    out = []
    for name in names[1:]:
        rows = setting.rows(name), setting.rows(names[0])
        for term in (LEVEL, COURSE):
            test = test_course(origins, rows, (name, names[0]), setting.dates, term, prior, budget)
            if test is not None:
                out.append((name, test))
    return out
