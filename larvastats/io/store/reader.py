"""A store as a source: bouts of many assays, read at once.

See :mod:`larvastats.io.store.files` for what lies where, and :mod:`larvastats.io.store.ingest` for
how it comes to be.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import dataset

from larvastats.errors import DataError
from larvastats.ethogram import Ethogram
from larvastats.io.files import AnyPath
from larvastats.io.recordings import still_there
from larvastats.io.store.files import check_version, is_store
from larvastats.io.store.index import OK, Row, column_of, read_state, settle
from larvastats.io.store.track_files import unpack
from larvastats.io.tracks import Shape, Tracks
from larvastats.tabular import complete_assays, no_time
from larvastats.vocabulary import order_states

__all__ = [
    "BOUTS_SCHEMA", "bouts_table", "is_store", "read_store", "store_checksum", "store_rows",
    "store_tracks",
]  # fmt: skip

IDENTITY = ("effector", "genotype", "protocol", "tracker", "date", "time")

BOUTS_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("assay", "line", "larva", "state")),
        ("t_start", pa.float64()),
        ("t_stop", pa.float64()),
        *((name, pa.string()) for name in IDENTITY),
    ]
)
"""Columns of every file of bouts; times in s."""


def read_store(
    store: AnyPath, wanted: Callable[[Row], bool] | None = None, *, unlabelled: bool = False
) -> tuple[Ethogram, tuple[str, ...]]:
    """Read the bouts of a store, or of some of its assays.

    Parameters
    ----------
    store : path
    wanted : callable, optional
        Takes a row of the index and tells whether to read that assay; files of the others are not
        opened.
    unlabelled : bool
        Also take assays that have shapes but no actions; their larvae have no bouts.

    Returns
    -------
    ethogram : Ethogram
        Equal to what the recordings themselves give.
    notes : tuple of str
        Recordings without bouts and why, and what was decided in reading the others.

    Raises
    ------
    DataError
        The store is damaged, of another version, or holds no assay that is wanted.
    """
    store = Path(store)
    rows = store_rows(store)
    asked = [row for row in rows if row["status"] == OK and (wanted is None or wanted(row))]
    good = [row for row in asked if row["states"] or unlabelled]
    if not good:
        raise DataError(_why_nothing(store, rows, len(asked)))
    # a recording has one status, and one note, for all of its assays
    failed = {row["source"]: row["status"] for row in rows if row["status"] != OK}
    said = {row["source"]: row["note"] for row in good if row["note"]}
    notes = [f"Left out: {reason}" for reason in failed.values()]
    if len(good) < len(asked):
        first = next(row["assay"] for row in asked if not row["states"])
        notes.append(
            f"{len(asked) - len(good)} assays have shapes but no actions, such as {first!r}: left "
            "out here."
        )
    return _ethogram(store, good), (*notes, *said.values())


def store_rows(store: Path) -> list[Row]:
    """Rows of all assays, those of an unfinished ingest included, ordered by path.

    Raises
    ------
    DataError
        The index is damaged, or the store is of another version.
    """
    check_version(store)
    return settle(read_state(store), still_there)


def store_tracks(
    store: AnyPath,
    wanted: Callable[[Row], bool] | None = None,
    shapes: Sequence[Shape] = ("features",),
    features: Sequence[str] | None = None,
) -> Iterator[Tracks]:
    """Yield the shapes of a store, assay by assay: one at a time is in memory.

    Parameters
    ----------
    store : path
    wanted : callable, optional
        As :func:`read_store`.
    shapes, features
        As :func:`larvastats.io.store.track_files.unpack`.

    Raises
    ------
    DataError
        The store or a file of it is damaged.
    """
    store = Path(store)
    for row in store_rows(store):
        if row["tracks"] is not None and (wanted is None or wanted(row)):
            tracks = unpack(store / row["tracks"], shapes, features)
            if tracks.identity.assay != row["assay"]:
                raise _damaged(store, "a file of tracks is of another assay than the index says")
            yield tracks


def store_checksum(store: AnyPath) -> str:
    """Return the SHA-256 of what the assays of a store did, in hexadecimal digits.

    It depends on the bouts and who they are of, not on where store or recordings lie.
    """
    digest = hashlib.sha256()
    good = [row for row in store_rows(Path(store)) if row["status"] == OK]
    for row in sorted(good, key=lambda row: row["assay"]):
        sums = (row["bouts_checksum"], row["tracks_checksum"] or "")
        parts = (row["assay"], *sums, *row["states"], "", *row["larvae"])
        digest.update(("\0".join(parts) + "\n").encode())
    return digest.hexdigest()


def _why_nothing(store: Path, rows: Sequence[Row], n_unlabelled: int) -> str:
    failed = [row for row in rows if row["status"] != OK]
    if n_unlabelled:
        return (
            f"{store}: expected assays with actions, but all {n_unlabelled} have shapes only; "
            "ingest them again with labels: a label file beside each recording, or --labels FILE."
        )
    if not rows:
        found = "it is empty"
    elif len(failed) < len(rows):
        found = "every one is to be left out"
    else:
        found = f"none of {len(rows)} recordings could be read. The first: {failed[0]['status']}"
    return f"{store}: expected a store with assays, but {found}; ingest recordings into it."


# -- bouts -----------------------------------------------------------------------------------------


def bouts_table(
    row: Row,
    states: Sequence[str],
    larva: NDArray[np.integer],
    state: NDArray[np.integer],
    t_start: NDArray[np.float64],
    t_stop: NDArray[np.float64],
) -> pa.Table:
    """Table of the bouts of one assay, as a store keeps it.

    Parameters
    ----------
    row : mapping
        Identity and ``larvae`` of the assay.
    states : sequence of str
        Vocabulary of `state`.
    larva : ndarray of int, shape (bout,)
        Position in the row's ``larvae``.
    state, t_start, t_stop : ndarray, shape (bout,)
    """
    n = len(state)

    def constant(name: str) -> pa.Array:
        return pa.repeat(pa.scalar(row[name], pa.string()), n)

    columns = {name: constant(name) for name in ("assay", "line", *IDENTITY)}
    columns["larva"] = pa.array(row["larvae"], pa.string()).take(pa.array(larva))
    columns["state"] = pa.array(states, pa.string()).take(pa.array(state))
    columns["t_start"], columns["t_stop"] = pa.array(t_start), pa.array(t_stop)
    return pa.table([columns[name] for name in BOUTS_SCHEMA.names], schema=BOUTS_SCHEMA)


def _ethogram(store: Path, rows: Sequence[Row]) -> Ethogram:
    """Ethogram of the assays of some rows, in their order."""
    states = tuple(rows[0]["states"])
    if any(tuple(row["states"]) != states for row in rows):
        states = order_states(name for row in rows for name in row["states"])
    sizes = [len(row["larvae"]) for row in rows]
    larvae = pd.DataFrame(
        {
            "larva": pd.Series([name for row in rows for name in row["larvae"]], dtype="str"),
            "assay_index": np.repeat(np.arange(len(rows)), sizes),
        }
    )
    table = _read_bouts(store, rows)
    t_start, t_stop = table.column("t_start").to_numpy(), table.column("t_stop").to_numpy()
    missing = any(column.null_count for column in table.columns)
    if missing or no_time(t_start).any() or no_time(t_stop).any():
        raise _damaged(store, "values are missing in files of bouts")
    index = _positions(table, rows, larvae)
    codes, names = _codes(table, "state")
    place = {name: code for code, name in enumerate(states)}
    state = np.array([place.get(name, -1) for name in names], dtype=np.int16)[codes]
    if (index < 0).any() or (state < 0).any():
        raise _damaged(store, "bouts and index name different larvae or states")
    assays = _assays(rows)
    return Ethogram.build(states, index, state, t_start, t_stop, larvae, assays, str(store))


def _read_bouts(store: Path, rows: Sequence[Row]) -> pa.Table:
    """Bouts of all files at once; columns of names as dictionaries."""
    columns = ["assay", "larva", "state", "t_start", "t_stop"]
    names = columns[:3]
    layout = dataset.ParquetFileFormat(read_options={"dictionary_columns": set(names)})
    kinds = {name: pa.dictionary(pa.int32(), pa.string()) for name in names}
    schema = pa.schema([(name, kinds.get(name, pa.float64())) for name in columns])
    files = [str(store / row["bouts"]) for row in rows]
    try:
        table = dataset.dataset(files, schema=schema, format=layout).to_table(columns=columns)
        table.validate(full=True)  # text that is no UTF-8
    except (OSError, pa.ArrowException, ValueError) as error:
        raise _damaged(store, str(error).splitlines()[0]) from error
    if len(table) != sum(row["n_bouts"] for row in rows):
        raise _damaged(store, "files of bouts are shorter or longer than the index says")
    return table.unify_dictionaries()


def _positions(table: pa.Table, rows: Sequence[Row], larvae: pd.DataFrame) -> NDArray[np.int64]:
    """Row of `larvae` of every bout, -1 where there is none, shape (bout,)."""
    assay, assay_names = _codes(table, "assay")
    larva, larva_names = _codes(table, "larva")
    place = {row["assay"]: position for position, row in enumerate(rows)}
    assay = np.array([place.get(name, -1) for name in assay_names], dtype=np.int64)[assay]
    known = pd.Index(larva_names).get_indexer(larvae["larva"])
    n = len(larva_names) + 1
    key = larvae["assay_index"].to_numpy() * n + known
    key = np.where(known < 0, -1 - np.arange(len(key)), key)  # larvae without any bout
    bout = np.where(assay < 0, np.iinfo(np.int64).min, assay * n + larva)
    return pd.Index(key).get_indexer(bout)


def _codes(table: pa.Table, name: str) -> tuple[NDArray[np.int64], list[str]]:
    """Codes and names of a dictionary column."""
    chunks = table.column(name).chunks
    if not chunks:
        return np.zeros(0, np.int64), []
    codes = np.concatenate([chunk.indices.to_numpy(zero_copy_only=False) for chunk in chunks])
    return codes.astype(np.int64), chunks[0].dictionary.to_pylist()


def _assays(rows: Sequence[Row]) -> pd.DataFrame:
    columns: dict[str, Any] = {
        name: pd.Series([row[name] for row in rows], dtype="str")
        for name in ("assay", "line", *IDENTITY)
    }
    for name in dict.fromkeys(name for row in rows for name in row["covariates"]):
        columns[name] = column_of([row["covariates"].get(name) for row in rows]).to_pandas()
    return complete_assays(pd.DataFrame(columns))


def _damaged(store: Path, how: str) -> DataError:
    return DataError(
        f"{store}: the store is damaged, or an ingest is just changing it ({how}); wait for that "
        "to end, or run the same ingest again, which restores what is missing."
    )
