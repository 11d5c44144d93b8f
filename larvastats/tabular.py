"""From a table that somebody else wrote to checked columns: every complaint is one sentence."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from larvastats.errors import DataError

IDENTITY = ("line", "effector", "protocol", "tracker", "date", "time")
"""Columns that describe an assay; each must be constant within it."""


def require_columns(table: pd.DataFrame, columns: Sequence[str], source: str) -> None:
    """Raise a :class:`DataError` that names missing columns and near misses."""
    missing = [name for name in columns if name not in table.columns]
    if not missing:
        return
    have = ", ".join(map(str, table.columns[:20])) or "none"
    raise DataError(
        f"{source}: expected the columns {', '.join(columns)}, but "
        f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing (found: {have}); "
        "rename the columns or add the missing ones."
    )


def numeric(table: pd.DataFrame, column: str, source: str) -> np.ndarray:
    """Return a column as finite float64, shape (row,); anything else is a :class:`DataError`."""
    values = pd.to_numeric(table[column], errors="coerce").to_numpy(dtype=np.float64)
    bad = ~np.isfinite(values)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise DataError(
            f"{source}: column {column} must hold times in seconds, but {int(bad.sum())} of "
            f"{len(values)} values are not finite numbers (first: "
            f"{table[column].iloc[row]!r} in row {row + 1}); correct or remove these rows."
        )
    return values


def text(table: pd.DataFrame, column: str, source: str) -> pd.Series:
    """Return a column as strings; a missing value is a :class:`DataError`."""
    values = table[column]
    missing = values.isna().to_numpy()
    if missing.any():
        row = int(np.flatnonzero(missing)[0])
        raise DataError(
            f"{source}: column {column} is empty in {int(missing.sum())} of {len(values)} rows "
            f"(first: row {row + 1}); every row needs a value there."
        )
    return _as_text(values)


def assay_table(
    table: pd.DataFrame, assay_codes: np.ndarray, names: Sequence[str], source: str,
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
    order = np.arange(len(assay_codes) - 1, -1, -1)
    first[assay_codes[order]] = order
    columns: dict[str, object] = {"assay": list(names)}
    for column in table.columns:
        if column in ("assay", "larva", "genotype") or column in skip:
            continue
        codes, levels = pd.factorize(table[column], use_na_sentinel=False)
        constant = codes == codes[first][assay_codes]
        if not constant.all():
            if column in IDENTITY:
                _complain_two_values(column, levels, codes, first, assay_codes, constant, names, source)
            continue
        values = table[column].iloc[first].reset_index(drop=True)
        columns[str(column)] = identity_text(values) if column in IDENTITY else values
    return complete_assays(pd.DataFrame(columns))


def _complain_two_values(column, levels, codes, first, assay_codes, constant, names, source):  # type: ignore[no-untyped-def]
    row = int(np.flatnonzero(~constant)[0])
    assay = assay_codes[row]
    one, two = levels[codes[first[assay]]], levels[codes[row]]
    raise DataError(
        f"{source}: assay {names[assay]!r} must have one {column}, but it has {one!r} and "
        f"{two!r} (row {row + 1}); an assay is one plate in one recording: give each its own id."
    )


def complete_assays(assays: pd.DataFrame) -> pd.DataFrame:
    """Add missing identity columns (as NA) and ``genotype`` = line@effector, in standard order."""
    assays = assays.copy()
    for column in IDENTITY:
        if column not in assays:
            assays[column] = pd.Series([None] * len(assays), dtype="str")
        else:
            assays[column] = identity_text(assays[column])
    effector = assays["effector"]
    assays["genotype"] = assays["line"].where(
        effector.isna(), assays["line"] + "@" + effector.fillna("")
    )
    lead = ["assay", "line", "effector", "genotype", "protocol", "tracker", "date", "time"]
    return assays[lead + [c for c in assays.columns if c not in lead]].reset_index(drop=True)


def identity_text(values: pd.Series) -> pd.Series:
    """Return identity values as strings, empty ones as missing; 20200131.0 becomes '20200131'."""
    if pd.api.types.is_datetime64_any_dtype(values):
        return values.dt.strftime("%Y%m%d").astype("str")
    out = _as_text(values)
    return out.where(out.notna() & (out != ""), None).astype("str")


def _as_text(values: pd.Series) -> pd.Series:
    if pd.api.types.is_float_dtype(values):
        whole = values.dropna()
        if (whole == whole.round()).all():
            values = values.astype("Int64")
    missing = values.isna()
    return values.astype("str").str.strip().where(~missing, None).astype("str")
