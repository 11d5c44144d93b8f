"""FIMTrack v2 csv: one column per larva, one row per feature and frame; states from its flags."""

from larvastats.io.fimtrack.reader import (
    DEFAULT_MAPPING,
    Rule,
    identity_of,
    read,
    read_tracks,
    sniff,
    stem,
    unit_of,
)

__all__ = [
    "DEFAULT_MAPPING",
    "Rule",
    "identity_of",
    "read",
    "read_tracks",
    "sniff",
    "stem",
    "unit_of",
]
