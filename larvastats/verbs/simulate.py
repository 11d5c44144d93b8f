"""Make recordings with known effects."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from larvastats.errors import UsageError
from larvastats.simulate.design import (
    CONTROL_LINE,
    RandomEffects,
    ScreenDesign,
    line_names,
)
from larvastats.simulate.effects import default_effects, read_effects
from larvastats.simulate.screen import simulate_ethogram
from larvastats.simulate.states import ScreenModel, screen_model
from larvastats.simulate.write import FORMATS, check_target, write_screen


def simulate(
    directory: str | os.PathLike[str],
    *,
    protocol: str | None = None,
    lines: int | Sequence[str] = 12,
    assays_per_line: int = 6,
    larvae: int = 30,
    effects: str | os.PathLike[str] | Iterable[Mapping[str, Any]] | None = None,
    format: str = "tidy",
    seed: int = 0,
    dates: int = 3,
    control_assays_per_date: int = 4,
    date_sd: float = 0.2,
    plate_sd: float = 0.25,
    vial_sd: float = 0.1,
    progress: bool = False,
) -> Path:
    """Simulate a screen and write it to a directory, with the truth beside it.

    Larvae follow a continuous-time semi-Markov chain that depends on their action and on the
    stimulus; plates, vials and dates differ by chance, larvae get lost and found. A line without
    an effect is exchangeable with the control, given the date.

    Parameters
    ----------
    directory : path
        New, empty, or an earlier simulation, which is replaced once the new one is complete.
    protocol : str, optional
        ``light`` (default) or ``airpuff``, a beginning of one of their protocol strings, or any
        protocol whose first stimulus is red light (``r_...``) or air puff (``p_...``).
    lines : int or sequence of str
        Lines beside the control: how many, or their names.
    assays_per_line : int
        Plates of each line, spread evenly over the dates.
    larvae : int
        Mean number of larvae on a plate; plates draw from about 5/6 to 7/6 of it.
    effects : path or iterable of mappings, optional
        ``[[effect]]`` tables, see :mod:`larvastats.simulate.effects`. By default a built-in set
        for the kind of stimulus, in which about half of the lines are null; an empty iterable
        makes every line null.
    format : {'tidy', 'trx', 'frames'}
        ``bouts.parquet``; a database directory of trx.mat files with frames every 0.1 s; or
        ``frames.parquet``, a tidy table of such frames. Frames also have length (mm), speed (mm/s)
        and head angle (rad), see :mod:`larvastats.simulate.series`.
    seed : int
        From 0 on; the same seed gives the same recordings.
    dates : int
        Dates of filming, a week apart.
    control_assays_per_date : int
        Plates of the control on each date.
    date_sd, plate_sd, vial_sd : float
        Standard deviations of the random effects on the log odds of the transitions; half of
        them act on log dwell times. A vial is a line on a date.
    progress : bool
        Whether to draw progress bars on stderr.

    Returns
    -------
    pathlib.Path
        The directory: ``bouts.parquet``, ``frames.parquet`` or the database, and ``truth.json``.

    Raises
    ------
    UsageError
        An argument that cannot be, a bad effect, or a directory that holds something else.
    DataError
        The directory cannot be written; what was there stays.
    """
    if format not in FORMATS:
        raise UsageError(f"format must be one of {', '.join(FORMATS)}, but is {format!r}.")
    target = Path(directory)
    check_target(target)
    model = screen_model(protocol)
    names = _names(lines, model)
    design = ScreenDesign(
        model,
        names,
        dates=dates,
        assays_per_line=assays_per_line,
        control_assays_per_date=control_assays_per_date,
        larvae=_around(larvae),
        effects=(
            default_effects(model, names)
            if effects is None
            else read_effects(effects, model, names, CONTROL_LINE)
        ),
        spread=RandomEffects(date=date_sd, vial=vial_sd, plate=plate_sd),
    )
    ethogram, truth = simulate_ethogram(design, seed, progress=progress)
    write_screen(ethogram, truth, target, format, progress)
    return target


def _names(lines: int | Sequence[str], model: ScreenModel) -> tuple[str, ...]:
    if isinstance(lines, str):
        return (lines,)
    if isinstance(lines, Sequence):
        return tuple(lines)
    light = any(stimulus.kind == "r" for stimulus in model.timing.stimuli)
    return line_names(lines, strong_first=light)


def _around(larvae: int) -> tuple[int, int]:
    """Return the range of larvae on a plate."""
    if not isinstance(larvae, int) or isinstance(larvae, bool) or larvae < 1:
        raise UsageError(f"larvae must be a whole number of at least 1, but is {larvae!r}.")
    margin = round(larvae / 6)
    return larvae - margin, larvae + margin
