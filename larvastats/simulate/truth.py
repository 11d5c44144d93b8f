"""What was put into a simulated screen, to compare with what comes out of a test."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from larvastats import __version__
from larvastats.errors import UsageError
from larvastats.protocol import Window, windows
from larvastats.simulate.design import ScreenDesign
from larvastats.simulate.effects import Effect
from larvastats.simulate.expectation import Expectation, expect, mean_occupancy, mean_transitions
from larvastats.simulate.states import Response, ScreenModel
from larvastats.simulate.timecourse import timecourse

PROGRAM = "larvastats simulate"
DIGITS = 6


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """The truth behind a simulated screen.

    Attributes
    ----------
    design : ScreenDesign
    seed : int
    """

    design: ScreenDesign
    seed: int

    @property
    def null_lines(self) -> tuple[str, ...]:
        """Lines without an effect: exchangeable with the control, given the date."""
        affected = {effect.line for effect in self.design.effects}
        return tuple(line for line in self.design.lines if line not in affected)

    def transitions(self, line: str, window: str = "during") -> NDArray[np.float64]:
        """Return the expected pooled jump matrix of a line or the control in a window.

        Shape ``(from, to)``; every random effect is taken as zero, and tracking as complete.
        Rows that are never left are NaN.
        """
        model = self.design.model
        return mean_transitions(model, _expected(self.design, line), _window(model, window))

    def occupancy(self, line: str, window: str = "during") -> NDArray[np.float64]:
        """Return the expected share of time in each state, shape ``(state,)``; as above."""
        model = self.design.model
        return mean_occupancy(model, _expected(self.design, line), _window(model, window))

    def realised(self) -> list[dict[str, Any]]:
        """Return every effect as it was realised; see :func:`timecourse`."""
        out: list[dict[str, Any]] = []
        for line, effects in effects_by_line(self.design).items():
            if effects:
                done = timecourse(self.design.model, effects)[1]
                out += [{**one, "line": line} for one in done]
        return out

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain numbers, texts, lists and dicts, for ``truth.json``."""
        design = self.design
        return {
            "simulated": True,
            "program": PROGRAM,
            "version": __version__,
            "seed": self.seed,
            "protocol": design.model.protocol,
            "stimuli": design.model.timing.describe(),
            "control": design.control,
            "effector": design.model.effector,
            "lines": list(design.lines),
            "null_lines": list(self.null_lines),
            "effects": self.realised(),
            "design": _design_dict(design),
            "model": _model_dict(design.model),
            "chains": _chains(self),
        }


def effects_by_line(design: ScreenDesign) -> dict[str, tuple[Effect, ...]]:
    """Return the effects of the control and of every line, in order.

    The effects come without the line's name, so that lines of equal effects share one chain.

    Raises
    ------
    UsageError
        An effect for a line that the design lacks.
    """
    out: dict[str, tuple[Effect, ...]] = {line: () for line in (design.control, *design.lines)}
    for effect in design.effects:
        if effect.line not in out or effect.line == design.control:
            raise UsageError(
                f"An effect is for line {effect.line!r}, which is not among the "
                f"{len(design.lines)} lines of the design; add the line or remove the effect."
            )
        out[effect.line] += (dataclasses.replace(effect, line=""),)
    return out


def _expected(design: ScreenDesign, line: str) -> Expectation:
    effects = effects_by_line(design)
    if line not in effects:
        raise UsageError(f"Line {line!r} is not in the design; it has {', '.join(effects)}.")
    return _solved(design.model, effects[line])


@functools.lru_cache(maxsize=16)
def _solved(model: ScreenModel, effects: tuple[Effect, ...]) -> Expectation:
    return expect(model, timecourse(model, effects)[0])


def _window(model: ScreenModel, spec: str) -> Window:
    found = windows(model.timing, spec)
    if len(found) != 1:
        raise UsageError(f"Window {spec!r} is many windows; expected one, such as during.")
    return found[0]


def _chains(truth: Truth) -> list[dict[str, Any]]:
    """One entry for each distinct chain: its lines, and what they do in each window."""
    model = truth.design.model
    lines_of: dict[tuple[Effect, ...], list[str]] = {}
    for line, effects in effects_by_line(truth.design).items():
        lines_of.setdefault(effects, []).append(line)
    names = [window.name for window in windows(model.timing, "each")]
    names += ["during", "whole"] if model.timing.has_stimulus else []
    return [
        {
            "lines": lines,
            "windows": {
                name: {
                    "transitions": _plain(truth.transitions(lines[0], name)),
                    "occupancy": _plain(truth.occupancy(lines[0], name)),
                }
                for name in names
            },
        }
        for lines in lines_of.values()
    ]


def _design_dict(design: ScreenDesign) -> dict[str, Any]:
    return {
        "dates": design.dates,
        "assays_per_line": design.assays_per_line,
        "dates_per_line": design.dates_per_line,
        "control_assays_per_date": design.control_assays_per_date,
        "larvae": design.larvae,
        "larvae_of": dict(design.larvae_of),
        "standard_deviations": dataclasses.asdict(design.spread),
        "tracking": dataclasses.asdict(design.tracking),
    }


def _model_dict(model: ScreenModel) -> dict[str, Any]:
    return {
        "name": model.name,
        "tracker": model.tracker,
        "duration": model.duration,
        "states": list(model.states),
        "transitions": _plain(model.transitions),
        "dwell_mean": _plain(model.dwell_mean),
        "dwell_shape": _plain(model.dwell_shape),
        "loss_rate": _plain(model.loss_rate),
        "startle": _response_dict(model.startle),
        "sustained": _response_dict(model.sustained),
    }


def _response_dict(response: Response) -> dict[str, Any]:
    values = {f.name: getattr(response, f.name) for f in dataclasses.fields(response)}
    return {k: _plain(v) if isinstance(v, np.ndarray) else v for k, v in values.items()}


def _plain(array: NDArray[np.float64]) -> Any:
    """Nested lists, rounded; what is not a number becomes null."""
    rounded = np.round(array, DIGITS).astype(object)
    rounded[np.isnan(array)] = None
    return rounded.tolist()
