"""What the verbs return: frozen results that print as R prints and hand out tidy tables.

A result carries its numbers, its design, its seed and its warnings; it computes nothing.
``tidy()`` gives one row per estimate, ``glance()`` one row in all, ``augment()`` one row per unit
(assay), ``plot()`` a matplotlib figure: the three verbs of R's *broom*, and a picture.
"""

from larvastats.results.calibration import CalibrationResult
from larvastats.results.columns import SCREEN_COLUMNS, TRANSITION_COLUMNS, WINDOW_COLUMNS
from larvastats.results.dwell import DwellResult
from larvastats.results.habituation import HABITUATION_COLUMNS, HabituationResult
from larvastats.results.htest import HTest
from larvastats.results.info import SourceInfo
from larvastats.results.order import OrderResult
from larvastats.results.power import PowerResult
from larvastats.results.screen import ScreenResult
from larvastats.results.timecourse import DistributionResult, TimecourseResult
from larvastats.results.transition_model import TransitionModel
from larvastats.results.transitions import TransitionsResult

__all__ = [
    "HABITUATION_COLUMNS",
    "SCREEN_COLUMNS",
    "TRANSITION_COLUMNS",
    "WINDOW_COLUMNS",
    "CalibrationResult",
    "DistributionResult",
    "DwellResult",
    "HTest",
    "HabituationResult",
    "OrderResult",
    "PowerResult",
    "ScreenResult",
    "SourceInfo",
    "TimecourseResult",
    "TransitionModel",
    "TransitionsResult",
]
