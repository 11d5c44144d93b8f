"""A store as a source: bouts of many assays, read at once."""

from larvastats.io.store.reader import (
    BOUTS_SCHEMA,
    bouts_table,
    is_store,
    read_store,
    store_checksum,
    store_rows,
    store_tracks,
)

__all__ = [
    "BOUTS_SCHEMA",
    "bouts_table",
    "is_store",
    "read_store",
    "store_checksum",
    "store_rows",
    "store_tracks",
]
