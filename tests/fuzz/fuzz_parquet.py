"""Parquet by its structure: tables of any types, and parts of a store."""

from __future__ import annotations

import datetime
import decimal
import io
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pyarrow as pa
from fuzz_bytes import havoc, name, pick
from pyarrow import parquet

Rng = np.random.Generator
BOUTS = ("assay", "line", "larva", "state", "t_start", "t_stop")
FRAMES = ("assay", "line", "larva", "t", "state")


def _written(table: pa.Table, rng: Rng) -> bytes:
    buffer = io.BytesIO()
    parquet.write_table(
        table, buffer, compression=pick(rng, ("none", "snappy", "zstd", "gzip")),
        row_group_size=len(table) // int(pick(rng, (1, 1, 3))) + 1,
        use_dictionary=bool(rng.random() < 0.5),
        data_page_version=pick(rng, ("1.0", "2.0")), store_schema=bool(rng.random() < 0.7),
        write_statistics=bool(rng.random() < 0.5),
    )  # fmt: skip
    return buffer.getvalue()


def _usual(column: str, n: int) -> pa.Array:
    row = np.arange(n)
    if column in ("t_start", "t"):
        return pa.array(row.astype(float))
    if column == "t_stop":
        return pa.array(row + 1.0)
    values = {"larva": "1", "state": None, "date": "20200131", "time": "093000"}
    value = values.get(column, column)
    return pa.array([value or ("run", "cast", "stop")[i % 3] for i in row])


def _odd(n: int, rng: Rng) -> pa.Array:
    """A column of some type that nobody expects."""
    days = [datetime.date(2020, 1, 1 + i % 28) for i in range(n)]
    numbers = [float(pick(rng, (np.nan, np.inf, -1, 0, 1e308, 5e-324, 2.5))) for _ in range(n)]
    names = [name(rng) for _ in range(n)]
    whole = list(range(n))
    makers: tuple[Callable[[], pa.Array], ...] = (
        lambda: pa.array(numbers),
        lambda: pa.array(numbers, pa.float32()),
        lambda: pa.array(names),
        lambda: pa.array(names, pa.large_string()),
        lambda: pa.array([None if i % 2 else names[i] for i in range(n)], pa.string()),
        lambda: pa.array(names).dictionary_encode(),
        lambda: pa.array([b"\xff\xfe"] * n, pa.binary()),
        lambda: pa.array([b"\xff" * 4] * n, pa.binary(4)),
        lambda: pa.nulls(n),
        lambda: pa.nulls(n, pa.float64()),
        lambda: pa.array(days),
        lambda: pa.array(days, pa.date64()),
        lambda: pa.array(whole, pa.timestamp("ns", "Europe/Berlin")),
        lambda: pa.array([2**61] * n, pa.timestamp("us")),
        lambda: pa.array(whole, pa.time64("us")),
        lambda: pa.array(whole, pa.duration("ms")),
        lambda: pa.array([decimal.Decimal("1.5")] * n, pa.decimal128(38, 10)),
        lambda: pa.array([decimal.Decimal(10**60)] * n, pa.decimal256(76, 0)),
        lambda: pa.array([True] * n),
        lambda: pa.array(whole, pa.uint8()),
        lambda: pa.array([2**64 - 1] * n, pa.uint64()),
        lambda: pa.array([[1, 2]] * n),
        lambda: pa.array([{"a": 1}] * n),
        lambda: pa.array([[("k", 1)]] * n, pa.map_(pa.string(), pa.int64())),
        lambda: pa.array(np.zeros(n, np.float16)),
    )
    return pick(rng, makers)()


def table(rng: Rng) -> bytes:
    """A tidy table of bouts or frames, some of whose columns are of any type and name."""
    odd = float(pick(rng, (0.0, 0.1, 0.4)))
    n = int(pick(rng, (0, 1, 2, 7, 30)))
    columns = [*pick(rng, (BOUTS, FRAMES))]
    columns += [c for c in ("date", "time", "effector", "protocol", "wind") if rng.random() < 0.2]
    names, arrays = [], []
    for column in columns:
        if rng.random() < odd / 5:
            continue
        names.append(column if rng.random() > odd / 5 else name(rng))
        arrays.append(_odd(n, rng) if rng.random() < odd else _usual(column, n))
    if rng.random() < 0.1:  # the same bytes again and again, for little room in the file
        many = 200_000
        names = list(BOUTS)
        arrays = [pa.array(np.zeros(many)) if c[:2] == "t_" else pa.repeat(c, many) for c in names]
    made = pa.table(arrays, names=names) if arrays else pa.table({})
    return _written(made, rng)


# -- parts of a store ------------------------------------------------------------------------------

