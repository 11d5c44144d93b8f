"""Results as files, all of them or none: a full disk leaves what was there before.

One module per result; :mod:`~larvastats.export.staging` makes them appear together,
:mod:`~larvastats.export.documents` turns results into JSON.
"""

from larvastats.export.comparison import write_test
from larvastats.export.documents import document, jsonable, write_json
from larvastats.export.habituation import write_habituation
from larvastats.export.pieces import file_name
from larvastats.export.screen import write_screen
from larvastats.export.staging import PROVENANCE, check_writable, provenance, staged
from larvastats.export.tables import write_tables
from larvastats.export.timecourse import write_timecourse
from larvastats.export.transitions import write_transitions

__all__ = [
    "PROVENANCE",
    "check_writable",
    "document",
    "file_name",
    "jsonable",
    "provenance",
    "staged",
    "write_habituation",
    "write_json",
    "write_screen",
    "write_tables",
    "write_test",
    "write_timecourse",
    "write_transitions",
]
