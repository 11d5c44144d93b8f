"""Tables as R keeps them: columns of numbers and codes, with factors, dates and NA.

A column is a plain dictionary ``name kind values`` and, by kind, ``levels`` or ``zone``. Texts
travel as codes into their distinct values, so that a million rows cost one factorisation and no
million objects.

======================  ====================================  ===================================
kind                    values                                in pandas
======================  ====================================  ===================================
double                  float64, NaN for NA                   float64
integer, logical        int32, :data:`NA_INTEGER` for NA      int32 or Int32, bool or boolean
character               int32 from 1, levels                  str
factor, ordered         int32 from 1, levels                  category
Date                    float64, days since 1970              date32[day][pyarrow]
POSIXct                 float64, s since 1970, zone           datetime64[us, zone]
difftime                float64, s                            timedelta64[us]
======================  ====================================  ===================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from larvastats.errors import DataError

NA_INTEGER = -(2**31)
"""R's NA among whole numbers and truth values."""

NA_REAL = np.uint64(0x7FF00000000007A2)
"""The bits of R's NA among numbers: a NaN that carries 1954."""

Column = dict[str, Any]

_types = pd.api.types


def to_columns(table: pd.DataFrame) -> list[Column]:
    """Return a table as columns of R; its index stays behind.

    Parameters
    ----------
    table : DataFrame

    Returns
    -------
    list of dict
        See the table above; values share the memory of `table` where its type is R's own.
    """
    return [
        {"name": str(name), **_column(table.iloc[:, k])} for k, name in enumerate(table.columns)
    ]


def _column(values: pd.Series) -> Column:
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        kind = "ordered" if dtype.ordered else "factor"
        codes = np.asarray(values.cat.codes)
        return _coded(kind, codes, [str(level) for level in dtype.categories])
    if isinstance(dtype, pd.ArrowDtype) and pa.types.is_date(dtype.pyarrow_dtype):
        return {"kind": "Date", "values": _days(values)}
    if _types.is_bool_dtype(dtype):
        return {"kind": "logical", "values": _whole(values)}
    if _types.is_integer_dtype(dtype):
        return _integers(values)
    if _types.is_float_dtype(dtype):
        return {"kind": "double", "values": values.to_numpy(np.float64, na_value=np.nan)}
    if _types.is_datetime64_any_dtype(dtype):
        zone = getattr(dtype, "tz", None)
        return {"kind": "POSIXct", "values": _seconds(values), "zone": str(zone or "UTC")}
    if _types.is_timedelta64_dtype(dtype):
        return {"kind": "difftime", "values": _seconds(values)}
    return _objects(values)


def _objects(values: pd.Series) -> Column:
    """Columns of texts, or of whatever objects there are."""
    found = "string" if _types.is_string_dtype(values.dtype) and values.dtype != object else (
        _types.infer_dtype(values, skipna=True)
    )  # fmt: skip
    if found == "boolean":
        return {"kind": "logical", "values": _whole(values.astype("boolean"))}
    if found in ("integer", "floating", "mixed-integer-float"):
        numbers = pd.to_numeric(values).convert_dtypes(dtype_backend="numpy_nullable")
        return _column(numbers)
    if found == "date":
        return {"kind": "Date", "values": _days(values.astype(pd.ArrowDtype(pa.date32())))}
    if found in ("datetime", "datetime64"):
        return _column(pd.to_datetime(values))
    if found not in ("string", "empty"):
        values = values.map(str, na_action="ignore")
    codes, levels = pd.factorize(values)
    return _coded("character", codes, [str(level) for level in levels])


def _coded(kind: str, codes: NDArray[Any], levels: Sequence[str]) -> Column:
    values = codes.astype(np.int32)
    values += 1
    values[values == 0] = NA_INTEGER
    return {"kind": kind, "values": values, "levels": tuple(levels)}


def _integers(values: pd.Series) -> Column:
    known = values.dropna()
    if len(known) and (known.max() > -NA_INTEGER - 1 or known.min() <= NA_INTEGER):
        return {"kind": "double", "values": values.to_numpy(np.float64, na_value=np.nan)}
    return {"kind": "integer", "values": _whole(values)}


def _whole(values: pd.Series) -> NDArray[np.int32]:
    if isinstance(values.dtype, np.dtype):
        return values.to_numpy().astype(np.int32, copy=False)
    return np.asarray(values.to_numpy(np.int64, na_value=NA_INTEGER), dtype=np.int32)


