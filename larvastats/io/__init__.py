"""Readers and writers, and the store.

- One room per format: :mod:`~larvastats.io.trx`, :mod:`~larvastats.io.choreography`,
  :mod:`~larvastats.io.fimtrack`, :mod:`~larvastats.io.larvatagger`, :mod:`~larvastats.io.schleyer`,
  :mod:`~larvastats.io.tidy`; :mod:`~larvastats.io.text` is what text files share.
- :mod:`~larvastats.io.formats` knows them all, :mod:`~larvastats.io.recordings` which files belong
  together, :mod:`~larvastats.io.labels` where actions come from if not from the recording.
- :mod:`~larvastats.io.store`: many recordings read once.
- :mod:`~larvastats.io.source` and :mod:`~larvastats.io.features` take any of these: an ethogram, or
  series over frames, comes out.
- :mod:`~larvastats.io.tracks`, :mod:`~larvastats.io.contours`: what readers of shapes hand on;
  :mod:`~larvastats.io.paths`, :mod:`~larvastats.io.identity`: who was recorded;
  :mod:`~larvastats.io.files`, :mod:`~larvastats.io.hdf5`: opening files with care.
"""
