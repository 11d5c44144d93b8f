"""What makes a line different: effects, as ``[[effect]]`` tables of a TOML file or as dicts.

An example::

    [[effect]]
    line = "GMR_16D02_AE_01"
    kind = "transition"
    from = "run"
    to = "stop"
    window = "during"
    delta = 0.15

- ``transition`` adds `delta` to the probability that `from` is followed by `to`; the other
  targets of `from` are rescaled.
- ``dwell`` multiplies the mean time spent in `from` by `delta`.
- ``habituation`` multiplies by `delta` the time constants with which the responses wane.
- ``speed``, ``spread`` and ``length`` multiply by `delta` the speed of crawling, the bends of the
  body (the scatter of the head angle about its mean), and the length of the body (its width,
  too). They change no action, and show where there are frames or shapes.

Each acts in its `window` (``during`` by default), on top of the effects listed before it.
"""

from __future__ import annotations

import math
import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from larvastats.errors import UsageError
from larvastats.protocol import Protocol, Window, windows
from larvastats.simulate.states import ScreenModel

BODY_KINDS = ("speed", "spread", "length")
"""Kinds that change how a larva moves, not what it does."""

KINDS = ("transition", "dwell", "habituation", *BODY_KINDS)
_NEEDS = {"transition": ("from", "to"), "dwell": ("from",), "habituation": ()} | dict.fromkeys(
    BODY_KINDS, ()
)
_BODY_RANGE = (0.2, 3.0)  # beyond, there is no larva
_KEYS = ("line", "kind", "from", "to", "window", "delta")


@dataclass(frozen=True, slots=True)
class Effect:
    """One way in which one line differs from the control.

    Attributes
    ----------
    line : str
    kind : {'transition', 'dwell', 'habituation', 'speed', 'spread', 'length'}
    delta : float
        Added to a probability (``transition``) or a factor (the others).
    from_state, to_state : str or None
        As the kind requires.
    window : str
        One window of the protocol, such as ``during``, ``during_2`` or ``45:60``.
    """

    line: str
    kind: str
    delta: float
    from_state: str | None = None
    to_state: str | None = None
    window: str = "during"

    def as_dict(self) -> dict[str, Any]:
        """Return the keys of an ``[[effect]]`` table, without those that the kind lacks."""
        values = (self.line, self.kind, self.from_state, self.to_state, self.window, self.delta)
        pairs = zip(_KEYS, values, strict=True)
        return {key: value for key, value in pairs if value is not None}

    def resolve(self, protocol: Protocol) -> Window:
        """Return the times of the window in a protocol."""
        return windows(protocol, self.window)[0]


def read_effects(
    source: str | os.PathLike[str] | Iterable[Mapping[str, Any] | Effect],
    model: ScreenModel,
    lines: Sequence[str],
    control: str,
) -> tuple[Effect, ...]:
    """Read and check effects.

    Parameters
    ----------
    source : path or iterable of mappings
        A TOML file with ``[[effect]]`` tables, or the tables themselves.
    model : ScreenModel
        Gives the states and the windows.
    lines : sequence of str
        The lines of the screen, without the control.
    control : str

    Returns
    -------
    tuple of Effect
        In the order given.

    Raises
    ------
    UsageError
        A file that is missing or no TOML; a table with an unknown key, line, kind, state or
        window, or whose `delta` does not fit its kind.
    """
    if isinstance(source, str | os.PathLike):
        name, tables = str(source), _load(Path(source))
    else:
        name, tables = "effects", list(source)
    return tuple(
        _effect(table, f"{name}: effect {number}", model, lines, control)
        for number, table in enumerate(tables, start=1)
    )


def _load(path: Path) -> list[Any]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(
            f"{path}: the file of effects cannot be read ({reason}); give the path of a TOML file "
            "with [[effect]] tables."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path}: this is no valid TOML ({error}); write one [[effect]] table per effect, "
            'with text in quotes, such as line = "GMR_16D02_AE_01".'
        ) from error
    tables = content.pop("effect", None)
    if content or not isinstance(tables, list):
        found = ", ".join(content) or ("no effect" if tables is None else "one [effect]")
        raise UsageError(
            f"{path}: expected [[effect]] tables (double brackets) and nothing else, found "
            f"{found}; correct the file."
        )
    return tables


def _effect(
    table: Any, where: str, model: ScreenModel, lines: Sequence[str], control: str
) -> Effect:
    """Check one table."""
    if isinstance(table, Effect):
        table = table.as_dict()
    if not isinstance(table, Mapping):
        raise UsageError(f"{where} must be a table with the keys {', '.join(_KEYS)}.")
    unknown = [str(key) for key in table if key not in _KEYS]
    if unknown:
        raise UsageError(
            f"{where} has the unknown key {unknown[0]!r}; expected {', '.join(_KEYS)}."
        )
    line = _choice(table, "line", lines, where, control)
    kind = _choice(table, "kind", KINDS, where)
    for key in ("from", "to"):
        if key in table and key not in _NEEDS[kind]:
            raise UsageError(
                f"{where} is of kind {kind!r}, which takes no {key!r}; remove that key."
            )
    states = {key: _choice(table, key, model.states, where) for key in _NEEDS[kind]}
    if kind == "transition" and states["from"] == states["to"]:
        raise UsageError(
            f"{where} goes from {states['from']!r} to itself; expected two different states "
            "(to change how long a state lasts, use kind 'dwell')."
        )
    delta = _delta(table.get("delta"), kind, where)
    window = _window(table.get("window", "during"), model, where)
    return Effect(line, kind, delta, states.get("from"), states.get("to"), window)


