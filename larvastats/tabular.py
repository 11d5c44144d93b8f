"""From a table that somebody else wrote to checked columns: every complaint is one sentence."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from larvastats.errors import DataError

IDENTITY = ("line", "effector", "protocol", "tracker", "date", "time")
"""Columns that describe an assay; each must be constant within it."""

OTHER_NAMES: Mapping[str, tuple[str, ...]] = {
    "assay": ("plate", "recording", "experiment", "dish", "video"),
    "line": ("genotype", "strain", "neuron"),
    "larva": ("animal", "individual", "id", "track", "object"),
    "state": ("action", "behavior", "behaviour", "label", "activity"),
    "t_start": ("start", "onset", "begin", "from"),
    "t_stop": ("stop", "end", "offset", "t_end", "to"),
    "t": ("time", "time_s", "seconds", "timestamp"),
}
"""What other tables call the columns; offered as a hint, never read silently."""

MAX_TIME = 1e12
"""Seconds; beyond, neighbouring numbers are a tenth of a millisecond apart, and sums overflow."""

_DATE = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ].*)?")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d*)?)?")


def require_columns(table: pd.DataFrame, columns: Sequence[str], source: str) -> None:
    """Raise a :class:`DataError` that names missing columns and near misses.

    Raises
    ------
    DataError
        A column of `columns` is missing, or two columns have the same name.
    """
    names = [str(name) for name in table.columns]
    check_names(names, columns, source)


def check_names(names: Sequence[str], columns: Sequence[str], source: str) -> None:
    """Raise a :class:`DataError` unless `names` holds every one of `columns`, and none twice."""
    missing = [name for name in columns if name not in names]
    if not missing:
        _check_distinct(names, source)
        return
    found = ", ".join(names[:20]) or "none"
    guesses = "".join(f"; is {guess!r} the {name}?" for name, guess in _guesses(missing, names))
    raise DataError(
        f"{source}: expected the columns {', '.join(columns)}, but "
        f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing (found: {found}"
        f"{guesses}); rename the columns or add the missing ones."
    )


def _check_distinct(names: Sequence[str], source: str) -> None:
    counts = pd.Series(names, dtype="object").value_counts()
    twice = sorted(counts.index[counts > 1])
    if twice:
        more = f" and {len(twice) - 5} more" if len(twice) > 5 else ""
        raise DataError(
            f"{source}: every column needs its own name, but "
            f"{', '.join(map(repr, twice[:5]))}{more} occur{'s' * (len(twice) == 1)} more than "
            "once; rename or drop one."
        )


def _guesses(missing: Sequence[str], names: Sequence[str]) -> list[tuple[str, str]]:
    """Pair missing columns with the columns that may be meant."""
    known = {*OTHER_NAMES, *IDENTITY} - {"time"}  # the time of day, or the time of a frame
    free = {name.strip().casefold(): name for name in names if name not in known}
    pairs = []
    for column in missing:
        usual = [free[other] for other in (column, *OTHER_NAMES.get(column, ())) if other in free]
        near = usual or [free[n] for n in difflib.get_close_matches(column, free, n=1, cutoff=0.7)]
        if near:
            pairs.append((column, near[0]))
    return pairs


def numeric(table: pd.DataFrame, column: str, source: str) -> np.ndarray:
    """Return a column as finite float64, shape (row,); anything else is a :class:`DataError`."""
    values = seconds(table[column], source)
    bad = no_time(values)
    if bad.any():
        row = int(np.argmax(bad))
        raise no_times(column, int(bad.sum()), len(values), table[column].iloc[row], row, source)
    return values


def no_time(values: np.ndarray) -> np.ndarray:
    """Whether numbers can be no moments of a recording, bool of the same shape."""
    return np.asarray(~(np.abs(values) <= MAX_TIME))  # true for NaN


def seconds(values: pd.Series, source: str) -> np.ndarray:
    """Return a column of times as float64, shape (row,); what is no number becomes NaN.

    Raises
    ------
    DataError
        The column holds points in time or truth values.
    """
    dtype = values.dtype
    if dtype.kind in "mMb" or pd.api.types.is_datetime64_any_dtype(dtype):
        raise DataError(
            f"{source}: column {values.name} must hold times in seconds as numbers, but it holds "
            f"values of type {dtype}; write seconds since the start of the recording."
        )
    return _numbers(values)


def no_times(column: str, bad: int, rows: int, value: object, row: int, source: str) -> DataError:
    """Say that `bad` cells of a column of times are none; `value` in row `row` is the first."""
    return DataError(
        f"{source}: column {column} must hold times in seconds, but {bad} of {rows} values are not "
        f"finite numbers up to {MAX_TIME:g} (first: {_shown(value)} in row {row + 1}); correct or "
        "remove these rows."
    )


def no_names(column: str, missing: int, rows: int, row: int, source: str) -> DataError:
    """Say that a column is empty in `missing` of `rows` rows, of which `row` is the first."""
    return DataError(
        f"{source}: column {column} is empty in {missing} of {rows} rows (first: row {row + 1}); "
        "every row needs a value there."
    )


def not_constant(
    column: str, assay: str, values: Sequence[object], row: int, source: str
) -> DataError:
    """Say that a column which describes assays has two values in one; the second is in `row`."""
    one, two = values
    return DataError(
        f"{source}: assay {assay!r} must have one {column}, but it has {one!r} and {two!r} (row "
        f"{row + 1}); an assay is one plate in one recording: give each its own id."
    )


def no_rows(source: str) -> DataError:
    """Say that there is nothing in a table."""
    return DataError(f"{source}: expected at least one row, but the table is empty.")


def _shown(value: object) -> str:
    """How an error shows a cell."""
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return "an empty cell"
    return repr(value) if isinstance(value, str) else str(value)


def _numbers(values: pd.Series) -> np.ndarray:
    """Values as float64; what is no number becomes NaN."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        levels = _numbers(pd.Series(values.cat.categories))
        return np.append(levels, np.nan)[values.cat.codes.to_numpy()]
    try:
        return pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError):  # cells that are lists, complex numbers, ...
        return np.array([_number(value) for value in values])


