"""Choreography's shapes: ``.spine``, ``.outline`` and ``.dat`` of the Multi-Worm Tracker."""

from larvastats.io.choreography.reader import (
    DAT_UNITS,
    Recording,
    identity_of,
    read,
    read_dat,
    recordings,
    sniff,
    write_dat,
    write_objects,
    write_outline,
    write_spine,
)

__all__ = [
    "DAT_UNITS",
    "Recording",
    "identity_of",
    "read",
    "read_dat",
    "recordings",
    "sniff",
    "write_dat",
    "write_objects",
    "write_outline",
    "write_spine",
]