def _choice(
    table: Mapping[str, Any], key: str, allowed: Sequence[str], where: str, control: str = ""
) -> str:
    value = table.get(key)
    shown = ", ".join(allowed[:12]) + (f" and {len(allowed) - 12} more" * (len(allowed) > 12))
    if value is None:
        raise UsageError(f"{where} has no {key!r}; expected one of {shown}.")
    if control and value == control:
        raise UsageError(
            f"{where} names the control {control!r}, but an effect is a difference from the "
            f"control; expected one of {shown}."
        )
    if value not in allowed:
        raise UsageError(f"{where} has the unknown {key} {value!r}; expected one of {shown}.")
    return str(value)


def _delta(value: Any, kind: str, where: str) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value):
        raise UsageError(f"{where} needs a 'delta' that is a finite number, found {value!r}.")
    if kind == "transition" and not -1 <= value <= 1:
        raise UsageError(
            f"{where} has delta {value}, but a transition's delta is added to a probability; "
            "expected a number from -1 to 1."
        )
    if kind != "transition" and value <= 0:
        raise UsageError(
            f"{where} has delta {value}, but the delta of kind {kind!r} is a factor; expected a "
            "number above 0 (1 changes nothing)."
        )
    low, high = _BODY_RANGE
    if kind in BODY_KINDS and not low <= value <= high:
        raise UsageError(
            f"{where} has delta {value}, but no larva changes its {kind} by such a factor; "
            f"expected a number from {low:g} to {high:g}."
        )
    return float(value)


def _window(value: Any, model: ScreenModel, where: str) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{where} needs a 'window' that is a text, found {value!r}.")
    try:
        found = windows(model.timing, value)
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from error
    if len(found) != 1:
        raise UsageError(
            f"{where} has the window {value!r}, which is many windows; expected one, such as "
            "during, during_1, whole or START:STOP."
        )
    return value


# Built after the report's GMR 72F11: under light run almost disappears into long casts and stops.
_STRONG_LIGHT: tuple[tuple[Any, ...], ...] = (
    ("transition", 0.65, "run", "stop"),
    ("transition", -0.67, "cast", "run"),
    ("transition", 0.16, "cast", "stop"),
    ("transition", -0.44, "stop", "run"),
    ("transition", 0.13, "stop", "cast"),
    ("transition", -0.22, "hunch", "run"),
    ("transition", 0.54, "hunch", "stop"),
    ("transition", -0.305, "back", "run"),
    ("transition", 0.52, "back", "stop"),
    ("transition", -0.47, "roll", "run"),
    ("transition", 0.50, "roll", "stop"),
    ("dwell", 0.35, "run"),
    ("dwell", 2.2, "cast"),
    ("dwell", 2.5, "stop"),
    ("spread", 1.5),
)

# Line k takes entry k of the list, again from the start after the last; () is a null line.
_LIGHT_CYCLE: tuple[tuple[tuple[Any, ...], ...], ...] = (
    (("transition", 0.12, "cast", "stop"),),
    (("transition", 0.25, "run", "stop"),),
    (),
    (("transition", -0.25, "cast", "run"), ("dwell", 1.3, "cast")),
    (),
    (("dwell", 1.7, "cast"),),
    (),
    (("transition", 0.25, "stop", "back", "during_1"),),
    (),
    (("habituation", 5.0),),
    (),
    (("transition", 0.08, "run", "stop"),),
)
_AIRPUFF_CYCLE: tuple[tuple[tuple[Any, ...], ...], ...] = (
    (("transition", 0.20, "run", "hunch"), ("transition", 0.15, "cast", "hunch"), ("spread", 1.5)),
    (("transition", -0.10, "run", "hunch", "during_1"),),
    (),
    (("transition", 0.15, "cast", "back"),),
    (),
    (("dwell", 1.7, "hunch"),),
    (),
    (("transition", 0.08, "cast", "roll", "during_1"),),
    (),
    (("habituation", 4.0),),
    (),
    (("transition", 0.05, "run", "back"),),
)


def default_effects(model: ScreenModel, lines: Sequence[str]) -> tuple[Effect, ...]:
    """Return the built-in effects for any number of lines; about half of the lines are null.

    Line k always gets the same effects, however many lines follow. In a light screen the first
    line, after the report's GMR 72F11, has by far the strongest.
    """
    if not model.timing.has_stimulus:
        raise UsageError(
            f"The built-in effects act during a stimulus, but protocol {model.protocol!r} has "
            "none with times; give the effects, or choose another protocol."
        )
    kinds = {stimulus.kind for stimulus in model.timing.stimuli}
    cycle = _LIGHT_CYCLE if "r" in kinds else _AIRPUFF_CYCLE
    out = []
    for k, line in enumerate(lines):
        recipe = _STRONG_LIGHT if k == 0 and "r" in kinds else cycle[k % len(cycle)]
        out += [Effect(line, *entry) for entry in recipe]
    return tuple(out)
