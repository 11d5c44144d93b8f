"""Make recordings with known effects."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from larvastats.errors import UsageError
from larvastats.simulate.design import (
    CONTROL_LINE,
    RandomEffects,
    ScreenDesign,
    line_names,
)
from larvastats.simulate.effects import BODY_KINDS, Effect, default_effects, read_effects
from larvastats.simulate.faults import read_faults
from larvastats.simulate.recording import Camera, check_size
from larvastats.simulate.screen import check_seed, simulate_ethogram
from larvastats.simulate.states import ScreenModel, screen_model
from larvastats.simulate.truth import Truth
from larvastats.simulate.write import FORMATS, check_target, write_screen
from larvastats.simulate.write_shapes import Film, camera_settings, shapes_of
from larvastats.vocabulary import closest


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
    shapes: str | None = None,
    fps: float | None = None,
    contour_points: int | None = None,
    faults: str | Sequence[str] | Mapping[str, float] | None = None,
    px_per_mm: float | None = None,
    jobs: int = 1,
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
    format : {'tidy', 'frames', 'trx', 'choreography', 'fimtrack'}
        ``bouts.parquet``; ``frames.parquet``, a tidy table of frames every 0.1 s; or a database
        directory: of trx.mat files, of ``.spine`` and ``.outline`` with labels beside them, or of
        FIMTrack's tables. Frames also have length (mm), speed (mm/s) and head angle (rad), those
        of the bodies where there are shapes, see :mod:`larvastats.simulate.series` otherwise.
    seed : int
        From 0 on; the same seed gives the same recordings.
    dates : int
        Dates of filming, a week apart.
    control_assays_per_date : int
        Plates of the control on each date.
    date_sd, plate_sd, vial_sd : float
        Standard deviations of the random effects on the log odds of the transitions; half of
        them act on log dwell times. A vial is a line on a date.
    shapes : {'none', 'midline', 'contour'}, optional
        Whether larvae have bodies that move, see :mod:`larvastats.simulate.motion`. By default
        ``none`` for trx.mat, whose frames then hold actions alone, and ``contour`` for the other
        two. What larvae do is the same with and without.
    fps : float, optional
        Frames per second of the shapes, 10 by default.
    contour_points : int, optional
        Vertices of an outline, 60 by default.
    faults : mapping of str to float, or texts ``name=rate``, optional
        What the tracker does wrong, see :data:`larvastats.simulate.faults.FAULTS`; ``realistic``
        for the usual rates. The truth of every frame is in ``truth_frames.h5``.
    px_per_mm : float, optional
        Pixels per mm of FIMTrack's tables, 10 by default.
    jobs : int
        Processes that write shapes; the files are the same for any number.
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
    film = _film(format, shapes, fps, contour_points, faults, px_per_mm)
    target = Path(directory)
    check_target(target)
    check_seed(seed)
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
    if film is None:
        if format == "tidy" and effects is not None:
            _check_seen(design.effects)
        ethogram, truth = simulate_ethogram(design, seed, progress=progress)
        write_screen(ethogram, truth, target, format, progress)
    else:
        check_size(design, film.camera.fps)
        write_screen(None, Truth(design, seed), target, format, progress, film=film, jobs=jobs)
    return target


def _check_seen(effects: Sequence[Effect]) -> None:
    """Refuse effects that no file would show."""
    hidden = [effect for effect in effects if effect.kind in BODY_KINDS]
    if hidden:
        raise UsageError(
            f"An effect of kind {hidden[0].kind!r} (line {hidden[0].line!r}) shows in "
            "frames alone, but bouts are written; choose another format (--format frames, trx, "
            "choreography, fimtrack)."
        )


def _film(
    format: str, shapes: str | None, fps: float | None, contour_points: int | None,
    faults: str | Sequence[str] | Mapping[str, float] | None, px_per_mm: float | None,
) -> Film | None:  # fmt: skip
    """Check how shapes are written; None where there are none."""
    if format not in FORMATS:
        raise UsageError(
            f"format must be one of {', '.join(FORMATS)}, but is {format!r}"
            f"{closest(str(format), FORMATS) or '.'}"
        )
    kind = shapes_of(format, shapes)
    if kind == "none":
        names = ("fps", "contour_points", "faults", "px_per_mm")
        camera_settings(list(zip(names, (fps, contour_points, faults, px_per_mm), strict=True)))
        return None
    n_points = 60 if contour_points is None else contour_points
    camera = Camera(10.0 if fps is None else fps, n_points, read_faults(faults))
    if kind == "midline":
        camera = replace(camera, contour_points=0)
    return Film(format, camera, 10.0 if px_per_mm is None else px_per_mm)


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
