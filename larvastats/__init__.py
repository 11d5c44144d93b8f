"""larvastats: which genotypes change behaviour, how, when, and how sure one can be."""

from larvastats.errors import DataError, LarvastatsError, UsageError
from larvastats.ethogram import Ethogram
from larvastats.protocol import Protocol, parse_protocol
from larvastats.results import HTest, ScreenResult, SourceInfo, TransitionsResult
from larvastats.verbs.compare import compare
from larvastats.verbs.info import info
from larvastats.verbs.proportion_test import proportion_test
from larvastats.verbs.screen import screen
from larvastats.verbs.transitions import transitions

__version__ = "0.1.0"

__all__ = [
    "DataError",
    "Ethogram",
    "HTest",
    "LarvastatsError",
    "Protocol",
    "ScreenResult",
    "SourceInfo",
    "TransitionsResult",
    "UsageError",
    "__version__",
    "compare",
    "info",
    "parse_protocol",
    "proportion_test",
    "screen",
    "transitions",
]