def _days(values: pd.Series) -> NDArray[np.float64]:
    days = pa.array(values).cast(pa.date32()).cast(pa.int32())
    return np.asarray(days.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def _seconds(values: pd.Series) -> NDArray[np.float64]:
    if getattr(values.dtype, "tz", None) is not None:
        values = values.dt.tz_convert("UTC").dt.tz_localize(None)
    raw = values.to_numpy()
    unit = np.datetime_data(raw.dtype)[0]
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    return np.where(np.isnat(raw), np.nan, raw.astype(np.int64) / per_second)


def from_columns(columns: Sequence[Mapping[str, Any]], rows: int) -> pd.DataFrame:
    """Return columns of R as a table.

    Parameters
    ----------
    columns : sequence of mapping
    rows : int
        For tables without columns.

    Raises
    ------
    DataError
        Two columns have one name, or a column is of a kind that tables here do not have.
    """
    names = [str(column["name"]) for column in columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(
            f"the data.frame has several columns named {twice[0]!r}; give each its own name."
        )
    made = {name: _series(column) for name, column in zip(names, columns, strict=True)}
    return pd.DataFrame(made, index=pd.RangeIndex(rows))


def _series(column: Mapping[str, Any]) -> Any:
    make = _MAKERS.get(column["kind"])
    if make is None:
        raise DataError(
            f"column {column['name']} of the data.frame is of kind {column['kind']}; expected "
            "numbers, texts, factors, truth values, dates or times: convert it, or leave it out."
        )
    whole = column["kind"] in _INTEGERS
    values = column["values"]
    if values is None:  # one cell, which is NA
        values = NA_INTEGER if whole else np.nan
    return make(np.atleast_1d(np.asarray(values, np.int32 if whole else np.float64)), column)


def quiet(values: NDArray[Any]) -> NDArray[Any]:
    """Make R's NA the usual NaN, in place: it is a signalling one, at which NumPy warns."""
    if values.dtype == np.float64:
        values[np.isnan(values)] = np.nan
    return values


def _levels(column: Mapping[str, Any]) -> list[str]:
    found = column.get("levels")
    return [found] if isinstance(found, str) else list(found if found is not None else ())


def _from_integer(values: NDArray[np.int32], column: Mapping[str, Any]) -> Any:
    missing = values == NA_INTEGER
    return pd.arrays.IntegerArray(values, missing) if missing.any() else values


def _from_logical(values: NDArray[np.int32], column: Mapping[str, Any]) -> Any:
    missing = values == NA_INTEGER
    truth = values == 1
    return pd.arrays.BooleanArray(truth, missing) if missing.any() else truth


def _codes(values: NDArray[np.int32]) -> NDArray[np.int32]:
    return np.where(values == NA_INTEGER, -1, values - 1)


def _from_character(values: NDArray[np.int32], column: Mapping[str, Any]) -> Any:
    # the last element stands for the code -1 of NA
    texts = pd.array([*_levels(column), None], dtype="str")
    return texts.take(_codes(values) % len(texts))


def _from_factor(values: NDArray[np.int32], column: Mapping[str, Any]) -> Any:
    ordered = column["kind"] == "ordered"
    levels = pd.Index(_levels(column), dtype="str")
    return pd.Categorical.from_codes(_codes(values), levels, ordered=ordered)


def _from_date(values: NDArray[np.float64], column: Mapping[str, Any]) -> Any:
    days = pa.array(np.floor(values), from_pandas=True).cast(pa.int32()).cast(pa.date32())
    return pd.arrays.ArrowExtensionArray(days)


def _from_time(values: NDArray[np.float64], column: Mapping[str, Any]) -> Any:
    times = pd.Series(_microseconds(values).astype("datetime64[us]"))
    zone = column.get("zone") or "UTC"
    try:
        return times.dt.tz_localize("UTC").dt.tz_convert(zone)
    except (KeyError, ValueError) as error:
        raise DataError(
            f"column {column['name']} of the data.frame is in the time zone {zone!r}, which is "
            "not known here; set its attribute tzone to a name such as 'UTC' or 'Europe/Berlin'."
        ) from error


def _from_difference(values: NDArray[np.float64], column: Mapping[str, Any]) -> Any:
    return _microseconds(values).astype("timedelta64[us]")


def _microseconds(seconds: NDArray[np.float64]) -> NDArray[np.int64]:
    """Whole microseconds; NumPy's NaT for NaN."""
    missing = np.isnan(seconds)
    whole = np.round(np.where(missing, 0.0, seconds) * 1e6).astype(np.int64)
    return np.where(missing, np.iinfo(np.int64).min, whole)


_MAKERS: dict[str, Callable[[Any, Mapping[str, Any]], Any]] = {
    "double": lambda values, column: values,
    "integer": _from_integer,
    "logical": _from_logical,
    "character": _from_character,
    "factor": _from_factor,
    "ordered": _from_factor,
    "Date": _from_date,
    "POSIXct": _from_time,
    "difftime": _from_difference,
}
_INTEGERS = ("integer", "logical", "character", "factor", "ordered")
