"""Pages to read: what a results directory holds, by Quarto or by a small renderer of our own.

The pages are ``reports/*.qmd``. Their cells call :mod:`larvastats.report.pages`, which reads the
files of ``--out`` and computes no statistics. :func:`larvastats.report.make.make_report` renders
them.
"""
