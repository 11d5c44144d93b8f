"""Results as plain parts, of which R makes its own objects.

Plain are None, truth values, numbers, texts, lists, dictionaries, arrays of float64 or int32, and
:class:`Handle`. Dictionaries with one key that begins with a dot say what their value becomes in
R: ``.table``, ``.object``, ``.named`` (numbers), ``.raster``. The bridge hands parts over in
memory, the command line in files; R's side is in ``larvastats.R``.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from larvastats.r.columns import to_columns

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GONE = (
    "this result was made in another R session, and its engine is gone: its tables are whole, but "
    "for pictures and predictions run the verb again."
)
"""Of a result whose Python object is no more."""

_LEFT_OUT = object()
_SUMMARIES = ("tidy", "glance", "augment")


@dataclasses.dataclass(frozen=True, slots=True)
class Handle:
    """A Python object that R keeps and gives back."""

    value: Any


def parts(value: Any) -> Any:
    """Return a value as plain parts.

    Parameters
    ----------
    value : object
        What a verb returned: a table, a result (any dataclass, known or not), or plain values.

    Returns
    -------
    plain
        What has no counterpart becomes text.
    """
    found = _parts(value)
    return str(value) if found is _LEFT_OUT else found


def _parts(value: Any) -> Any:
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool | int | float | str):
        return value
    for kind, make in _KINDS:
        if isinstance(value, kind):
            return make(value)
    return result(value) if dataclasses.is_dataclass(value) else _LEFT_OUT


def table(value: pd.DataFrame) -> dict[str, Any]:
    """Return a table as parts."""
    return {".table": {"columns": to_columns(value), "rows": len(value)}}


def named(values: Mapping[str, float]) -> dict[str, Any]:
    """Return named numbers as parts."""
    numbers = np.array([float(v) for v in values.values()], dtype=np.float64)
    return {".named": {"names": list(values), "values": numbers}}


def _mapping(value: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(k): parts(v) for k, v in value.items()}


def _sequence(value: Any) -> Any:
    items = list(value)
    if items and all(isinstance(v, float | np.floating) for v in items):
        return np.array(items, dtype=np.float64)
    return [parts(v) for v in items]


def _array(value: np.ndarray) -> Any:
    if value.ndim != 1 or value.dtype.kind not in "fiu":
        return _sequence(value.tolist())
    fits = value.dtype.kind == "i" and value.dtype.itemsize <= 4
    return value.astype(np.int32 if fits else np.float64, copy=False)


_KINDS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (Handle, lambda value: value),
    (pd.DataFrame, table),
    (pd.Series, lambda value: table(value.to_frame())),
    (Mapping, _mapping),
    (np.ndarray, _array),
    ((list, tuple), _sequence),
    ((set, frozenset), lambda value: _sequence(sorted(value, key=str))),
    (Path, str),
)


def class_name(value: Any) -> str:
    """Name the S3 class of a result: ``ScreenResult`` is a ``larva_screen``."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]*", type(value).__name__)
    if len(words) > 1 and words[-1] == "Result":
        words = words[:-1]
    return "larva_" + "_".join(words).lower().replace("h_test", "htest")


def result(value: Any) -> dict[str, Any]:
    """Return a result as parts: fields, tidy tables, text, and a handle on itself.

    Anything with the attributes of :class:`~larvastats.results.HTest` becomes an ``htest``.
    """
    name = class_name(value)
    fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    if name == "larva_ethogram":
        fields = {"states": value.states}
    whole = {"fields": _htest(fields) if name == "larva_htest" else _fields(fields)}
    for summary in _SUMMARIES:
        if hasattr(value, summary):
            whole[summary] = _summary(getattr(value, summary)(), fields)
    family = "htest" if name == "larva_htest" else "larva_result"
    return {
        ".object": whole
        | {
            "class": [name, family],
            "text": repr(value),
            "notes": list(getattr(value, "notes", ())),
            "picture": hasattr(value, "plot"),
            "handle": Handle(value),
        }
    }


def _fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    made = {name: _parts(value) for name, value in fields.items() if not _is_inner(value)}
    return {name: value for name, value in made.items() if value is not _LEFT_OUT}


def _is_inner(value: Any) -> bool:
    """Whether a field holds what only Python works with, such as the fits of a model."""
    return isinstance(value, tuple | list) and any(dataclasses.is_dataclass(v) for v in value)


def _summary(found: pd.DataFrame, fields: Mapping[str, Any]) -> Any:
    """Return a tidy table, or the name of the field that holds the same one: it crosses once."""
    for name, value in fields.items():
        if isinstance(value, pd.DataFrame) and value.equals(found):
            return name
    return table(found)


_NAMED = ("statistic", "parameter", "estimate", "null_value")
_TEST = ("method", "data_name", "p_value", "alternative", "conf_int", "conf_level")


def _htest(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a test in R's order; the limits carry their level in R."""
    made: dict[str, Any] = {n: named(fields[n]) for n in _NAMED if fields[n]}
    made["p_value"] = float(fields["p_value"])
    if fields["conf_int"] is not None:
        made["conf_int"] = np.array(fields["conf_int"], dtype=np.float64)
        made["conf_level"] = float(fields["conf_level"])
    if fields["alternative"]:
        made["alternative"] = fields["alternative"]
    made |= {"method": fields["method"], "data_name": fields["data_name"]}
    others = {n: v for n, v in fields.items() if n not in (*_NAMED, *_TEST)}
    return made | _fields(others)


def picture(figure: Figure, width: float, height: float, dpi: float) -> dict[str, Any]:
    """Draw a figure as large as `width` x `height` inches allow, its shape kept.

    Returns
    -------
    dict
        ``.raster``: pixels as int32, row by row, packed as R's ``nativeRaster`` does.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    own_width, own_height = figure.get_size_inches()
    figure.set_dpi(dpi * min(width / own_width, height / own_height))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.ascontiguousarray(np.asarray(canvas.buffer_rgba()))
    rows, columns = pixels.shape[:2]
    return {
        ".raster": {"values": pixels.view("<i4").ravel().astype(np.int32), "rows": rows,
                    "columns": columns}
    }  # fmt: skip
