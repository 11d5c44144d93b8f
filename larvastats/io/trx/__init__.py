"""trx.mat, the tracker's output: MATLAB 7.3, one struct array ``trx``, one element per larva."""

from larvastats.io.trx.reader import (
    ALL_CODES,
    LARGE_CODES,
    LARVA_STATES,
    SHAPES,
    STRONG_CODES,
    Labels,
    check_labels,
    identities,
    read,
    read_tracks,
    sniff,
    write,
)

__all__ = [
    "ALL_CODES",
    "LARGE_CODES",
    "LARVA_STATES",
    "SHAPES",
    "STRONG_CODES",
    "Labels",
    "check_labels",
    "identities",
    "read",
    "read_tracks",
    "sniff",
    "write",
]
