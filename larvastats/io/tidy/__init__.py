"""Tidy tables, csv or parquet: one row per bout or one row per larva and frame."""

from larvastats.io.tidy.reader import (
    PARQUET_SUFFIXES,
    ROWS_PER_BYTE,
    from_table,
    is_parquet,
    read,
    sniff,
    write_bouts,
)

__all__ = [
    "PARQUET_SUFFIXES",
    "ROWS_PER_BYTE",
    "from_table",
    "is_parquet",
    "read",
    "sniff",
    "write_bouts",
]