PARTS = {b"I": "assays.parquet", b"M": "store.json", b"B": "", b"V": ".pending-x/v.json"}
"""First byte of an input, and the file of the store that the others replace; B: of bouts."""


def store_part(rng: Rng, good: dict[bytes, bytes], rows: list[dict[str, Any]]) -> bytes:
    """Damage one file of a store.

    Parameters
    ----------
    good : mapping
        Content of every part.
    rows : list of dict
        Rows of the index, as :mod:`larvastats.io.store.index` has them.
    """
    part = pick(rng, (b"I", b"I", b"I", b"M", b"B", b"V"))
    if part == b"I" and rng.random() < 0.7:
        return part + _index(rng, good[b"I"])
    if part == b"V" and rng.random() < 0.7:
        return part + _verdict(rng, rows)
    if part == b"M" and rng.random() < 0.7:
        return part + pick(rng, MARKS)
    if part == b"B" and rng.random() < 0.5:
        return part + _bouts(rng, good[b"B"])
    return part + havoc(good[part], rng)


MARKS: tuple[bytes, ...] = (
    b"", b"[]", b"{}", b"null", b"1", b'"x"', b"[" * 100_000, b'{"format": "larvastats store"}',
    b'{"format": "larvastats store", "version": "1"}',
    b'{"format": "larvastats store", "version": 1e999}',
    b'{"format": "larvastats store", "version": [1]}',
    b'{"format": ["larvastats store"], "version": 1}',
    b'{"format": "larvastats store", "version": ' + b"9" * 5000 + b"}",
    b"\xff\xfe", b"\xef\xbb\xbf{}",
    b'{"format": "larvastats store", "version": "\\ud800\\n' + b"x" * 9000 + b'"}',
)  # fmt: skip


def _index(rng: Rng, good: bytes) -> bytes:
    """An index with columns of other types, with other values, without columns."""
    made = parquet.read_table(io.BytesIO(good))
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(made.num_columns)) if made.num_columns else None
        if at is None:
            break
        field, how = made.schema.field(at).name, rng.random()
        if how < 0.15:
            made = made.remove_column(at)
        elif how < 0.3:
            made = made.append_column(pick(rng, (field, "covariate_x", name(rng))), made.column(at))
        elif how < 0.6:
            made = made.set_column(at, field, _odd(len(made), rng))
        else:
            kind = made.schema.field(at).type
            with suppress(pa.ArrowException, OverflowError):  # a column of another type by now
                values = made.column(at).to_pylist()
                values[int(rng.integers(len(values)))] = _value(values[0], rng)
                made = made.set_column(at, field, pa.array(values, kind))
    if rng.random() < 0.1:
        made = pa.concat_tables([made, made])
    return _written(made, rng)


def _value(like: Any, rng: Rng) -> Any:
    if rng.random() < 0.2:
        return None
    if isinstance(like, list):
        return [name(rng) for _ in range(int(rng.integers(3)))] + like[: int(rng.integers(4))]
    if isinstance(like, str):
        return pick(rng, ("ok", "/etc/passwd", "bouts/../store.json", "bouts/", "bouts", name(rng)))
    if isinstance(like, float):
        return float(pick(rng, (np.nan, np.inf, -1.0, 1e308)))
    return int(pick(rng, (-1, 0, 1, 2**62, -(2**63))))


def _verdict(rng: Rng, rows: list[dict[str, Any]]) -> bytes:
    made = [dict(row) for row in rows]
    for _ in range(int(rng.integers(0, 4))):
        row = pick(rng, made)
        key = pick(rng, list(row) or ["source"])
        if rng.random() < 0.3:
            row.pop(key, None)
        else:
            values = (
                None,
                [],
                {},
                1,
                -1.5,
                True,
                "ok",
                "bouts/../x",
                [1],
                [None],
                name(rng),
                2**70,
            )
            row[key] = pick(rng, values)
    odd = (made[0], [*made[:1], 1], [[]], [None], {"source": 1}, 1, "x", [{}], [[made[0]]], [""])
    return json.dumps(pick(rng, odd) if rng.random() < 0.2 else made).encode()


def _bouts(rng: Rng, good: bytes) -> bytes:
    made = parquet.read_table(io.BytesIO(good))
    at = int(rng.integers(made.num_columns))
    field = made.schema.field(at).name
    how = rng.random()
    if how < 0.5:
        made = made.set_column(at, field, _odd(len(made), rng))
    elif how < 0.7:
        made = made.remove_column(at)
    elif how < 0.8:
        made = made.slice(1)
    else:
        made = pa.concat_tables([made.slice(1), made.slice(len(made) - 1)])
    return _written(made, rng)
