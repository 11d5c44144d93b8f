"""LarvaTagger's label files: who does what in which frame, as JSON."""

from larvastats.io.larvatagger.reader import (
    EDITED,
    ENDINGS,
    LabelFile,
    Run,
    TrackLabels,
    beside,
    load,
    most_useful_first,
    read,
    sniff,
    write,
)

__all__ = [
    "EDITED",
    "ENDINGS",
    "LabelFile",
    "Run",
    "TrackLabels",
    "beside",
    "load",
    "most_useful_first",
    "read",
    "sniff",
    "write",
]
