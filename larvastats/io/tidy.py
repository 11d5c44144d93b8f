"""Tidy tables, csv or parquet: one row per bout or one row per larva and frame.

Columns: ``assay line larva state`` and either ``t_start t_stop`` (bouts) or ``t`` (frames), in s;
optional ``effector protocol tracker date time``; any other column that is constant within an assay
becomes a covariate. A csv may be gzipped, begin with a byte-order mark or a ``sep=;`` line, be
separated by commas, semicolons, tabs or bars, and have decimal commas where those do not separate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from larvastats.errors import DataError, LarvastatsError, UsageError
from larvastats.ethogram import BOUT_COLUMNS, CONTIGUOUS, FRAME_COLUMNS, Ethogram
from larvastats.io.columns import read_parquet, with_identity, write_csv, write_parquet
from larvastats.io.delimited import read_delimited, read_header
from larvastats.io.files import AnyPath, read_head, replacing
from larvastats.io.paths import AssayIdentity, identify
from larvastats.tabular import check_names

PARQUET_MAGIC = b"PAR1"
CSV_SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz")
PARQUET_SUFFIXES = (".parquet", ".pq")

MIN_PAIRS = 10
"""Successive bouts needed before a constant gap between them is taken for a mistake."""

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
        The file cannot be read, is empty or not UTF-8, columns are missing or misnamed, times are
        no numbers, bouts overlap or do not last, or bouts end one step before the next begins.
    """
    identity = identity or identify(path)
    if is_parquet(path):
        table = read_parquet(path)
    else:
        _check_columns(read_header(path), identity, str(path))
        table = read_delimited(path)
    return from_table(table, identity=identity, states=states, synonyms=synonyms, source=str(path))


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
    same = ethogram.larva_index[1:] == ethogram.larva_index[:-1]
    gaps = (ethogram.t_start[1:] - ethogram.t_stop[:-1])[same]
    if len(gaps) < MIN_PAIRS:
        return
    gap = float(np.median(gaps))
    slack = max(0.0015, 0.05 * gap)  # times are often printed with three decimals
    if not CONTIGUOUS < gap <= 1 or np.mean(np.abs(gaps - gap) <= min(slack, gap / 2)) < 0.95:
        return
    raise DataError(
        f"{source}: bouts must end where the next one starts, but nearly all of {len(gaps)} "
        f"successive bouts are the same {gap:.3g} s apart, so that no transition would be counted; "
        f"t_stop seems to be the time of the last frame: add the frame step ({gap:.3g} s) to it."
    )


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
