"""How a response wanes and comes back: time constants with the assay as unit.

:mod:`~larvastats.inference.habituation.curves` makes one binned curve per assay,
:mod:`~larvastats.inference.habituation.model` holds the formulas,
:mod:`~larvastats.inference.habituation.fit` fits them,
:mod:`~larvastats.inference.habituation.gate` asks whether there is anything to fit,
:mod:`~larvastats.inference.habituation.intervals` says how sure a time constant is, and
:mod:`~larvastats.inference.habituation.compare` whether two genotypes share one.
"""
