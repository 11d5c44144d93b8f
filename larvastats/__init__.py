"""larvastats: which genotypes change behaviour, how, when, and how sure one can be."""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

# Names load on first use: the command line answers at once, and heavy libraries load only for
# those who need them.
_HOMES = {
    "DataError": "larvastats.errors",
    "DistributionResult": "larvastats.results",
    "Ethogram": "larvastats.ethogram",
    "HTest": "larvastats.results",
    "LarvastatsError": "larvastats.errors",
    "Protocol": "larvastats.protocol",
    "ScreenResult": "larvastats.results",
    "SourceInfo": "larvastats.results",
    "TimecourseResult": "larvastats.results",
    "TransitionsResult": "larvastats.results",
    "UsageError": "larvastats.errors",
    "calibrate": "larvastats.verbs.calibrate",
    "compare": "larvastats.verbs.compare",
    "distribution": "larvastats.verbs.distribution",
    "info": "larvastats.verbs.info",
    "ingest": "larvastats.verbs.ingest",
    "load": "larvastats.io.source",
    "parse_protocol": "larvastats.protocol",
    "power": "larvastats.verbs.power",
    "proportion_test": "larvastats.verbs.proportion_test",
    "screen": "larvastats.verbs.screen",
    "timecourse": "larvastats.verbs.timecourse",
    "transitions": "larvastats.verbs.transitions",
}

__all__ = [
    "DataError",
    "DistributionResult",
    "Ethogram",
    "HTest",
    "LarvastatsError",
    "Protocol",
    "ScreenResult",
    "SourceInfo",
    "TimecourseResult",
    "TransitionsResult",
    "UsageError",
    "__version__",
    "calibrate",
    "compare",
    "distribution",
    "info",
    "ingest",
    "load",
    "parse_protocol",
    "power",
    "proportion_test",
    "screen",
    "timecourse",
    "transitions",
]

if TYPE_CHECKING:
    from larvastats.errors import DataError, LarvastatsError, UsageError
    from larvastats.ethogram import Ethogram
    from larvastats.io.source import load
    from larvastats.protocol import Protocol, parse_protocol
    from larvastats.results import (
        DistributionResult,
        HTest,
        ScreenResult,
        SourceInfo,
        TimecourseResult,
        TransitionsResult,
    )
    from larvastats.verbs.calibrate import calibrate
    from larvastats.verbs.compare import compare
    from larvastats.verbs.distribution import distribution
    from larvastats.verbs.info import info
    from larvastats.verbs.ingest import ingest
    from larvastats.verbs.power import power
    from larvastats.verbs.proportion_test import proportion_test
    from larvastats.verbs.screen import screen
    from larvastats.verbs.timecourse import timecourse
    from larvastats.verbs.transitions import transitions


def __getattr__(name: str) -> object:
    """Load a public name from its home on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
