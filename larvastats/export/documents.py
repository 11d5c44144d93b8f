"""Results as JSON: what ``--json`` prints and what stands in ``provenance.json``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from larvastats import __version__

DOCUMENTED = (
    "source", "totals", "protocols", "dates", "tests", "periods", "responses", "mixed", "variances",
    "design", "notes", "seed", "provenance",
)  # fmt: skip


def document(result: Any) -> dict[str, Any]:
    """Return a result as plain dictionaries and lists: what ``--json`` prints.

    ``tidy`` (records), ``glance``, ``design``, ``notes``, ``seed``, ``provenance``; the smaller
    tables of time courses and distributions, ``tests``, ``periods``, ``responses``, ``mixed``,
    ``variances``; and what a ``SourceInfo`` has instead: ``source``, ``totals``, ``protocols``,
    ``dates``. A missing number is None.
    """
    out: dict[str, Any] = {"larvastats": __version__, "result": type(result).__name__}
    out["tidy"] = jsonable(result.tidy())
    out["glance"] = jsonable(result.glance())[0]
    for name in DOCUMENTED:
        if hasattr(result, name):
            out[name] = jsonable(getattr(result, name))
    calibration = getattr(result, "calibration", None)
    if calibration is not None:
        out["calibration"] = document(calibration) | {"verdict": calibration.verdict}
    return out


def jsonable(value: Any) -> Any:
    """Turn a value into what JSON can hold: tables into records, NaN and NA into None.

    An infinite number becomes the text ``Infinity`` or ``-Infinity``, which Python's ``float``, R's
    ``as.numeric`` and JavaScript's ``Number`` read.

    Raises
    ------
    TypeError
        A value of a kind that has no counterpart.
    """
    if isinstance(value, pd.DataFrame):
        names = [str(name) for name in value.columns]
        rows = value.itertuples(index=False, name=None)
        return [dict(zip(names, map(jsonable, row), strict=True)) for row in rows]
    if isinstance(value, Mapping):
        return {str(key): jsonable(part) for key, part in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return jsonable(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(part) for part in value]
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, float):
        return _json_number(value)
    if isinstance(value, bool | int | str):
        return value
    raise TypeError(f"a value of type {type(value).__name__} has no counterpart in JSON")


def _json_number(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else "Infinity" if value > 0 else "-Infinity"


def write_json(value: Any, path: Path) -> None:
    """Write plain values as indented JSON."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")
