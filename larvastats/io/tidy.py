"""Tidy tables, csv or parquet: one row per bout or one row per larva and frame.

Columns: ``assay line larva state`` and either ``t_start t_stop`` (bouts) or ``t`` (frames), in s;
optional ``effector protocol tracker date time``; any other column that is constant within an assay
becomes a covariate. A csv may be gzipped, begin with a byte-order mark or a ``sep=;`` line, be
separated by commas, semicolons, tabs or bars, and have decimal commas where those do not separate.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa

from larvastats.errors import DataError, LarvastatsError, UsageError
from larvastats.ethogram import BOUT_COLUMNS, CONTIGUOUS, FRAME_COLUMNS, Ethogram
from larvastats.io.assemble import Typed, assemble
from larvastats.io.columns import (
    lacking,
    parquet_names,
    parquet_pieces,
    with_identity,
    write_csv,
    write_parquet,
)
from larvastats.io.delimited import NoTimeError, could_be_one, no_time, read_pieces, typed
from larvastats.io.files import AnyPath, read_head, reading, replacing
from larvastats.io.gather import Gathered
from larvastats.io.levels import Same
from larvastats.io.paths import AssayIdentity, identify
from larvastats.io.text_layout import find_layout, other_decimal, read_header
from larvastats.tabular import check_names

PARQUET_MAGIC = b"PAR1"
CSV_SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz")
PARQUET_SUFFIXES = (".parquet", ".pq")

MIN_PAIRS = 10
"""Successive bouts needed before a constant gap between them is taken for a mistake."""

ROWS_PER_BYTE = 16
"""Most rows that a byte of a file may stand for; tables of real bouts have a byte or more per row,
and thirty million equal rows would fit into a file of 0.6 MiB."""

_FEW_ROWS = 1 << 20  # whose memory is no matter
_CHUNK = 1 << 20
_KNOWN = frozenset(BOUT_COLUMNS + FRAME_COLUMNS)


def sniff(path: AnyPath) -> bool:
    """Whether the content looks like a tidy table: parquet, or a header that names states."""
    try:
        if is_parquet(path):
            return True
        names = set(read_header(path))
    except LarvastatsError:
        return False
    return "state" in names and len(names & _KNOWN) >= 2


def is_parquet(path: AnyPath) -> bool:
    """Whether the file begins as parquet files do."""
    return read_head(path, len(PARQUET_MAGIC)) == PARQUET_MAGIC


def read(
    path: AnyPath,
    *,
    identity: AssayIdentity | None = None,
    states: Sequence[str] | None = None,
    synonyms: Mapping[str, str] | None = None,
) -> Ethogram:
    """Read a tidy table of bouts or frames.

    The table is read in pieces of some megabytes, kept in a few compressed bytes per row, and
    turned into bouts some assays at a time: what it takes of memory beyond the ethogram is a
    fraction of the file. Rows may come in any order. The result is that of :func:`from_table`.

    Parameters
    ----------
    path : path
        Csv (also gzipped) or parquet; the content decides, not the name.
    identity : AssayIdentity, optional
        Supplies identity columns that the table lacks; by default what the path says.
    states, synonyms
        As :meth:`larvastats.ethogram.Ethogram.from_bouts`.

    Returns
    -------
    Ethogram

    Raises
    ------
    UsageError
        There is no such file.
    DataError
        The file cannot be read, is empty or not UTF-8, has rows that are too long, columns are
        missing or misnamed, times are no numbers, bouts overlap or do not last, or bouts end one
        step before the next begins.
    """
    identity = identity or identify(path)
    with reading(path):  # whatever is left of memory may still be too little
        gather = _gather_parquet if is_parquet(path) else _gather_csv
        gathered, text_typed = gather(path, identity)
        pa.default_memory_pool().release_unused()  # what the parser had
        ethogram = assemble(
            gathered, states=states, synonyms=synonyms, source=str(path), typed=text_typed
        )
    if len(gathered.times) > 1:
        check_gaps(ethogram, str(path))
    return ethogram


def _gather_parquet(path: AnyPath, identity: AssayIdentity | None) -> tuple[Gathered, None]:
    names = parquet_names(path)
    gathered = _expecting(names, identity, str(path))
    gathered.take(_believable(parquet_pieces(path, gathered.dropped), path), str(path))
    return gathered, None


def _gather_csv(path: AnyPath, identity: AssayIdentity | None) -> tuple[Gathered, Typed]:
    """Gather the rows of a csv; where times are no numbers, try the other decimal mark."""
    layout = find_layout(path)
    for one in (layout, other_decimal(layout)):
        if one is None:
            break
        same = partial(could_be_one, decimal=one.decimal)
        names = [name for name in one.names if name]
        gathered = _expecting(names, identity, str(path), same)
        try:
            gathered.take(_believable(read_pieces(path, one, gathered.dropped), path), str(path))
        except NoTimeError:
            continue
        if not gathered.rows:
            raise DataError(f"{path}: expected rows below the header, but there is none.")
        return gathered, partial(typed, decimal=one.decimal)
    raise no_time(path, layout)


def _believable(tables: Iterable[pa.Table], path: AnyPath) -> Iterator[pa.Table]:
    """Pass tables on until they have more rows than a file of this size can mean."""
    most, rows = max(_FEW_ROWS, ROWS_PER_BYTE * os.path.getsize(path)), 0
    for table in tables:
        rows += table.num_rows
        if rows > most:
            raise DataError(
                f"{path}: expected rows of bouts or frames, but more than {most:,} rows stand in "
                f"{os.path.getsize(path):,} bytes, so that nearly all must be equal; write the "
                "table again without repeated rows."
            )
        yield table


def _expecting(
    names: Sequence[str], identity: AssayIdentity | None, source: str, same: Same | None = None
) -> Gathered:
    """Nothing gathered yet of a table with these columns, once they are those that are needed."""
    bouts = _check_columns(names, identity, source)
    supplied = {} if identity is None else lacking(names, identity)
    return Gathered(("t_start", "t_stop") if bouts else ("t",), supplied, same)


def from_table(
    table: pd.DataFrame,
    *,
    identity: AssayIdentity | None = None,
    states: Sequence[str] | None = None,
    synonyms: Mapping[str, str] | None = None,
    source: str = "table",
) -> Ethogram:
    """Build an ethogram from a table of bouts or frames, whichever its columns say.

    Parameters
    ----------
    table : DataFrame
        See the module.
    identity, states, synonyms
        As :func:`read`.
    source : str
        How errors name the input.

    Raises
    ------
    DataError
        As :func:`read`.
    """
    bouts = _check_columns([str(name) for name in table.columns], identity, source)
    if identity is not None:
        table = with_identity(table, identity)
    if not bouts:
        return Ethogram.from_frames(table, states=states, synonyms=synonyms, source=source)
    ethogram = Ethogram.from_bouts(table, states=states, synonyms=synonyms, source=source)
    check_gaps(ethogram, source)
    return ethogram


def check_gaps(ethogram: Ethogram, source: str) -> None:
    """Refuse bouts that all end the same short moment before the next one begins.

    Where ``t_stop`` is the time of a bout's last frame, every two bouts are one frame step apart,
    which reads as lost tracking: no transition would ever be counted.

    Raises
    ------
    DataError
        At least 95% of (at least :data:`MIN_PAIRS`) successive bouts of a larva are the same gap
        apart, longer than :data:`larvastats.ethogram.CONTIGUOUS` and at most 1 s.
    """
    apart = [np.count_nonzero(gaps > CONTIGUOUS) for gaps in _gaps(ethogram)]
    n = sum(len(gaps) for gaps in _gaps(ethogram))
    if n < MIN_PAIRS or 2 * sum(apart) < n:  # the usual case, without an array of all gaps
        return
    gaps = np.concatenate(list(_gaps(ethogram)))
    gap = float(np.median(gaps, overwrite_input=True))
    slack = max(0.0015, 0.05 * gap)  # times are often printed with three decimals
    if not CONTIGUOUS < gap <= 1 or np.mean(np.abs(gaps - gap) <= min(slack, gap / 2)) < 0.95:
        return
    raise DataError(
        f"{source}: bouts must end where the next one starts, but nearly all of {n} "
        f"successive bouts are the same {gap:.3g} s apart, so that no transition would be counted; "
        f"t_stop seems to be the time of the last frame: add the frame step ({gap:.3g} s) to it."
    )


def _gaps(ethogram: Ethogram) -> Iterator[np.ndarray]:
    """Yield the time (s) from every bout to the next of its larva, a million bouts at a time."""
    for start in range(0, ethogram.n_bouts - 1, _CHUNK):
        part, following = slice(start, start + _CHUNK), slice(start + 1, start + 1 + _CHUNK)
        larva, t_start = ethogram.larva_index[following], ethogram.t_start[following]
        same = larva == ethogram.larva_index[part][: len(larva)]
        yield (t_start - ethogram.t_stop[part][: len(larva)])[same]


def write_bouts(ethogram: Ethogram, path: AnyPath) -> None:
    """Write one row per bout, as :func:`read` reads it; an old file is replaced at the end.

    Parameters
    ----------
    ethogram : Ethogram
    path : path
        Its ending chooses the format: ``.csv``, ``.tsv`` or ``.txt`` (tabs), each also with
        ``.gz``; ``.parquet`` or ``.pq``.

    Raises
    ------
    UsageError
        The ending is none of these.
    DataError
        The file cannot be written.
    """
    name = str(path).casefold()
    if not name.endswith(CSV_SUFFIXES + PARQUET_SUFFIXES):
        expected = ", ".join(CSV_SUFFIXES[:3] + PARQUET_SUFFIXES[:1])
        raise UsageError(f"{path}: expected a name that ends in {expected}.")
    with replacing(path) as temporary:
        if name.endswith(PARQUET_SUFFIXES):
            write_parquet(ethogram, temporary)
        else:
            delimiter = "," if ".csv" in name[-7:] else "\t"
            write_csv(ethogram, temporary, delimiter, compress=name.endswith(".gz"))


def _check_columns(names: Sequence[str], identity: AssayIdentity | None, source: str) -> bool:
    """Whether the columns are those of bouts; complain when they are neither bouts nor frames."""
    supplied = [] if identity is None else [n for n in ("assay", "line") if getattr(identity, n)]
    bouts = _is_bouts(names)
    needed = [name for name in (BOUT_COLUMNS if bouts else FRAME_COLUMNS) if name not in supplied]
    check_names(names, needed, source)
    return bouts


def _is_bouts(names: Sequence[str]) -> bool:
    """Whether a table holds bouts rather than frames; unclear tables count as bouts."""
    if "t_start" in names or "t_stop" in names:
        return True
    return not ("t" in names or {"time", "time_s", "seconds", "timestamp"} & set(names))