def _number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return float("nan")


def levels(table: pd.DataFrame, column: str, source: str) -> tuple[np.ndarray, list[str]]:
    """Return a column of names as codes and the distinct names.

    Only the distinct values are turned into text, so that ten million rows cost one factorisation.

    Parameters
    ----------
    table : DataFrame
    column : str
    source : str
        How errors name the input.

    Returns
    -------
    codes : ndarray of int, shape (row,)
    names : list of str
        Sorted; blanks around them are removed.

    Raises
    ------
    DataError
        A value is missing or blank, or is nothing that could be a name.
    """
    codes, texts = _distinct(table[column], f"{source}: column {column}")
    # one text more, for the code -1 of missing values
    position, distinct = pd.factorize(np.append(texts, ""), sort=True)
    codes = position[codes]
    missing = codes == position[-1]
    if missing.any():
        row = int(np.argmax(missing))
        raise no_names(column, int(missing.sum()), len(codes), row, source)
    return codes - 1, [str(name) for name in distinct[1:]]  # "" sorts first


def present(values: pd.Series) -> np.ndarray:
    """Tell which values are neither missing nor blank, shape (row,)."""
    codes, texts = _distinct(values, f"column {values.name}")
    return np.append(texts != "", False)[codes]


def _distinct(values: pd.Series, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Codes (-1 = missing) and the distinct values as text, in order of appearance."""
    try:
        codes, raw = pd.factorize(values)
    except TypeError as error:
        raise DataError(
            f"{what} must hold names or numbers, but it holds values of type "
            f"{type(values.iloc[0]).__name__}; write one plain value per row."
        ) from error
    dtype = raw.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        raw = raw.astype(dtype.categories.dtype)
    return codes, np.array(texts(pd.Series(raw)), dtype=object)


def individuals(
    assay: NDArray[np.integer], larva: NDArray[np.integer], larva_names: Sequence[str]
) -> tuple[NDArray[np.int64], pd.DataFrame]:
    """Give numbers to the pairs of assay and larva, both given as codes of sorted names.

    Returns
    -------
    index : ndarray of int, shape of `assay`
        Row of `larvae`.
    larvae : DataFrame
        ``larva`` and ``assay_index``, in order of assay and larva.
    """
    index, pairs = pd.factorize(assay * np.int64(len(larva_names)) + larva, sort=True)
    names = np.array(larva_names, dtype=object)  # arrays of text cut zeros at their ends
    columns = {
        "larva": pd.Series(names[pairs % len(larva_names)], dtype="str"),
        "assay_index": pairs // len(larva_names),
    }
    return index, pd.DataFrame(columns)


def assay_table(
    table: pd.DataFrame,
    assay_codes: np.ndarray,
    names: Sequence[str],
    source: str,
    skip: Sequence[str] = (),
) -> pd.DataFrame:
    """Collapse a long table to one row per assay.

    Parameters
    ----------
    table : DataFrame, shape (row, column)
        The source; ``line`` must be there, the other identity columns may be.
    assay_codes : ndarray of int, shape (row,)
        Position of each row's assay in `names`.
    names : sequence of str
        Assay ids.
    source : str
        How to name the input in errors.
    skip : sequence of str
        Columns that belong to bouts or frames, not to assays.

    Returns
    -------
    DataFrame, one row per assay
        ``assay``, the identity columns, ``genotype``, then every other column that is constant
        within each assay (covariates).

    Raises
    ------
    DataError
        An identity column takes two values within one assay.
    """
    first = np.full(len(names), -1, dtype=np.int64)
    first[assay_codes[::-1]] = np.arange(len(assay_codes) - 1, -1, -1)  # the last write wins
    columns: dict[str, object] = {"assay": list(names)}
    for column in table.columns:
        if column in ("assay", "larva", "genotype") or column in skip:
            continue
        changed = _first_change(table[column], first, assay_codes)
        if changed is None:
            values = table[column].iloc[first].reset_index(drop=True)
            if isinstance(values.dtype, pd.CategoricalDtype):
                values = values.astype(values.cat.categories.dtype)
            columns[str(column)] = values
        elif column in IDENTITY:
            assay = assay_codes[changed]
            values = table[column].iloc[[first[assay], changed]].tolist()
            raise not_constant(str(column), names[assay], values, changed, source)
    return complete_assays(pd.DataFrame(columns))


def _first_change(values: pd.Series, first: np.ndarray, assay_codes: np.ndarray) -> int | None:
    """First row whose value differs from its assay's first one; None if there is none."""
    try:
        codes = pd.factorize(values, use_na_sentinel=False)[0]
    except TypeError:  # lists and the like, which describe no assay
        return 0
    differs = codes != codes[first][assay_codes]
    return int(np.argmax(differs)) if differs.any() else None


def complete_assays(assays: pd.DataFrame) -> pd.DataFrame:
    """Put a table of assays in standard form.

    Missing identity columns are added (as NA), ``genotype`` becomes line@effector, dates become
    ``YYYYMMDD`` and times of day ``HHMMSS`` where they are written year first (2020-01-31) or with
    colons; other spellings stay as they are.
    """
    names = {
        column: texts(assays[column]) if column in assays else [""] * len(assays)
        for column in ("assay", *IDENTITY)
    }
    names["date"] = [_plain_date(text) for text in names["date"]]
    names["time"] = [_plain_time(text) for text in names["time"]]
    names["genotype"] = [
        f"{line}@{effector}" if effector else line
        for line, effector in zip(names["line"], names["effector"], strict=True)
    ]
    lead = ["assay", "line", "effector", "genotype", "protocol", "tracker", "date", "time"]
    columns = {c: pd.Series([text or None for text in names[c]], dtype="str") for c in lead}
    rest = assays[[c for c in assays.columns if c not in lead]].reset_index(drop=True)
    return pd.DataFrame(columns | {str(name): rest[name] for name in rest.columns})


def texts(values: pd.Series) -> list[str]:
    """Return values as text without blanks around them; a missing one is empty.

    A column of whole numbers with decimals, as missing values make them, loses the decimals:
    20200131.0 becomes '20200131'.
    """
    missing = values.isna().to_numpy()
    plain: list[object] = values.tolist()
    if pd.api.types.is_float_dtype(values):
        known = values.to_numpy(dtype=np.float64, na_value=np.nan)[~missing]
        if np.array_equal(known, np.round(known)):
            plain = [
                value if gone else _whole(value) for value, gone in zip(plain, missing, strict=True)
            ]
    return ["" if gone else str(value).strip() for value, gone in zip(plain, missing, strict=True)]


def _whole(value: object) -> object:
    number = float(value)  # type: ignore[arg-type]
    return int(number) if np.isfinite(number) else value


def _plain_date(text: str) -> str:
    match = _DATE.fullmatch(text)
    if match is None:
        return text
    year, month, day = match.groups()
    return f"{year}{month:0>2}{day:0>2}"


def _plain_time(text: str) -> str:
    match = _CLOCK.fullmatch(text)
    if match is not None:
        hour, minute, second = match.groups()
        return f"{hour:0>2}{minute}{second or '00'}"
    return text.zfill(6) if text.isascii() and text.isdigit() else text
