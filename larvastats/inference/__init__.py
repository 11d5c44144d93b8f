"""Designs, relabellings, p-values and intervals: all that is statistics proper.

Every room imports only those above it in this list:

- :mod:`~larvastats.inference.significance`: from statistics to p-values, alone and together;
- :mod:`~larvastats.inference.design`: protocol, window, line and control, units, dates, replicates;
- :mod:`~larvastats.inference.relabelling`: which assays could have been whose;
- :mod:`~larvastats.inference.options`: every choice of a comparison, checked in one place;
- :mod:`~larvastats.inference.profiles`: what each statistic looks at;
- :mod:`~larvastats.inference.effects`: how large a difference is, with intervals;
- :mod:`~larvastats.inference.lines`: tests of lines against their control;
- :mod:`~larvastats.inference.screen`: all lines of a source, in one or several windows;
- the questions beside a screen, which know nothing of each other:
  :mod:`~larvastats.inference.transitions` (over time), :mod:`~larvastats.inference.curves` (mean
  curves), :mod:`~larvastats.inference.dwell`, :mod:`~larvastats.inference.order`,
  :mod:`~larvastats.inference.habituation`;
- :mod:`~larvastats.inference.calibration`: whether a screen keeps its error, what it could find.
"""
