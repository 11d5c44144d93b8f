"""larvastats: which genotypes change behaviour, how, when, and how sure one can be."""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

# Names load on first use: the command line answers at once, and heavy libraries load only for
# those who need them.
_HOMES = {
    "DataError": "larvastats.errors",
    "DistributionResult": "larvastats.results",
    "DwellResult": "larvastats.results",
    "Ethogram": "larvastats.ethogram",
    "HTest": "larvastats.results",
    "HabituationResult": "larvastats.results",
    "LarvastatsError": "larvastats.errors",
    "OrderResult": "larvastats.results",
    "Protocol": "larvastats.protocol",
    "ScreenResult": "larvastats.results",
    "SourceInfo": "larvastats.results",
    "TimecourseResult": "larvastats.results",
    "TransitionModel": "larvastats.results",
    "TransitionsResult": "larvastats.results",
    "UsageError": "larvastats.errors",
    "calibrate": "larvastats.verbs.calibrate",
    "compare": "larvastats.verbs.compare",
    "distribution": "larvastats.verbs.distribution",
    "dwell": "larvastats.verbs.dwell",
    "habituation": "larvastats.verbs.habituation",
    "homogeneity_test": "larvastats.verbs.homogeneity_test",
    "info": "larvastats.verbs.info",
    "ingest": "larvastats.verbs.ingest",
    "load": "larvastats.io.source",
    "order_test": "larvastats.verbs.order_test",
    "parse_protocol": "larvastats.protocol",
    "power": "larvastats.verbs.power",
    "predict": "larvastats.verbs.transition_model",
    "proportion_test": "larvastats.verbs.proportion_test",
    "screen": "larvastats.verbs.screen",
    "timecourse": "larvastats.verbs.timecourse",
    "transition_model": "larvastats.verbs.transition_model",
    "transitions": "larvastats.verbs.transitions",
}

__all__ = [
    "DataError",
    "DistributionResult",
    "DwellResult",
    "Ethogram",
    "HTest",
    "HabituationResult",
    "LarvastatsError",
    "OrderResult",
    "Protocol",
    "ScreenResult",
    "SourceInfo",
    "TimecourseResult",
    "TransitionModel",
    "TransitionsResult",
    "UsageError",
    "__version__",
    "calibrate",
    "compare",
    "distribution",
    "dwell",
    "habituation",
    "homogeneity_test",
    "info",
    "ingest",
    "load",
    "order_test",
    "parse_protocol",
    "power",
    "predict",
    "proportion_test",
    "screen",
    "timecourse",
    "transition_model",
    "transitions",
]

if TYPE_CHECKING:
    from larvastats.errors import DataError, LarvastatsError, UsageError
    from larvastats.ethogram import Ethogram
    from larvastats.io.source import load
    from larvastats.protocol import Protocol, parse_protocol
    from larvastats.results import (
        DistributionResult,
        DwellResult,
        HabituationResult,
        HTest,
        OrderResult,
        ScreenResult,
        SourceInfo,
        TimecourseResult,
        TransitionModel,
        TransitionsResult,
    )
    from larvastats.verbs.calibrate import calibrate
    from larvastats.verbs.compare import compare
    from larvastats.verbs.distribution import distribution
    from larvastats.verbs.dwell import dwell
    from larvastats.verbs.habituation import habituation
    from larvastats.verbs.homogeneity_test import homogeneity_test
    from larvastats.verbs.info import info
    from larvastats.verbs.ingest import ingest
    from larvastats.verbs.order_test import order_test
    from larvastats.verbs.power import power
    from larvastats.verbs.proportion_test import proportion_test
    from larvastats.verbs.screen import screen
    from larvastats.verbs.timecourse import timecourse
    from larvastats.verbs.transition_model import predict, transition_model
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
